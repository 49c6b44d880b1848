r"""The interval of a mean of within-set correlations, where correlations are high and where errors sit on a floor.

Resampling checkpoints fails twice. Near one the resampled means lie below the truth (at a true .945 the percentile
interval covers 84 to 93 %, every miss too low), and on floor sets many resamples hold one value only and dropping them
is a choice of the luckier ones (64 to 93 %). Bias correction and acceleration (BCa) mends the first and not the
second: at no correlation it covers 90 %. Leaving out one checkpoint at a time on Fisher's scale holds in both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from sharpscope.analysis.rank_correlation import FEWEST, SAME, standardised_ranks

# Beyond these, blocks of checkpoints are left out instead of single ones: a thousand would cost a thousand rankings.
MOST_SINGLY = 200
BLOCKS = 100


class MeanInterval(NamedTuple):
    """An interval of a mean of within-set correlations, or why there is none.

    Attributes:
        low: Lower end; NaN without an interval.
        high: Upper end.
        note: Why there is none, a phrase; "" when there is one.
    """

    low: float
    high: float
    note: str


def interval_of_mean(
    x: np.ndarray, y: np.ndarray, *, confidence: float = 0.95, seed: int = 0
) -> MeanInterval:
    r"""Interval of the mean within-set Spearman correlation, by the jackknife over checkpoints on Fisher's scale.

    .. math:: \tanh\!\left(\mathrm{atanh}\,\bar r \pm t_{n-1} \sqrt{\tfrac{n-1}{n} \sum_i (z_{(i)} - \bar z)^2}\right),
        \qquad z_{(i)} = \mathrm{atanh}\,\bar r_{(i)}

    where :math:`\bar r_{(i)}` is the mean over sets without checkpoint i. None is given where a set holds one value
    only, or would without one checkpoint: what such a set says hangs on that checkpoint, and no sample of others shows
    how much. Beyond 200 checkpoints a hundred random blocks are left out in turn.

    Args:
        x: The measure, checkpoints x sets.
        y: EER, the same shape.
        confidence: Coverage asked for; measured: 93 to 98 %.
        seed: Of the blocks.

    Returns:
        The interval or the reason.

    Source:
        Tukey (1958) for the jackknife; Kott (2001) for blocks.

    Example:
        >>> x = np.array([[1.0], [2], [3], [4], [5], [6]])
        >>> y = np.array([[1.0], [3], [2], [4], [6], [5]])
        >>> low, high, note = interval_of_mean(x, y)
        >>> low < 0.886 < high, note
        (True, '')
        >>> interval_of_mean(x, np.array([[0.0], [0], [0], [0], [0], [1]])).note
        'no interval: on 1 of 1 sets the numbers would be all the same without one checkpoint'
    """
    n, k = x.shape
    if n < FEWEST:
        return _none(f"{n} checkpoints; it takes {FEWEST}")
    if k == 0 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return _none("a number is missing")
    whole = _within(x, y)
    if not np.isfinite(whole).all():
        return _none(f"on {int((~np.isfinite(whole)).sum())} of {k} sets all numbers are the same")
    labels = np.arange(n) if n <= MOST_SINGLY else np.random.default_rng(seed).permutation(n) % BLOCKS
    left = np.stack([_within(x[labels != label], y[labels != label]) for label in np.unique(labels)])
    fragile = ~np.isfinite(left).all(axis=0)
    if fragile.any():
        return _none(
            f"on {int(fragile.sum())} of {k} sets the numbers would be all the same without one checkpoint"
        )
    mean, means = float(whole.mean()), left.mean(axis=1)
    if max(abs(mean), float(np.abs(means).max())) >= 1 - SAME:
        return _none("a perfect correlation of few checkpoints has no measurable spread")
    z, count = np.arctanh(means), len(means)
    error = math.sqrt((count - 1) / count * float(((z - z.mean()) ** 2).sum()))
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1)) * error
    return MeanInterval(math.tanh(math.atanh(mean) - half), math.tanh(math.atanh(mean) + half), "")


def _within(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each set's Spearman correlation; NaN where all numbers are the same."""
    found: np.ndarray = (standardised_ranks(x) * standardised_ranks(y)).sum(axis=0)
    return found


def _none(why: str) -> MeanInterval:
    return MeanInterval(math.nan, math.nan, f"no interval: {why}")
