"""Trace of the Hessian and average-case sharpness: ours from shared antithetic passes, against separate runs.

The usual style, written here in plain torch: Hutchinson's trace with 30 probes, each a second backward through a
graph that is built anew, and average-case sharpness with 20 one-sided draws and its own L(w). Ours: 30 antithetic
pairs of forward passes, from which both numbers come. Both see the same trials and the same detector; the
standard errors say what each got for its time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.shared_pass import random_detector
from sharpscope.detectors import Detector
from sharpscope.measures.average import average, average_trace, pair_rises
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic

PROBES = 30
DRAWS = 20


class Estimate(NamedTuple):
    """Trace and average case with the standard errors that their random directions leave, and the seconds."""

    trace: float
    trace_error: float
    average: float
    average_error: float
    seconds: float


def _mean_error(values: list[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5


def usual(detector: Detector, waves: Tensor, labels: Tensor, rho: float) -> Estimate:
    """Hutchinson by second backward, then one-sided Gaussian draws, as separate runs do it."""
    parameters = list(LiveParameters(detector.module, lambda: detector(waves[:1]).sum()).parameters)
    loss = torch.nn.functional.cross_entropy
    generator = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    forms = []
    for _ in range(PROBES):
        with sdpa_kernel(SDPBackend.MATH):
            value = loss(detector(waves).double(), labels)
            gradient = torch.autograd.grad(value, parameters, create_graph=True)
            z = [torch.randint(0, 2, p.shape, generator=generator).to(p.dtype) * 2 - 1 for p in parameters]
            product = torch.autograd.grad(gradient, parameters, z, allow_unused=True, materialize_grads=True)
        forms.append(sum(float((a * b).double().sum()) for a, b in zip(z, product, strict=True)))
    rises = []
    with torch.no_grad():
        base = loss(detector(waves).double(), labels)
        kept = [p.detach().clone() for p in parameters]
        for _ in range(DRAWS):
            for p in parameters:
                p.add_(rho * torch.randn(p.shape, generator=generator))
            rises.append(float(loss(detector(waves).double(), labels) - base))
            for p, old in zip(parameters, kept, strict=True):
                p.copy_(old)
    seconds = time.perf_counter() - start
    return Estimate(*_mean_error(forms), *_mean_error(rises), seconds)


def ours(detector: Detector, waves: Tensor, labels: Tensor, rho: float) -> Estimate:
    """Both from 30 antithetic pairs, what no weight touches computed once as `measure` does."""
    live = LiveParameters(detector.module, lambda: detector(waves[:1]).sum())
    weights = torch.full((len(labels),), 1 / len(labels), dtype=torch.float64)
    start = time.perf_counter()
    with exact_arithmetic(), live.guarded():
        inputs = detector.prepare(waves, len(labels))
        group = Group(detector.score, live, inputs, labels, weights, batch_size=len(labels), objectives=())
        trace = average_trace(group, [rho], pairs=PROBES)[rho]
        mean = average(group, [rho], pairs=PROBES)[rho]
        rises = pair_rises(group, rho, pairs=PROBES)
    seconds = time.perf_counter() - start
    error = statistics.stdev(rises) / PROBES**0.5
    return Estimate(trace, 2 * error / rho**2, mean, error, seconds)


def run() -> None:
    """Print the ratios for a published architecture and for one without jumps."""
    compare("aasist-l", m=2, samples=8000)
    compare("tiny", m=4, samples=16_000)


def compare(arch: str, *, m: int, samples: int, rho: float = 1e-3) -> None:
    """Print the ratio of times, and both answers with their standard errors.

    AASIST picks graph nodes by rank, so its surface has jumps: with random weights they rule the second differences
    at a small radius, which a Hessian at a point does not see. The other network shows what the pairs gain without.
    """
    print(
        f"trace with {PROBES} probes and average case: {arch}, one group of m = {m}, "
        f"{samples / 16_000:.2g} s each, rho {rho}, {torch.get_num_threads()} threads"
    )
    generator = torch.Generator().manual_seed(1)
    waves = 0.1 * torch.randn(m, samples, generator=generator)
    labels = torch.arange(m) % 2
    with tempfile.TemporaryDirectory() as name:
        detector = random_detector(Path(name), arch)
        slow = usual(detector, waves, labels, rho)
        fast = ours(detector, waves, labels, rho)
    for label, found in (("separate", slow), ("ours", fast)):
        print(
            f"  {label:9s} {found.seconds:6.2f} s, trace {found.trace:.4g} +- {found.trace_error:.2g}, "
            f"average case {found.average:.4g} +- {found.average_error:.2g}"
        )
    gain = (slow.average_error / fast.average_error) ** 2 if fast.average_error else float("inf")
    print(
        f"  ratio {slow.seconds / fast.seconds:.2f}; draws of the usual kind for our error of the average case: "
        f"{gain * DRAWS:.0f} instead of {2 * PROBES} passes"
    )


if __name__ == "__main__":
    run()
