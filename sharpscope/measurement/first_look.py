"""The first look at a detector: what moves, how much fits, and whether a measurement of it can be right.

Every check runs the network as the measurement does, on one prepared tensor that is used again and again: a check that
prepared its waves anew would not see a network that writes into its input. Guards are written so that NaN fails them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sharpscope.detectors import Detector
from sharpscope.errors import SharpscopeError
from sharpscope.measurement import memory
from sharpscope.measurement.guards import (
    BATCH_TOLERANCE,
    bits_of_buffers,
    deterministic,
    eval_mode,
    finite,
    finite_gradient,
    gap,
    meaning,
    mixes,
    moves,
    same_alone,
    same_bits,
    same_buffers,
    same_input,
    unchanged_switches,
)
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic, global_switches

# Activations that may be saved for one backward. Fixed on a CPU, so that a machine's free memory does not
# change the physical batch and with it the last digits; on a GPU a share of all its memory, free or not.
# Copies of large weights come out of the same 2 GiB, so that such a detector takes less than five copies in all.
CPU_ACTIVATION_BYTES = 2 * 1024**3
SHARE_OF_WEIGHTS = 0.5
SHARE_OF_GPU = 0.6
# Copies of the weights that a measurement holds beside activations: weights, trained values, gradient, two steps.
WEIGHT_COPIES = 5


class Look(NamedTuple):
    """What a first look at a detector found.

    Attributes:
        detector: The detector, set to get copies of its input where it writes into it.
        live: Its live parameters.
        batch_size: Trials that fit through a backward at once.
        shared_baseline: Whether L(w) of the forward with a graph serves for differences too.
        noise_floor: Rise at rho = 0.
        saved_bytes: What one trial's forward keeps for its backward, weights not counted.
        batch_difference: Between a trial alone and in a batch, relative to the largest logit; NaN until seen.
        prepared: The prepared waves that were looked at, B entries.
        logits: Shape (B, 2), what they gave: they must give it again at any later time.
        notes: What a reader of the rows should know.
        place: Where the trial that was looked at stands in the first group, if it is still to be seen whether it
            scores there as it does alone; None once that was seen.
        samples: Length of the trials that were looked at.
    """

    detector: Detector
    live: LiveParameters
    batch_size: int
    shared_baseline: bool
    noise_floor: float
    saved_bytes: int
    batch_difference: float
    prepared: Tensor
    logits: Tensor
    notes: tuple[str, ...] = ()
    place: int | None = None
    samples: int = 0

    def batch_for(self, samples: int, m: int) -> int:
        """Return the physical batch for trials of another length, never above that of the look.

        Args:
            samples: Their length.
            m: Their number.

        Returns:
            Trials.
        """
        if samples <= self.samples:
            return self.batch_size
        saved = math.ceil(self.saved_bytes * samples / self.samples)
        return min(self.batch_size, fitted_batch(self.detector.module, saved, m, self.detector.device))

    @property
    def live_share(self) -> float:
        """Share of the network's numbers that the loss depends on and a perturbation moves."""
        return self.live.count / sum(parameter.numel() for parameter in self.detector.module.parameters())


def first_look(
    detector: Detector, waves: Tensor, labels: Tensor, m: int = 1, batch_size: int | None = None
) -> Look:
    """Look at a detector once: live parameters, physical batch, noise floor, and whether it can be measured.

    In seven forwards of one trial, a backward counted as two: finite outputs, two forwards that agree, every module in
    eval mode, a trial that scores the same alone and in a batch, logits that move with the weights and come back with
    them, an input, buffers and global switches that a forward leaves as they are.

    Args:
        detector: As `load_detector` returns it.
        waves: Shape (B, T) with B of 2 or more: a few trials, both classes if possible.
        labels: Shape (B,).
        m: Trials in a group; the physical batch is never larger.
        batch_size: What the user asked for, or None to fit it to memory.

    Returns:
        What was found.

    Raises:
        SharpscopeError: If a check fails; the message says which and what to do.
    """
    with exact_arithmetic():
        buffers = bits_of_buffers(detector.module)
        prepared = detector.prepare(waves)
        detector, logits, notes = _first_forward(detector, prepared)
        eval_mode(detector.module)
        prepared = detector.prepare(waves)
        kept = prepared.clone()
        live, _, alone, saved = _backward(detector, prepared[:1])
        same_input(prepared, kept)
        difference = same_alone(alone, logits, detector, prepared)
        finite_gradient(live)
        live.restore()
        again, moved = _moved_and_back(detector, prepared[:1], live)
        shared = torch.equal(again, alone)
        if not shared:
            deterministic(again, detector, prepared[:1])
        moves(again, moved)
        same_buffers(detector.module, buffers)
        gap = cross_entropy(again, labels[:1]) - cross_entropy(alone, labels[:1])
    floor = float(gap.abs().max()) if shared else 0.0
    fitted = batch_size or fitted_batch(detector.module, saved, m, waves.device)
    found = (fitted, shared, floor, saved, difference, prepared, logits, tuple(notes))
    return Look(detector, live, *found, samples=waves.shape[1])


def look_before_group(
    detector: Detector,
    waves: Tensor,
    labels: Tensor,
    m: int = 1,
    batch_size: int | None = None,
    *,
    place: int,
) -> Look:
    """Look at a detector as `first_look` does, by one trial alone: the group that follows shows it among others.

    In five forwards of one trial instead of seven: the one with a graph comes first, and `same_in_group` has to be
    asked when the group was scored. Whatever is out of the ordinary is left to `first_look`, which has words for it.

    Args:
        detector: As for `first_look`.
        waves: As for `first_look`; the first trial is looked at.
        labels: As for `first_look`.
        m: As for `first_look`.
        batch_size: As for `first_look`.
        place: Where the first trial stands in the group.

    Returns:
        What was found.

    Raises:
        SharpscopeError: If a check fails.
    """
    before = global_switches()
    try:
        found = _look_alone(detector, waves[:1], labels[:1], m, batch_size)
    except SharpscopeError:
        unchanged_switches(before)  # what has stuck is no change for a second look
        return first_look(detector, waves, labels, m, batch_size)
    return found._replace(place=place)


def _look_alone(detector: Detector, waves: Tensor, labels: Tensor, m: int, batch_size: int | None) -> Look:
    with exact_arithmetic():
        buffers = bits_of_buffers(detector.module)
        prepared = detector.prepare(waves)
        kept = prepared.clone()
        before = global_switches()
        live, raw, alone, saved = _backward(detector, prepared)
        notes = [*unchanged_switches(before), *meaning(raw, detector.spec.outputs)]
        finite(alone)
        eval_mode(detector.module)
        same_input(prepared, kept)
        finite_gradient(live)
        again, moved = _moved_and_back(detector, prepared, live)
        same_input(prepared, kept)
        shared = torch.equal(again, alone)
        if not shared:
            deterministic(again, detector, prepared)
        moves(again, moved)
        same_buffers(detector.module, buffers)
        floor = float((cross_entropy(again, labels) - cross_entropy(alone, labels)).abs().max())
    fitted = batch_size or fitted_batch(detector.module, saved, m, waves.device)
    found = (fitted, shared, floor if shared else 0.0, saved, math.nan, prepared, again, tuple(notes))
    return Look(detector, live, *found, samples=waves.shape[1])


def same_in_group(look: Look, logits: Tensor) -> None:
    """Check that the trial which was looked at alone scores the same in its group.

    Args:
        look: Of `look_before_group`.
        logits: Shape (m, 2), of the group.

    Raises:
        SharpscopeError: If it does not: the network mixes trials, or prepares them differently each time.
    """
    if look.place is None:
        return
    alone = look.logits[:1]
    difference = gap(alone.to(logits), logits[look.place : look.place + 1], logits)
    if not difference <= BATCH_TOLERANCE:
        deterministic(alone, look.detector, look.prepared[:1])
        raise mixes(difference)


def still_the_same(look: Look) -> None:
    """Check, after a measurement, that a detector gives what it gave at first: nothing has stuck to it.

    Args:
        look: The first look.

    Raises:
        SharpscopeError: If a logit differs by a bit.
    """
    with exact_arithmetic(), torch.no_grad():
        now = look.detector.score(look.prepared)
    if not torch.equal(now, look.logits):
        gap = float((now - look.logits).abs().max())
        raise SharpscopeError(
            f"after the measurement the detector gives other logits than before on the same trials (by {gap:.2g}): its "
            "forward keeps a state between calls. Nothing of this set was written; make the network stateless"
        )


def fitted_batch(module: nn.Module, saved_bytes: int, m: int, device: torch.device) -> int:
    """Return the physical batch: m in as few equal parts as fit into memory.

    It depends on the network, on m and on the memory that a device has, never on what is free at the moment, so that
    a run gives the same digits whatever ran before it.

    Args:
        module: The network.
        saved_bytes: What a trial's forward keeps for its backward.
        m: Trials in a group.
        device: Where it runs.

    Returns:
        Trials, from 1 to m.
    """
    weights = memory.of_weights(module)
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        room = int(SHARE_OF_GPU * (total - WEIGHT_COPIES * weights))
    else:
        room = max(CPU_ACTIVATION_BYTES - 3 * weights, int(SHARE_OF_WEIGHTS * weights))
    fitting = max(1, min(m, room // max(saved_bytes, 1)))
    return math.ceil(m / math.ceil(m / fitting))


def _first_forward(detector: Detector, prepared: Tensor) -> tuple[Detector, Tensor, list[str]]:
    """Run the network twice on one tensor; where it writes into it, give it copies from then on."""
    kept = prepared.clone()
    with torch.no_grad():
        before = global_switches()
        raw = detector.raw(prepared)
        logits = finite(detector.logits_of(raw))
        notes = [*unchanged_switches(before), *meaning(raw, detector.spec.outputs)]
        if same_bits(prepared, kept):
            return detector, logits, notes
        copying = dataclasses.replace(detector, given_copies=True)
        logits = finite(copying.score(kept))
    return copying, logits, [*notes, "the network writes into its input: every forward is given a copy"]


@contextmanager
def _counting_saved_bytes(module: nn.Module) -> Iterator[dict[int, int]]:
    """Count the distinct storages that forwards inside keep for their backward, by address, without the weights."""
    storages: dict[int, int] = {}
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield storages


def _backward(detector: Detector, prepared: Tensor) -> tuple[LiveParameters, Tensor, Tensor, int]:
    """Find the live parameters with a trial alone; return its raw outputs, logits and the bytes of its graph too."""
    seen: list[Tensor] = []
    saved: list[int] = []

    def margin() -> Tensor:
        with _counting_saved_bytes(detector.module) as storages:
            raw = detector.raw(prepared)
            seen.extend((detector.logits_of(raw), raw.detach()))
        own = prepared.untyped_storage().data_ptr()
        if own in storages:  # of a trial among others its own part
            storages[own] = prepared.numel() * prepared.element_size()
        saved.append(sum(storages.values()) // len(prepared))
        if not seen[0].requires_grad:
            raise SharpscopeError(
                "no gradient can be taken through the network: its whole forward runs under no_grad, or detaches its "
                "output, so no parameter is live. Remove that, or name a --model without it"
            )
        # Unlike a loss, flat nowhere.
        return seen[0].double().diff(dim=1).sum()

    try:
        live = LiveParameters(detector.module, margin)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError) as error:
        line = str(error).splitlines()[0][:160]
        raise SharpscopeError(
            f"no gradient can be taken through the network ({line}): its forward detaches, runs under no_grad, or "
            "uses an operation without a derivative"
        ) from error
    return live, seen[1], seen[0].detach(), saved[0]


def _moved_and_back(detector: Detector, prepared: Tensor, live: LiveParameters) -> tuple[Tensor, Tensor]:
    """Return the logits of a trial with its weights restored, and those of before with every live one moved."""
    try:
        with torch.no_grad():
            before = global_switches()
            _step_aside(live)
            moved = detector.score(prepared)
            unchanged_switches(before)
    finally:
        live.restore()
    with torch.no_grad():
        return detector.score(prepared), moved


def _step_aside(live: LiveParameters) -> None:
    """Move every live parameter by a hundredth of its size, along the gradient that was found on the way.

    Such a step changes the logits, and costs no second copy of the weights; where the gradient is zero, as of a trial
    that no unit answers to, the step is random.
    """
    generator = torch.Generator().manual_seed(0)
    sizes, lengths = (torch.stack(torch._foreach_norm(tensors)) for tensors in (live.trained, live.found))
    scales = (0.01 * sizes / lengths).tolist()
    for index, (weights, step, scale) in enumerate(zip(live.tensors, live.found, scales, strict=True)):
        if math.isfinite(scale):
            weights.add_(step, alpha=scale)
        else:
            draw = torch.randn(step.shape, generator=generator).to(step.device, step.dtype)
            weights.add_(draw * live.trained[index].abs().mean(), alpha=0.01)
    live.found = []
