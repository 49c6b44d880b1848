"""Permutation and resampling of whole checkpoints: what makes an answer over several sets valid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sharpscope.analysis.rank_correlation import (
    EXACT_UP_TO,
    N_PERMUTATIONS,
    blocks,
    orders,
    standardised_ranks,
)

# Numbers held at once by a vectorised step: 8 MB of doubles, whatever the size of the table.
AT_ONCE = 1_000_000


class Resamples(NamedTuple):
    """Means over bootstrap resamples.

    Attributes:
        values: One per usable resample.
        degenerate: Resamples in which a set held one value only, dropped.
    """

    values: np.ndarray
    degenerate: int


def joint_null(
    x: np.ndarray, y: np.ndarray, *, rng: np.random.Generator | int = 0, order: np.ndarray | None = None
) -> np.ndarray:
    """Return every set's Spearman correlation under orders of checkpoints shared by all sets.

    Args:
        x: Standardised ranks of the measure, checkpoints x sets.
        y: Standardised ranks of EER, the same shape.
        rng: Seed or generator, used beyond nine checkpoints.
        order: The orders, shape (orders, checkpoints); None takes all up to nine checkpoints, random ones beyond.

    Returns:
        Shape (orders, sets).

    Example:
        >>> z = standardised_ranks(np.array([[1.0], [2.0], [3.0]]))
        >>> sorted(round(r, 1) + 0.0 for r in joint_null(z, z)[:, 0].tolist())
        [-1.0, -0.5, -0.5, 0.5, 0.5, 1.0]
    """
    order = orders(len(x), rng=rng) if order is None else order
    rows = max(1, AT_ONCE // x.size)
    return np.concatenate([np.einsum("bns,ns->bs", x[block], y) for block in blocks(order, rows)])


def max_t_p(observed: np.ndarray, highest: np.ndarray, *, exact: bool) -> np.ndarray:
    r"""Westfall and Young's adjusted p-values, :math:`P(\max_j |r^*_j| \ge |r_j|)`.

    Args:
        observed: Correlations, shape (tests,).
        highest: Largest absolute correlation of any test under each order, shape (orders,).
        exact: Whether the orders are all there are; random ones have the observed order added to them.

    Returns:
        One p-value per test.

    Example:
        >>> max_t_p(np.array([1.0, 0.5]), np.array([1.0, 0.6, 0.1, 0.1]), exact=True).tolist()
        [0.25, 0.5]
        >>> max_t_p(np.array([1.0]), np.array([0.6, 0.1, 0.1]), exact=False).tolist()
        [0.25]
    """
    ordered = np.sort(highest)
    beyond = len(ordered) - np.searchsorted(ordered, np.abs(observed) - 1e-12, side="left")
    share: np.ndarray = beyond / len(ordered) if exact else (beyond + 1) / (len(ordered) + 1)
    return share


def bootstrap_mean_within(
    x: np.ndarray, y: np.ndarray, *, n_resamples: int = N_PERMUTATIONS, rng: np.random.Generator | int = 0
) -> Resamples:
    """Mean within-set Spearman correlation of resampled checkpoints.

    Checkpoints are drawn with replacement in all sets at once. Mid-ranks come from how often each was drawn,
    so that nothing is sorted twice.

    Args:
        x: The measure, checkpoints x sets.
        y: EER, the same shape.
        n_resamples: Draws.
        rng: Seed or generator; the same seed draws the same checkpoints, so that differences are paired.

    Returns:
        The means and how many draws were dropped.
    """
    n, k = x.shape
    generator = np.random.default_rng(rng)
    rows = max(1, AT_ONCE // n)
    means = []
    for start in range(0, n_resamples, rows):
        size = min(rows, n_resamples - start)
        drawn = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float)
        total = np.zeros(size)
        for j in range(k):
            rx, ry = _drawn_ranks(x[:, j], times), _drawn_ranks(y[:, j], times)
            below = np.sqrt((times * rx**2).sum(axis=1) * (times * ry**2).sum(axis=1))
            with np.errstate(invalid="ignore", divide="ignore"):
                total += np.where(below > 0, (times * rx * ry).sum(axis=1) / below, np.nan)
        means.append(total / k)
    values = np.concatenate(means)
    finite = np.isfinite(values)
    return Resamples(values, int((~finite).sum()))


def _drawn_ranks(column: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return centred mid-ranks of each checkpoint among the drawn ones, shape of ``times``."""
    distinct, place = np.unique(column, return_inverse=True)
    order = np.argsort(place, kind="stable")
    last = np.searchsorted(place[order], np.arange(len(distinct)), side="right")
    until = np.cumsum(times[:, order], axis=1)[:, last - 1]  # (resamples, distinct values)
    before = np.concatenate([np.zeros((len(times), 1)), until[:, :-1]], axis=1)
    middle = (before + until + 1) / 2 - (times.shape[1] + 1) / 2
    centred: np.ndarray = middle[:, place]
    return centred


class Swapped(NamedTuple):
    """The outcome of swapping two measures within checkpoints.

    Attributes:
        p: Two-sided p-value.
        smallest_p: The smallest one within reach of these values: that of the most extreme swap.
    """

    p: float
    smallest_p: float


def swap_test(a: np.ndarray, b: np.ndarray, y: np.ndarray, *, rng: np.random.Generator | int = 0) -> Swapped:
    """Test the difference of two measures' mean within-set correlations (Deutsch et al., 2021, PERM-BOTH).

    If the measures are exchangeable, swapping them for a checkpoint, in all its sets at once, changes
    nothing. All swaps are tried up to thirteen checkpoints, 9,999 random ones beyond.

    Args:
        a: Standardised ranks of one measure, checkpoints x sets.
        b: Of the other.
        y: Of EER.
        rng: Seed or generator.

    Returns:
        The p-value, and the smallest that these values could have given.

    Example:
        Of the 16 swaps of a perfect measure and its reverse two leave them as far apart as they are:

        >>> z = standardised_ranks(np.array([[1.0], [2.0], [3.0], [4.0]]))
        >>> swap_test(z, -z, z)
        Swapped(p=0.125, smallest_p=0.125)
    """
    n = len(a)
    exact = n <= EXACT_UP_TO + 4
    if exact:
        swaps = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)
    else:
        swaps = np.random.default_rng(rng).integers(2, size=(N_PERMUTATIONS, n)).astype(float)

    def mean_of(first: np.ndarray, second: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        dot = (first * y).sum(axis=0) + chosen @ ((second - first) * y)
        total = chosen @ (second - first)
        spread = (first**2).sum(axis=0) + chosen @ (second**2 - first**2) - total**2 / n
        safe = np.where(spread > 1e-12, spread, 1.0)
        means: np.ndarray = np.where(spread > 1e-12, dot / np.sqrt(safe), 0.0).mean(axis=1)
        return means

    null = mean_of(a, b, swaps) - mean_of(b, a, swaps)
    observed = float((a * y).sum(axis=0).mean() - (b * y).sum(axis=0).mean())
    sizes = np.abs(null)
    extreme = int((sizes >= abs(observed) - 1e-12).sum())
    if exact:
        return Swapped(extreme / len(null), int((sizes >= sizes.max() - 1e-12).sum()) / len(null))
    return Swapped((extreme + 1) / (len(null) + 1), 1 / (len(null) + 1))


__all__ = [
    "Resamples",
    "Swapped",
    "bootstrap_mean_within",
    "joint_null",
    "max_t_p",
    "standardised_ranks",
    "swap_test",
]
