r"""Everything that scores can be wrong by, as one registry: what `correlate --against` and `table errors` compute.

The equal error rate moves its threshold to every set, which no deployed detector can. The half total error rate keeps
the threshold of a set that was at hand, and so sees the shift of scores that the other is blind to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from sharpscope.errors import SharpscopeError, UsageError, unknown_name
from sharpscope.scoring.costs import (
    actual_cost,
    area_under_curve,
    costs,
    likelihood_ratio_cost,
    minimum_cost,
)
from sharpscope.scoring.eer import (
    FEWEST_SPEAKERS,
    Interval,
    draw,
    eer_interval,
    equal_error_rate,
    separation_limit,
    speaker_numbers,
)

N_RESAMPLES = 999


class Scores(NamedTuple):
    """Scores of one detector on one set.

    Attributes:
        bonafide: Shape (n,), higher for bona fide.
        spoof: Shape (k,).
        bonafide_speakers: Speaker of each, or None.
        spoof_speakers: The same for spoofed trials.
    """

    bonafide: np.ndarray
    spoof: np.ndarray
    bonafide_speakers: np.ndarray | None = None
    spoof_speakers: np.ndarray | None = None


class Error(NamedTuple):
    """One way to be wrong.

    Attributes:
        function: Of the scores on a set and those on an in-domain set, which most ignore.
        summary: One line for a table of errors.
        reference: Author and year.
        carried: Whether an in-domain set is needed.
        falls: Whether a better detector has more of it.
    """

    function: Callable[[Scores, Scores], float]
    summary: str
    reference: str
    carried: bool = False
    falls: bool = False


def half_total_error(scores: Scores, threshold: float) -> float:
    r"""Half total error rate at a threshold that was fixed elsewhere.

    .. math:: \mathrm{HTER} = \frac{P(s_\mathrm{bona} < t) + P(s_\mathrm{spoof} \ge t)}{2}

    Args:
        scores: On the set.
        threshold: Accepted as bona fide from this score on.

    Returns:
        A fraction.

    Source:
        Bengio and Mariethoz (2004).

    Example:
        >>> half_total_error(Scores(np.array([0.9, 0.4]), np.array([0.6, 0.1, 0.2, 0.3])), 0.5)
        0.375
    """
    return float((scores.bonafide < threshold).mean() + (scores.spoof >= threshold).mean()) / 2


def _eer(scores: Scores) -> float:
    return equal_error_rate(scores.bonafide, scores.spoof).eer


def _carried(scores: Scores, in_domain: Scores) -> float:
    """Return HTER at the threshold of the in-domain set's equal error rate."""
    return half_total_error(scores, equal_error_rate(in_domain.bonafide, in_domain.spoof).threshold)


ERRORS: dict[str, Error] = {
    "eer": Error(
        lambda scores, _: _eer(scores),
        "equal error rate, at the threshold that suits the set best",
        "Martin et al. (1997)",
    ),
    "min_dcf": Error(
        lambda scores, _: minimum_cost(scores.bonafide, scores.spoof),
        "normalised detection cost at the best threshold",
        "Wang et al. (2024)",
    ),
    "act_dcf": Error(
        lambda scores, _: actual_cost(scores.bonafide, scores.spoof),
        "normalised detection cost at the threshold that calibrated scores should have",
        "Wang et al. (2024)",
    ),
    "cllr": Error(
        lambda scores, _: likelihood_ratio_cost(scores.bonafide, scores.spoof),
        "cost of the log-likelihood ratio in bits",
        "Brümmer and du Preez (2006)",
    ),
    "auc": Error(
        lambda scores, _: area_under_curve(scores.bonafide, scores.spoof),
        "chance that a bona fide trial scores above a spoofed one",
        "Hanley and McNeil (1982)",
        falls=True,
    ),
    "hter": Error(
        _carried,
        "half total error rate at the threshold of an in-domain set's equal error rate",
        "Bengio and Mariethoz (2004)",
        carried=True,
    ),
    "gap": Error(
        lambda scores, in_domain: _eer(scores) - _eer(in_domain),
        "equal error rate less that of an in-domain set",
        "Jiang et al. (2020)",
        carried=True,
    ),
}


def error_of(name: str, scores: Scores, *, in_domain: Scores | None = None) -> float:
    """Return one error of one detector on one set.

    Args:
        name: One of ``ERRORS``.
        scores: On the set.
        in_domain: On the set that the threshold or the comparison comes from.

    Returns:
        The error; rates as fractions.

    Raises:
        UsageError: If the name is unknown, or an in-domain set is needed and none was given.
        SharpscopeError: If a class is empty or a score not finite.

    Example:
        Scores shifted by 5 keep their equal error rate and lose their threshold:

        >>> home = Scores(np.array([1.0, 2, 3]), np.array([-1.0, -2, -3]))
        >>> away = Scores(home.bonafide + 5, home.spoof + 5)
        >>> error_of("eer", away), error_of("hter", away, in_domain=home), error_of("gap", away, in_domain=home)
        (0.0, 0.5, 0.0)
    """
    if name not in ERRORS:
        raise unknown_name("error", name, ERRORS)
    if ERRORS[name].carried and in_domain is None:
        raise UsageError(
            f"{name} is relative to an in-domain set and none was given; name one with --threshold-from, or take "
            f"one of {', '.join(key for key, error in ERRORS.items() if not error.carried)}"
        )
    for part in (scores, in_domain):
        if part is not None:
            _check(part)
    return ERRORS[name].function(scores, scores if in_domain is None else in_domain)


def _check(scores: Scores) -> None:
    if not len(scores.bonafide) or not len(scores.spoof):
        raise SharpscopeError(
            f"{len(scores.bonafide)} bona fide and {len(scores.spoof)} spoof scores; errors need both classes"
        )
    if not (np.isfinite(scores.bonafide).all() and np.isfinite(scores.spoof).all()):
        raise SharpscopeError("a score is not finite; an error over the rest would hide that")


def error_interval(
    name: str,
    scores: Scores,
    *,
    in_domain: Scores | None = None,
    n_resamples: int = N_RESAMPLES,
    confidence: float = 0.95,
    rng: np.random.Generator | int = 0,
) -> Interval:
    r"""Interval of an error by the bootstrap of trials, or of speakers where they are known.

    Both sets are drawn anew, so that a threshold carried over brings its own uncertainty with it. Trials: percentiles.
    Speakers: :math:`\hat e \pm t_{S-1} \sqrt{S/(S-1)}\, s^*` with the fewest speakers S of a class and the standard
    deviation of the draws. An end that rests on no error at all is moved to what so many trials, or speakers, without
    one leave credible (`separation_limit` where the threshold suits the scores, `fixed_limit` where it was fixed). The
    equal error rate has the interval of `eer_interval`.

    Args:
        name: One of ``ERRORS``.
        scores: On the set.
        in_domain: On the set that the threshold or the comparison comes from.
        n_resamples: Draws.
        confidence: Coverage asked for.
        rng: Seed or generator.

    Returns:
        The interval; NaN below five speakers in a class.

    Raises:
        UsageError: As in `error_of`.
        SharpscopeError: As in `error_of`.

    Source:
        Efron and Tibshirani (1993).

    Example:
        >>> low, high = error_interval("hter", Scores(np.arange(40) + 9.0, np.arange(40) - 90.0),
        ...     in_domain=Scores(np.array([5.0, 6]), np.array([1.0, 2])))
        >>> low, round(high, 3)
        (0.0, 0.045)
    """
    value = error_of(name, scores, in_domain=in_domain)
    if name == "eer":
        return eer_interval(
            scores.bonafide,
            scores.spoof,
            bonafide_speakers=scores.bonafide_speakers,
            spoof_speakers=scores.spoof_speakers,
            n_resamples=n_resamples,
            confidence=confidence,
            rng=rng,
        )
    generator = np.random.default_rng(rng)
    needed = in_domain if ERRORS[name].carried and in_domain is not None else None
    drawn = np.array(
        [
            ERRORS[name].function(resampled(scores, generator), resampled(needed or scores, generator))
            for _ in range(n_resamples)
        ]
    )
    speakers = n_speakers(scores)
    if speakers is not None:
        if min(speakers) < FEWEST_SPEAKERS:
            return Interval(math.nan, math.nan)
        fewest = min(speakers)
        spread = float(drawn.std(ddof=1)) * math.sqrt(fewest / (fewest - 1))
        half = float(stdtrit(fewest - 1, (1 + confidence) / 2)) * spread
        low, high = value - half, value + half
    else:
        low, high = (float(end) for end in np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2]))
    return _off_the_floor(name, scores, Interval(*_allowed(name, low, high)), value, confidence)


def n_speakers(scores: Scores) -> tuple[int, int] | None:
    """Return how many speakers each class has.

    Args:
        scores: With or without speakers.

    Returns:
        Bona fide and spoofed, or None where speakers are not known.

    Example:
        >>> n_speakers(Scores(np.zeros(2), np.zeros(1), np.array(["a", "a"]), np.array(["b"])))
        (1, 1)
    """
    if scores.bonafide_speakers is None or scores.spoof_speakers is None:
        return None
    return len(np.unique(scores.bonafide_speakers)), len(np.unique(scores.spoof_speakers))


def resampled(scores: Scores, generator: np.random.Generator) -> Scores:
    """Draw trials, or whole speakers, with replacement; both classes keep at least one trial.

    Args:
        scores: On a set.
        generator: Of random numbers.

    Returns:
        As many trials, or those of as many speakers.

    Example:
        >>> len(resampled(Scores(np.arange(4.0), np.arange(3.0)), np.random.default_rng(0)).bonafide)
        4
    """
    n = len(scores.bonafide)
    if scores.bonafide_speakers is None or scores.spoof_speakers is None:
        return Scores(
            scores.bonafide[generator.integers(n, size=n)],
            scores.spoof[generator.integers(len(scores.spoof), size=len(scores.spoof))],
        )
    numbered = speaker_numbers(scores.bonafide_speakers, scores.spoof_speakers)
    while True:
        times = np.concatenate([draw(generator, size)[numbers] for numbers, size in numbered])
        if times[:n].any() and times[n:].any():
            return Scores(np.repeat(scores.bonafide, times[:n]), np.repeat(scores.spoof, times[n:]))


def _allowed(name: str, low: float, high: float) -> tuple[float, float]:
    """Return the ends within the values that the error can have."""
    if name == "gap":
        return low, high
    return max(0.0, low), (min(1.0, high) if name in ("eer", "auc", "hter", "min_dcf") else high)


def fixed_limit(
    n_bonafide: int, n_spoof: int, weights: Sequence[float] = (0.5, 0.5), *, confidence: float = 0.95
) -> float:
    r"""Return the largest weighted error at a fixed threshold that trials without any error leave credible.

    .. math:: \max\; w_1 f + w_2 a \quad\text{where}\quad (1-f)^n (1-a)^k = (1 - \mathrm{confidence}) / 2

    Args:
        n_bonafide: Trials, n.
        n_spoof: Trials, k.
        weights: Of false rejection f and false acceptance a; one half each is the half total error rate.
        confidence: Of the two-sided interval.

    Returns:
        The error.

    Example:
        As many of both: each rate is that of 2n trials without an error.

        >>> round(fixed_limit(40, 40), 6) == round(1 - 0.025 ** (1 / 80), 6)
        True
    """
    n, k, (first, second) = n_bonafide, n_spoof, weights
    logarithm = math.log((1 - confidence) / 2)
    # Stationary where 1 - f = c n / w1 and 1 - a = c k / w2; beyond a rate of zero the other has it all.
    c = math.exp((logarithm - n * math.log(n / first) - k * math.log(k / second)) / (n + k))
    kept, turned_down = c * n / first, c * k / second
    if kept >= 1:
        return second * (1 - math.exp(logarithm / k))
    if turned_down >= 1:
        return first * (1 - math.exp(logarithm / n))
    return first * (1 - kept) + second * (1 - turned_down)


def _off_the_floor(name: str, scores: Scores, found: Interval, value: float, confidence: float) -> Interval:
    """Move an end that rests on no error to what the number of independent things without one leaves credible."""
    counts = n_speakers(scores) or (len(scores.bonafide), len(scores.spoof))
    if name == "auc" and value == 1:
        # A curve through (e, 1 - e) encloses at least a square of that side.
        limit = separation_limit(*counts, confidence=confidence)
        return Interval(min(found.low, (1 - limit) ** 2), found.high)
    if value > 0 or name not in ("hter", "min_dcf", "act_dcf"):
        return found
    weights = costs()
    scaled = [weight / min(weights) for weight in weights]
    if name == "min_dcf":
        limit = min(1.0, sum(scaled) * separation_limit(*counts, confidence=confidence))
    else:
        limit = fixed_limit(*counts, (0.5, 0.5) if name == "hter" else scaled, confidence=confidence)
    return Interval(found.low, max(found.high, limit))


def errors_by_group(
    names: Sequence[str],
    scores: Scores,
    spoof_groups: Iterable[str],
    *,
    bonafide_groups: Iterable[str] | None = None,
    in_domain: Scores | None = None,
) -> dict[str, dict[str, float]]:
    """Return errors attack by attack, or codec by codec.

    Args:
        names: Of ``ERRORS``.
        scores: On the set.
        spoof_groups: Attack or codec of each spoofed trial.
        bonafide_groups: Codec of each bona fide trial; None sets every group against all of them, as attacks are.
        in_domain: On the set that the threshold or the comparison comes from.

    Returns:
        Errors by name, by group in order of the alphabet; a group without both classes is left out.

    Example:
        >>> found = errors_by_group(["eer"], Scores(np.array([1.0, 2]), np.array([0.0, 3])), ["A01", "A02"])
        >>> found["A01"]["eer"], found["A02"]["eer"]
        (0.0, 1.0)
    """
    spoof_of = np.asarray(list(spoof_groups), dtype=str)
    bonafide_of = None if bonafide_groups is None else np.asarray(list(bonafide_groups), dtype=str)
    found = {}
    for group in np.unique(spoof_of):
        bonafide = scores.bonafide if bonafide_of is None else scores.bonafide[bonafide_of == group]
        part = Scores(bonafide, scores.spoof[spoof_of == group])
        if len(part.bonafide):
            found[str(group)] = {name: error_of(name, part, in_domain=in_domain) for name in names}
    return found
