r"""When to stop measuring groups: as soon as every interval is as narrow as was asked for.

Looking after every group and stopping at the first narrow interval ends too often where the spread happens
to be underestimated. So the number of groups is planned: a pilot gives the spread, the spread gives the
number that is needed, and only when that many are done is the plan checked again (Stein, 1945; Hall, 1981).

A pilot that shows nothing but zeros cannot tell a set without sharpness from one whose few sharp groups it missed: with
2 % of groups carrying the value it stopped there in half of all runs, and its intervals covered 42 %. Then every group
is measured. Skewed values get the 25 times squared skewness that a normal interval needs (Cochran, 1977); beyond a
skewness of 2.5 a few groups carry the value, intervals of a stopped run cover 86 to 93 %, and all are measured. What no
pilot of 32 can see are groups rarer than 9 % beside others that are alike and not zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

PILOT = 32
# Half-width, in the measure's own unit, below which an interval around zero counts as narrow.
ABSOLUTE = 1e-4
# Groups per squared skewness (Cochran, 1977).
COCHRAN = 25
MOST_SKEWED = 2.5


def groups_needed(
    values: Sequence[float], total: int, tolerance: float, *, absolute: float = ABSOLUTE
) -> int:
    r"""Return how many groups a 95 % interval of the relative half-width ``tolerance`` takes.

    .. math::
        N = \frac{N_\infty}{1 + N_\infty / G}, \qquad
        N_\infty = \left(\frac{t_{n-1} s}{\max(\mathrm{tol}\,|\bar v|, \mathrm{abs})}\right)^2

    with the finite-population correction for G groups in all, drawn without replacement (Cochran, 1977).

    Args:
        values: One per measured group, n of them, at least 2.
        total: Groups in all, G.
        tolerance: Half-width of the interval relative to the mean.
        absolute: Half-width that is always narrow enough.

    Returns:
        Number of groups, at most ``total``.

    Example:
        Equal values need no more; a spread of half the mean at 10 % needs about a hundred of very many.

        >>> groups_needed([1.0, 1.0, 1.0], 1000, 0.02)
        2
        >>> 95 < groups_needed([0.5, 1.5] * 50, 10**9, 0.1) < 105
        True
    """
    array = np.asarray(values, dtype=float)
    spread = float(array.std(ddof=1))
    width = max(tolerance * abs(float(array.mean())), absolute)
    unlimited = (stdtrit(len(array) - 1, 0.975) * spread / width) ** 2
    return min(total, max(2, math.ceil(unlimited / (1 + unlimited / total))))


def groups_for_skew(values: Sequence[float], total: int, *, absolute: float = ABSOLUTE) -> int:
    r"""Return how many groups a normal interval takes for values this skewed, all where nothing was found yet.

    .. math:: N = \lceil 25\,g_1^2 \rceil, \qquad g_1 = \overline{(v - \bar v)^3} / s^3

    All groups beyond a skewness of 2.5 as well.

    Args:
        values: One per measured group, at least 2.
        total: Groups in all.
        absolute: Values up to this size are taken for zero.

    Returns:
        Number of groups, at most ``total``.

    Source:
        Cochran (1977), section 2.15.

    Example:
        One group in five carries the value: skewness 1.5, and 57 groups.

        >>> groups_for_skew([0.0, 0, 0, 0, 1] * 4, 1000), groups_for_skew([0.0] * 20, 1000)
        (57, 1000)
    """
    array = np.asarray(values, dtype=float)
    if np.abs(array).max() <= absolute:
        return total
    skewness = _skewness(array)
    if abs(skewness) > MOST_SKEWED:
        return total
    return min(total, max(2, math.ceil(round(COCHRAN * skewness**2, 9))))


def too_skewed(values: Sequence[float]) -> bool:
    r"""Tell whether so few values, skewed as they are, leave Student's interval of their mean too narrow on one side.

    .. math:: 25\,\big(|g_1| - \sqrt{6 / n}\big)_+^2 > n

    The root is the standard error of a normal sample's skewness, so that chance alone is rarely taken for it.

    Args:
        values: One per measured group.

    Returns:
        Whether it does; False below three values, which have no shape.

    Source:
        Cochran (1977), section 2.15.

    Example:
        One group in five carries the value, of 20 and of 200 groups:

        >>> too_skewed([0.0, 0, 0, 0, 1] * 4), too_skewed([0.0, 0, 0, 0, 1] * 40)
        (True, False)
    """
    n = len(values)
    if n < 3:
        return False
    skewness = _skewness(np.asarray(values, dtype=float))
    return bool(COCHRAN * max(0.0, abs(skewness) - math.sqrt(6 / n)) ** 2 > n)


def _skewness(values: np.ndarray) -> float:
    deviations = values - values.mean()
    spread = float(np.sqrt((deviations**2).mean()))
    # Values that agree to nine digits have no shape: their skewness is that of rounding.
    if spread <= 1e-9 * float(np.abs(values).max()):
        return 0.0
    return float((deviations**3).mean()) / spread**3


class StoppingRule:
    """Plans how many groups to measure, in few looks at fixed numbers of groups.

    Args:
        total: Groups in all.
        tolerance: Relative half-width of every interval.
        pilot: Groups before the first plan.

    Attributes:
        target: Groups to measure by the plan as it stands.
        reason: Why all groups are measured, a phrase for the note of a row; "" while the tolerance decides.

    Example:
        >>> rule = StoppingRule(1000, 0.02, pilot=3)
        >>> rule.enough({"sam": [1.0, 1.0]}), rule.enough({"sam": [1.0, 1.0, 1.0]})
        (False, True)
    """

    def __init__(self, total: int, tolerance: float, *, pilot: int = PILOT) -> None:
        self.total = total
        self.tolerance = tolerance
        self.target = min(pilot, total)
        self.reason = ""

    def enough(self, values: Mapping[Any, Sequence[float]]) -> bool:
        """Tell whether to stop now; when the plan is fulfilled it is checked and perhaps extended.

        Args:
            values: Per measure and radius, one value per group so far.

        Returns:
            True when no further group is needed.
        """
        done = min((len(column) for column in values.values()), default=0)
        if done < self.target:
            return False
        if done >= self.total:
            return True
        needed = max(groups_needed(column, self.total, self.tolerance) for column in values.values())
        shaped = {name: groups_for_skew(column, self.total) for name, column in values.items()}
        name = max(shaped, key=lambda key: shaped[key])
        if shaped[name] == self.total and needed < self.total:
            self.reason = _reason(name, values[name])
        self.target = max(self.target, needed, shaped[name])
        return done >= self.target


def _reason(name: Any, column: Sequence[float]) -> str:
    """Return why a measure needs every group."""
    measure = name[0] if isinstance(name, tuple) else name
    shape = "was zero" if float(np.abs(np.asarray(column)).max()) <= ABSOLUTE else "lay in a few groups"
    return f"no early stop: {measure} {shape} in the first {len(column)} groups, which tells nothing of the others"
