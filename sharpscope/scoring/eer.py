"""Scores and labels to error rates. A score is higher for bona fide; polarity is declared, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from sharpscope.errors import SharpscopeError, unknown_name
from sharpscope.scoring.speaker_interval import clustered_interval

# Fewer speakers of a class tell nothing of how speakers differ.
FEWEST_SPEAKERS = 5


class EqualErrorRate(NamedTuple):
    """An equal error rate and the threshold where it is found.

    Attributes:
        eer: A fraction; above 0.5 the detector is worse than chance.
        threshold: A trial is accepted as bona fide from this score on.
    """

    eer: float
    threshold: float


class Interval(NamedTuple):
    """Ends of an interval; NaN when there is none."""

    low: float
    high: float


def _checked(bonafide: np.ndarray, spoof: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bonafide, spoof = np.asarray(bonafide, dtype=float), np.asarray(spoof, dtype=float)
    if not len(bonafide) or not len(spoof):
        raise SharpscopeError(
            f"{len(bonafide)} bona fide and {len(spoof)} spoof scores; error rates need both classes"
        )
    if not (np.isfinite(bonafide).all() and np.isfinite(spoof).all()):
        raise SharpscopeError("a score is not finite; an error rate over the rest would hide that")
    return bonafide, spoof


def operating_points(bonafide: np.ndarray, spoof: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return false rejection and false acceptance at every distinct threshold.

    :math:`\mathrm{FRR}(t) = P(s_\mathrm{bona} < t)`, :math:`\mathrm{FAR}(t) = P(s_\mathrm{spoof} \ge t)`, for t at
    each distinct score and above all of them.

    Args:
        bonafide: Scores, shape (n,).
        spoof: Scores, shape (k,).

    Returns:
        FRR, FAR and thresholds, each of shape (distinct scores + 1,).

    Example:
        >>> frr, far, _ = operating_points(np.array([1.0]), np.array([0.0]))
        >>> frr.tolist(), far.tolist()
        ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    """
    thresholds = np.append(np.unique(np.concatenate([bonafide, spoof])), np.inf)
    frr = np.searchsorted(np.sort(bonafide), thresholds, side="left") / len(bonafide)
    far = 1 - np.searchsorted(np.sort(spoof), thresholds, side="left") / len(spoof)
    return frr, far, thresholds


def equal_error_rate(bonafide: np.ndarray, spoof: np.ndarray, *, method: str = "nearest") -> EqualErrorRate:
    r"""Equal error rate of a detector whose polarity is declared.

    "nearest" (the field's): the mean of FRR and FAR where they are closest, over distinct thresholds, so that
    tied scores are one operating point. "interpolated": where the straight lines between the operating points
    cross. "rocch": where the lower convex hull of the points crosses, never above the two others' 0.5.

    Args:
        bonafide: Scores, shape (n,).
        spoof: Scores, shape (k,).
        method: One of the three.

    Returns:
        The rate, a fraction that may exceed one half, and its threshold (of the nearest point).

    Raises:
        SharpscopeError: If a class is empty or a score not finite.
        UsageError: If the method is unknown.

    Example:
        >>> round(equal_error_rate(np.array([0.9, 0.8, 0.3]), np.array([0.7, 0.2, 0.1])).eer, 6)
        0.333333
        >>> equal_error_rate(np.array([-1.0, 0, 1]), np.array([2.0, 3, 4])).eer
        1.0
    """
    bonafide, spoof = _checked(bonafide, spoof)
    frr, far, thresholds = operating_points(bonafide, spoof)
    # In whole trials: two points equally near must not be told apart by rounding, the first one is meant.
    rejected, accepted = np.rint(frr * len(bonafide)), np.rint(far * len(spoof))
    best = int(np.argmin(np.abs(rejected * len(spoof) - accepted * len(bonafide))))
    threshold = float(thresholds[best])
    if method == "nearest":
        return EqualErrorRate(float((frr[best] + far[best]) / 2), threshold)
    if method == "interpolated":
        return EqualErrorRate(_crossing(frr, far), threshold)
    if method == "rocch":
        return EqualErrorRate(_crossing(*_lower_hull(frr, far)), threshold)
    raise unknown_name("method", method, ("nearest", "interpolated", "rocch"))


def _crossing(frr: np.ndarray, far: np.ndarray) -> float:
    """Return where the line through the operating points meets FRR = FAR."""
    difference = frr - far
    after = int(np.argmax(difference >= 0))
    if difference[after] == 0 or after == 0:
        return float(frr[after])
    before = after - 1
    share = -difference[before] / (difference[after] - difference[before])
    return float(frr[before] + share * (frr[after] - frr[before]))


def _lower_hull(frr: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower convex hull of the operating points, from FAR = 1 to FRR = 1."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted({*zip(frr.tolist(), far.tolist(), strict=True), (0.0, 1.0), (1.0, 0.0)}):
        while len(hull) >= 2:
            (x0, y0), (x1, y1) = hull[-2], hull[-1]
            if (x1 - x0) * (y - y0) <= (y1 - y0) * (x - x0):
                hull.pop()
            else:
                break
        hull.append((x, y))
    points = np.array(hull)
    return points[:, 0], points[:, 1]


def folded_equal_error_rate(bonafide: np.ndarray, spoof: np.ndarray) -> float:
    """The smaller of the two equal error rates with either class called the target, as the paper reports it.

    For parity with Huang et al. (2025) only: one operating point per score, tied scores split with the target
    first, and a detector that is worse than chance reported as better. Nothing above about one half comes out.

    Args:
        bonafide: Scores of either polarity, shape (n,).
        spoof: Shape (k,).

    Returns:
        A fraction.

    Raises:
        SharpscopeError: If a class is empty or a score not finite.

    Example:
        >>> folded_equal_error_rate(np.array([-1.0, 0, 1]), np.array([2.0, 3, 4]))
        0.0
    """
    bonafide, spoof = _checked(bonafide, spoof)
    return min(_rate_per_score(bonafide, spoof), _rate_per_score(spoof, bonafide))


def _rate_per_score(target: np.ndarray, other: np.ndarray) -> float:
    is_target = np.concatenate([np.ones(len(target)), np.zeros(len(other))])
    is_target = is_target[np.argsort(np.concatenate([target, other]), kind="stable")]
    frr = np.append(0.0, np.cumsum(is_target) / len(target))
    far = np.append(1.0, 1 - np.cumsum(1 - is_target) / len(other))
    best = int(np.argmin(np.abs(frr - far)))
    return float((frr[best] + far[best]) / 2)


def eer_interval(
    bonafide: np.ndarray,
    spoof: np.ndarray,
    *,
    bonafide_speakers: np.ndarray | None = None,
    spoof_speakers: np.ndarray | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    rng: np.random.Generator | int = 0,
    advance: Callable[[], object] | None = None,
) -> Interval:
    r"""Interval of the equal error rate: over trials by the percentile bootstrap, over speakers by Student's t.

    Trials are drawn with replacement within each class. Trials of one speaker err together, so with speakers the
    spread between them counts and nothing is drawn: `clustered_interval`, which covers 93 to 98 % from five speakers on
    where drawing five speakers covered 66 to 84 %. Scores without an error resample to no error ever after, and those
    with one to few: no upper end lies below `separation_limit` of the trials, no lower above its mirror. Scores
    without any error say how many independent things made none, and with speakers those are the speakers.

    Args:
        bonafide: Scores, shape (n,).
        spoof: Scores, shape (k,).
        bonafide_speakers: Speaker of each bona fide trial, or None.
        spoof_speakers: Speaker of each spoofed trial, or None. Speakers in both classes are one person.
        n_resamples: Draws of trials.
        confidence: Coverage.
        rng: Seed or generator of the draws.
        advance: Called at every draw, as often when nothing is drawn.

    Returns:
        The interval; NaN below five speakers in a class.

    Raises:
        SharpscopeError: If a class is empty or a score not finite.

    Source:
        Efron and Tibshirani (1993) over trials; Binder (1983) over speakers.

    Example:
        >>> tuple(round(end, 3) for end in eer_interval(np.arange(100, 200), np.arange(100)))
        (0.0, 0.043)
        >>> who = np.arange(100) // 20  # five speakers
        >>> found = eer_interval(np.arange(100, 200), np.arange(100), bonafide_speakers=who, spoof_speakers=who)
        >>> tuple(round(end, 3) for end in found)
        (0.0, 0.583)
    """
    bonafide, spoof = _checked(bonafide, spoof)
    n = len(bonafide)
    if bonafide_speakers is not None and spoof_speakers is not None:
        for _ in range(n_resamples):
            if advance is not None:
                advance()
        return _over_speakers(
            bonafide, spoof, np.asarray(bonafide_speakers), np.asarray(spoof_speakers), confidence
        )
    generator = np.random.default_rng(rng)
    draws = (np.concatenate([draw(generator, n), draw(generator, len(spoof))]) for _ in range(n_resamples))
    rates = rates_of_draws(np.concatenate([bonafide, spoof]), n, draws, advance=advance)
    rates = rates[np.isfinite(rates)]
    if not len(rates):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2])
    limit = separation_limit(n, len(spoof), confidence=confidence)
    return Interval(min(float(low), 1 - limit), max(float(high), limit))


def _over_speakers(
    bonafide: np.ndarray, spoof: np.ndarray, first: np.ndarray, second: np.ndarray, confidence: float
) -> Interval:
    """Return the interval from the spread between speakers, or what no error among so many speakers leaves."""
    counts = [len(np.unique(speakers)) for speakers in (first, second)]
    if min(counts) < FEWEST_SPEAKERS:
        return Interval(float("nan"), float("nan"))
    rate, threshold = equal_error_rate(bonafide, spoof)
    if rate in (0.0, 1.0):
        limit = separation_limit(*counts, confidence=confidence)
        return Interval(0.0, limit) if rate == 0 else Interval(1 - limit, 1.0)
    numbered = speaker_numbers(first, second)
    joint = len(numbered) == 1
    own = np.split(numbered[0][0], [len(bonafide)]) if joint else [numbers for numbers, _ in numbered]
    low, high = clustered_interval(
        bonafide, spoof, *own, eer=rate, threshold=threshold, joint=joint, confidence=confidence
    )
    limit = separation_limit(len(bonafide), len(spoof), confidence=confidence)
    return Interval(min(low, 1 - limit), max(high, limit))


def separation_limit(n_bonafide: int, n_spoof: int, *, confidence: float = 0.95) -> float:
    r"""Return the largest equal error rate that independent trials without any error leave credible.

    .. math:: (1-e)^n + (1-e)^k - (1-e)^{n+k} = (1 - \mathrm{confidence}) / 2

    Scores are separated only if no spoofed trial lies above the threshold of the true equal error rate e, or no
    bona fide trial below it. The left side is the chance of that, so whatever the distributions of the scores are,
    a larger rate leaves a separated sample less often than the right side says.

    Args:
        n_bonafide: Trials, n.
        n_spoof: Trials, k.
        confidence: Of the two-sided interval.

    Returns:
        The rate, a fraction.

    Example:
        One trial a class: (1 - e)(1 + e) = 0.025.

        >>> round(separation_limit(1, 1), 6) == round(0.975**0.5, 6)
        True
    """

    def surplus(rate: float) -> float:
        bonafide, spoof = (1 - rate) ** n_bonafide, (1 - rate) ** n_spoof
        return bonafide + spoof - bonafide * spoof - (1 - confidence) / 2

    from scipy.optimize import brentq  # a third of a second of imports that a measurement does not need

    return float(brentq(surplus, 0.0, 1.0, xtol=1e-12))


def rates_of_draws(
    scores: np.ndarray,
    n_bonafide: int,
    draws: Iterable[np.ndarray],
    *,
    advance: Callable[[], object] | None = None,
) -> np.ndarray:
    """Return the equal error rate of every sample that takes each trial a given number of times.

    Args:
        scores: Shape (n,), those of bona fide trials first.
        n_bonafide: How many are.
        draws: Each of shape (n,), how often a trial is taken.
        advance: Called at every draw.

    Returns:
        A fraction per draw; NaN where a class is not drawn.

    Example:
        >>> rates_of_draws(np.array([2.0, 0.0, 1.0]), 2, [np.array([1, 0, 1]), np.array([0, 1, 3])]).tolist()
        [0.0, 1.0]
    """
    values, place = np.unique(scores, return_inverse=True)
    rates = []
    for times in draws:
        if advance is not None:
            advance()
        rejected = np.append(0.0, np.cumsum(np.bincount(place[:n_bonafide], times[:n_bonafide], len(values))))
        turned_down = np.append(
            0.0, np.cumsum(np.bincount(place[n_bonafide:], times[n_bonafide:], len(values)))
        )
        if not rejected[-1] or not turned_down[-1]:
            rates.append(float("nan"))
            continue
        frr, far = rejected / rejected[-1], 1 - turned_down / turned_down[-1]
        best = int(np.argmin(np.abs(frr - far)))
        rates.append(float(frr[best] + far[best]) / 2)
    return np.array(rates)


def draw(generator: np.random.Generator, size: int) -> np.ndarray:
    """Return how often each of some things is drawn when as many are drawn with replacement.

    Args:
        generator: Of random numbers.
        size: How many things.

    Returns:
        Shape (size,), summing to it.

    Example:
        >>> int(draw(np.random.default_rng(0), 5).sum())
        5
    """
    return np.bincount(generator.integers(size, size=size), minlength=size)


def speaker_numbers(bonafide: np.ndarray, spoof: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Number speakers for drawing: jointly where a class shares one with the other, otherwise class by class.

    Args:
        bonafide: Speaker of each bona fide trial.
        spoof: Speaker of each spoofed trial.

    Returns:
        Parts of the trials, bona fide first: the number of each trial's speaker, and how many speakers there are.

    Example:
        >>> [(numbers.tolist(), size) for numbers, size in speaker_numbers(np.array(["a", "b"]), np.array(["b"]))]
        [([0, 1, 1], 2)]
    """
    if set(bonafide) & set(spoof):
        names, numbers = np.unique(np.concatenate([bonafide, spoof]), return_inverse=True)
        return [(numbers, len(names))]
    parts = [np.unique(speakers, return_inverse=True) for speakers in (bonafide, spoof)]
    return [(numbers, len(names)) for names, numbers in parts]
