r"""When to stop measuring groups: as soon as every interval is as narrow as was asked for.

Looking after every group and stopping at the first narrow interval ends too often where the spread happens
to be underestimated. So the number of groups is planned: a pilot gives the spread, the spread gives the
number that is needed, and only when that many are done is the plan checked again (Stein, 1945; Hall, 1981).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

PILOT = 32
# Half-width, in the measure's own unit, below which an interval around zero counts as narrow.
ABSOLUTE = 1e-4


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
    unlimited = (stats.t.ppf(0.975, len(array) - 1) * spread / width) ** 2
    return min(total, max(2, math.ceil(unlimited / (1 + unlimited / total))))


class StoppingRule:
    """Plans how many groups to measure, in few looks at fixed numbers of groups.

    Args:
        total: Groups in all.
        tolerance: Relative half-width of every interval.
        pilot: Groups before the first plan.

    Attributes:
        target: Groups to measure by the plan as it stands.

    Example:
        >>> rule = StoppingRule(1000, 0.02, pilot=3)
        >>> rule.enough({"sam": [1.0, 1.0]}), rule.enough({"sam": [1.0, 1.0, 1.0]})
        (False, True)
    """

    def __init__(self, total: int, tolerance: float, *, pilot: int = PILOT) -> None:
        self.total = total
        self.tolerance = tolerance
        self.target = min(pilot, total)

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
        self.target = max(self.target, needed)
        return done >= self.target
