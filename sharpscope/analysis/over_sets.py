"""One measure over several sets: the mean within sets, pieces of evidence permuted in all sets at once.

Where numbers are missing, a piece is exchanged only with those that have numbers on the same sets: any other order
would move a number to where none is, and the test would be of another table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sharpscope.analysis import permutation
from sharpscope.analysis.clustered_tests import FEWEST_ORDERS, one_value_each, orders_inside
from sharpscope.analysis.confounding import n_orders
from sharpscope.analysis.cross_half import Halves, combined
from sharpscope.analysis.rank_correlation import (
    EXACT_UP_TO,
    FEWEST,
    TWO_SIDED,
    orders,
    p_of,
    ranks,
    standardised_ranks,
)


class OverSets(NamedTuple):
    """A mean over sets of correlations.

    Attributes:
        spearman: Median over splits of the mean over sets.
        p: Of several splits twice the median of their p-values, at most 1; NaN where nothing can be tested.
        lowest: Lowest correlation of a set.
        n_sets: Sets that entered.
    """

    spearman: float
    p: float
    lowest: float
    n_sets: int


class Ranks(NamedTuple):
    """Ranks of a measure and of error rates, pieces of evidence x sets x splits, each set's of length one.

    Attributes:
        x: Of the measure; 0 where a piece has no number on a set, NaN where a set holds one value only.
        y: Of error rates, the same shape.
        strata: Which pieces may be exchanged, shape (pieces,); None where all may.
        within: Spearman's correlation of every set, shape (sets, splits), of all pieces with a number there.
        pieces: Numbers of the pieces among all that were given; one that has nothing to be exchanged with is left out.
    """

    x: np.ndarray
    y: np.ndarray
    strata: np.ndarray | None
    within: np.ndarray
    pieces: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """Which sets vary in both on every split; shape (sets,)."""
        both: np.ndarray = np.isfinite(self.x).all(axis=(0, 2)) & np.isfinite(self.y).all(axis=(0, 2))
        return both

    @property
    def n_orders(self) -> int:
        """How many orders there are."""
        sizes = [len(self.x)] if self.strata is None else np.unique(self.strata, return_counts=True)[1]
        return orders_inside(sizes)

    @property
    def testable(self) -> bool:
        """Whether some order can be rarer than 5 %."""
        return len(self.x) >= FEWEST and self.n_orders >= FEWEST_ORDERS and bool(self.usable.any())


def ranks_of(halves: Sequence[Halves]) -> Ranks:
    """Return the ranks of several sets with the same checkpoints.

    Args:
        halves: One per set, checkpoints in the same order.

    Returns:
        The ranks.
    """
    return ranks_at(np.stack([one.x for one in halves], axis=1), np.stack([one.y for one in halves], axis=1))


def ranks_at(
    x: np.ndarray, y: np.ndarray, *, labels: np.ndarray | None = None, strata: np.ndarray | None = None
) -> Ranks:
    """Return the ranks of pieces of evidence on every set, with which of them may be exchanged.

    Args:
        x: The measure, checkpoints x sets x splits; NaN where there is no number.
        y: Error rates, the same shape.
        labels: Cluster of each checkpoint, from 0; its mean is the piece. None takes every checkpoint for one.
        strata: What each checkpoint belongs to, such as its architecture; correlations are then of what ranks differ
            inside strata. None takes all together.

    Returns:
        The ranks.

    Example:
        The fourth lacks a number on the second set, and is alone with that:

        >>> x = np.arange(8.0).reshape(4, 2, 1)
        >>> x[3, 1] = np.nan
        >>> found = ranks_at(x, x)
        >>> found.pieces.tolist(), found.within[:, 0].round(6).tolist()
        ([0, 1, 2], [1.0, 1.0])
    """
    n, k, splits = x.shape
    own = np.zeros(n, dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    if labels is not None:
        x, y = (one_value_each(v.reshape(n, -1), labels).reshape(-1, k, splits) for v in (x, y))
        of_piece: np.ndarray = np.zeros(len(x), dtype=int)
        of_piece[labels] = own
        own = of_piece
    known = np.isfinite(x).all(axis=2) & np.isfinite(y).all(axis=2)  # (pieces, sets)
    groups = np.unique(np.column_stack([own, known]), axis=0, return_inverse=True)[1].ravel()
    together = len(np.unique(groups)) == 1
    kept = known.any(axis=1) & (together | (np.bincount(groups)[groups] > 1))
    shares, pieces = groups[kept], np.flatnonzero(kept)
    ranked = [_ranked(v[kept], known[kept], None if together else shares) for v in (x, y)]
    if together or strata is not None:
        within = (ranked[0] * ranked[1]).sum(axis=0)
    else:
        within = np.prod([_ranked(v, known, None) for v in (x, y)], axis=0).sum(axis=0)
    return Ranks(ranked[0], ranked[1], None if together else shares, within, pieces)


def _ranked(values: np.ndarray, known: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    """Return ranks on every set and split among those known there, less their stratum's mean, of length one."""
    n, k, splits = values.shape
    if known.all() and strata is None:
        return standardised_ranks(values.reshape(n, -1)).reshape(n, k, splits)
    found, marks = np.zeros(values.shape), np.zeros(n, dtype=int) if strata is None else strata
    for j in range(k):
        here = known[:, j]
        if not here.any():
            found[:, j] = np.nan
            continue
        ranked = ranks(values[here, j])
        for stratum in np.unique(marks[here]):
            inside = marks[here] == stratum
            ranked[inside] -= ranked[inside].mean(axis=0)
        length = np.sqrt((ranked**2).sum(axis=0))
        with np.errstate(invalid="ignore", divide="ignore"):
            found[here, j] = np.where(length > 1e-9, ranked / length, np.nan)
    return found


def _orders(found: Ranks, rng: int) -> tuple[np.ndarray, bool]:
    """Return orders that leave every piece in its stratum, and whether they are all there are."""
    n = len(found.x)
    if found.strata is None:
        return orders(n, rng=rng, n_permutations=n_orders(found.x[:, :, 0])), n <= EXACT_UP_TO
    strata = [np.flatnonzero(found.strata == stratum) for stratum in np.unique(found.strata)]
    if found.n_orders > math.factorial(EXACT_UP_TO):
        generator = np.random.default_rng(rng)
        order = np.tile(np.arange(n, dtype=np.int32), (n_orders(found.x[:, :, 0]), 1))
        for inside in strata:
            order[:, inside] = generator.permuted(order[:, inside], axis=1)
        return order, False
    order = np.arange(n, dtype=np.int32)[None]
    for inside in strata:
        every = orders(len(inside)).astype(np.int32)
        order = np.repeat(order, len(every), axis=0)
        order[:, inside] = inside[np.tile(every, (len(order) // len(every), 1))]
    return order, True


def correlate_over_sets(
    found: Ranks, *, rng: int = 0, test: bool = True, alternative: str = TWO_SIDED
) -> OverSets:
    """Average the correlations within sets and test the mean by permuting pieces of evidence in all sets at once.

    Args:
        found: Of the sets.
        rng: Seed of random orders.
        test: Whether a p-value is wanted.
        alternative: "two-sided", or "greater" or "less" where the direction was fixed beforehand.

    Returns:
        The mean, its p-value, and the lowest set.

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> correlate_over_sets(ranks_of([Halves(x, x, x, x, x)] * 2)).spearman
        1.0
    """
    shown = np.isfinite(found.within).all(axis=1)
    if not shown.any():
        return OverSets(math.nan, math.nan, math.nan, 0)
    within = found.within[shown]  # (sets, splits)
    p = math.nan
    if test and found.testable:
        order, exact = _orders(found, rng)
        usable = found.usable
        each = []
        for s in range(found.x.shape[2]):
            x, y = found.x[:, usable, s], found.y[:, usable, s]
            null = permutation.joint_null(x, y, order=order).mean(axis=1)
            observed = float((x * y).sum(axis=0).mean())
            each.append(p_of(observed, null, exact=exact, alternative=alternative))
        p = combined(each)
    lowest = float(np.median(within, axis=1).min())
    return OverSets(round(float(np.median(within.mean(axis=0))), 12), p, lowest, int(shown.sum()))


def max_t_over_ways(ways: Sequence[Ranks], *, rng: int = 0) -> list[float]:
    """Adjust the p-values of several ways of measuring by the largest mean anywhere under shared orders.

    The one that is reported because it is the largest is so tested as the largest (Westfall and Young, 1993), split by
    split; over splits twice the median counts.

    Args:
        ways: Ranks of the same pieces of evidence with numbers on the same sets, one for each way.
        rng: Seed of random orders.

    Returns:
        One adjusted p-value each; NaN for a way without a usable set, and for all where the pieces differ.

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> one = ranks_of([Halves(x, x, x, x, x)])
        >>> max_t_over_ways([one, one]) == [correlate_over_sets(one).p] * 2
        True
    """
    found = _adjusted([[way] if way.testable else [] for way in ways], rng)
    return [own[0] if own else math.nan for own in found]


def max_t_over_cells(ways: Sequence[Ranks], *, rng: int = 0) -> list[list[float]]:
    """Adjust the p-values of every way on every set by the largest correlation anywhere under shared orders.

    Args:
        ways: Ranks of the same pieces of evidence with a number on every set.
        rng: Seed of random orders.

    Returns:
        For each way one adjusted p-value a set; NaN for a set that holds one value only, and for all where the pieces
        differ or a number is missing.
    """
    sets = [[_one_set(way, int(j)) for j in np.flatnonzero(way.usable)] for way in ways]
    complete = all(way.strata is None for way in ways)
    found = _adjusted(sets, rng) if complete else [[math.nan] * len(own) for own in sets]
    cells = [np.full(way.x.shape[1], np.nan) for way in ways]
    for cell, way, own in zip(cells, ways, found, strict=True):
        cell[way.usable] = own
    return [cell.tolist() for cell in cells]


def _one_set(way: Ranks, j: int) -> Ranks:
    return way._replace(x=way.x[:, [j]], y=way.y[:, [j]], within=way.within[[j]])


def _adjusted(families: Sequence[Sequence[Ranks]], rng: int) -> list[list[float]]:
    """Return max-T p-values of the mean of every member of every family, all adjusted together."""
    members = [one for family in families for one in family]
    if not members or not members[0].testable or not all(_alike(one, members[0]) for one in members):
        return [[math.nan] * len(family) for family in families]
    order, exact = _orders(members[0], rng)
    splits = members[0].x.shape[2]
    p = np.full((len(members), splits), np.nan)
    for split in range(splits):
        means, highest = [], np.zeros(len(order))
        for one in members:
            usable = one.usable
            x, y = one.x[:, usable, split], one.y[:, usable, split]
            means.append(float((x * y).sum(axis=0).mean()))
            null = np.abs(permutation.joint_null(x, y, order=order).mean(axis=1))
            highest = np.maximum(highest, null)
        p[:, split] = permutation.max_t_p(np.array(means), highest, exact=exact)
    flat = iter([combined(row.tolist()) for row in p])
    return [[next(flat) for _ in family] for family in families]


def _alike(one: Ranks, other: Ranks) -> bool:
    """Tell whether two hold the same pieces, exchanged among the same."""
    if one.strata is None or other.strata is None:
        same = one.strata is other.strata
    else:
        same = np.array_equal(one.strata, other.strata)
    return same and np.array_equal(one.pieces, other.pieces)
