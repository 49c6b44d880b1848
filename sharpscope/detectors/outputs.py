"""What a network's first outputs say about what they are: logits, logarithms of probabilities, or probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

# Rows of a softmax sum to one up to rounding; of logits, about one in ten thousand does by chance, never all of them.
SUM_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}
HALF_TOLERANCE = 2e-2
# Fewer single scores than this may all lie between zero and one by chance.
ENOUGH = 4


def _tolerance(raw: Tensor) -> float:
    return SUM_TOLERANCE.get(raw.dtype, HALF_TOLERANCE)


def are_probabilities(raw: Tensor) -> bool:
    """Tell whether every row is a distribution over two classes: no number negative, p_0 + p_1 = 1.

    Args:
        raw: Shape (B, 2), as the network returned it.

    Returns:
        True when all rows are; False when a number is NaN.

    Example:
        >>> are_probabilities(torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
        True
        >>> are_probabilities(torch.tensor([[0.25, 0.75], [2.0, -1.0]]))
        False
    """
    values = raw.detach().double()
    close = (values.sum(dim=1) - 1).abs() <= _tolerance(raw)
    return bool(len(values) and (values >= 0).all() and close.all())


def are_log_probabilities(raw: Tensor) -> bool:
    """Tell whether every row is the logarithm of a distribution: exp(l_0) + exp(l_1) = 1.

    Args:
        raw: Shape (B, 2), as the network returned it.

    Returns:
        True when all rows are; False when a number is NaN.

    Example:
        >>> are_log_probabilities(torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log())
        True
        >>> are_log_probabilities(torch.tensor([[3.0, -1.0]]))
        False
    """
    values = raw.detach().double()
    close = (values.exp().sum(dim=1) - 1).abs() <= _tolerance(raw)
    return bool(len(values) and (values <= _tolerance(raw)).all() and close.all())


def are_between(raw: Tensor, low: float, high: float) -> bool:
    """Tell whether every number lies in an interval, its ends included.

    Args:
        raw: Any shape.
        low: Lower end.
        high: Upper end.

    Returns:
        True when all do; False when a number is NaN.

    Example:
        >>> are_between(torch.tensor([0.0, 1.0]), 0, 1), are_between(torch.tensor([float("nan")]), 0, 1)
        (True, False)
    """
    values = raw.detach()
    return bool(values.numel() and ((values >= low) & (values <= high)).all())


def describe_outputs(raw: Tensor, declared: str) -> str | None:
    """Say why the outputs cannot be what they are declared to be, where measuring them so would be wrong.

    Softmax outputs measured as logits pass through a second softmax: every loss and gradient is that of another
    function. Numbers that are no probabilities have no logarithm.

    Args:
        raw: The output that holds the scores, shape (B, 2), (B, 1) or (B,), before anything is done to it.
        declared: One of `sharpscope.detectors.spec.OUTPUTS`.

    Returns:
        One sentence that says what was seen and what to declare; None when nothing contradicts the declaration.

    Example:
        >>> describe_outputs(torch.tensor([[0.25, 0.75], [0.5, 0.5]]), "probability2") is None
        True
        >>> describe_outputs(torch.tensor([[0.25, 0.75], [0.5, 0.5]]), "logits2").split(":")[0]
        "the network declares 'logits2', but all 2 trials gave two numbers that are not negative and sum to one"
    """
    two = raw.dim() == 2 and raw.shape[1] == 2
    seen = f"the network declares '{declared}', but "
    if two and declared in ("logits2", "log_softmax2") and are_probabilities(raw):
        return (
            f"{seen}all {len(raw)} trials gave two numbers that are not negative and sum to one: a softmax. Declare "
            'outputs as "probability2" (sharpscope_spec in your network, or "spec" in a sidecar), or return the logits'
        )
    if two and declared == "probability2" and not are_probabilities(raw):
        better = "log_softmax2" if are_log_probabilities(raw) else "logits2"
        return (
            f"{seen}it returned {_range(raw)}, rows that are not probabilities of two classes; declare outputs as "
            f'"{better}"'
        )
    if declared == "probability1" and not are_between(raw, 0, 1):
        return f'{seen}it returned {_range(raw)}; a probability lies between 0 and 1. Declare outputs as "logit1"'
    tolerance = _tolerance(raw)
    if declared == "cosine1" and not are_between(raw, -1 - tolerance, 1 + tolerance):
        return f'{seen}it returned {_range(raw)}; a cosine lies between -1 and 1. Declare outputs as "logit1"'
    return None


def doubt_outputs(raw: Tensor, declared: str) -> str | None:
    """Say what looks odd about the outputs without proving the declaration wrong: for the note of a row.

    Args:
        raw: As for `describe_outputs`.
        declared: One of `sharpscope.detectors.spec.OUTPUTS`.

    Returns:
        A phrase; None when nothing looks odd.

    Example:
        >>> doubt_outputs(torch.tensor([[0.2], [0.9], [0.5], [0.1]]), "logit1")
        'all outputs lie between 0 and 1: if they come from a sigmoid declare outputs = probability1'
        >>> doubt_outputs(torch.tensor([[0.25, 0.75]]).log(), "logits2")
        'the outputs are log-probabilities (log_softmax2), whose cross-entropy is that of the logits'
    """
    if declared == "logits2" and raw.dim() == 2 and raw.shape[1] == 2:
        if are_log_probabilities(raw):
            return (
                "the outputs are log-probabilities (log_softmax2), whose cross-entropy is that of the logits"
            )
        if len(raw) >= ENOUGH and are_between(raw, 0, 1):
            return "all outputs lie between 0 and 1: if they come from a sigmoid return what goes into it"
    if declared == "logit1" and raw.numel() >= ENOUGH and are_between(raw, 0, 1):
        return "all outputs lie between 0 and 1: if they come from a sigmoid declare outputs = probability1"
    return None


def _range(raw: Tensor) -> str:
    values = raw.detach().double()
    return f"numbers from {float(values.min()):.4g} to {float(values.max()):.4g}"
