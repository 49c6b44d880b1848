r"""Per-trial losses of a two-class detector, in float64 from the logits.

Everything is written with the margin :math:`d = z_y - z_{\bar y}` because float32 cross-entropy is exactly
zero from a margin of 17 on, which would make a confident detector look flat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sharpscope.errors import unknown_name

# torch's softplus turns linear from 20 on, which is off by 2e-9 there; float64 needs no such help below 700.
LINEAR = 700.0


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + e^x) without torch's switch to x from 20 on.

    Args:
        x: In float64.

    Returns:
        The same shape.

    Example:
        >>> softplus(torch.tensor([25.0], dtype=torch.float64)).item() > 25
        True
    """
    return functional.softplus(x, threshold=LINEAR)


def signed_margin(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Margin of the right class, :math:`d_i = z_{y_i} - z_{\bar y_i}`.

    Args:
        logits: Shape (m, 2), columns spoof and bona fide.
        labels: Shape (m,), 1 = bona fide, 0 = spoof.

    Returns:
        Shape (m,), in float64, positive where the larger logit is the right one.

    Example:
        >>> signed_margin(torch.tensor([[0.0, 2.0], [0.0, 2.0]]), torch.tensor([1, 0])).tolist()
        [2.0, -2.0]
    """
    wide = logits.double()
    return (wide[:, 1] - wide[:, 0]) * (2 * labels.to(wide.dtype) - 1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Cross-entropy of each trial, :math:`l_i = \log(1 + e^{-d_i})` with the margin d.

    Args:
        logits: Shape (m, 2), columns spoof and bona fide.
        labels: Shape (m,), 1 = bona fide, 0 = spoof.

    Returns:
        Shape (m,), in nats, float64.

    Example:
        >>> cross_entropy(torch.tensor([[0.0, 30.0]]), torch.tensor([1])).item() > 0
        True
    """
    return softplus(-signed_margin(logits, labels))


def predicted_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy against the detector's own decision at the trained weights; needs no labels.

    Args:
        logits: Shape (m, 2).
        labels: The decisions, shape (m,), held fixed while the weights move.

    Returns:
        Shape (m,), in nats.

    Example:
        >>> predicted_cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1])).item() == float(
        ...     torch.log(torch.tensor(2.0, dtype=torch.float64)))
        True
    """
    return cross_entropy(logits, labels)


def prediction_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Entropy of the detector's own output, :math:`H_i = -\sum_c p_c \log p_c`; needs no labels.

    Each term is positive as it is computed, so that no digit is lost for a confident detector of either sign.

    Args:
        logits: Shape (m, 2).
        labels: Ignored.

    Returns:
        Shape (m,), in nats, at most ln 2.

    Example:
        >>> round(prediction_entropy(torch.zeros(1, 2), torch.ones(1)).item(), 6)
        0.693147
    """
    difference = logits.double()[:, 1] - logits.double()[:, 0]
    bonafide, spoof = torch.sigmoid(difference), torch.sigmoid(-difference)
    return bonafide * softplus(-difference) + spoof * softplus(difference)


class Objective(NamedTuple):
    """What is differentiated: a per-trial loss, where its labels come from, and the scale of the logits."""

    loss: Callable[[Tensor, Tensor], Tensor]
    labels: str
    matched: bool
    summary: str


OBJECTIVES: dict[str, Objective] = {
    "label": Objective(cross_entropy, "given", False, "cross-entropy against the labels"),
    "matched": Objective(
        cross_entropy,
        "given",
        True,
        "the same with logits divided by their root mean square margin in the group",
    ),
    "predicted": Objective(
        predicted_cross_entropy, "predicted", False, "cross-entropy against the detector's own decisions"
    ),
    "entropy": Objective(prediction_entropy, "given", False, "entropy of the detector's own output"),
}


def get_objective(name: str) -> Objective:
    """Return a registered objective.

    Args:
        name: One of ``OBJECTIVES``.

    Returns:
        The objective.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in OBJECTIVES:
        raise unknown_name("objective", name, OBJECTIVES)
    return OBJECTIVES[name]
