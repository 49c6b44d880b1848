"""What a run starts from: files are opened without running them, and advice is such that `train` can follow it."""

import fractions
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sharpscope.detectors import build
from sharpscope.errors import UsageError
from sharpscope.training.recipe import Recipe
from sharpscope.training.start import start

SIZES = {"width": 4, "depth": 2, "bands": 8}


class _Code:
    """A weight that only running the file's code can make."""

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.ones, (2, 2)


def test_a_file_that_needs_code_is_to_be_converted(
    tmp_path: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    state = build("tiny", SIZES).state_dict()
    torch.save({"model": {name: _Code() for name in state}}, tmp_path / "own.pt")
    with pytest.raises(
        UsageError, match=r"^model.init: .*sharpscope convert .*own.safetensors --allow-pickle"
    ):
        start(Recipe(recipe_for(model__init=str(tmp_path / "own.pt"))))
    # Code beside the weights is carried as a placeholder and needs none of it run.
    torch.save({"model": state, "cfg": fractions.Fraction(1, 2)}, tmp_path / "own.pt")
    network = start(Recipe(recipe_for(model__init=str(tmp_path / "own.pt"))))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
