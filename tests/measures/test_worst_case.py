"""A step that is made part by part, so that no whole one is held, has every bit of a whole one."""

import pytest
import torch
from toy_networks import Perceptron, make_group

from sharpscope.measures import MEASURES, parameters
from sharpscope.measures.worst_case import Ascent, steepest_step

STEPS = ["sam", "asam", "asam_eta", "asam_filterwise", "sam_linf", "asam_linf", "keskar", "sam_matched"]
OTHERS = ["grad_norm_adaptive", "asam_layers", "effective_parameters_adaptive"]


@pytest.mark.parametrize("batch_size", [2, 6])
def test_parts_give_the_bits_of_the_whole(monkeypatch: pytest.MonkeyPatch, batch_size: int) -> None:
    def values() -> list[object]:
        group = make_group(Perceptron(), batch_size=batch_size, objectives=("label", "matched"))
        radii = [0.05, 0.01]
        return [
            MEASURES[name].function(group, radii if MEASURES[name].radius else ()) for name in STEPS + OTHERS
        ]

    whole = values()
    monkeypatch.setattr(parameters, "PART_BYTES", 1)
    assert values() == whole


def test_the_step_of_a_large_network_is_not_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    small = make_group(Perceptron())
    monkeypatch.setattr(parameters, "PART_BYTES", 1)
    large = make_group(Perceptron())
    for scaling in ("none", "elementwise", "filterwise"):
        whole, parts = steepest_step(small, scaling=scaling), steepest_step(large, scaling=scaling)
        assert isinstance(whole, list)
        assert isinstance(parts, Ascent)
        assert len(parts) == len(whole)
        assert all(torch.equal(parts[i], whole[i]) for i in range(len(whole)))
        assert all(torch.equal(a, b) for a, b in zip(parts, whole, strict=True))


def test_gradients_that_were_on_the_parameters_stay_there() -> None:
    network = Perceptron()
    kept = torch.ones_like(network.out.weight)
    network.out.weight.grad = kept
    make_group(network, batch_size=2)
    assert network.out.weight.grad is kept
    assert bool((kept == 1).all())
    assert network.first.weight.grad is None
