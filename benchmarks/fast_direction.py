"""What `--fast` saves and what it costs: the direction in bfloat16 against the exact one, on one detector."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from benchmarks.shared_pass import RADII, random_detector
from sharpscope.detectors import Detector
from sharpscope.devices import keep_freed_memory
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic

NAMES = ("sam", "asam")


def measured(
    detector: Detector, live: LiveParameters, waves: torch.Tensor, *, fast: bool
) -> tuple[float, list[float]]:
    """Return the seconds that a group takes at five radii, and its values."""
    labels = torch.arange(len(waves), device=waves.device) % 2
    weights = torch.full((len(waves),), 1 / len(waves), dtype=torch.float64, device=waves.device)
    start = time.perf_counter()
    group = Group(
        detector.score,
        live,
        detector.prepare(waves, len(waves)),
        labels,
        weights,
        batch_size=len(waves),
        direction="bf16" if fast else "fp32",
    )
    values = [v for name in NAMES for v in MEASURES[name].function(group, RADII[:5]).values()]
    return time.perf_counter() - start, values


def run(arch: str = "aasist-l", n: int = 4, device: str = "cpu") -> None:
    """Print seconds and the largest relative difference of a value."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        detector = random_detector(Path(folder), arch)
    detector.module.to(device)
    waves = 0.05 * torch.randn(n, 64_600, generator=torch.Generator().manual_seed(0)).to(device)
    with exact_arithmetic():
        live = LiveParameters(detector.module, lambda: detector(waves).sum())
        runs = {
            fast: min(measured(detector, live, waves, fast=fast) for _ in range(2)) for fast in (False, True)
        }
    (exact, values), (quick, others) = runs[False], runs[True]
    off = max(abs(a - b) / abs(a) for a, b in zip(values, others, strict=True))
    print(
        f"fast_direction: {arch}, {n} trials, 5 radii: {exact:.1f} s exact, {quick:.1f} s fast, "
        f"ratio {exact / quick:.2f}"
    )
    print(f"  largest relative difference of sam and asam {off:.1e}")


if __name__ == "__main__":
    run()
