r"""The interval of an equal error rate whose trials err together because they share a speaker.

Drawing whole speakers with replacement is right for many speakers and far too narrow for few: with five, intervals that
said 95 % held 66 to 84 %. Here the spread is estimated from speakers, its own uncertainty is paid for by Student's t,
and the interval is taken on the scale of log-odds, where few errors leave their skew behind.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri, stdtrit

# Points of the Gauss-Legendre rule; the integrand is smooth and seven digits need no more.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
MOST_CORRELATED = 0.95


def clustered_interval(
    bonafide: np.ndarray,
    spoof: np.ndarray,
    bonafide_speakers: np.ndarray,
    spoof_speakers: np.ndarray,
    *,
    eer: float,
    threshold: float,
    joint: bool,
    confidence: float = 0.95,
) -> tuple[float, float]:
    r"""Interval of an equal error rate from the spread between speakers, by Student's t on log-odds.

    .. math:: \mathrm{logit}\,e \pm t_{\nu}\,\frac{\sqrt{(V_\mathrm{lin} + V_\mathrm{normal})/2}}{e(1-e)}

    :math:`V_\mathrm{lin}` is the variance between speakers of their contributions to the rate, linearised at the
    threshold (Binder, 1983): a rejected bona fide trial counts w/N and an accepted spoof (1-w)/K, where w is the bona
    fide share of the classes' interquartile ranges. :math:`V_\mathrm{normal}` is what normal scores with the observed
    correlation within speakers would give. The first is too small when few speakers err by chance, the second does not
    know in which way scores are not normal; their mean covers where each alone does not.

    Args:
        bonafide: Scores of bona fide trials, shape (n,).
        spoof: Scores of spoofed trials, shape (k,).
        bonafide_speakers: Number of the speaker of each bona fide trial, from 0, shape (n,).
        spoof_speakers: The same for spoofed trials, shape (k,).
        eer: The equal error rate, between 0 and 1 and neither of them.
        threshold: Where it is found.
        joint: Whether a number means the same speaker in both classes.
        confidence: Coverage asked for.

    Returns:
        Low and high end, fractions.

    Source:
        Binder (1983) for the variance, Satterthwaite (1946) for the degrees of freedom of two classes with speakers of
        their own.

    Example:
        Six speakers of one trial a class, two of them wrong:

        >>> scores, who = np.array([3.0, 3, 3, 3, 3, 0]), np.arange(6)
        >>> low, high = clustered_interval(scores, 1 - scores, who, who, eer=1/6, threshold=0.5, joint=True)
        >>> low < 1 / 6 < high
        True
    """
    classes = ((bonafide, bonafide_speakers), (spoof, spoof_speakers))
    wrong = (bonafide < threshold, spoof >= threshold)
    spreads = [float(np.subtract(*np.quantile(scores, [0.75, 0.25]))) for scores, _ in classes]
    w = spreads[0] / sum(spreads) if sum(spreads) > 0 else 0.5
    parts = [
        np.bincount(own, share * (errors - errors.mean()) / len(errors))
        for (_, own), errors, share in zip(classes, wrong, (w, 1 - w), strict=True)
    ]
    linear, freedom = _between_speakers(parts, joint)
    normal = _of_normal_scores(classes, eer, w, joint)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt((linear + normal) / 2)
    middle, half = math.log(eer / (1 - eer)), half / (eer * (1 - eer))
    return float(1 / (1 + np.exp(half - middle))), float(1 / (1 + np.exp(-half - middle)))


def _between_speakers(parts: list[np.ndarray], joint: bool) -> tuple[float, float]:
    """Return the variance of the sum of contributions, and its degrees of freedom."""
    if joint:
        total = np.zeros(max(map(len, parts)))
        for part in parts:
            total[: len(part)] += part
        parts = [total]
    variances = [len(part) / (len(part) - 1) * float((part**2).sum()) for part in parts]
    degrees = [len(part) - 1 for part in parts]
    whole = sum(variances)
    if whole == 0:
        return 0.0, float(min(degrees))
    return whole, whole**2 / sum(v**2 / d for v, d in zip(variances, degrees, strict=True))


def _of_normal_scores(
    classes: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    eer: float,
    w: float,
    joint: bool,
) -> float:
    """Return the variance of the rate if scores were normal with the correlation within speakers that they have."""
    z, variance = float(ndtri(eer)), 0.0
    for (scores, own), share in zip(classes, (w, 1 - w), strict=True):
        n, sizes = len(scores), np.bincount(own)
        together = float((sizes**2).sum()) / n**2 - 1 / n
        alike = _both_beyond(intraclass_correlation(scores, own), z)
        variance += share**2 * (eer * (1 - eer) / n + together * alike)
    if joint:
        variance += 2 * w * (1 - w) * _across_classes(classes, z)
    return max(variance, 0.0)


def _across_classes(classes: tuple[tuple[np.ndarray, np.ndarray], ...], z: float) -> float:
    """Return the covariance of false rejection and false acceptance through speakers that are in both classes."""
    (bonafide, first), (spoof, second) = classes
    n = max(first.max(), second.max()) + 1
    counts = [np.bincount(own, minlength=n) for own in (first, second)]
    both = (counts[0] > 0) & (counts[1] > 0)
    scale = float(bonafide.std() * spoof.std())
    if both.sum() < 3 or scale == 0:
        return 0.0
    means = [
        np.bincount(own, scores, n)[both] / count[both]
        for (scores, own), count in zip(classes, counts, strict=True)
    ]
    r = float(np.clip(np.cov(means[0], means[1])[0, 1] / scale, -MOST_CORRELATED, MOST_CORRELATED))
    # A speaker who scores high in both classes is rejected less and accepted more: hence the sign.
    return float(counts[0] @ counts[1]) / (len(bonafide) * len(spoof)) * _both_beyond(-r, z)


def intraclass_correlation(scores: np.ndarray, speakers: np.ndarray) -> float:
    """Correlation of two trials of one speaker, by the analysis of variance; never below 0.

    Args:
        scores: Shape (n,).
        speakers: Number of each trial's speaker, from 0, shape (n,).

    Returns:
        From 0 to 0.95; 0 where no speaker has two trials or there is one speaker.

    Source:
        Searle, Casella and McCulloch (1992), for unequal numbers of trials.

    Example:
        >>> intraclass_correlation(np.array([1.0, 1.1, 5.0, 5.1]), np.array([0, 0, 1, 1]))
        0.95
    """
    present, own = np.unique(speakers, return_inverse=True)
    n, groups, sizes = len(scores), len(present), np.bincount(own)
    if groups < 2 or n <= groups:
        return 0.0
    means = np.bincount(own, scores) / sizes
    between = float(sizes @ (means - scores.mean()) ** 2) / (groups - 1)
    within = float(((scores - means[own]) ** 2).sum()) / (n - groups)
    typical = (n - float((sizes**2).sum()) / n) / (groups - 1)
    shared = max(0.0, (between - within) / typical)
    return min(MOST_CORRELATED, shared / (shared + within)) if shared + within > 0 else 0.0


def _both_beyond(r: float, z: float) -> float:
    r"""Covariance of two events of one normal tail, :math:`\Phi_2(z, z; r) - \Phi(z)^2`, as Plackett's integral."""
    t = (_NODES + 1) / 2 * r
    density = np.exp(-z * z / (1 + t)) / (2 * math.pi * np.sqrt(1 - t * t))
    return float(density @ _WEIGHTS) / 2 * r
