r"""Permutation tests whose unit is a piece of evidence: clusters as one, inside strata, over all sets at once.

Permuting a correlation tests that measure and error have nothing to do with each other in any way, spreads included:
where half of the architectures vary ten times as much as the others, it rejects 8 to 11 % of uncorrelated studies.
Divided by its own standard error it tests the correlation (DiCiccio and Romano, 2017; Yu and Hutson, 2022) and rejects
4 to 5 % there. That costs power (.58 instead of .68 for a correlation of .7 at twelve checkpoints), and a perfect
order of few checkpoints is no longer the most extreme: so it is asked for where spreads differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from sharpscope.analysis.confounding import n_orders
from sharpscope.analysis.permutation import AT_ONCE
from sharpscope.analysis.rank_correlation import (
    EXACT_UP_TO,
    FEWEST,
    SAME,
    blocks,
    orders,
    p_of,
    ranks,
    standardised_ranks,
)

# With fewer orders than this the smallest p-value lies above 5 %.
FEWEST_ORDERS = 20
DIGITS = 12


class Answer(NamedTuple):
    """A mean within-set correlation of pieces of evidence.

    Attributes:
        estimate: The mean over sets; NaN without a set that has ranks.
        p: Two-sided; NaN where nothing can be tested.
        n: Pieces of evidence.
        note: Why there is no test, a phrase, or how many pieces were left out; "" otherwise.
    """

    estimate: float
    p: float
    n: int
    note: str


def one_value_each(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean of every cluster on every set, so that nothing counts twice.

    Args:
        values: Checkpoints x sets; NaN where a checkpoint has no number.
        labels: Cluster of each checkpoint, from 0, shape (checkpoints,).

    Returns:
        Clusters x sets, rounded to 12 digits so that equal means are ties; NaN where no member has a number.

    Example:
        >>> one_value_each(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])).tolist()
        [[2.0], [5.0]]
    """
    known = np.isfinite(values)
    if np.bincount(labels).max(initial=0) == 1:  # each its own: what is most common, and most often asked for
        alone: np.ndarray = np.where(known, values, np.nan)[np.argsort(labels)]
        return alone.round(DIGITS)
    members = (labels == np.arange(labels.max() + 1)[:, None]).astype(float)  # (clusters, checkpoints)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: np.ndarray = (members @ np.where(known, values, 0.0)) / (members @ known)
    return means.round(DIGITS)


def orders_inside(sizes: Iterable[int]) -> int:
    r"""Return how many orders leave every piece in its stratum: :math:`\prod_s n_s!`.

    Args:
        sizes: Pieces of each stratum.

    Returns:
        A whole number, for that of 171 pieces passes the largest float.

    Example:
        >>> orders_inside([3, 2]), orders_inside([171]) > 1e308
        (12, True)
    """
    return math.prod(math.factorial(int(size)) for size in sizes)


def joint_test(
    x: np.ndarray,
    y: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    seed: int = 0,
    studentised: bool = False,
) -> Answer:
    r"""Test the mean within-set Spearman correlation of clusters, permuted as one, inside strata and in all sets alike.

    .. math:: T = \sum_i u_i \quad\text{or}\quad \frac{\sum_i u_i}{\sqrt{\sum_i u_i^2}},
        \qquad u_i = \frac1k \sum_j a_{ij} b_{ij}

    over clusters i and sets j, with a and b the ranks of measure and error within set j less their stratum's mean,
    scaled to length one; the second is studentised.

    Args:
        x: The measure, checkpoints x sets; NaN where there is no number.
        y: EER, the same shape.
        labels: Cluster of each checkpoint, from 0; None takes every checkpoint for one.
        strata: What each checkpoint belongs to, such as its architecture; clusters are permuted only among those of
            their stratum. A cluster lies in one stratum. None permutes all.
        seed: Of random orders, drawn beyond nine clusters and within strata.
        studentised: Divide by the standard error, for clusters whose spreads differ.

    Returns:
        The estimate, its p-value and what must be said.

    Source:
        Yu and Hutson (2022), for Spearman's correlation; over sets the sums are of whole clusters.

    Example:
        >>> x = np.array([[1.0], [2], [3], [4], [5], [6]])
        >>> joint_test(x, x).p < 0.01, joint_test(x[:4], x[:4]).note
        (True, 'fewer than 5 pieces of evidence cannot reach 5 %')
    """
    labels = np.arange(len(x)) if labels is None else labels
    mx, my = one_value_each(x, labels), one_value_each(y, labels)
    complete = np.isfinite(mx).all(axis=1) & np.isfinite(my).all(axis=1)
    own = np.zeros(len(mx), dtype=int)
    if strata is not None:
        own[labels] = np.unique(strata, return_inverse=True)[1]
    sizes = np.bincount(own[complete], minlength=own.max() + 1)
    # A piece alone in its stratum has nothing to be exchanged with.
    kept = complete & ((sizes[own] > 1) if strata is not None else True)
    left_out = len(mx) - int(kept.sum())
    note = f"{left_out} pieces of evidence left out" if left_out else ""
    n = int(kept.sum())
    if n < FEWEST:
        return Answer(math.nan, math.nan, n, f"fewer than {FEWEST} pieces of evidence cannot reach 5 %")
    a, b = (_inside(values[kept], own[kept]) for values in (mx, my))
    usable = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    if not usable.any():
        return Answer(math.nan, math.nan, n, "nothing varies")
    a, b = a[:, usable], b[:, usable]
    estimate = float((a * b).sum(axis=0).mean())
    if strata is not None and orders_inside(sizes) < FEWEST_ORDERS:
        return Answer(estimate, math.nan, n, "too few orders inside strata to reach 5 %")
    order, exact = _orders(own[kept], seed, strata is not None, n_orders(a))
    observed = float(_statistic(a[None], b, studentised)[0])
    rows = max(1, AT_ONCE // a.size)
    null = np.concatenate([_statistic(a[block], b, studentised) for block in blocks(order, rows)])
    return Answer(estimate, p_of(observed, null, exact=exact), n, note)


def _inside(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return ranks within each set less their stratum's mean, of length one; NaN where nothing is left."""
    if strata.max() == 0:
        return standardised_ranks(values)
    ranked = ranks(values)
    for stratum in np.unique(strata):
        inside = strata == stratum
        ranked[inside] -= ranked[inside].mean(axis=0)
    length = np.sqrt((ranked**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: np.ndarray = np.where(length > 1e-9, ranked / length, np.nan)
    return scaled


def _orders(strata: np.ndarray, seed: int, stratified: bool, count: int) -> tuple[np.ndarray, bool]:
    """Return orders that leave every cluster in its stratum, and whether they are all there are."""
    n = len(strata)
    if not stratified:
        return orders(n, rng=seed, n_permutations=count), n <= EXACT_UP_TO
    generator = np.random.default_rng(seed)
    order = np.tile(np.arange(n), (count, 1))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        order[:, inside] = generator.permuted(order[:, inside], axis=1)
    return order, False


def _statistic(a: np.ndarray, b: np.ndarray, studentised: bool) -> np.ndarray:
    """Return T for each order of the first, (orders, clusters, sets) against (clusters, sets)."""
    each = np.einsum("bns,ns->bn", a, b) / b.shape[1]
    total: np.ndarray = each.sum(axis=1)
    if not studentised:
        return total
    spread = np.sqrt((each**2).sum(axis=1))
    return np.where(spread > SAME, total / np.maximum(spread, SAME), 0.0)
