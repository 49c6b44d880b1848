r"""What a noisy covariate leaves of a correlation: each half of the trials is the other's instrument.

Sharpness x and the loss z are measured on one half of the trials, the error rate y and the loss w on the other. Noise
of one half is in nothing of the other, so that correlations across halves are those of what is measured, each shrunk by
its own reliability, and the shrinkage cancels in

.. math:: \tau = r_{zw} r_{xy} - r_{xw} r_{zy}

which is 0 if and only if x and y have nothing in common but what z and w measure, however noisy both are. Taking the
loss's noise for nothing, a partial correlation rejects up to 92 % of such studies.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from sharpscope.analysis.rank_correlation import SAME, standardised_ranks

# Below, the t of so few contributions is not known to hold its level.
FEWEST = 8
# A covariate whose halves agree no better than this is no instrument.
WEAKEST = 0.3
# From here on noise hides the curvature of ranks no more, and what it biases by is taken off (see docs/statistics.md).
NEARLY_EXACT = 0.975


class Given(NamedTuple):
    """A partial correlation given what a noisy covariate measures.

    Attributes:
        estimate: Partial correlation of ranks, of the measure on one half and the error rate on the other, which their
            own noise shrinks as it does any correlation across halves; NaN where nothing can be said.
        stderr: Its standard error.
        p: Two-sided, by Student's t of the checkpoints' contributions.
        n: Checkpoints.
        reliability: Correlation of the covariate with itself across halves, mean over sets.
        note: Why there is no estimate; "" otherwise.
    """

    estimate: float
    stderr: float
    p: float
    n: int
    reliability: float
    note: str

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval of the estimate, within -1 and 1.

        Args:
            confidence: Such as .95, or .9 for two one-sided tests at 5 %.

        Returns:
            Lower and upper end; NaN without an estimate.

        Example:
            >>> [round(end, 3) for end in Given(0.0, 0.1, 1.0, 13, 0.9, "").interval(0.9)]
            [-0.181, 0.181]
        """
        if not math.isfinite(self.estimate):
            return math.nan, math.nan
        half = _quantile((1 + confidence) / 2, self.n - 3) * self.stderr
        return max(-1.0, self.estimate - half), min(1.0, self.estimate + half)

    def adds_at_most(self) -> float:
        """Return the smallest x that two one-sided tests at 5 % show the partial correlation to lie within.

        Returns:
            The farther end of the 90 % interval, from 0 to 1.

        Source:
            Schuirmann (1987).

        Example:
            >>> round(Given(0.1, 0.1, 0.3, 13, 0.9, "").adds_at_most(), 3)
            0.281
        """
        return max(map(abs, self.interval(0.9)))

    def checkpoints_for(self, most: float = 0.1, *, power: float = 0.8) -> float:
        r"""Return how many checkpoints would show that the measure adds less than so much, if it adds nothing.

        .. math:: 3 + (n - 3) \left(\frac{(z_{.95} + z_{(1 + \mathrm{power}) / 2})\,\mathrm{SE}}{\mathrm{most}}\right)^2

        Args:
            most: The partial correlation to rule out, on both sides.
            power: Share of studies that succeed.

        Returns:
            A whole number; NaN without an estimate.

        Example:
            >>> Given(0.0, 0.1, 1.0, 103, 0.9, "").checkpoints_for(0.1)
            860.0
        """
        if not math.isfinite(self.stderr):
            return math.nan
        reach = float(stats.norm.ppf(0.95) + stats.norm.ppf((1 + power) / 2)) * self.stderr / most
        return float(math.ceil(3 + (self.n - 3) * reach**2))


@functools.lru_cache(maxsize=64)
def _quantile(chance: float, freedom: int) -> float:
    """Return the quantile of Student's t, which costs more to look up than all else here."""
    return float(stats.t.ppf(chance, freedom))


def given_noisy(x: np.ndarray, z: np.ndarray, y: np.ndarray, w: np.ndarray) -> Given:
    r"""Estimate and test the partial correlation of x and y given what z and w measure, each with noise of its own.

    .. math:: \frac{\sum_j \lambda_j \tau_j}{\sqrt{\sum_j \lambda_j (\lambda_j - r_{xw,j}^2)
        \sum_j \lambda_j (\lambda_j - r_{zy,j}^2)}}, \qquad \lambda = r_{zw}

    over sets j. The numerator is the sum over checkpoints of
    :math:`\sum_j (\lambda x - r_{xw} z)(\lambda y - r_{zy} w)` in ranks, whose spread gives the standard error; the
    first factor is the measure with its instrumented fit on the covariate taken away, the second the error rate's.

    Args:
        x: The measure on one half, checkpoints x sets.
        z: The covariate on the same half.
        y: The error rate on the other half.
        w: The covariate on the other half.

    Returns:
        Estimate, standard error and p-value; without an estimate where there are fewer than eight checkpoints, the
        covariate's halves do not agree, or it leaves nothing.

    Source:
        Instrumental variables (Reiersol, 1945); vanishing tetrads are Spearman's (1904); the statistic is the score of
        Neyman (1959), which estimating the two fits does not move to first order.

    Example:
        Both follow the covariate and nothing else:

        >>> rng = np.random.default_rng(0)
        >>> truth = rng.normal(size=(400, 1))
        >>> x, z, y, w = (truth + 0.5 * rng.normal(size=(400, 1)) for _ in range(4))
        >>> found = given_noisy(x, z, y, w)
        >>> abs(found.estimate) < 2 * found.stderr, round(found.reliability, 1)
        (True, 0.8)
    """
    n = len(x)
    values = [np.asarray(one, float).reshape(n, -1) for one in (x, z, y, w)]
    usable = np.logical_and.reduce([np.isfinite(standardised_ranks(one)).all(axis=0) for one in values])
    if n < FEWEST:
        return _nothing(n, math.nan, f"fewer than {FEWEST} checkpoints")
    if not usable.any():
        return _nothing(n, math.nan, "one of the columns is constant on every set")
    total, spread, left, agree = (
        float(one[0]) for one in score_of_many(*(one[:, usable, None] for one in values))
    )
    # NaN must fail here too.
    if not agree >= WEAKEST:
        return _nothing(n, agree, f"the covariate's halves agree by {agree:.2f} only, no instrument")
    if not left > SAME:
        return _nothing(n, agree, "the covariate leaves nothing of the measure or the error rate")
    if not spread > SAME:
        return _nothing(n, agree, "nothing varies beside the covariate")
    p = float(2 * stats.t.sf(abs(total) / spread, n - 3))
    return Given(float(np.clip(total / left, -1, 1)), spread / left, p, n, agree, "")


def _nothing(n: int, reliability: float, note: str) -> Given:
    return Given(math.nan, math.nan, math.nan, n, reliability, note)


def score_of_many(
    x: np.ndarray, z: np.ndarray, y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the parts of `given_noisy` for many studies at once.

    Args:
        x: The measure on one half, checkpoints x sets x studies, without constant columns.
        z: The covariate on the same half.
        y: The error rate on the other half.
        w: The covariate on the other half.

    Returns:
        Sum of the contributions, its standard error, what the covariate leaves of both sides (the denominator of the
        estimate, 0 where nothing is left), and how far the covariate's halves agree; shape (studies,) each.
    """
    n = len(x)
    each, left, agree = _score(*(standardised_ranks(one) for one in (x, z, y, w)))
    total = each.sum(axis=0)
    bends = agree > NEARLY_EXACT
    if bends.any():
        # The jackknife's correction of bias.
        some = [one[:, :, bends] for one in (x, z, y, w)]
        without = [
            _score(*(standardised_ranks(np.delete(one, i, axis=0)) for one in some))[0].sum(axis=0)
            for i in range(n)
        ]
        total[bends] = n * total[bends] - (n - 1) * np.mean(without, axis=0)
    return total, each.std(axis=0, ddof=1) * math.sqrt(n), left, agree


def _score(
    x: np.ndarray, z: np.ndarray, y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return contributions of checkpoints, what the covariate leaves of both sides, and how far its halves agree.

    All are ranks, checkpoints x sets x studies; a set whose halves disagree has no weight.
    """
    r_xw, r_zy, r_zw = ((a * b).sum(axis=0) for a, b in ((x, w), (z, y), (z, w)))
    weight = np.nan_to_num(np.maximum(r_zw, 0.0))
    each = (weight > 0) * (weight * x - r_xw * z) * (weight * y - r_zy * w)
    sides = [np.nansum(weight * (weight - r**2), axis=0) for r in (r_xw, r_zy)]
    left = np.sqrt(np.maximum(sides[0], 0) * np.maximum(sides[1], 0))
    return np.nan_to_num(each).sum(axis=1), left, np.nan_to_num(r_zw).mean(axis=0)
