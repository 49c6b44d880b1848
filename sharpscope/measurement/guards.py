"""What a detector must not do in a forward, each as a check that refuses it in one line.

Written so that NaN fails them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sharpscope.detectors import Detector
from sharpscope.detectors.outputs import describe_outputs, doubt_outputs
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures.parameters import LiveParameters, all_finite, stacked, sum_of_bits
from sharpscope.measures.precision import global_switches

# Largest difference between a trial alone and in a batch, relative to the largest logit (at least 1).
BATCH_TOLERANCE = 1e-4


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


def meaning(raw: Tensor, declared: str) -> Iterator[str]:
    """Refuse outputs whose values contradict what is declared of them; say where they leave a doubt.

    Args:
        raw: As the network returned them.
        declared: One of `sharpscope.detectors.spec.OUTPUTS`.

    Yields:
        The doubt, if there is one.

    Raises:
        UsageError: If they cannot be what is declared.
    """
    if (problem := describe_outputs(raw, declared)) is not None:
        raise UsageError(problem)
    if (doubt := doubt_outputs(raw, declared)) is not None:
        yield doubt


def same_input(prepared: Tensor, kept: Tensor) -> None:
    """Refuse a forward that wrote into the prepared waves.

    Args:
        prepared: What the network was given.
        kept: A copy from before.

    Raises:
        SharpscopeError: If they differ by a bit.
    """
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


def unchanged_switches(before: dict[str, object]) -> list[str]:
    """Refuse a forward that changed how the process computes; only say of one that used up random numbers.

    Args:
        before: What `global_switches` returned before it.

    Returns:
        A note, or none.

    Raises:
        SharpscopeError: If a switch is another one.
    """
    changed = [name for name, value in global_switches().items() if value != before[name]]
    random = [name for name in changed if "random" in name or "seed" in name]
    if bad := [name for name in changed if name not in random]:
        raise SharpscopeError(
            f"the network's forward changes global switches of torch ({', '.join(bad)}), which would change every "
            "later number. Set them outside of the network, or back again before its forward returns"
        )
    return ["the network's forward draws random numbers, though its logits repeat"] if random else []


def eval_mode(module: nn.Module) -> None:
    """Refuse a network that went back to train mode.

    Args:
        module: The network after a forward.

    Raises:
        SharpscopeError: If a module of it is in train mode.
    """
    training = [name or "the network itself" for name, part in module.named_modules() if part.training]
    if training:
        raise SharpscopeError(
            f"after a forward {len(training)} modules are in train mode ({', '.join(training[:3])}): the network's "
            "forward calls train() (as SSL_Anti-spoofing's extract_feat does). Remove that call"
        )


def finite_gradient(live: LiveParameters) -> None:
    """Refuse a gradient that is not finite.

    Args:
        live: With the gradients that its search found.

    Raises:
        SharpscopeError: If a component is not.
    """
    if not all_finite(live.found):
        raise SharpscopeError("the gradient of the logits is not finite on these trials; try --dtype float64")


def same_alone(alone: Tensor, logits: Tensor, detector: Detector, prepared: Tensor) -> float:
    """Compare a trial alone with the same trial in a batch.

    Args:
        alone: Shape (1, 2).
        logits: Shape (B, 2), the same trial first.
        detector: What gave them.
        prepared: Of the batch.

    Returns:
        The difference, relative to the largest logit.

    Raises:
        SharpscopeError: If it is too large.
    """
    difference = gap(alone, logits[: len(alone)], logits)
    if not difference <= BATCH_TOLERANCE:
        deterministic(logits, detector, prepared)  # what does not repeat at all is not about batches
        raise mixes(difference)
    return difference


def mixes(difference: float) -> SharpscopeError:
    """Return the error for a network that mixes the trials of a batch.

    Args:
        difference: Between a trial alone and in a batch, relative to the largest logit.

    Returns:
        An error to raise.
    """
    return SharpscopeError(
        f"a trial scores differently alone and in a batch (by {difference:.2g} of the largest logit): the network "
        "mixes trials, for example by normalising over the batch. Group losses would not be means over trials"
    )


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


def moves(logits: Tensor, moved: Tensor) -> None:
    """Refuse a network whose logits do not depend on its weights.

    Args:
        logits: Shape (B, 2), with the trained weights.
        moved: Shape (B, 2), of the same trials with every live parameter moved.

    Raises:
        SharpscopeError: If they are equal.
    """
    if torch.equal(moved, logits):
        raise SharpscopeError(
            "moving every live parameter changed no logit: the network works on copies of its weights (cached or "
            "quantised). Build it without that"
        )


def deterministic(first: Tensor, detector: Detector, prepared: Tensor) -> None:
    """Run a detector again and refuse it if it gives other logits.

    Args:
        first: Shape (B, 2), what it gave.
        detector: Which.
        prepared: On what.

    Raises:
        SharpscopeError: If they differ by a bit.
    """
    with torch.no_grad():
        again = detector.score(prepared)
    if not torch.equal(again, first):
        raise SharpscopeError(
            f"the detector gives other logits when it is run again on the same trials (by "
            f"{gap(again, first, first):.2g} of the largest: a random crop, dropout left on, noise or a "
            "state of its own in its forward): a difference of losses would measure that. "
            "Make its forward deterministic and stateless in eval mode"
        )


def bits_of_buffers(module: nn.Module) -> dict[str, tuple[object, ...]]:
    """Return what tells the value of each buffer, waiting for the device once.

    Args:
        module: The network.

    Returns:
        Shape, type and a sum of all bits by name.
    """
    named = dict(module.named_buffers())
    sums = stacked([sum_of_bits(buffer) for buffer in named.values()]).tolist() if named else []
    return {
        name: (buffer.shape, buffer.dtype, sum_)
        for (name, buffer), sum_ in zip(named.items(), sums, strict=True)
    }


def same_buffers(module: nn.Module, before: dict[str, tuple[object, ...]]) -> None:
    """Refuse a network whose buffers a forward changed.

    Args:
        module: The network.
        before: What `bits_of_buffers` returned before it.

    Raises:
        SharpscopeError: If a buffer is new or differs by a bit.
    """
    changed = [name for name, bits in bits_of_buffers(module).items() if bits != before.get(name)]
    if changed:
        raise SharpscopeError(
            f"the network's forward writes into its buffers ({', '.join(changed[:3])}), so one forward changes the "
            "next. Make it stateless in eval mode"
        )
