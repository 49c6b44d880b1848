"""The first look at a detector: what moves, how much fits, and whether it repeats itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from sharpscope.detectors import Detector
from sharpscope.errors import SharpscopeError
from sharpscope.measurement.preflight import finite_outputs, spot_check
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.parameters import LiveParameters

# Activations that may be saved for one backward. Fixed on a CPU, so that a machine's free memory does not
# change the physical batch and with it the last digits.
CPU_ACTIVATION_BYTES = 2 * 1024**3


class Probe(NamedTuple):
    """What a first look at a detector found.

    Attributes:
        live: Its live parameters.
        batch_size: Trials that fit through a backward at once.
        shared_baseline: Whether L(w) of the forward with a graph serves for differences too.
        noise_floor: Rise at rho = 0.
        saved_bytes: What one trial's forward keeps for its backward.
    """

    live: LiveParameters
    batch_size: int
    shared_baseline: bool
    noise_floor: float
    saved_bytes: int


@contextmanager
def _counting_saved_bytes() -> Iterator[dict[int, int]]:
    """Count the distinct storages that forwards inside keep for their backward, as bytes by address."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield storages


def _activation_budget(device: torch.device) -> int:
    if device.type != "cuda":
        return CPU_ACTIVATION_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * 0.6)


def probe(detector: Detector, waves: Tensor, labels: Tensor, m: int, batch_size: int | None) -> Probe:
    """Look at a detector once: live parameters, physical batch, noise floor, and whether it repeats itself.

    Args:
        detector: In eval mode.
        waves: Shape (B, T): a few trials, both classes if possible.
        labels: Shape (B,).
        m: Trials in a group; the physical batch is never larger.
        batch_size: What the user asked for, or None to fit it to memory.

    Returns:
        What was found.

    Raises:
        SharpscopeError: If two forwards differ, a logit is not finite, nothing receives a gradient, or a check of
            `spot_check` fails.
    """
    seen: list[Tensor] = []

    def loss() -> Tensor:
        with _counting_saved_bytes() as storages:
            seen.append(detector(waves))
        saved.append(sum(storages.values()) // len(waves))
        return cross_entropy(seen[0], labels).sum()

    saved: list[int] = []
    live = LiveParameters(detector.module, loss)
    if batch_size is None:
        batch_size = max(1, min(m, _activation_budget(waves.device) // max(saved[0], 1)))
    live.restore()
    with torch.no_grad():
        again = finite_outputs(detector, waves)
        shared = bool(torch.equal(again, seen[0]))
        if not shared and not bool(torch.equal(again, detector(waves))):
            raise SharpscopeError(
                "the detector gives other logits when it is run again on the same trials (a random crop, "
                "dropout left on, or noise in its forward): a difference of losses would measure that. Make "
                "its forward deterministic in eval mode"
            )
    spot_check(detector, waves, live, again)
    with torch.no_grad():
        floor = float((cross_entropy(again, labels) - cross_entropy(seen[0].detach(), labels)).abs().max())
    return Probe(live, batch_size, shared, floor if shared else 0.0, saved[0])
