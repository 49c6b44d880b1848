"""One measure over several sets, from halves: the mean within sets, checkpoints permuted in all sets at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sharpscope.analysis import permutation
from sharpscope.analysis.cross_half import Halves, combined
from sharpscope.analysis.rank_correlation import EXACT_UP_TO, p_of, standardised_ranks


class OverSets(NamedTuple):
    """A mean over sets of cross-half correlations.

    Attributes:
        spearman: Median over splits of the mean over sets.
        p: Twice the median of the splits' p-values, at most 1.
        lowest: Lowest correlation of a set.
        n_sets: Sets that entered.
    """

    spearman: float
    p: float
    lowest: float
    n_sets: int


class Ranks(NamedTuple):
    """Standardised ranks of a measure and of error rates: checkpoints x sets x splits."""

    x: np.ndarray
    y: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """Which sets vary in both on every split; shape (sets,)."""
        both: np.ndarray = np.isfinite(self.x).all(axis=(0, 2)) & np.isfinite(self.y).all(axis=(0, 2))
        return both


def ranks_of(halves: Sequence[Halves]) -> Ranks:
    """Return the ranks of several sets with the same checkpoints.

    Args:
        halves: One per set, checkpoints in the same order.

    Returns:
        The ranks.
    """
    x = np.stack([standardised_ranks(one.x) for one in halves], axis=1)
    y = np.stack([standardised_ranks(one.y) for one in halves], axis=1)
    return Ranks(x, y)


def correlate_over_sets(ranks: Ranks, *, rng: int = 0, test: bool = True) -> OverSets:
    """Average the correlations within sets and test the mean by permuting checkpoints in all sets at once.

    Args:
        ranks: Of the sets.
        rng: Seed of random orders.
        test: Whether a p-value is wanted.

    Returns:
        The mean, its p-value, and the lowest set.

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> correlate_over_sets(ranks_of([Halves(x, x, x, x, x)] * 2)).spearman
        1.0
    """
    usable = ranks.usable
    if not usable.any():
        return OverSets(math.nan, math.nan, math.nan, 0)
    x, y = ranks.x[:, usable], ranks.y[:, usable]
    within = (x * y).sum(axis=0)  # (sets, splits)
    means = within.mean(axis=0)
    p = math.nan
    if test:
        exact = len(x) <= EXACT_UP_TO
        p = combined(
            [
                p_of(
                    float(mean),
                    permutation.joint_null(x[:, :, s], y[:, :, s], rng=rng).mean(axis=1),
                    exact=exact,
                )
                for s, mean in enumerate(means)
            ]
        )
    lowest = float(np.median(within, axis=1).min())
    return OverSets(round(float(np.median(means)), 12), p, lowest, int(usable.sum()))


def max_t_over_ways(ways: Sequence[Ranks], *, rng: int = 0) -> list[float]:
    """Adjust the p-values of several ways of measuring by the largest mean anywhere under shared orders.

    The one that is reported because it is the largest is so tested as the largest (Westfall and Young, 1993), split by
    split; over splits twice the median counts.

    Args:
        ways: Ranks of the same checkpoints, one for each way.
        rng: Seed of random orders.

    Returns:
        One adjusted p-value each; NaN for a way without a usable set.

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> one = ranks_of([Halves(x, x, x, x, x)])
        >>> max_t_over_ways([one, one]) == [correlate_over_sets(one).p] * 2
        True
    """
    kept = [index for index, way in enumerate(ways) if way.usable.any()]
    if not kept:
        return [math.nan] * len(ways)
    n, _, splits = ways[kept[0]].x.shape
    p = np.full((len(ways), splits), np.nan)
    for split in range(splits):
        means, highest = [], np.zeros(0)
        for index in kept:
            usable = ways[index].usable
            x, y = ways[index].x[:, usable, split], ways[index].y[:, usable, split]
            means.append(float((x * y).sum(axis=0).mean()))
            null = np.abs(permutation.joint_null(x, y, rng=rng).mean(axis=1))
            highest = np.maximum(highest, null) if len(highest) else null
        p[kept, split] = permutation.max_t_p(np.array(means), highest, exact=n <= EXACT_UP_TO)
    return [combined(row.tolist()) if np.isfinite(row).all() else math.nan for row in p]
