"""On a simulated device: nothing mixes devices, and a host waits as often for a deep network as for a flat one."""

import pytest
import torch
from simulated_device import DEVICE, simulated
from torch import Tensor, nn
from toy_networks import Attention, Recurrent, Tied, trials

from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import OBJECTIVES, cross_entropy
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


SOME = [*ONE_STEP, "fisher_trace", "relative_flatness", "average", "gradient_curvature", "trace_stderr"]


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


def group_on(network: nn.Module, device: str, batch_size: int = 4) -> Group:
    network = network.float().eval()
    network.to(device)
    waves, labels, weights = trials()
    there, labels, weights = waves.float().to(device), labels.to(device), weights.to(device)
    live = LiveParameters(network, lambda: cross_entropy(network(there), labels).sum())
    return Group(network, live, there, labels, weights, batch_size=batch_size, objectives=tuple(OBJECTIVES))


def values(group: Group, names: list[str]) -> dict[str, dict[float | str | None, float]]:
    return {
        name: dict(MEASURES[name].function(group, [0.05] if MEASURES[name].radius else ())) for name in names
    }


def waits(layers: int) -> dict[str, int]:
    """How often the host waits for each measure of a group, all from one shared pass."""
    found = {}
    with exact_arithmetic(), simulated() as watch:
        network = Deep(layers)
        network.to(DEVICE)
        before = watch.count
        group = group_on(network, DEVICE)
        found["the group"] = watch.count - before
        for name in ONE_STEP:
            before = watch.count
            values(group, [name])
            found[name] = watch.count - before
    return found


def test_the_host_waits_as_often_for_a_deep_network_as_for_a_flat_one() -> None:
    flat, deep = waits(1), waits(12)
    assert flat == deep
    assert max(deep.values()) <= 6  # three copies to the device, a checksum, and a look at the logits
    assert max(deep[name] for name in ONE_STEP) <= 3
    assert deep["grad_norm"] == 0  # the check that the gradient is finite has found it


def test_the_norm_of_the_weights_is_taken_once_a_checkpoint() -> None:
    with simulated() as watch:
        group = group_on(Deep(2), DEVICE)
        values(group, ["param_norm"])
        before = watch.count
        values(group, ["param_norm"])
        assert watch.count == before


@pytest.mark.parametrize(
    "network", [Deep, Recurrent, Attention, Tied], ids=["deep", "gru", "attention", "tied"]
)
def test_every_measure_gives_on_the_device_what_it_gives_on_a_cpu(network: type[nn.Module]) -> None:
    """Random directions too: they are drawn on the CPU, whatever the device."""

    def make() -> nn.Module:
        return Deep(2) if network is Deep else network()

    names = list(MEASURES) if network is Deep else [name for name in MEASURES if name in SOME]
    with exact_arithmetic():
        here = values(group_on(make(), "cpu", 6), names)
        with simulated():
            there = values(group_on(make(), DEVICE, 6), names)
    for name in names:
        # Ends of a spectrum and steps of an ascent go on from roundings.
        close = 1e-2 if name.startswith(("lambda", "trace_sketched")) or "apgd" in name else 1e-4
        assert there[name] == pytest.approx(here[name], rel=close, abs=1e-6), name


@pytest.mark.parametrize("index", [0, 7])
def test_a_direction_is_sent_at_once_and_kept(index: int) -> None:
    with simulated() as watch:
        group = group_on(Deep(12), DEVICE)
        before = watch.count
        first = group.noise(index)
        assert watch.count - before == 1
        again = group.noise(index)
        assert watch.count - before == 1
        here = group_on(Deep(12), "cpu").noise(index)
        for one, other, known in zip(first, again, here, strict=True):
            assert torch.equal(one.cpu(), known)
            assert torch.equal(other.cpu(), known)


def test_the_simulated_device_refuses_to_mix() -> None:
    with simulated():
        there = torch.ones(2).to(DEVICE)
        with pytest.raises(RuntimeError, match="on one device"):
            there + torch.ones(2)
        with pytest.raises(RuntimeError, match="on one device"):
            torch.nn.functional.linear(there, torch.ones(3, 2, device=DEVICE), torch.ones(3))
        assert (there + torch.tensor(1.0)).cpu().tolist() == [2.0, 2.0]  # a number may come from the CPU


def test_the_simulated_device_counts_what_waits_and_what_does_not() -> None:
    with simulated() as watch:
        there = torch.ones(3, 2).to(DEVICE)
        for wait, what in [
            (lambda: float(there.sum()), "item"),
            (lambda: there.cpu(), "to the host"),
            (lambda: torch.zeros(2).to(DEVICE), "to the device"),
            (lambda: torch.tensor([1.0], device=DEVICE), "to the device"),
            (lambda: there[there > 0], "mask"),
            (lambda: torch.equal(there, there), "equal"),
        ]:
            before = watch.waits.copy()
            wait()
            assert watch.waits - before == {what: 1}
        before = watch.waits.copy()
        assert there.to(DEVICE) is there
        assert there.device == torch.zeros(1, device=DEVICE).device == torch.device(DEVICE)
        (there * 2 + torch.zeros_like(there)).double().mean(dim=1)
        torch.zeros(2).pin_memory().to(DEVICE, non_blocking=True)
        assert watch.waits == before


def test_the_simulated_device_has_memory_and_random_numbers_of_its_own() -> None:
    with simulated() as watch:
        before = watch.held
        there = torch.zeros(1000, device=DEVICE)
        part = there[:10]
        assert watch.held - before == 4000
        del there
        assert watch.held - before == 4000
        del part
        assert watch.held == before
        assert torch.cuda.max_memory_allocated() >= before + 4000
        watch.limit = before + 1000
        with pytest.raises(torch.OutOfMemoryError):
            torch.zeros(1000, device=DEVICE)
        torch.manual_seed(5)
        host = torch.get_rng_state()
        drawn = torch.rand(3, device=DEVICE)
        assert torch.equal(torch.get_rng_state(), host)
        torch.manual_seed(5)
        assert torch.equal(torch.rand(3, device=DEVICE).cpu(), drawn.cpu())
