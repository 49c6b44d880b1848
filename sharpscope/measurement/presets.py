"""The two ways to measure: exactly as published, and with that procedure's faults repaired."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sharpscope.errors import unknown_name
from sharpscope.measurement.groups import Composition


class Preset(NamedTuple):
    """How groups are made, what loss they have, and how trials are scored.

    Attributes:
        composition: Rule of `make_groups`.
        class_weights: Weight of a spoof and of a bona fide trial in the group's weighted mean; None gives
            each class half of the loss.
        resample: Bring audio to the detector's rate; False takes the samples as they are.
        m: Trials in a group.
        rho: Radii.
        measures: Names and families.
        loss_name: As it stands in the table.
        score_rule: "logit_difference" (declared polarity) or "folded_spoof_logit".
        summary: One line.
    """

    composition: Composition
    class_weights: tuple[float, float] | None
    resample: bool
    m: int
    rho: tuple[float, ...]
    measures: tuple[str, ...]
    loss_name: str
    score_rule: str
    summary: str


PRESETS: dict[str, Preset] = {
    "rigorous": Preset(
        composition="balanced",
        class_weights=None,
        resample=True,
        m=32,
        rho=(0.05, 0.01, 0.005),
        # The scale of the logits moves plain sharpness; its own temperature takes it out.
        measures=("default", "sam_matched"),
        loss_name="class_balanced_cross_entropy",
        score_rule="logit_difference",
        summary="seeded class-balanced groups, declared polarity, error bars",
    ),
    "huang2025": Preset(
        composition="file_order",
        class_weights=(0.1, 0.9),
        resample=False,
        m=32,
        rho=(0.05,),
        measures=("sam", "asam", "loss", "grad_norm", "param_norm", "entropy", "margin"),
        loss_name="cross_entropy_0.1_0.9",
        score_rule="folded_spoof_logit",
        summary="the procedure of Huang et al. (2025), for parity",
    ),
}


def get_preset(name: str) -> Preset:
    """Return a preset.

    Args:
        name: "rigorous" or "huang2025".

    Returns:
        The preset.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def trial_weights(labels: np.ndarray, class_weights: tuple[float, float] | None) -> np.ndarray:
    r"""Return the share of each trial in its group's loss.

    With class weights c, :math:`a_i = c_{y_i} / \sum_j c_{y_j}`, which is torch's weighted mean; without,
    each class present carries the same share.

    Args:
        labels: Shape (m,), 1 = bona fide, 0 = spoof.
        class_weights: Weights of spoof and bona fide, or None.

    Returns:
        Shape (m,), float64, sum 1.

    Example:
        >>> trial_weights(np.array([1, 0]), (0.1, 0.9)).tolist()
        [0.9, 0.1]
        >>> trial_weights(np.array([1, 0, 0]), None).tolist()
        [0.5, 0.25, 0.25]
    """
    if class_weights is None:
        counts = np.array([np.sum(labels == 0), np.sum(labels == 1)])
        raw = 1.0 / counts[labels]
    else:
        raw = np.asarray(class_weights, dtype=float)[labels]
    shares: np.ndarray = raw / raw.sum()
    return shares
