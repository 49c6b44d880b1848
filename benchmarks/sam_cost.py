"""What sharpness-aware training costs a step, against the base optimiser on the same batch in the same run.

The base optimiser takes one forward and backward, SAM and its variants two, LookSAM two every fifth step and one in
between. Rounds of five steps take turns, so that a slow minute of the machine falls on all; the median round counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sharpscope.detectors import ARCHITECTURES
from sharpscope.devices import keep_freed_memory
from sharpscope.training import OPTIMIZERS

STEPS = 5
ROUNDS = 5


def rounds(methods: dict[str, Callable[[], Tensor]], count: int) -> dict[str, list[float]]:
    """Take turns; return the seconds of each round after one that warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(count + 1):
        for name, step in methods.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            seconds[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in seconds.items()}


def stepper(name: str, arch: str, waves: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    """Return a function that takes one step where the waves lie; `adamw` is the base optimiser alone."""
    torch.manual_seed(0)
    network: nn.Module = ARCHITECTURES[arch].build().train().to(waves.device)
    base = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def gradient() -> Tensor:
        base.zero_grad()
        output = network(waves)
        logits = (
            output if isinstance(output, Tensor) else next(o for o in output if o.shape == (len(waves), 2))
        )
        loss = cross_entropy(logits, labels)  # (B, 2), (B,)
        torch.autograd.backward(loss)
        return loss.detach()

    def alone() -> Tensor:
        loss = gradient()
        base.step()
        return loss

    if name == "adamw":
        return alone
    extra = {"k": STEPS} if name == "looksam" else {}
    return partial(OPTIMIZERS[name].function(base, network=network, **extra).step, gradient)


def run(count: int = ROUNDS) -> None:
    """Print the cost of a step of every optimiser, in steps of AdamW."""
    keep_freed_memory()
    torch.manual_seed(1)
    for arch, trials, samples in (("tiny", 28, 32_000), ("aasist-l", 4, 16_000)):
        waves = 0.05 * torch.randn(trials, samples)
        labels = torch.arange(trials) % 2
        methods = {name: stepper(name, arch, waves, labels) for name in ("adamw", *OPTIMIZERS)}
        seconds = {name: statistics.median(found) / STEPS for name, found in rounds(methods, count).items()}
        print(f"{arch}, batch of {trials}, {samples / 16_000:.2g} s: AdamW {seconds['adamw']:.3f} s a step")
        for name in OPTIMIZERS:
            print(f"  {name:<13}{seconds[name] / seconds['adamw']:5.2f} steps of AdamW")


if __name__ == "__main__":
    run()
