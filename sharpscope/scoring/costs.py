"""What scores are worth beside the equal error rate: detection cost, Cllr, area, paired differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import norm, rankdata, t

from sharpscope.errors import SharpscopeError
from sharpscope.scoring.eer import (
    EqualErrorRate,
    Interval,
    draw,
    equal_error_rate,
    operating_points,
    rates_of_draws,
)

# Track 1 of ASVspoof 5 (Wang et al., 2024).
SPOOF_PRIOR, MISS_COST, FALSE_ALARM_COST = 0.05, 1.0, 10.0


class Costs(NamedTuple):
    """Weights of the two errors.

    Attributes:
        miss: C_miss (1 - pi), of a rejected bona fide trial.
        false_alarm: C_fa pi, of an accepted spoof.
    """

    miss: float
    false_alarm: float

    @property
    def threshold(self) -> float:
        """Where a log-likelihood ratio is cut at least cost, ln(false alarm / miss)."""
        return math.log(self.false_alarm / self.miss)


def costs(
    spoof_prior: float = SPOOF_PRIOR, miss: float = MISS_COST, false_alarm: float = FALSE_ALARM_COST
) -> Costs:
    """Return the weights of the two errors.

    Args:
        spoof_prior: pi, share of spoofs expected.
        miss: C_miss.
        false_alarm: C_fa.

    Returns:
        The weights.

    Example:
        >>> round(costs().threshold, 7)
        -0.6418539
    """
    return Costs(miss * (1 - spoof_prior), false_alarm * spoof_prior)


def minimum_cost(bonafide: np.ndarray, spoof: np.ndarray, weights: Costs | None = None) -> float:
    r"""Return the normalised detection cost at the best threshold (minDCF).

    :math:`\min_t\,[c_m\,\mathrm{FRR}(t) + c_f\,\mathrm{FAR}(t)] / \min(c_m, c_f)`.

    Args:
        bonafide: Scores, higher for bona fide.
        spoof: Scores.
        weights: Of the errors; None takes those of ASVspoof 5, track 1.

    Returns:
        From 0 to 1, where 1 is that of a detector that decides nothing.

    Raises:
        SharpscopeError: If a class is empty or a score not finite.

    Example:
        >>> float(round(minimum_cost(np.array([2, 1, 0.5, -0.2]), np.array([-2, -1, 0, 0.6, -0.7])), 7))
        0.4
    """
    weights = weights or costs()
    frr, far, _ = operating_points(bonafide, spoof)
    return float(np.min(weights.miss * frr + weights.false_alarm * far) / min(weights))


def actual_cost(bonafide: np.ndarray, spoof: np.ndarray, weights: Costs | None = None) -> float:
    """Return the normalised detection cost at the threshold that calibrated scores should have (actDCF).

    Args:
        bonafide: Scores that claim to be log-likelihood ratios.
        spoof: Scores.
        weights: Of the errors; None takes those of ASVspoof 5, track 1.

    Returns:
        At least the minimum cost.

    Example:
        >>> round(actual_cost(np.array([2, 1, 0.5, -0.2]), np.array([-2, -1, 0, 0.6, -0.7])), 7)
        0.4
    """
    weights = weights or costs()
    frr = float(np.mean(np.asarray(bonafide) < weights.threshold))
    far = float(np.mean(np.asarray(spoof) >= weights.threshold))
    return (weights.miss * frr + weights.false_alarm * far) / min(weights)


def likelihood_ratio_cost(bonafide: np.ndarray, spoof: np.ndarray) -> float:
    r"""Return Cllr (Brummer and du Preez, 2006), in bits: 0 is perfect, 1 knows nothing.

    :math:`\tfrac12 \langle \log_2(1 + e^{-s}) \rangle_\mathrm{bona fide} + \tfrac12 \langle \log_2(1 + e^{s})
    \rangle_\mathrm{spoof}`.

    Args:
        bonafide: Scores that claim to be log-likelihood ratios (natural logarithm).
        spoof: Scores.

    Returns:
        The cost.

    Example:
        >>> likelihood_ratio_cost(np.zeros(2), np.zeros(3))
        1.0
        >>> round(likelihood_ratio_cost(np.array([np.log(3)]), np.array([-np.log(3)])), 7)
        0.4150375
    """
    nats = (np.logaddexp(0, -np.asarray(bonafide, float)).mean() + np.logaddexp(0, spoof).mean()) / 2
    return float(nats / math.log(2))


def minimum_likelihood_ratio_cost(bonafide: np.ndarray, spoof: np.ndarray) -> float:
    """Return Cllr after the best monotone calibration, by pooling adjacent violators.

    Args:
        bonafide: Scores.
        spoof: Scores.

    Returns:
        The part of Cllr that no calibration removes.

    Example:
        >>> minimum_likelihood_ratio_cost(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
        0.0
        >>> round(minimum_likelihood_ratio_cost(np.ones(3), np.ones(5)), 9)
        1.0
    """
    scores = np.concatenate([bonafide, spoof]).astype(float)
    target = np.repeat([1.0, 0.0], [len(bonafide), len(spoof)])
    # Equal scores get equal ratios: they are one block from the start.
    _, place = np.unique(scores, return_inverse=True)
    sizes = np.bincount(place)
    fitted = isotonic_regression(np.bincount(place, target) / sizes, weights=sizes).x[place]
    with np.errstate(divide="ignore"):
        ratios = np.log(fitted) - np.log1p(-fitted) - math.log(len(bonafide) / len(spoof))
    return likelihood_ratio_cost(ratios[target == 1], ratios[target == 0])


def area_under_curve(bonafide: np.ndarray, spoof: np.ndarray) -> float:
    """Return the chance that a bona fide trial scores above a spoofed one, ties counted half (AUC).

    Args:
        bonafide: Scores.
        spoof: Scores.

    Returns:
        From 0 to 1.

    Example:
        >>> area_under_curve(np.array([1.0, 3.0]), np.array([0.0, 1.0]))
        0.875
    """
    n, k = len(bonafide), len(spoof)
    places = rankdata(np.concatenate([bonafide, spoof]))[:n]
    return float((places.sum() - n * (n + 1) / 2) / (n * k))


def normal_interval(
    found: EqualErrorRate, n_bonafide: int, n_spoof: int, *, confidence: float = 0.95
) -> Interval:
    r"""Bengio and Mariethoz' interval of the equal error rate (2004), trials taken as independent.

    :math:`\mathrm{EER} \pm z \sqrt{\mathrm{EER}(1-\mathrm{EER})\,(1/4N_\mathrm{spoof} + 1/4N_\mathrm{bona fide})}`.

    Args:
        found: Of `equal_error_rate`.
        n_bonafide: Trials.
        n_spoof: Trials.
        confidence: Coverage.

    Returns:
        The interval, within 0 and 1.

    Example:
        >>> tuple(round(v, 6) for v in normal_interval(EqualErrorRate(0.05, 0.0), 1000, 1000))
        (0.040448, 0.059552)
    """
    spread = math.sqrt(found.eer * (1 - found.eer) * (1 / (4 * n_spoof) + 1 / (4 * n_bonafide)))
    half = float(norm.ppf((1 + confidence) / 2)) * spread
    return Interval(max(0.0, found.eer - half), min(1.0, found.eer + half))


N_RESAMPLES = 1999
# Resamples held at a time.
AT_ONCE = 50


class Difference(NamedTuple):
    """How two systems differ on the same trials.

    Attributes:
        value: EER of the second less that of the first.
        interval: 95 % of the resampled differences, or Student's of their spread where speakers are drawn.
        p: Two-sided; by how often they have the other sign, or by Student's t of the speakers.
    """

    value: float
    interval: Interval
    p: float


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    is_bonafide: np.ndarray,
    *,
    speakers: np.ndarray | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    advance: Callable[[], object] | None = None,
) -> Difference:
    r"""Compare two systems on the same trials by a bootstrap that draws the same trials for both.

    Drawing S speakers shows :math:`\sqrt{(S-1)/S}` of their spread and nothing of how uncertain that is, so with
    speakers the interval is :math:`\hat d \pm t_{S-1} \sqrt{S/(S-1)}\,s^*`, with the standard deviation of the draws.

    Args:
        first: Scores of one system, shape (n,).
        second: Of the other, in the same order.
        is_bonafide: Shape (n,), bool.
        speakers: Drawn whole where they are given.
        n_resamples: Draws.
        seed: Of the draws.
        advance: Called at every draw.

    Returns:
        The difference of equal error rates.

    Raises:
        SharpscopeError: If lengths differ.

    Example:
        >>> truth = np.array([True] * 5 + [False] * 5)
        >>> paired_difference(truth * 1.0, truth * 2.0, truth, n_resamples=99).value
        0.0
    """
    if not len(first) == len(second) == len(is_bonafide):
        raise SharpscopeError(f"{len(first)} and {len(second)} scores for {len(is_bonafide)} trials")
    order = np.argsort(~is_bonafide, kind="stable")  # bona fide first
    n, k = int(is_bonafide.sum()), int((~is_bonafide).sum())
    parts = [(np.arange(n), n), (np.arange(k), k)]
    if speakers is not None:
        names, numbers = np.unique(np.asarray(speakers)[order], return_inverse=True)
        parts = [(numbers, len(names))]
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, n_resamples, AT_ONCE):
        count = min(AT_ONCE, n_resamples - start)
        draws = [np.concatenate([draw(rng, size)[own] for own, size in parts]) for _ in range(count)]
        one = rates_of_draws(first[order], n, draws, advance=advance)
        found.append(rates_of_draws(second[order], n, draws) - one)
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    value = _difference(first, second, is_bonafide)
    if speakers is not None:
        return _by_speaker(value, values, parts[0][1])
    low, high = np.quantile(values, [0.025, 0.975])
    side = min(int((values <= 0).sum()), int((values >= 0).sum()))
    p = min(1.0, 2 * (side + 1) / (len(values) + 1))
    return Difference(value, Interval(float(low), float(high)), p)


def _by_speaker(value: float, drawn: np.ndarray, n_speakers: int) -> Difference:
    """Return the difference with Student's interval and p-value over speakers."""
    if n_speakers < 2:
        return Difference(value, Interval(math.nan, math.nan), math.nan)
    spread = float(drawn.std(ddof=1)) * math.sqrt(n_speakers / (n_speakers - 1))
    half = float(t.ppf(0.975, n_speakers - 1)) * spread
    p = (
        float(2 * t.sf(abs(value) / spread, n_speakers - 1))
        if spread > 0
        else 1.0
        if value == 0
        else math.nan
    )
    return Difference(value, Interval(value - half, value + half), p)


def _difference(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> float:
    one, two = (equal_error_rate(s[truth], s[~truth]).eer for s in (first, second))
    return two - one
