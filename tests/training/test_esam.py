"""ESAM on a quadratic, and the trials of its second pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sharpscope.devices import Share
from sharpscope.errors import UsageError
from sharpscope.training import ESAM, SAM
from sharpscope.training.recipe import Recipe
from sharpscope.training.run import Training

H = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)


def closure_of(w: nn.Parameter, seen: list[Tensor]) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        seen.append(w.detach().clone())
        loss = w @ H @ w / 2
        loss.backward()
        return loss.detach()

    return closure


def test_the_ascent_moves_a_share_of_the_weights_by_one_over_it() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(4000, generator=generator, dtype=torch.float64)
    w, seen = nn.Parameter(start.clone()), []

    def closure() -> Tensor:
        seen.append(w.detach().clone())
        loss = w.square().sum() / 2
        loss.backward()
        return loss.detach()

    ESAM(torch.optim.SGD([w], lr=0.1), rho=0.3, beta=0.25).step(closure)
    moved = seen[1] - start
    full = 0.3 * start / start.norm()
    kept = moved != 0
    assert float(kept.double().mean()) == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(moved[kept], full[kept] / 0.25)
    torch.testing.assert_close(w.detach(), start - 0.1 * seen[1])


def test_with_every_weight_it_is_sam() -> None:
    one, other = (nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64)) for _ in range(2))
    for _ in range(3):
        SAM(torch.optim.SGD([one], lr=0.1), rho=0.3).step(closure_of(one, []))
        ESAM(torch.optim.SGD([other], lr=0.1), rho=0.3, beta=1.0).step(closure_of(other, []))
    assert torch.equal(one, other)


def test_selection_takes_the_largest_rises_and_at_least_one() -> None:
    sam = ESAM(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1), gamma=0.5)
    before = torch.tensor([0.0, 5.0, 1.0, 1.0, 9.0])
    assert sam.select(before, torch.tensor([1.0, 5.5, 3.0, 1.0, 8.0])).tolist() == [0, 2]
    assert sam.select(before[:1], before[:1]).tolist() == [0]
    with pytest.raises(UsageError, match="gamma is 0"):
        ESAM(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1), gamma=0)


def test_the_second_pass_hears_the_trials_that_were_hurt(
    tmp_path: Path, recipe_for: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(recipe_for(optimizer__method="esam", optimizer__gamma=0.5, schedule__micro_batch=4))
    run = Training(recipe, tmp_path / "run", Share())
    batch = np.arange(6)
    waves = torch.stack([run.trials[0, int(index)][0] for index in batch])
    sizes: list[tuple[int, bool]] = []
    real = run._logits
    monkeypatch.setattr(
        run, "_logits", lambda part: (sizes.append((len(part), torch.is_grad_enabled())), real(part))[1]
    )
    run._step(waves, batch, batch, 10)
    # Both micro-batches, once more without a graph at the perturbed weights, then half of the trials.
    assert sizes == [(4, True), (2, True), (4, False), (2, False), (3, True)]
