r"""Controls: what a correlation of sharpness with error has to beat to mean something.

Each is averaged over the trials of a group with the weights of the group's loss, so that it sees the same
class balance as the sharpness beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sharpscope.measures.group import Group
from sharpscope.measures.objectives import prediction_entropy, signed_margin
from sharpscope.measures.registry import Definition, Values

# A margin at which float32 cross-entropy is exactly zero.
SATURATED = 17.0


def _mean(group: Group, per_trial: Tensor) -> Values:
    return {None: float((per_trial * group.weights).sum())}


def loss(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Cross-entropy of the group, :math:`\sum_i a_i \log(1 + e^{-d_i})`, in nats.

    ln 2 is what a detector that always says one half gets. Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value.
    """
    return {None: group.loss()}


def grad_norm(group: Group, radii: Sequence[float] = (), *, objective: str = "label") -> Values:
    r"""Norm of the group's gradient, :math:`\lVert g \rVert_2`.

    To first order sam sharpness is rho times this number; what they differ by is curvature. Cost: the
    shared backward.

    Args:
        group: The trials.
        radii: Not used.
        objective: Which loss.

    Returns:
        One value.
    """
    return {None: group.gradient_norm(objective)}


def param_norm(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Norm of the trained live parameters, :math:`\lVert w \rVert_2`; the same for every set.

    Args:
        group: Any group of the checkpoint.
        radii: Not used.

    Returns:
        One value.
    """
    return {None: group.live.norm()}


def entropy(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Mean entropy of the detector's two-class output, in nats; needs no labels.

    :math:`H_i = \log(1+e^{-d}) + d\,\sigma(-d)` with d the logit difference. Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, from 0 to ln 2.
    """
    return _mean(group, prediction_entropy(group.logits, group.labels))


def margin(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Mean margin of the right class, :math:`d_i = z_{y_i} - z_{\bar y_i}`.

    Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value; negative when the detector is wrong more strongly than it is right.
    """
    return _mean(group, signed_margin(group.logits, group.labels))


def confidence(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Mean absolute logit difference, :math:`|z_1 - z_0|`; needs no labels.

    Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, at least 0.
    """
    return _mean(group, signed_margin(group.logits, group.labels).abs())


def saturated(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Share of trials at whose margin float32 cross-entropy is exactly zero (:math:`d \ge 17`).

    Cost: none beyond scoring.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, from 0 to 1.
    """
    return _mean(group, (signed_margin(group.logits, group.labels) >= SATURATED).double())


_UNCHANGED = ("layer", "node")

MEASURES: dict[str, Definition] = {
    "loss": Definition(loss, "cross-entropy, in nats", "", (), _UNCHANGED),
    "grad_norm": Definition(grad_norm, "norm of the group's gradient", "", ("label",)),
    "param_norm": Definition(param_norm, "norm of the live weights", "", (), ("logits", "labels")),
    "entropy": Definition(
        entropy, "entropy of the detector's output, in nats", "", (), (*_UNCHANGED, "labels")
    ),
    "margin": Definition(margin, "mean margin of the right class", "", (), _UNCHANGED),
    "confidence": Definition(confidence, "mean absolute logit difference", "", (), (*_UNCHANGED, "labels")),
    "saturated": Definition(
        saturated, "share of trials at which float32 cross-entropy is exactly zero", "", (), _UNCHANGED
    ),
}
