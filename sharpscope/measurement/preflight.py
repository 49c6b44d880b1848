"""Checks that take seconds and stop a measurement that would be wrong, each with its own message."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sharpscope.detectors.spec import Detector
from sharpscope.errors import SharpscopeError
from sharpscope.measures.parameters import LiveParameters

# Largest difference between a trial alone and in a batch, relative to the largest logit (at least 1).
BATCH_TOLERANCE = 1e-4


class Preflight(NamedTuple):
    """What the checks found.

    Attributes:
        live: Numbers in parameters that receive a gradient.
        dead: Names of parameters that could, and do not.
        frozen: Names of parameters that require none.
        batch_difference: Between a trial alone and in a batch, relative to the largest logit.
        gradient_norm: Of the summed margins (bona fide minus spoof logit) of these trials.
    """

    live: int
    dead: tuple[str, ...]
    frozen: tuple[str, ...]
    batch_difference: float
    gradient_norm: float


def preflight(detector: Detector, waves: Tensor) -> Preflight:
    """Run a detector on a few trials and check what a measurement takes for granted.

    Finite outputs, two forwards that agree, every module in eval mode, a trial that scores the same alone and
    in a batch, a finite gradient, and weights that are bit-equal after they were moved and restored.

    Args:
        detector: As `load_detector` returns it.
        waves: Shape (B, T) with B of 2 or more, on the detector's device and of its type.

    Returns:
        What was found.

    Raises:
        SharpscopeError: If a check fails; the message says which and what to do.
    """
    first = finite_outputs(detector, waves)
    _eval_mode(detector.module)
    _deterministic(detector, waves, first)
    difference = _batch_invariant(detector, waves, first)
    live, gradient_norm = _gradient(detector, waves)
    _restored(detector, waves, live, first)
    return Preflight(live.count, tuple(live.dead), tuple(live.frozen), difference, gradient_norm)


def spot_check(detector: Detector, waves: Tensor, live: LiveParameters, logits: Tensor) -> None:
    """Check what else a measurement takes for granted, in three forwards of one trial.

    Every module in eval mode after a forward, a trial that scores the same alone and in a batch, logits that move
    with the weights and come back with them. That two forwards agree the caller knows already.

    Args:
        detector: As `load_detector` returns it.
        waves: Shape (B, T).
        live: Its live parameters, at the trained values.
        logits: Shape (B, 2), of these trials.

    Raises:
        SharpscopeError: If a check fails.
    """
    _eval_mode(detector.module)
    with torch.no_grad():
        alone = detector(waves[:1])
    _same_alone(alone, logits)
    _restored(detector, waves[:1], live, alone)


def finite_outputs(detector: Detector, waves: Tensor) -> Tensor:
    """Return the logits of some trials.

    Args:
        detector: As `load_detector` returns it.
        waves: Shape (B, T).

    Returns:
        Shape (B, 2).

    Raises:
        SharpscopeError: If one is not finite.
    """
    with torch.no_grad():
        logits = detector(waves)
    bad = ~torch.isfinite(logits).all(dim=1)
    if bool(bad.any()):
        raise SharpscopeError(
            f"{int(bad.sum())} of {len(waves)} trials give a logit that is not finite. If the audio is sound, the "
            "network overflows: check its declared sample rate and normalisation, or use --dtype float64"
        )
    return logits


def _eval_mode(module: nn.Module) -> None:
    training = [name or "the network itself" for name, part in module.named_modules() if part.training]
    if training:
        raise SharpscopeError(
            f"after a forward {len(training)} modules are in train mode ({', '.join(training[:3])}): the network's "
            "forward calls train() (as SSL_Anti-spoofing's extract_feat does). Remove that call"
        )


def _deterministic(detector: Detector, waves: Tensor, first: Tensor) -> None:
    with torch.no_grad():
        again = detector(waves)
    scale = max(float(first.abs().max()), 1.0)
    gap = float((again - first).abs().max()) / scale
    if gap > 1e-5:
        raise SharpscopeError(
            f"the same trials give other logits when they are run again (by {gap:.2g} of the largest): a random crop, "
            "noise or dropout in the forward. Make it deterministic in eval mode"
        )


def _batch_invariant(detector: Detector, waves: Tensor, first: Tensor) -> float:
    with torch.no_grad():
        single = torch.cat([detector(waves[i : i + 1]) for i in range(min(len(waves), 2))])
    return _same_alone(single, first)


def _same_alone(single: Tensor, first: Tensor) -> float:
    scale = max(float(first.abs().max()), 1.0)
    difference = float((single - first[: len(single)]).abs().max()) / scale
    if difference > BATCH_TOLERANCE:
        raise SharpscopeError(
            f"a trial scores differently alone and in a batch (by {difference:.2g} of the largest logit): the network "
            "mixes trials, for example by normalising over the batch. Group losses would not be means over trials"
        )
    return difference


def _gradient(detector: Detector, waves: Tensor) -> tuple[LiveParameters, float]:
    def margins() -> Tensor:  # unlike a loss, flat nowhere
        return detector(waves).double().diff(dim=1).sum()

    try:
        live = LiveParameters(detector.module, margins)
        gradient = torch.autograd.grad(margins(), live.parameters, allow_unused=True)
    except RuntimeError as error:
        line = str(error).splitlines()[0][:160]
        raise SharpscopeError(
            f"no gradient can be taken through the network ({line}): its forward detaches, runs under no_grad, or "
            "uses an operation without a derivative"
        ) from error
    parts = [part for part in gradient if part is not None]
    if not all(bool(torch.isfinite(part).all()) for part in parts):
        raise SharpscopeError("the gradient of the logits is not finite on these trials; try --dtype float64")
    return live, float(torch.stack([part.double().square().sum() for part in parts]).sum().sqrt())


def _restored(detector: Detector, waves: Tensor, live: LiveParameters, first: Tensor) -> None:
    steps = [torch.randn_like(tensor) * tensor.abs().mean() for tensor in live.tensors]
    with live.guarded(), torch.no_grad():
        live.move(steps, 0.01)
        moved = detector(waves)
    with torch.no_grad():
        after = detector(waves)
    if bool(torch.equal(moved, first)):
        raise SharpscopeError(
            "moving every live parameter changed no logit: the network works on copies of its weights (cached or "
            "quantised). Build it without that"
        )
    scale = max(float(first.abs().max()), 1.0)
    if float((after - first).abs().max()) / scale > 1e-5:
        raise SharpscopeError(
            "after its weights were moved and restored bit by bit the network gives other logits: its forward "
            "changes a state of its own (a buffer, a cache). Make it stateless in eval mode"
        )
