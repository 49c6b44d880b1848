r"""Calibration: whether a detector's confidence is earned. Controls, as the loss and the margin are.

The expected calibration error is a property of many trials: in a group of 32 it is mostly bias. What can be
averaged over groups is a proper score, its parts per trial, and an error over pairs of trials that needs no bins;
`calibration_error` is for a whole set's logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import signed_margin
from sharpscope.measures.registry import Definition, Values

KERNEL_WIDTH = 0.2


def _margin(group: Group) -> Tensor:
    return signed_margin(group.logits, group.labels)


def _mean(group: Group, per_trial: Tensor) -> Values:
    return {None: float((per_trial * group.weights).sum())}


def brier(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Brier score, :math:`\sum_i a_i (1 - p_i)^2` with p the probability of the right class.

    A proper score that, unlike cross-entropy, a few confident errors cannot dominate. Cost: none beyond
    scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value from 0 to 1; 0.25 for a detector that always says one half.

    Example:
        For margins of 0 it is 0.25.
    """
    return _mean(group, torch.sigmoid(-_margin(group)).square())


def overconfidence(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Confidence minus accuracy, :math:`\sum_i a_i (\max_c p_{ic} - [d_i > 0])`.

    The calibration error of a single bin: it averages over groups without bias, which binned errors do not.
    A margin of exactly 0 counts as half right. Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value from -0.5 to 1; positive where the detector is surer than it is right.

    Example:
        For margins of 0 it is 0.
    """
    margin = _margin(group)
    right = (margin > 0).double() + 0.5 * (margin == 0).double()
    return _mean(group, torch.sigmoid(margin.abs()) - right)


def accuracy(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Share of trials on the right side of a logit difference of 0, with the weights of the group's loss.

    Not the equal error rate: the threshold is the detector's own. Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value from 0 to 1.

    Example:
        For margins of 0 it is 0.5.
    """
    margin = _margin(group)
    return _mean(group, (margin > 0).double() + 0.5 * (margin == 0).double())


def kernel_calibration_error(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Calibration error without bins, averaged over groups without bias (Widmann, Lindsten and Zachariah, 2019).

    .. math::
        \sum_{c,c'} A_c A_{c'} \operatorname*{mean}_{i \in c,\, j \in c',\, i \ne j}
        (y_i - p_i)(y_j - p_j)\, e^{-|p_i - p_j| / 0.2}

    with p the probability of bona fide, y = 1 for bona fide and A the classes' shares of the group's loss: a
    U-statistic in each pair of classes, since the classes of a group are drawn apart. It is 0 on average for a
    calibrated detector, also in small groups, and so may fall below 0 in one. Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, at most 1: a squared difference of probabilities.

    Raises:
        SharpscopeError: If a class has a single trial in the group.

    Example:
        For margins of 0 and classes of equal weight it is 0.
    """
    classes = [group.labels == label for label in (0, 1)]
    counts = [int(members.sum()) for members in classes]
    if 1 in counts:
        raise SharpscopeError(
            f"kernel_calibration_error got a group of {counts[1]} bona fide and {counts[0]} spoof trials; it compares "
            "pairs of trials, so a class needs two: take a larger --m, or leave the measure out"
        )
    p = torch.sigmoid(group.logits.diff(dim=1)[:, 0])  # (m,)
    gap = group.labels - p
    terms = torch.outer(gap, gap) * torch.exp(-(p[:, None] - p).abs() / KERNEL_WIDTH)  # (m, m)
    terms.fill_diagonal_(0.0)
    total = 0.0
    for c, some in enumerate(classes):
        for d, others in enumerate(classes):
            pairs = counts[c] * (counts[d] - (c == d))
            if pairs:
                share = group.weights[some].sum() * group.weights[others].sum()
                total += float(share * terms[some][:, others].sum() / pairs)
    return {None: total}


def calibration_error(logits: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> float:
    r"""Expected calibration error of a whole set, in bins of equal numbers of trials (Guo et al., 2017).

    .. math:: \sum_b \frac{n_b}{n} \left| \bar p_b - \bar y_b \right|

    with p the probability of bona fide. Equal numbers rather than equal widths: a confident detector would
    leave most bins empty.

    Args:
        logits: Shape (n, 2), columns spoof and bona fide.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        bins: Number of bins.

    Returns:
        A number from 0 to 1.

    Raises:
        UsageError: If there are fewer trials than bins.

    Example:
        >>> calibration_error(np.zeros((20, 2)), np.arange(20) % 2, bins=2)
        0.0
    """
    if len(labels) < bins:
        raise UsageError(f"{len(labels)} trials in {bins} bins; give more trials or fewer bins")
    difference = np.asarray(logits, dtype=float)[:, 1] - np.asarray(logits, dtype=float)[:, 0]
    probability = 1.0 / (1.0 + np.exp(-np.clip(difference, -700.0, 700.0)))
    order = np.argsort(difference, kind="stable")
    parts = np.array_split(order, bins)
    errors = [len(part) * abs(probability[part].mean() - labels[part].mean()) for part in parts]
    return float(sum(errors) / len(labels))


_UNCHANGED = ("layer", "node")

MEASURES: dict[str, Definition] = {
    "brier": Definition(brier, "mean squared error of the probability", "Brier (1950)", (), _UNCHANGED),
    "overconfidence": Definition(
        overconfidence, "confidence minus accuracy", "Guo et al. (2017)", (), _UNCHANGED
    ),
    "kernel_calibration_error": Definition(
        kernel_calibration_error,
        "calibration error over pairs of trials, without bins",
        "Widmann et al. (2019)",
        (),
        _UNCHANGED,
    ),
    "accuracy": Definition(
        accuracy, "share of trials on the right side of 0", "", (), (*_UNCHANGED, "logits", "head")
    ),
}
