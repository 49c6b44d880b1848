r"""What the scores of audio without labels say of the error on it: every predictor under its name.

All scores are logit differences, higher for bona fide, moved so that the threshold of the in-domain set's equal error
rate is 0; decisions are their signs. Where there is no in-domain set they stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import expit, ndtr, ndtri

from sharpscope.forecasting.mixture import fit_mixture, mixture_error
from sharpscope.scoring.eer import equal_error_rate
from sharpscope.scoring.errors import Scores


class Seen(NamedTuple):
    """What is seen of one detector on audio without labels.

    Attributes:
        scores: Shape (n,), on the target.
        home: On the in-domain set, with labels, or None.
        others: Shape (k, n): scores of other detectors for the same trials.
        others_home: Their in-domain scores for the same trials as ``home``, in the same order; empty where one is not
            known.
    """

    scores: np.ndarray
    home: Scores | None = None
    others: np.ndarray = np.zeros((0, 0))
    others_home: Sequence[Scores] = ()


class Predictor(NamedTuple):
    """A registered predictor.

    Attributes:
        function: Of what is seen; NaN where it cannot be told.
        summary: One line.
        reference: Author and year.
        needs_home: Whether an in-domain set with labels is needed.
    """

    function: Callable[[Seen], float]
    summary: str
    reference: str
    needs_home: bool = False


def _both(home: Scores) -> np.ndarray:
    return np.concatenate([home.bonafide, home.spoof])


def _home_weights(home: Scores) -> np.ndarray:
    """Weigh the classes of the in-domain set alike, as the equal error rate does; shape of `_both`."""
    sizes = (len(home.bonafide), len(home.spoof))
    return np.concatenate([np.full(size, 0.5 / size) for size in sizes])


def confidence(seen: Seen) -> float:
    r"""Expected error of a calibrated detector, :math:`1 - \frac1n \sum_i \sigma(|s_i|)`.

    Args:
        seen: The scores.

    Returns:
        From 0 to one half.

    Source:
        Hendrycks and Gimpel (2017).

    Example:
        >>> confidence(Seen(np.array([0.0, 0.0])))
        0.5
    """
    return float(expit(-np.abs(seen.scores)).mean())


def entropy(seen: Seen) -> float:
    r"""Mean entropy of the output, :math:`\frac1n\sum_i \log(1+e^{-|s_i|}) + |s_i|\,\sigma(-|s_i|)`, in nats.

    Args:
        seen: The scores.

    Returns:
        From 0 to ln 2.

    Source:
        Shannon (1948).

    Example:
        >>> round(entropy(Seen(np.array([0.0]))), 6)
        0.693147
    """
    size = np.abs(seen.scores)
    return float((np.log1p(np.exp(-size)) + size * expit(-size)).mean())


def confidence_difference(seen: Seen) -> float:
    r"""In-domain error plus what confidence has lost since, :math:`e_h + \bar c_h - \bar c_t`.

    The confidence c of a trial is the larger of its two probabilities.

    Args:
        seen: The scores, in-domain ones among them.

    Returns:
        An error rate, from 0 to 1; NaN without an in-domain set.

    Source:
        Guillory et al. (2021).

    Example:
        >>> home = Scores(np.array([9.0, 9.0]), np.array([-9.0, -9.0]))
        >>> round(confidence_difference(Seen(np.zeros(2), home)), 3)
        0.5
    """
    if seen.home is None:
        return math.nan
    at_home = float(_home_weights(seen.home) @ expit(np.abs(_both(seen.home))))
    now = 1 - confidence(seen)
    return float(np.clip(in_domain_eer(seen) + at_home - now, 0, 1))


def thresholded_confidence(seen: Seen) -> float:
    r"""Share of trials whose confidence lies below what separates right from wrong at home.

    The threshold :math:`\tau` is such that a share of the in-domain trials as large as the error there lies below it;
    the answer is :math:`\frac1n\sum_i [\,|s_i| < \tau\,]`.

    Args:
        seen: The scores, in-domain ones among them.

    Returns:
        An error rate; NaN without an in-domain set.

    Source:
        Garg et al. (2022).

    Example:
        >>> home = Scores(np.array([4.0, 3.0, 2.0, -1.0]), np.array([-4.0, -3.0, -2.0, 1.0]))
        >>> thresholded_confidence(Seen(np.array([0.5, 5.0, -6.0, -0.7]), home))
        0.5
    """
    if seen.home is None:
        return math.nan
    sizes, weights = np.abs(_both(seen.home)), _home_weights(seen.home)
    order = np.argsort(sizes, kind="stable")
    below = np.cumsum(weights[order])
    # The first confidence that is not below the threshold any more.
    place = int(np.searchsorted(below, in_domain_eer(seen) + 1e-12, side="right"))
    threshold = sizes[order][min(place, len(order) - 1)]
    return float((np.abs(seen.scores) < threshold).mean())


def disagreement(seen: Seen) -> float:
    r"""Share of trials on which another detector decides otherwise, averaged over the others.

    Args:
        seen: The scores and those of others.

    Returns:
        From 0 to 1; NaN without others.

    Source:
        Jiang et al. (2022).

    Example:
        >>> disagreement(Seen(np.array([1.0, -1.0]), others=np.array([[2.0, 2.0], [3.0, -1.0]])))
        0.25
    """
    if not len(seen.others):
        return math.nan
    return float(((seen.others >= 0) != (seen.scores >= 0)).mean())


def agreement_line(seen: Seen) -> float:
    r"""In-domain accuracy carried along the line that agreement follows, in probits.

    .. math:: \hat e = 1 - \Phi(a\,\Phi^{-1}(1 - e_h) + b), \qquad
        (a, b) = \arg\min \sum_{i<j} \left(\Phi^{-1}(A^t_{ij}) - a\,\Phi^{-1}(A^h_{ij}) - b\right)^2

    :math:`A_{ij}` is the share of trials on which detectors i and j decide alike, on the target and at home (there each
    class weighs one half). Where accuracies lie on a line, agreements are found to lie on the same one, and those need
    no labels. A share of 0 or 1 counts as half a trial away from it.

    Args:
        seen: The scores, in-domain ones, and those of at least two others on both sets.

    Returns:
        An error rate; NaN without an in-domain set, with fewer than two others, or where agreement at home is the same
        for all pairs.

    Source:
        Baek et al. (2022), ALine-S.

    Example:
        On the very trials of home the line is the diagonal, and the error that of home:

        >>> home = Scores(np.array([2.0, 1.0, 3.0, -1.0]), np.array([-2.0, -1.0, 1.0, -3.0]))
        >>> others = [Scores(home.bonafide - shift, home.spoof - shift) for shift in (1.5, 2.5)]
        >>> on_target = np.array([np.r_[one.bonafide, one.spoof] for one in others])
        >>> round(agreement_line(Seen(np.r_[home.bonafide, home.spoof], home, on_target, others)), 6)
        0.25
    """
    if seen.home is None or len(seen.others) < 2 or len(seen.others_home) != len(seen.others):
        return math.nan
    there = _agreements(
        np.vstack([seen.scores, seen.others]), np.full(len(seen.scores), 1 / len(seen.scores))
    )
    at_home = np.array([_both(one) for one in (seen.home, *seen.others_home)])
    here = _agreements(at_home, _home_weights(seen.home))
    if np.ptp(here) < 1e-9:
        return math.nan
    slope, shift = np.polyfit(here, there, 1)
    n = len(seen.home.bonafide) + len(seen.home.spoof)
    right = float(np.clip(1 - in_domain_eer(seen), 0.5 / n, 1 - 0.5 / n))
    return float(ndtr(-(slope * ndtri(right) + shift)))


def _agreements(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the probit of the weighted share of equal decisions of each pair; scores of shape (detectors, trials)."""
    signs = np.where(scores >= 0, 1.0, -1.0)
    share = (1 + (signs * weights) @ signs.T) / 2
    half = 0.5 / scores.shape[1]
    found: np.ndarray = ndtri(np.clip(share[np.triu_indices(len(scores), 1)], half, 1 - half))
    return found


def transport_confidence(seen: Seen) -> float:
    r"""Cost of carrying the outputs to labels, :math:`\min_\pi \frac1n\sum_i |p_i - y_{\pi(i)}|`.

    In one dimension the cheapest plan goes in order: the upper half of the outputs is carried to 1. Half of the labels
    are bona fide, because the equal error rate weighs classes alike and nobody knows their shares in the target.

    Args:
        seen: The scores.

    Returns:
        From 0 to 1.

    Source:
        Lu et al. (2023).

    Example:
        >>> transport_confidence(Seen(np.array([50.0, -50.0, 0.0, 0.0])))
        0.25
    """
    p = np.sort(expit(seen.scores))
    labels = ((np.arange(len(p)) + 0.5) / len(p) > 0.5).astype(float)
    return float(np.abs(p - labels).mean())


def mixture_eer(seen: Seen) -> float:
    """Equal error rate of two normal distributions fitted to the scores.

    Args:
        seen: The scores.

    Returns:
        An error rate; NaN where the scores do not vary.

    Source:
        Bruemmer and Garcia-Romero (2014).

    Example:
        >>> mixture_eer(Seen(np.array([-5.0, -5.1, -4.9, 5.0, 5.1, 4.9]))) < 1e-6
        True
    """
    return mixture_error(fit_mixture(seen.scores))


def score_distance(seen: Seen) -> float:
    r"""Distance by which scores have moved, :math:`W_1` to the in-domain scores over their standard deviation.

    Args:
        seen: The scores, in-domain ones among them.

    Returns:
        At least 0; NaN without an in-domain set, or where its scores do not vary.

    Source:
        Kantorovich (1942).

    Example:
        >>> home = Scores(np.array([1.0]), np.array([-1.0]))
        >>> score_distance(Seen(np.array([3.0, 1.0]), home))
        2.0
    """
    if seen.home is None:
        return math.nan
    both, weights = _both(seen.home), _home_weights(seen.home)
    spread = math.sqrt(float(weights @ (both - float(weights @ both)) ** 2))
    if not spread > 0:
        return math.nan
    return float(stats.wasserstein_distance(seen.scores, both, v_weights=weights)) / spread


def in_domain_eer(seen: Seen) -> float:
    """Equal error rate on the in-domain set: what is known before anything new is heard.

    Args:
        seen: The in-domain scores.

    Returns:
        An error rate; NaN without an in-domain set.

    Source:
        Martin et al. (1997).

    Example:
        >>> in_domain_eer(Seen(np.zeros(1), Scores(np.array([2.0, 0.0]), np.array([1.0, -1.0]))))
        0.5
    """
    return math.nan if seen.home is None else equal_error_rate(seen.home.bonafide, seen.home.spoof).eer


PREDICTORS: dict[str, Predictor] = {
    "confidence": Predictor(
        confidence, "expected error by the detector's own confidence", "Hendrycks and Gimpel (2017)"
    ),
    "entropy": Predictor(entropy, "mean entropy of the output", "Shannon (1948)"),
    "confidence_difference": Predictor(
        confidence_difference, "in-domain error plus lost confidence", "Guillory et al. (2021)", True
    ),
    "thresholded_confidence": Predictor(
        thresholded_confidence,
        "share below the in-domain threshold of confidence",
        "Garg et al. (2022)",
        True,
    ),
    "disagreement": Predictor(
        disagreement, "share of decisions that other detectors do not share", "Jiang et al. (2022)"
    ),
    "agreement_line": Predictor(
        agreement_line,
        "in-domain accuracy carried along the line that agreement of detectors follows",
        "Baek et al. (2022)",
        True,
    ),
    "transport_confidence": Predictor(
        transport_confidence, "cost of carrying outputs to labels", "Lu et al. (2023)"
    ),
    "mixture_eer": Predictor(
        mixture_eer, "error of two normal distributions in the scores", "Bruemmer and Garcia-Romero (2014)"
    ),
    "score_distance": Predictor(
        score_distance, "distance of the scores from the in-domain ones", "Kantorovich (1942)", True
    ),
    "in_domain_eer": Predictor(in_domain_eer, "error on the in-domain set", "Martin et al. (1997)", True),
}
# Predictors that are error rates; the model takes their logits.
RATES = ("confidence", "confidence_difference", "thresholded_confidence", "disagreement", "agreement_line",
         "transport_confidence", "mixture_eer", "in_domain_eer")  # fmt: skip
