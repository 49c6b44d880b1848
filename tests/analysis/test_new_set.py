"""What a new set would show: against a slow jackknife, coverage, refusals."""

import math

import numpy as np
import pytest
from scipy import stats

from sharpscope.analysis.new_set import predict_new_set


def study(
    rng: np.random.Generator, n: int, k: int, mean: float, spread: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Sets whose true correlations differ, the same checkpoints on each; the truth of one more set."""
    r = np.tanh(mean + spread * rng.normal(size=k + 1))
    x = np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, k))
    e = np.sqrt(0.5) * rng.normal(size=(n, 1)) + np.sqrt(0.5) * rng.normal(size=(n, k))
    return x, r[:k] * x + np.sqrt(1 - r[:k] ** 2) * e, 6 / math.pi * math.asin(r[k] / 2)


def test_the_interval_is_the_formula_on_a_slow_jackknife() -> None:
    x, y, _ = study(np.random.default_rng(0), 10, 5, 0.5, 0.4)

    def z(rows: list[int]) -> np.ndarray:
        return np.array([math.atanh(stats.spearmanr(x[rows, j], y[rows, j]).statistic) for j in range(5)])

    whole = z([*range(10)])
    left = np.array([z([i for i in range(10) if i != out]) for out in range(10)])
    covariance = 0.9 * sum(np.outer(row, row) for row in left - left.mean(axis=0))
    shared = np.mean([covariance[i, j] for i in range(5) for j in range(5) if i != j])
    tau = max(0.0, whole.var(ddof=1) - np.trace(covariance) / 5 + shared)
    half = stats.t.ppf(0.975, 3) * math.sqrt(tau + tau / 5 + covariance.mean())
    found = predict_new_set(x, y, list("abcde"))
    assert (found.low, found.high) == pytest.approx(
        (math.tanh(whole.mean() - half), math.tanh(whole.mean() + half))
    )
    assert found.spread == pytest.approx(math.sqrt(tau))


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.3), (0.8, 0.3)])
def test_it_covers_the_truth_of_a_new_set(mean: float, spread: float) -> None:
    hits = []
    for seed in range(120):
        x, y, truth = study(np.random.default_rng(seed), 12, 6, mean, spread)
        found = predict_new_set(x, y, list("abcdef"))
        hits.append(found.low <= truth <= found.high)
    # Nominal 95 %; 120 studies tell it to 4 points.
    assert np.mean(hits) >= 0.9


def test_subsets_of_a_corpus_are_one_and_few_are_refused() -> None:
    x, y, _ = study(np.random.default_rng(1), 8, 6, 0.3, 0.2)
    assert predict_new_set(x, y, list("abcabc")).note == "no interval: 3 corpora; it takes 4"
    assert predict_new_set(x, y, list("abcdda")).n_sets == 4
    assert math.isnan(predict_new_set(x[:4], y[:4], list("abcdef")).low)
    flat = y.copy()
    flat[:, 2] = 0.0
    assert "holds one value only" in predict_new_set(x, flat, list("abcdef")).note
