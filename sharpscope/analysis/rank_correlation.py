"""Rank correlation with p-values and intervals that hold for a handful of checkpoints. Arrays in, numbers out."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from sharpscope.scoring.eer import Interval

# With fewer checkpoints no order of them is rarer than 5 %.
FEWEST = 5
# All orders are enumerated up to this many checkpoints: 9! = 362,880.
EXACT_UP_TO = 9
N_PERMUTATIONS = 9_999
# Every order of Kendall's looks at n(n-1)/2 pairs: at n = 1,000 ten thousand orders would take minutes a cell.
PERMUTE_PAIRS_UP_TO = 50
# Two statistics this close are equal: ties come out of floating point in different orders of summation.
SAME = 1e-12
TWO_SIDED = "two-sided"
ALTERNATIVES = (TWO_SIDED, "greater", "less")


class Statistic(NamedTuple):
    """A statistic and its two-sided p-value."""

    statistic: float
    p: float


def ranks(values: np.ndarray) -> np.ndarray:
    """Mid-ranks along the first axis.

    Args:
        values: Shape (n,) or (n, k).

    Returns:
        The same shape, 1 for the smallest; tied values share their mean rank.

    Example:
        >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    ranked: np.ndarray = stats.rankdata(values, axis=0)
    return ranked


def standardised_ranks(values: np.ndarray) -> np.ndarray:
    """Mid-ranks centred and scaled so that an inner product of two columns is their Spearman correlation.

    Args:
        values: Shape (n,) or (n, k).

    Returns:
        The same shape; NaN columns where all values are equal.
    """
    centred = ranks(values)
    centred = centred - centred.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: np.ndarray = np.where(length > 0, centred / length, np.nan)
    return scaled


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation: Pearson's of the mid-ranks, right with ties.

    Args:
        x: Shape (n,).
        y: Shape (n,).

    Returns:
        From -1 to 1; NaN when one of them is constant or n < 3.

    Example:
        The IQ and television example of textbooks:

        >>> iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
        >>> tv = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
        >>> round(spearman(np.array(iq), np.array(tv)), 7)
        -0.1757576
    """
    if len(x) < 3:
        return float("nan")
    value = float(standardised_ranks(np.asarray(x, float)) @ standardised_ranks(np.asarray(y, float)))
    return max(-1.0, min(1.0, value)) if math.isfinite(value) else float("nan")


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    r"""Kendall's tau-b, :math:`(P-Q)/\sqrt{(P+Q+T)(P+Q+U)}`, with T and U the pairs tied in one of the two.

    Args:
        x: Shape (n,).
        y: Shape (n,).

    Returns:
        From -1 to 1; NaN when one of them is constant or n < 3.

    Example:
        >>> round(kendall(np.array([12, 2, 1, 12, 2]), np.array([1, 4, 7, 1, 0])), 7)
        -0.4714045
    """
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(stats.kendalltau(x, y, variant="b").statistic)


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's linear correlation.

    Args:
        x: Shape (n,).
        y: Shape (n,).

    Returns:
        From -1 to 1; NaN when one of them is constant or n < 3.

    Example:
        >>> round(pearson(np.array([1.0, 2, 3]), np.array([2.0, 4, 6])), 6)
        1.0
    """
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def orders(n: int, *, rng: np.random.Generator | int = 0, n_permutations: int = N_PERMUTATIONS) -> np.ndarray:
    """Return the orders under which a null hypothesis leaves the data as likely as they are.

    Args:
        n: Things to permute.
        rng: Seed or generator of the random orders.
        n_permutations: How many of them.

    Returns:
        Shape (k, n): all n! orders for n up to 9, otherwise that many random ones.

    Example:
        >>> orders(3).shape, orders(12, n_permutations=99).shape
        ((6, 3), (99, 12))
    """
    if n <= EXACT_UP_TO or isinstance(rng, int):
        return _fixed_orders(n, 0 if isinstance(rng, np.random.Generator) else rng, n_permutations)
    return rng.permuted(np.tile(np.arange(n, dtype=np.int32), (n_permutations, 1)), axis=1)


@functools.lru_cache(maxsize=2)
def _fixed_orders(n: int, seed: int, n_permutations: int) -> np.ndarray:
    """Return the orders of a seed, kept because every set and measure of one call needs the same."""
    if n <= EXACT_UP_TO:
        fixed = np.array(list(itertools.permutations(range(n))), dtype=np.int8)
    else:
        start = np.tile(np.arange(n, dtype=np.int32), (n_permutations, 1))
        fixed = np.random.default_rng(seed).permuted(start, axis=1)
    fixed.setflags(write=False)
    return fixed


def p_of(observed: float, null: np.ndarray, *, exact: bool, alternative: str = TWO_SIDED) -> float:
    """P-value of a permutation test: two-sided by the rule of absolute values, or in a direction fixed beforehand.

    The share of orders with a statistic at least as far from zero, or at least as large or as small; for random
    orders the observed one counts as drawn, so that p is never 0 (Phipson and Smyth, 2010).

    Args:
        observed: The statistic of the data.
        null: The statistic under each order, shape (k,).
        exact: Whether the orders are all there are.
        alternative: "two-sided", "greater" or "less".

    Returns:
        The p-value; NaN when the statistic is.

    Example:
        >>> null = np.array([1.0, -1.0, 0.0, 0.5])
        >>> p_of(1.0, null, exact=True), p_of(1.0, null, exact=True, alternative="greater")
        (0.5, 0.25)
        >>> p_of(1.0, null, exact=True, alternative="less")
        1.0
    """
    if not math.isfinite(observed):
        return float("nan")
    if alternative == TWO_SIDED:
        extreme = int((np.abs(null) >= abs(observed) - SAME).sum())
    else:
        sign = 1.0 if alternative == "greater" else -1.0
        extreme = int((sign * null >= sign * observed - SAME).sum())
    return extreme / len(null) if exact else (extreme + 1) / (len(null) + 1)


def spearman_p(
    x: np.ndarray,
    y: np.ndarray,
    *,
    rng: np.random.Generator | int = 0,
    alternative: str = TWO_SIDED,
) -> float:
    """Permutation p-value of Spearman's correlation, exact for n up to 9.

    Args:
        x: Shape (n,).
        y: Shape (n,).
        rng: Seed or generator, used beyond n = 9.
        alternative: "two-sided", "greater" or "less".

    Returns:
        The p-value; NaN for constant data or n < 3.

    Example:
        R's `cor.test` on Hollander and Wolfe's tuna data, exact:

        >>> x = np.array([44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1])
        >>> y = np.array([2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8])
        >>> round(spearman_p(x, y), 7)
        0.0967978
    """
    observed = spearman(x, y)
    if not math.isfinite(observed):
        return float("nan")
    zx, zy = standardised_ranks(np.asarray(x, float)), standardised_ranks(np.asarray(y, float))
    order = orders(len(zx), rng=rng)
    null = np.concatenate([zx[block] @ zy for block in blocks(order, max(1, 4_000_000 // len(zx)))])
    return p_of(observed, null, exact=len(zx) <= EXACT_UP_TO, alternative=alternative)


def kendall_p(x: np.ndarray, y: np.ndarray, *, rng: np.random.Generator | int = 0) -> float:
    """P-value of Kendall's tau-b: exact for n up to 9, by permutation up to 50, beyond by its normal approximation.

    The approximation corrects the variance for ties; at 50 it is closer than 9,999 permutations are.

    Args:
        x: Shape (n,).
        y: Shape (n,).
        rng: Seed or generator, used beyond n = 9.

    Returns:
        Two-sided; NaN for constant data or n < 3.

    Example:
        >>> x = np.array([44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1])
        >>> y = np.array([2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8])
        >>> round(kendall_p(x, y), 7)
        0.1194389
    """
    observed = kendall(x, y)
    if not math.isfinite(observed):
        return float("nan")
    n = len(x)
    if n > PERMUTE_PAIRS_UP_TO:
        return float(stats.kendalltau(x, y, variant="b", method="asymptotic").pvalue)
    i, j = np.triu_indices(n, 1)
    signs_y = np.sign(np.asarray(y, float)[i] - np.asarray(y, float)[j])
    x = np.asarray(x, float)
    # The denominator of tau-b does not change under permutation, so P - Q is as good a statistic.
    score = float(np.sign(x[i] - x[j]) @ signs_y)
    null = np.concatenate(
        [np.sign(x[block[:, i]] - x[block[:, j]]) @ signs_y for block in blocks(orders(n, rng=rng), 2_000)]
    )
    return p_of(score, null, exact=n <= EXACT_UP_TO)


def blocks(order: np.ndarray, rows: int = 20_000) -> Iterator[np.ndarray]:
    """Yield orders a block at a time, so that memory does not grow with their number.

    Args:
        order: Shape (k, n).
        rows: Orders in a block.

    Yields:
        Parts of ``order``.
    """
    for start in range(0, len(order), rows):
        yield order[start : start + rows]


def spearman_interval(r: float, n: int, *, confidence: float = 0.95) -> Interval:
    r"""Interval of Spearman's correlation by Bonett and Wright (2000).

    .. math:: \tanh\!\left(\mathrm{atanh}\, r \pm z \sqrt{\frac{1 + r^2/2}{n - 3}}\right)

    Args:
        r: The correlation.
        n: Pairs.
        confidence: Coverage.

    Returns:
        The interval; NaN for n < 5 or a perfect correlation, where the formula is false certainty.

    Example:
        statpsych's `ci.spear` on its 15 pairs:

        >>> tuple(round(end, 5) for end in spearman_interval(0.8699639, 15))
        (0.5841, 0.96383)
    """
    if n < FEWEST or not math.isfinite(r) or abs(r) >= 1 - SAME:
        return Interval(float("nan"), float("nan"))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * math.sqrt((1 + r * r / 2) / (n - 3))
    return Interval(math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def kendall_interval(tau: float, n: int, *, confidence: float = 0.95) -> Interval:
    r"""Interval of Kendall's tau by Fieller et al. (1957), :math:`\mathrm{SE} = \sqrt{0.437/(n-4)}` of atanh.

    Args:
        tau: The correlation.
        n: Pairs.
        confidence: Coverage.

    Returns:
        The interval; NaN for n < 11 or an absolute tau from 0.8 on, where the formula does not hold.

    Example:
        statpsych's `ci.kendall` on its 15 pairs:

        >>> tuple(round(end, 5) for end in kendall_interval(0.7282926, 15))
        (0.48876, 0.86572)
    """
    if n < 11 or not math.isfinite(tau) or abs(tau) >= 0.8:
        return Interval(float("nan"), float("nan"))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * math.sqrt(0.437 / (n - 4))
    return Interval(math.tanh(math.atanh(tau) - half), math.tanh(math.atanh(tau) + half))


def minimum_detectable(n: int, *, power: float = 0.8, alpha: float = 0.05) -> float:
    r"""Smallest Spearman correlation that n checkpoints detect with the given power, two-sided.

    Solves :math:`n = 3 + (1 + \rho^2/2) \left((z_{1-\alpha/2} + z_{power}) / \mathrm{atanh}\,\rho\right)^2`.

    Args:
        n: Checkpoints.
        power: Chance to find it.
        alpha: Level of the test.

    Returns:
        From 0 to 1; NaN for n < 5, where no correlation can be significant at 5 %.

    Example:
        >>> round(minimum_detectable(12), 2), round(minimum_detectable(33), 2)
        (0.79, 0.49)
    """
    if n < FEWEST:
        return float("nan")
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    low, high = 1e-6, 1 - 1e-9
    for _ in range(100):
        middle = (low + high) / 2
        needed = 3 + (1 + middle**2 / 2) * (z / math.atanh(middle)) ** 2
        low, high = (middle, high) if needed > n else (low, middle)
    return high
