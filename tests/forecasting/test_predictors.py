"""Every predictor against a slow implementation, trial by trial."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from sharpscope.forecasting.mixture import Mixture, fit_mixture, mixture_error
from sharpscope.forecasting.predictors import PREDICTORS, Seen
from sharpscope.scoring.eer import equal_error_rate
from sharpscope.scoring.errors import Scores


def seen(seed: int = 0, n: int = 60) -> Seen:
    rng = np.random.default_rng(seed)
    home = Scores(1.5 + rng.normal(size=40), -1.5 + rng.normal(size=25))
    scores = np.concatenate([1 + rng.normal(size=n // 2), -1 + rng.normal(size=n - n // 2)])
    others_home = [
        Scores(home.bonafide + rng.normal(size=40), home.spoof + rng.normal(size=25)) for _ in range(3)
    ]
    return Seen(scores, home, scores + rng.normal(size=(3, n)), others_home)


def sure(s: float) -> float:
    return max(1 / (1 + math.exp(-s)), 1 / (1 + math.exp(s)))


def home_error(found: Seen) -> float:
    assert found.home is not None
    return equal_error_rate(found.home.bonafide, found.home.spoof).eer


def weighted_home(found: Seen) -> list[tuple[float, float]]:
    """Scores at home with their weights, each class half."""
    assert found.home is not None
    return [(float(s), 0.5 / len(part)) for part in (found.home.bonafide, found.home.spoof) for s in part]


def slow_confidence(found: Seen) -> float:
    return 1 - float(np.mean([sure(s) for s in found.scores]))


def slow_difference(found: Seen) -> float:
    at_home = sum(weight * sure(s) for s, weight in weighted_home(found))
    return home_error(found) + at_home - (1 - slow_confidence(found))


def slow_entropy(found: Seen) -> float:
    terms = [(sure(s), 1 - sure(s)) for s in found.scores]
    return float(np.mean([-p * math.log(p) - q * math.log(q) for p, q in terms]))


def slow_thresholded(found: Seen) -> float:
    error, below = home_error(found), 0.0
    threshold = max(abs(s) for s, _ in weighted_home(found))
    for size, weight in sorted((abs(s), w) for s, w in weighted_home(found)):
        if below + weight > error + 1e-12:
            threshold = size
            break
        below += weight
    return sum(abs(s) < threshold for s in found.scores) / len(found.scores)


def slow_disagreement(found: Seen) -> float:
    rates = [[(a >= 0) != (b >= 0) for a, b in zip(o, found.scores, strict=True)] for o in found.others]
    return float(np.mean(rates))


def slow_line(found: Seen) -> float:
    """Least squares over pairs of detectors, agreement counted trial by trial."""
    assert found.home is not None
    homes = [found.home, *found.others_home]
    targets = [found.scores, *found.others]
    x, y = [], []
    for i, j in itertools.combinations(range(4), 2):
        parts = [
            np.mean([(a >= 0) == (b >= 0) for a, b in zip(one, other, strict=True)])
            for one, other in ((homes[i].bonafide, homes[j].bonafide), (homes[i].spoof, homes[j].spoof))
        ]
        x.append(stats.norm.ppf(sum(parts) / 2))
        y.append(stats.norm.ppf(np.mean((targets[i] >= 0) == (targets[j] >= 0))))
    line = stats.linregress(x, y)
    return float(stats.norm.sf(line.slope * stats.norm.ppf(1 - home_error(found)) + line.intercept))


def test_the_line_of_agreement_is_that_of_exact_probabilities_and_better_than_the_error_at_home() -> None:
    rng = np.random.default_rng(5)
    truth = np.repeat([1.0, -1.0], 4000)
    quality = np.array([0.8, 1.1, 1.4, 1.7, 2.0])
    noise = [rng.normal(size=(5, 8000)) for _ in range(2)]
    home, target = (
        truth * quality[:, None] * share + own for share, own in zip((1.0, 0.5), noise, strict=True)
    )
    homes = [Scores(row[:4000], row[4000:]) for row in home]
    right = [stats.norm.cdf(quality * share) for share in (1.0, 0.5)]
    # Independent noise: two detectors agree where both are right or both are wrong.
    x, y = (
        [
            stats.norm.ppf(a[i] * a[j] + (1 - a[i]) * (1 - a[j]))
            for i, j in itertools.combinations(range(5), 2)
        ]
        for a in right
    )
    slope, shift = np.polyfit(x, y, 1)
    for i in range(5):
        others = [k for k in range(5) if k != i]
        told = PREDICTORS["agreement_line"].function(
            Seen(target[i], homes[i], target[others], [homes[k] for k in others])
        )
        assert abs(told - stats.norm.sf(slope * quality[i] + shift)) < 0.02
        assert abs(told - (1 - right[1][i])) < abs((1 - right[0][i]) - (1 - right[1][i]))
    lone = Seen(target[0], homes[0], target[1:2], homes[1:2])
    assert math.isnan(PREDICTORS["agreement_line"].function(lone))
    unheard = Seen(target[0], homes[0], target[1:], homes[1:3])
    assert math.isnan(PREDICTORS["agreement_line"].function(unheard))


def slow_transport(found: Seen) -> float:
    """The cheapest assignment, by linear programming."""
    p = 1 / (1 + np.exp(-found.scores))
    labels = np.array([0.0] * (len(p) // 2) + [1.0] * (len(p) // 2))
    cost = np.abs(p[:, None] - labels)
    rows, columns = optimize.linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


def slow_distance(found: Seen) -> float:
    """The area between both distribution functions."""
    home = weighted_home(found)
    mean = sum(s * w for s, w in home)
    spread = math.sqrt(sum(w * (s - mean) ** 2 for s, w in home))
    area = 0.0
    for left, right in itertools.pairwise(sorted([*found.scores.tolist(), *(s for s, _ in home)])):
        here = sum(s <= left for s in found.scores) / len(found.scores)
        there = sum(w for s, w in home if s <= left)
        area += abs(here - there) * (right - left)
    return area / spread


SLOW: dict[str, Callable[[Seen], float]] = {
    "confidence": slow_confidence,
    "entropy": slow_entropy,
    "confidence_difference": slow_difference,
    "thresholded_confidence": slow_thresholded,
    "disagreement": slow_disagreement,
    "agreement_line": slow_line,
    "transport_confidence": slow_transport,
    "score_distance": slow_distance,
    "in_domain_eer": home_error,
}


@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize("seed", [0, 1])
def test_a_predictor_is_what_a_slow_loop_gives(name: str, seed: int) -> None:
    found = seen(seed)
    assert PREDICTORS[name].function(found) == pytest.approx(SLOW[name](found), abs=1e-12)


def test_the_mixture_is_a_maximum_of_the_likelihood_and_its_error_that_of_the_distributions() -> None:
    rng = np.random.default_rng(3)
    scores = np.concatenate([rng.normal(-2, 1, 400), rng.normal(2, 0.5, 200)])
    share, (low, high), (narrow, wide) = fit_mixture(scores)

    def loss(theta: np.ndarray) -> float:
        p = 1 / (1 + math.exp(-theta[0]))
        each = (1 - p) * stats.norm.pdf(scores, theta[1], math.exp(theta[2]))
        each = each + p * stats.norm.pdf(scores, theta[3], math.exp(theta[4]))
        return -float(np.log(each).sum())

    start = np.array([math.log(share / (1 - share)), low, math.log(narrow), high, math.log(wide)])
    best = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    assert loss(start) - best.fun < 1e-4
    rate = mixture_error(Mixture(share, (low, high), (narrow, wide)))
    truth = equal_error_rate(scores[400:], scores[:400]).eer
    assert PREDICTORS["mixture_eer"].function(Seen(scores)) == rate
    assert abs(rate - truth) < 0.01
    threshold = low + narrow * (high - low) / (narrow + wide)
    assert stats.norm.sf(threshold, low, narrow) == pytest.approx(rate)
    assert stats.norm.cdf(threshold, high, wide) == pytest.approx(rate)


def test_what_cannot_be_told_is_no_number() -> None:
    alone = Seen(np.array([1.0, 1.0, 1.0, 1.0]))
    for name, predictor in PREDICTORS.items():
        unknown = predictor.needs_home or name in ("disagreement", "mixture_eer")
        assert math.isnan(predictor.function(alone)) == unknown
        assert predictor.summary
        assert predictor.reference
