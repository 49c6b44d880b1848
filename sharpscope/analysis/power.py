"""What a planned study can find, before it is run."""

from __future__ import annotations

import math
from typing import NamedTuple

from sharpscope.analysis.rank_correlation import minimum_detectable
from sharpscope.analysis.reliability import of_a_half
from sharpscope.errors import UsageError


class Power(NamedTuple):
    """What so many checkpoints on so many sets can find.

    Attributes:
        smallest_p: Of one set, when the order is perfect.
        one_test: Smallest Spearman correlation found with the given power when one test is made.
        family: The same when Holm's correction starts from sets x measures tests.
        across_halves: Smallest true correlation that one test finds across halves, whose noise shrinks it.
        family_across_halves: The same with Holm's correction.
    """

    smallest_p: float
    one_test: float
    family: float
    across_halves: float
    family_across_halves: float


def power(
    n: int,
    *,
    sets: int = 1,
    measures: int = 1,
    chance: float = 0.8,
    alpha: float = 0.05,
    reliability: float = 1.0,
    error_reliability: float = 1.0,
) -> Power:
    r"""Smallest correlations that a planned study finds; smallest p-value :math:`2/n!`.

    Across halves a true correlation is seen as :math:`\rho\sqrt{r_x r_y}`, with :math:`r = R / (2 - R)` what two halves
    agree by where the whole set has the reliability R (Spearman, 1904; 1910). So one is found that is as much larger.

    Args:
        n: Checkpoints.
        sets: Test sets.
        measures: Measures.
        chance: Power.
        alpha: Level.
        reliability: Of the measure over a whole set, `split_half` in questions.csv.
        error_reliability: Of the error rate.

    Returns:
        See `Power`; NaN where nothing can be found.

    Raises:
        UsageError: If a count is not positive, or a share or reliability not between 0 and 1.

    Example:
        >>> round(power(5).smallest_p, 4), round(power(12).one_test, 2)
        (0.0167, 0.79)
        >>> round(power(24, reliability=0.9, error_reliability=0.8).across_halves, 2)
        0.78
    """
    known = 0 < reliability <= 1 and 0 < error_reliability <= 1
    if not known:
        raise UsageError(
            f"received reliabilities {reliability:g} of the measure and {error_reliability:g} of the error rate; they "
            "are above 0 and at most 1, as `split_half` in questions.csv has them"
        )
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
    shrinks = math.sqrt(of_a_half(reliability) * of_a_half(error_reliability))
    # No true correlation exceeds 1; NaN stays NaN.
    across = [value / shrinks if value / shrinks < 1 else math.nan for value in found]
    return Power(smallest, *found, *across)
