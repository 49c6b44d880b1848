r"""Average-case sharpness by antithetic pairs, and the trace of the Hessian from the same forward passes.

The k-th direction depends on nothing but the seed and k: every group, set and checkpoint of one architecture sees
the same ones (common random numbers), and none is stored.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import partial

from sharpscope.measures.group import Group
from sharpscope.measures.registry import ANDRIUSHCHENKO, Definition, Values
from sharpscope.measures.scaling import Scaling, scaled, scales

PAIRS = 10


def pair_rises(
    group: Group, rho: float, *, scaling: Scaling = "none", pairs: int = PAIRS, objective: str = "label"
) -> list[float]:
    r"""Return the mean rise of each antithetic pair, :math:`[L(w+\delta_k) + L(w-\delta_k)]/2 - L(w)`.

    The first-order term cancels within a pair, which one-sided draws average out at a standard error of
    :math:`\rho \lVert T g \rVert / \sqrt{K}`. Cost: 2 F per pair, kept in the group's cache.

    Args:
        group: The trials.
        rho: Standard deviation of each coordinate in whitened coordinates.
        scaling: T; see `scales`.
        pairs: Directions.
        objective: Which loss.

    Returns:
        One number per pair, in nats.
    """
    key = ("pairs", rho, scaling, objective)
    done: list[float] = group.cache.setdefault(key, [])
    by = scales(group.live.trained, scaling)
    for index in range(len(done), pairs):
        direction = scaled(group.noise(index), by)
        ahead = group.rise(direction, rho, objective=objective)
        back = group.rise(direction, -rho, objective=objective)
        done.append((ahead + back) / 2.0)
    return done[:pairs]


def average(
    group: Group,
    radii: Sequence[float],
    *,
    scaling: Scaling = "none",
    pairs: int = PAIRS,
    objective: str = "label",
) -> Values:
    r"""Mean rise of the loss under Gaussian noise of the weights, one value per radius.

    .. math::
        S(\rho) = \mathbb{E}_{\delta \sim N(0, \rho^2 T^2)}\, L_G(w + \delta) - L_G(w)

    Average-case sharpness (Andriushchenko et al., 2023), T = I or diag(|w|). rho is the standard deviation of
    each coordinate, so the noise is about :math:`\rho \sqrt{d}` long: radii are not comparable with those of
    `sam`, and without scaling they must be far smaller. Cost: 2 F per pair and radius.

    Args:
        group: The trials.
        radii: rho; in units of the weights, or a fraction of each of them when scaled.
        scaling: "none" or "elementwise".
        pairs: Directions, each used with both signs.
        objective: Which loss.

    Returns:
        The mean rise in nats per radius; negative where the surface is concave on average.

    Example:
        For L(w) = w'Aw / 2 its expectation is rho^2 tr(A) / 2, at any w.
    """
    return {
        rho: statistics.fmean(pair_rises(group, rho, scaling=scaling, pairs=pairs, objective=objective))
        for rho in radii
    }


def average_stderr(
    group: Group, radii: Sequence[float], *, scaling: Scaling = "none", pairs: int = PAIRS
) -> Values:
    r"""Standard error that the drawn directions leave on the average-case rise, one value per radius.

    Groups share their directions, so the spread over groups does not show it; its mean over groups bounds it
    from above. Cost: none beside `average`.

    Args:
        group: The trials.
        radii: rho.
        scaling: "none" or "elementwise".
        pairs: Directions, at least 2.

    Returns:
        Standard error in nats per radius.

    Example:
        0 where the loss is linear in the weights: both signs cancel.
    """
    return {
        rho: statistics.stdev(pair_rises(group, rho, scaling=scaling, pairs=pairs)) / math.sqrt(pairs)
        for rho in radii
    }


def average_trace(
    group: Group, radii: Sequence[float], *, scaling: Scaling = "none", pairs: int = PAIRS
) -> Values:
    r"""Trace of the Hessian from the forward passes of `average`, :math:`2 S(\rho) / \rho^2`.

    .. math:: \mathrm{tr}(T H T) + O(\rho^2)

    Second differences need no second backward, so it runs on networks that have none, and it averages over
    the kinks of ReLU that a Hessian at one point does not see. Too small a rho drowns in rounding: about 1e-4
    of the size of a weight is a floor in float32. Cost: none beside `average`.

    Args:
        group: The trials.
        radii: rho.
        scaling: "none" for tr(H), "elementwise" for the sum of w_i^2 H_ii.
        pairs: Directions.

    Returns:
        One value per radius, in nats per squared unit of the (scaled) weights.

    Example:
        For L(w) = w'Aw / 2 its expectation is tr(A) at any rho.
    """
    rises = average(group, radii, scaling=scaling, pairs=pairs)
    return {rho: 2.0 * rises[rho] / rho**2 for rho in radii}


def _measures(suffix: str, scaling: Scaling, noise: str, trace: str) -> dict[str, Definition]:
    unchanged = ("layer", "node") if scaling == "elementwise" else ()
    name = f"average{suffix}"
    return {
        name: Definition(
            partial(average, scaling=scaling),
            f"mean rise under {noise}, {PAIRS} antithetic pairs",
            ANDRIUSHCHENKO,
            (),
            unchanged,
        ),
        f"{name}_stderr": Definition(
            partial(average_stderr, scaling=scaling),
            f"standard error that the directions leave on {name}",
            ANDRIUSHCHENKO,
            (),
            unchanged,
        ),
        f"{name}_trace": Definition(
            partial(average_trace, scaling=scaling),
            f"{trace} by second differences along the same directions",
            "Hutchinson (1990)",
            (),
            unchanged,
        ),
    }


MEASURES: dict[str, Definition] = {
    **_measures("", "none", "Gaussian noise", "trace of the Hessian"),
    **_measures(
        "_adaptive", "elementwise", "Gaussian noise in proportion to each weight", "sum of w_i^2 H_ii"
    ),
}
