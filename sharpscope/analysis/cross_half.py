r"""Sharpness from one half of a set's groups, error rate from the trials of the other: no trial's noise is in both.

Taken from the same trials, sharpness and error rate move together even where detectors are equal in truth: a trial that
happens to be hard for one raises both. A half apart leaves nothing to share, so that a correlation is one of the
detectors. Where the records have every trial's half (`measure` draws groups inside halves that share no speaker and no
pair) those are the halves; else halves of the groups, as alike in attacks as chance gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sharpscope.analysis import permutation
from sharpscope.analysis.rank_correlation import EXACT_UP_TO, TWO_SIDED, p_of, standardised_ranks
from sharpscope.scoring.eer import rates_of_draws

# One split, fixed by its seed, is an exact test. Several depend less on the draw; twice their median is careful.
N_SPLITS = 1
FEWEST_GROUPS = 4
# Draws of halves of groups among which the one most alike in attacks is taken.
CANDIDATES = 64


class Halves(NamedTuple):
    """A measure and error rates of checkpoints, split by split.

    Attributes:
        x: Shape (checkpoints, splits): the measure on the groups of the first half.
        y: The error rate of all trials outside of that half, those in no group among them.
        y_same: The error rate of the trials of that half.
        y_other: The error rate of the other half's groups, about as many trials as ``y_same`` has.
        x_other: The measure on the groups of the other half.
    """

    x: np.ndarray
    y: np.ndarray
    y_same: np.ndarray
    y_other: np.ndarray
    x_other: np.ndarray


class CrossHalf(NamedTuple):
    """A rank correlation between halves.

    Attributes:
        spearman: Median over splits.
        p: Of several splits twice the median, at most 1.
        shared_noise: How much of the correlation from the same trials is their noise: the median over splits of what
            the same half gives minus what the other half gives.
    """

    spearman: float
    p: float
    shared_noise: float


def draw_halves(
    n_groups: int, *, seed: int = 0, n_splits: int = N_SPLITS, attacks: np.ndarray | None = None
) -> np.ndarray:
    """Draw which groups are in the first half, the same for every checkpoint and measure of a set.

    Args:
        n_groups: Groups of the set.
        seed: Of the draws.
        n_splits: How many draws.
        attacks: Trials of each attack in each group, shape (groups, attacks): of ``CANDIDATES`` draws the one is
            taken whose halves hold the most alike numbers of them. None takes the first.

    Returns:
        Shape (splits, groups), bool; half of the groups in each, rounded down.

    Example:
        >>> draw_halves(5).sum(axis=1).tolist() == [2]
        True
        >>> first = draw_halves(4, attacks=np.array([[4, 0], [4, 0], [0, 4], [0, 4]]))[0]
        >>> bool(first[0] != first[1]), bool(first[2] != first[3])
        (True, True)
    """
    rng = np.random.default_rng(seed)
    candidates = CANDIDATES if attacks is not None and attacks.shape[1] > 1 else 1
    order = rng.permuted(np.tile(np.arange(n_groups), (n_splits * candidates, 1)), axis=1)
    first: np.ndarray = order < n_groups // 2
    if candidates == 1 or attacks is None:
        return first
    gaps = np.abs((2.0 * first - 1) @ attacks).sum(axis=1).reshape(n_splits, candidates)
    best: np.ndarray = first.reshape(n_splits, candidates, n_groups)[np.arange(n_splits), gaps.argmin(axis=1)]
    return best


def halves_of_record(half: np.ndarray, group: np.ndarray, numbers: Sequence[int]) -> np.ndarray | None:
    """Return the half that the records give each group; None where they give none, or groups hold trials of both.

    Args:
        half: Of every trial, 0 or 1, -1 for none; shape (trials,).
        group: Its group, -1 for none.
        numbers: The groups that were measured.

    Returns:
        Shape (groups,), 0 or 1.

    Example:
        >>> halves_of_record(np.array([0, 0, 1, 1]), np.array([0, 0, 1, -1]), [0, 1]).tolist()
        [0, 1]
    """
    if not np.isin(half, (0, 1)).all():
        return None
    held = [np.unique(half[group == number]) for number in numbers]
    if any(len(values) != 1 for values in held):
        return None
    found = np.concatenate(held)
    return found if 0 < found.sum() < len(found) else None


def halves_of_values(values: np.ndarray, sizes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return a measure on the first half of the groups: the mean weighted by their sizes.

    Args:
        values: Checkpoints x groups.
        sizes: Trials of each group.
        first: Splits x groups, bool.

    Returns:
        Shape (checkpoints, splits).

    Example:
        >>> halves_of_values(np.array([[1.0, 3.0]]), np.ones(2), np.array([[True, False]])).tolist()
        [[1.0]]
    """
    weights = first * sizes
    shares: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    half: np.ndarray = values @ shares.T
    return half


def halves_of_errors(
    scores: np.ndarray, is_bonafide: np.ndarray, chosen: np.ndarray, *, folded: bool = False
) -> np.ndarray:
    """Return the equal error rate of each checkpoint on some of the trials.

    Args:
        scores: Checkpoints x trials, higher for bona fide.
        is_bonafide: Shape (trials,), bool.
        chosen: Splits x trials, bool: which trials count.
        folded: Whether the better of both polarities counts, as in the preset huang2025.

    Returns:
        Shape (checkpoints, splits); NaN where a class has no trial.

    Example:
        >>> truth = np.array([True, True, False, False])
        >>> halves_of_errors(np.array([[2.0, 0.0, 1.0, -1.0]]), truth, np.ones((1, 4), dtype=bool)).tolist()
        [[0.5]]
    """
    order = np.argsort(~is_bonafide, kind="stable")
    draws = chosen[:, order].astype(np.int8)
    n_bonafide = int(is_bonafide.sum())
    rates = np.array([rates_of_draws(own[order], n_bonafide, draws) for own in scores])
    return np.minimum(rates, 1 - rates) if folded else rates


def correlate_halves(
    halves: Halves, *, rng: int = 0, test: bool = True, alternative: str = TWO_SIDED
) -> CrossHalf:
    r"""Correlate a measure on one half with the error rate on the other.

    Each split gives Spearman's correlation and its permutation p-value :math:`p_s`. Over splits, which share their
    data, :math:`\min(1, 2\,\mathrm{median}_s\, p_s)` is a valid p-value whatever their dependence.

    Args:
        halves: Of one set.
        rng: Seed of random orders.
        test: Whether a p-value is wanted.
        alternative: "two-sided", or "greater" or "less" where the direction was fixed beforehand.

    Returns:
        Correlation, p-value and the part that is shared noise; NaN where most splits leave a constant.

    Source:
        Meinshausen, Meier and Buehlmann (2009), after Rueger (1978).

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> correlate_halves(Halves(x, x, x, x, x)).spearman
        1.0
    """
    zx, zy = standardised_ranks(halves.x), standardised_ranks(halves.y)
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
    if usable.sum() * 2 <= len(usable):
        return CrossHalf(math.nan, math.nan, math.nan)
    r = (zx * zy).sum(axis=0)[usable]
    p = math.nan
    if test:
        null = permutation.joint_null(zx[:, usable], zy[:, usable], rng=rng)
        exact = len(zx) <= EXACT_UP_TO
        p = combined(
            [p_of(float(one), null[:, s], exact=exact, alternative=alternative) for s, one in enumerate(r)]
        )
    gaps = (zx * standardised_ranks(halves.y_same)).sum(axis=0) - (
        zx * standardised_ranks(halves.y_other)
    ).sum(axis=0)
    gaps = gaps[np.isfinite(gaps)]
    shared = float(np.median(gaps)) if len(gaps) else math.nan
    return CrossHalf(round(float(np.median(r)), 12), p, shared)


def combined(p: Sequence[float]) -> float:
    """Return one p-value of several splits of the same data: twice their median, at most 1.

    Args:
        p: One per split.

    Returns:
        The p-value.

    Source:
        Meinshausen, Meier and Buehlmann (2009).

    Example:
        >>> combined([0.01, 0.02, 0.9]), combined([0.7, 0.8, 0.9])
        (0.04, 1.0)
    """
    # A single split is a test as it stands.
    return p[0] if len(p) == 1 else min(1.0, 2 * float(np.median(p)))
