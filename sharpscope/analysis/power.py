"""What a planned study can find, before it is run."""

from __future__ import annotations

import math
from typing import NamedTuple

from sharpscope.analysis.rank_correlation import minimum_detectable
from sharpscope.errors import UsageError


class Power(NamedTuple):
    """What so many checkpoints on so many sets can find.

    Attributes:
        smallest_p: Of one set, when the order is perfect.
        one_test: Smallest Spearman correlation found with the given power when one test is made.
        family: The same when Holm's correction starts from sets x measures tests.
    """

    smallest_p: float
    one_test: float
    family: float


def power(n: int, *, sets: int = 1, measures: int = 1, chance: float = 0.8, alpha: float = 0.05) -> Power:
    r"""Smallest correlations that a planned study finds; smallest p-value :math:`2/n!`.

    Args:
        n: Checkpoints.
        sets: Test sets.
        measures: Measures.
        chance: Power.
        alpha: Level.

    Returns:
        See `Power`; NaN where nothing can be found.

    Raises:
        UsageError: If a count is not positive or a share not between 0 and 1.

    Example:
        >>> round(power(5).smallest_p, 4), round(power(12).one_test, 2)
        (0.0167, 0.79)
    """
    if min(n, sets, measures) < 1 or not 0 < chance < 1 or not 0 < alpha < 1:
        raise UsageError(
            f"received n={n}, sets={sets}, measures={measures}, power={chance:g}, alpha={alpha:g}; counts are 1 or "
            "more, shares between 0 and 1"
        )
    smallest = min(1.0, 2 / math.factorial(min(n, 20)))
    tests = sets * measures
    found = [
        minimum_detectable(n, power=chance, alpha=level) if smallest <= level else math.nan
        for level in (alpha, alpha / tests)
    ]
    return Power(smallest, found[0], found[1])
