"""Checkpoints written in one step, as torch files or safetensors, with their record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from sharpscope.errors import UsageError
from sharpscope.files import replacing


def write_checkpoint(path: str | Path, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write weights with their record, in one step: the file is the old one or the whole new one.

    Args:
        path: The file to make or replace.
        state: Tensors by name.
        record: Plain facts about the weights (architecture, recipe, seed, ...) for `load_detector`.
    """
    with replacing(Path(path)) as temporary:
        torch.save({"model": dict(state), "sharpscope": dict(record)}, temporary)


def write_safetensors(path: str | Path, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write weights as safetensors, a format that cannot hold code, with their record in its header.

    Args:
        path: The file to make or replace; its name ends in ``.safetensors``.
        state: Tensors by name.
        record: Plain facts about the weights.

    Raises:
        UsageError: If the name does not end so, and the file could not be told apart when it is read.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise UsageError(f"{path}: name the file to write something.safetensors")
    # Tensors that share memory (tied weights) are written once each, as the format wants.
    own = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    with replacing(path) as temporary:
        # The library makes files that nobody else may read; a new file of one's own has the rights of any other.
        temporary.touch()
        rights = temporary.stat().st_mode
        save_file(own, temporary, metadata={"sharpscope": json.dumps(dict(record), sort_keys=True)})
        temporary.chmod(rights)
