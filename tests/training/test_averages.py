"""Means of weights against slow references: SWAD's window by looking at all losses at once."""

import random

import pytest
import torch
from torch import nn

from sharpscope.training.averages import Swad, loss_valley


def slow_window(losses: list[float], start: int, end: int, bound: float) -> tuple[int, int] | None:
    """Cha et al. (2021), algorithm 1, written as its conditions read."""
    for first in range(len(losses) - start + 1):
        part = losses[first : first + start]
        if losses[first] <= min(part):
            limit = bound * sum(part) / start
            for at in range(first + start, len(losses)):
                if at - end + 1 >= 0 and min(losses[at - end + 1 : at + 1]) > limit:
                    return first, at - end
            return first, len(losses) - 1
    return None


@pytest.mark.parametrize("trial", range(60))
def test_swad_averages_every_step_of_its_window(trial: int) -> None:
    chance = random.Random(trial)
    losses = [float(chance.randint(1, 9)) for _ in range(chance.randint(1, 15))]
    start, end, bound = chance.randint(1, 4), chance.randint(1, 4), chance.choice([1.0, 1.2, 2.0])
    network = nn.Linear(1, 1, bias=False).double()
    average, steps = Swad(network, start, end, bound), []
    for loss in losses:
        steps.append([])
        for _ in range(chance.randint(1, 3)):
            steps[-1].append(chance.random())
            nn.init.constant_(network.weight, steps[-1][-1])
            average.update()
        average.end_of_epoch(loss)
        if chance.random() < 0.3:  # a killed run goes on
            state, average = average.state_dict(), Swad(network, start, end, bound)
            average.load_state_dict(state)
    window = slow_window(losses, start, end, bound)
    assert loss_valley(losses, start, end, bound) == window
    first, last = window or (max(len(losses) - start, 0), len(losses) - 1)
    expected = [value for epoch in steps[first : last + 1] for value in epoch]
    average.into(network)
    assert network.weight.item() == pytest.approx(sum(expected) / len(expected), abs=1e-12)
    assert ("no valley" in average.note) == (window is None)


def test_swad_holds_few_copies() -> None:
    network = nn.Linear(1, 1)
    average = Swad(network, 3, 6, 1.3)
    for epoch in range(30):
        average.update()
        average.end_of_epoch(float(epoch % 5))
        assert len(average._waiting) <= 6
    assert not average.empty
    assert torch.is_tensor(average.mean[0])
