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
from sharpscope.detectors.outputs import describe_outputs, doubt_outputs
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.parameters import LiveParameters, all_finite, normal_like, stacked, sum_of_bits
from sharpscope.measures.precision import exact_arithmetic, global_switches

# Largest difference between a trial alone and in a batch, relative to the largest logit (at least 1).
BATCH_TOLERANCE = 1e-4
# The same between two forwards on the same trial.
REPEAT_TOLERANCE = 1e-5
# Activations that may be saved for one backward. Fixed on a CPU, so that a machine's free memory does not
# change the physical batch and with it the last digits; on a GPU a share of all its memory, free or not.
CPU_ACTIVATION_BYTES = 2 * 1024**3
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
        batch_difference: Between a trial alone and in a batch, relative to the largest logit.
        prepared: The prepared waves that were looked at, B entries.
        logits: Shape (B, 2), what they gave: they must give it again at any later time.
        notes: What a reader of the rows should know.
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
        buffers = _bits_of_buffers(detector.module)
        prepared = detector.prepare(waves)
        detector, logits, notes = _first_forward(detector, prepared)
        _eval_mode(detector.module)
        prepared = detector.prepare(waves)
        kept = prepared.clone()
        live, alone, saved = _backward(detector, prepared[:1])
        _same_input(prepared, kept)
        difference = _same_alone(alone, logits, detector, prepared)
        _finite_gradient(live)
        live.restore()
        again, moved = _moved_and_back(detector, prepared[:1], live)
        shared = torch.equal(again, alone)
        if not shared:
            _deterministic(again, detector, prepared[:1])
        _moves(again, moved)
        _same_buffers(detector.module, buffers)
        gap = cross_entropy(again, labels[:1]) - cross_entropy(alone, labels[:1])
    floor = float(gap.abs().max()) if shared else 0.0
    fitted = batch_size or fitted_batch(detector.module, saved, m, waves.device)
    found = (fitted, shared, floor, saved, difference, prepared, logits, tuple(notes), waves.shape[1])
    return Look(detector, live, *found)


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
    room = CPU_ACTIVATION_BYTES
    if device.type == "cuda":
        weights = sum(p.numel() * p.element_size() for p in module.parameters())
        total = torch.cuda.get_device_properties(device).total_memory
        room = int(SHARE_OF_GPU * (total - WEIGHT_COPIES * weights))
    fitting = max(1, min(m, room // max(saved_bytes, 1)))
    return math.ceil(m / math.ceil(m / fitting))


def finite(logits: Tensor) -> Tensor:
    """Return logits as they are.

    Args:
        logits: Shape (B, 2).

    Returns:
        The same tensor.

    Raises:
        SharpscopeError: If one is not finite.
    """
    bad = ~torch.isfinite(logits).all(dim=1)
    if bool(bad.any()):
        raise SharpscopeError(
            f"{int(bad.sum())} of {len(logits)} trials give a logit that is not finite. If the audio is sound, the "
            "network overflows: check its declared sample rate and normalisation, or use --dtype float64"
        )
    return logits


def _first_forward(detector: Detector, prepared: Tensor) -> tuple[Detector, Tensor, list[str]]:
    """Run the network twice on one tensor; where it writes into it, give it copies from then on."""
    kept = prepared.clone()
    with torch.no_grad():
        before = global_switches()
        raw = detector.raw(prepared)
        logits = finite(detector.logits_of(raw))
        notes = [*_unchanged_switches(before), *_meaning(raw, detector.spec.outputs)]
        if same_bits(prepared, kept):
            return detector, logits, notes
        copying = dataclasses.replace(detector, given_copies=True)
        logits = finite(copying.score(kept))
    return copying, logits, [*notes, "the network writes into its input: every forward is given a copy"]


def _meaning(raw: Tensor, declared: str) -> Iterator[str]:
    """Refuse outputs whose values contradict what is declared of them; say where they leave a doubt."""
    if (problem := describe_outputs(raw, declared)) is not None:
        raise UsageError(problem)
    if (doubt := doubt_outputs(raw, declared)) is not None:
        yield doubt


def _same_input(prepared: Tensor, kept: Tensor) -> None:
    if not same_bits(prepared, kept):
        raise SharpscopeError(
            "the network writes into its input only while a gradient is taken: clone it at the start of the forward"
        )


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors hold the same bytes; NaN equals NaN.

    Args:
        a: Any tensor.
        b: Another one.

    Returns:
        Whether shape, type and every bit agree.

    Example:
        >>> nan = torch.tensor([float("nan")])
        >>> same_bits(nan, nan.clone()), same_bits(torch.zeros(1), -torch.zeros(1))
        (True, False)
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    first, second = (t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (a, b))
    return torch.equal(first, second)


def _unchanged_switches(before: dict[str, object]) -> list[str]:
    """Refuse a forward that changed how the process computes; only say of one that used up random numbers."""
    changed = [name for name, value in global_switches().items() if value != before[name]]
    random = [name for name in changed if "random" in name or "seed" in name]
    if bad := [name for name in changed if name not in random]:
        raise SharpscopeError(
            f"the network's forward changes global switches of torch ({', '.join(bad)}), which would change every "
            "later number. Set them outside of the network, or back again before its forward returns"
        )
    return ["the network's forward draws random numbers, though its logits repeat"] if random else []


def _eval_mode(module: nn.Module) -> None:
    training = [name or "the network itself" for name, part in module.named_modules() if part.training]
    if training:
        raise SharpscopeError(
            f"after a forward {len(training)} modules are in train mode ({', '.join(training[:3])}): the network's "
            "forward calls train() (as SSL_Anti-spoofing's extract_feat does). Remove that call"
        )


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


def _backward(detector: Detector, prepared: Tensor) -> tuple[LiveParameters, Tensor, int]:
    """Find the live parameters with a trial alone; return them, its logits and the bytes that its graph holds."""
    seen: list[Tensor] = []
    saved: list[int] = []

    def margin() -> Tensor:
        with _counting_saved_bytes(detector.module) as storages:
            seen.append(detector.score(prepared))
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
    return live, seen[0].detach(), saved[0]


def _finite_gradient(live: LiveParameters) -> None:
    if not all_finite(live.found):
        raise SharpscopeError("the gradient of the logits is not finite on these trials; try --dtype float64")
    live.found = []


def _same_alone(alone: Tensor, logits: Tensor, detector: Detector, prepared: Tensor) -> float:
    difference = gap(alone, logits[: len(alone)], logits)
    if not difference <= BATCH_TOLERANCE:
        _deterministic(logits, detector, prepared)  # what does not repeat at all is not about batches
        raise SharpscopeError(
            f"a trial scores differently alone and in a batch (by {difference:.2g} of the largest logit): the network "
            "mixes trials, for example by normalising over the batch. Group losses would not be means over trials"
        )
    return difference


def gap(a: Tensor, b: Tensor, scale: Tensor) -> float:
    """Return the largest difference of two sets of logits, relative to the largest logit (at least 1); NaN stays NaN.

    Args:
        a: Shape (B, 2).
        b: Shape (B, 2).
        scale: Logits whose largest size is the unit.

    Returns:
        The difference.

    Example:
        >>> gap(torch.tensor([[1.0, 4.0]]), torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]]))
        0.5
    """
    return float((a - b).abs().max()) / max(float(scale.abs().max()), 1.0)


def _moved_and_back(detector: Detector, prepared: Tensor, live: LiveParameters) -> tuple[Tensor, Tensor]:
    """Return the logits of a trial with its weights restored, and those of before with every live one moved."""
    draws = normal_like(live.tensors, torch.Generator().manual_seed(0))
    steps = [draw * tensor.abs().mean() for draw, tensor in zip(draws, live.tensors, strict=True)]
    with live.guarded(), torch.no_grad():
        live.move(steps, 0.01)
        moved = detector.score(prepared)
    with torch.no_grad():
        return detector.score(prepared), moved


def _moves(logits: Tensor, moved: Tensor) -> None:
    if torch.equal(moved, logits):
        raise SharpscopeError(
            "moving every live parameter changed no logit: the network works on copies of its weights (cached or "
            "quantised). Build it without that"
        )


def _deterministic(first: Tensor, detector: Detector, prepared: Tensor) -> None:
    with torch.no_grad():
        again = detector.score(prepared)
    if not torch.equal(again, first):
        raise SharpscopeError(
            f"the detector gives other logits when it is run again on the same trials (by "
            f"{gap(again, first, first):.2g} of the largest: a random crop, dropout left on, noise or a "
            "state of its own in its forward): a difference of losses would measure that. "
            "Make its forward deterministic and stateless in eval mode"
        )


def _bits_of_buffers(module: nn.Module) -> dict[str, tuple[object, ...]]:
    """Return what tells each buffer's value, waiting for the device once."""
    named = dict(module.named_buffers())
    sums = stacked([sum_of_bits(buffer) for buffer in named.values()]).tolist() if named else []
    return {
        name: (buffer.shape, buffer.dtype, sum_)
        for (name, buffer), sum_ in zip(named.items(), sums, strict=True)
    }


def _same_buffers(module: nn.Module, before: dict[str, tuple[object, ...]]) -> None:
    changed = [name for name, bits in _bits_of_buffers(module).items() if bits != before.get(name)]
    if changed:
        raise SharpscopeError(
            f"the network's forward writes into its buffers ({', '.join(changed[:3])}), so one forward changes the "
            "next. Make it stateless in eval mode"
        )
