"""On a simulated device: nothing mixes devices, and a host waits as often for a deep network as for a flat one."""

import pytest
import torch
from simulated_device import DEVICE, simulated
from torch import Tensor, nn
from toy_networks import Recurrent, trials

from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic

ONE_STEP = [
    "sam",
    "asam",
    "sam_linf",
    "asam_filterwise",
    "sam_matched",
    "loss",
    "grad_norm",
    "grad_norm_adaptive",
    "param_norm",
    "sam_layers",
    "effective_parameters",
    "entropy",
    "margin",
]


class Deep(nn.Module):
    """As many layers as asked, two tensors each."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(layers))
        self.out = nn.Linear(6, 2)

    def forward(self, waves: Tensor) -> Tensor:
        for layer in self.layers:
            waves = torch.tanh(layer(waves))
        logits: Tensor = self.out(waves)
        return logits


def group_on(network: nn.Module, device: str) -> Group:
    network = network.float().to(device).eval()
    waves, labels, weights = trials()
    there, labels, weights = waves.float().to(device), labels.to(device), weights.to(device)
    live = LiveParameters(network, lambda: cross_entropy(network(there), labels).sum())
    return Group(network, live, there, labels, weights, batch_size=4, objectives=("label", "matched"))


def values(group: Group, names: list[str]) -> dict[str, dict[float | str | None, float]]:
    return {
        name: dict(MEASURES[name].function(group, [0.05] if MEASURES[name].radius else ())) for name in names
    }


def waits(layers: int) -> dict[str, int]:
    """How often the host waits for each measure of a group, all from one shared pass."""
    found = {}
    with exact_arithmetic(), simulated() as watch:
        before = watch.count
        group = group_on(Deep(layers), DEVICE)
        # The weights are proved by a checksum once a checkpoint, tensor by tensor.
        found["the group"] = watch.count - before - len(group.live.tensors)
        for name in ONE_STEP:
            before = watch.count
            values(group, [name])
            found[name] = watch.count - before
    return found


def test_the_host_waits_as_often_for_a_deep_network_as_for_a_flat_one() -> None:
    flat, deep = waits(1), waits(12)
    assert flat == deep
    assert max(deep.values()) <= 3
    assert deep["grad_norm"] == 0  # the check that the gradient is finite has found it


def test_the_norm_of_the_weights_is_taken_once_a_checkpoint() -> None:
    with simulated() as watch:
        group = group_on(Deep(2), DEVICE)
        values(group, ["param_norm"])
        before = watch.count
        values(group, ["param_norm"])
        assert watch.count == before


@pytest.mark.parametrize("network", [Deep, Recurrent], ids=["deep", "gru"])
def test_values_on_a_simulated_device_are_those_of_a_cpu(network: type[nn.Module]) -> None:
    make = (lambda: Deep(3)) if network is Deep else Recurrent
    names = [name for name in ONE_STEP if name != "average"] + ["average", "gradient_curvature"]
    with exact_arithmetic():
        here = values(group_on(make(), "cpu"), names)
        with simulated():
            there = values(group_on(make(), DEVICE), names)
    for name in names:
        assert there[name] == pytest.approx(here[name], rel=1e-4, abs=1e-9), name


def test_the_simulated_device_refuses_to_mix() -> None:
    with simulated(), pytest.raises(RuntimeError, match="on one device"):
        torch.ones(2).to(DEVICE) + torch.ones(2)
