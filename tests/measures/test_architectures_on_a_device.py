"""Every architecture on a simulated device: nothing mixes devices, values are a CPU's, and no wait counts tensors."""

from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from simulated_device import DEVICE, Watch, simulated
from small_networks import samples_of, short_trials, small

from sharpscope.detectors import ARCHITECTURES
from sharpscope.measurement.first_look import Look, first_look, still_the_same
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.precision import exact_arithmetic

# One of each kind: a step, a matched and scaled step, gradients of single trials, second derivatives, a norm.
NAMES = ("sam", "asam_matched", "fisher_rao", "gradient_curvature", "param_norm")
# What differs from another one in widths, fusion or margin only takes steps alone.
SIBLINGS = ("aasist", "aasist@sam-antispoofing", "rawgat-st", "rawgat-st-add")
# How often a host waits, whatever the number of tensors; LCNN also asks for the lengths of its trials.
WAITS = {"group": 2, "forward": 0, "sam": 2, "asam_matched": 3, "gradient_curvature": 3, "param_norm": 1}
AT_MOST = {"first look": 26, "prepare": 4, "fisher_rao": 17, "restoring": 1, "the same": 1}


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    with short_trials():
        yield


def measured(
    arch: str, device: str, watch: Watch | None = None
) -> tuple[Look, dict[str, float], Counter[str]]:
    """Look at a detector and measure two trials; returns what was found and how often the host waited for what."""
    detector = small(arch)
    waves = 0.1 * torch.randn(2, samples_of(arch), generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([1, 0])
    detector.module.to(device)
    waves, labels = waves.to(device), labels.to(device)
    weights = torch.full((2,), 0.5, dtype=torch.float64, device=device)
    waits: Counter[str] = Counter()
    found: dict[str, float] = {}

    def counted(what: str, before: int) -> int:
        if watch is not None:
            waits[what] = watch.count - before
        return 0 if watch is None else watch.count

    before = counted("moving", 0)
    look = first_look(detector, waves, labels, 2)
    before = counted("first look", before)
    with exact_arithmetic(), look.live.guarded():
        prepared = look.detector.prepare(waves)
        before = counted("prepare", before)
        group = Group(
            look.detector.score,
            look.live,
            prepared,
            labels,
            weights,
            batch_size=2,
            objectives=("label", "matched"),
        )
        before = counted("group", before)
        group.evaluate()
        before = counted("forward", before)
        for name in NAMES[: 2 if arch in SIBLINGS else None]:
            values = MEASURES[name].function(group, [0.01] if MEASURES[name].radius else ())
            found |= {f"{name} {key}": value for key, value in values.items()}
            before = counted(name, before)
    before = counted("restoring", before)
    still_the_same(look)
    counted("the same", before)
    return look, found, waits


@pytest.mark.parametrize("arch", sorted(ARCHITECTURES))
def test_an_architecture_gives_on_the_device_what_it_gives_on_a_cpu(arch: str) -> None:
    """From 6 to 165 tensors and more: a wait for each of them would show."""
    _, here, _ = measured(arch, "cpu")
    with simulated() as watch:
        _, there, waits = measured(arch, DEVICE, watch)
    assert there == pytest.approx(here, rel=1e-4, abs=1e-7)
    for what, count in waits.items():
        assert count == WAITS[what] if what in WAITS else count <= AT_MOST.get(what, count), what
