"""The interval of a mean over sets covers at high correlations and is refused where a set hangs on one checkpoint."""

import numpy as np
import pytest
from scipy import stats

from sharpscope.analysis.mean_interval import interval_of_mean


def study(rng: np.random.Generator, n: int, r: float, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Measure and error of n checkpoints on k sets, correlated r within each; checkpoints differ alike everywhere."""
    x, rest = (
        np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, k)) for _ in range(2)
    )
    return x, r * x + np.sqrt(1 - r * r) * rest


@pytest.mark.parametrize(("r", "n"), [(0.95, 8), (0.95, 12), (0.0, 12), (0.6, 10)])
def test_it_covers_as_often_as_it_says(r: float, n: int) -> None:
    """Audit C: resampling checkpoints covered .88 to .90 at r = .95, all misses too low."""
    rng = np.random.default_rng(n)
    true = 6 / np.pi * np.arcsin(r / 2)
    held = sum(
        low <= true <= high for low, high, _ in (interval_of_mean(*study(rng, n, r)) for _ in range(150))
    )
    assert 0.90 <= held / 150 <= 0.99


def test_on_floor_sets_it_covers_or_is_refused() -> None:
    """Audit C: .76 to .82 where many error rates are zero."""
    true_rng = np.random.default_rng(0)
    x, y = study(true_rng, 40_000, 0.8)
    floor = float(np.quantile(y, 0.6))
    true = np.mean([stats.spearmanr(x[:, j], np.maximum(y[:, j], floor)).statistic for j in range(5)])
    rng, held, given = np.random.default_rng(1), 0, 0
    for _ in range(150):
        x, y = study(rng, 12, 0.8)
        low, high, note = interval_of_mean(x, np.maximum(y, floor))
        given += not note
        held += not note and low <= true <= high
    assert held / given >= 0.93
    assert given > 100


def test_a_slow_jackknife_gives_the_same_ends() -> None:
    x, y = study(np.random.default_rng(2), 9, 0.5, k=3)
    left = [
        np.mean([stats.spearmanr(np.delete(x[:, j], i), np.delete(y[:, j], i)).statistic for j in range(3)])
        for i in range(9)
    ]
    z = np.arctanh(left)
    middle = np.arctanh(np.mean([stats.spearmanr(x[:, j], y[:, j]).statistic for j in range(3)]))
    half = stats.t.ppf(0.975, 8) * np.sqrt(8 / 9 * ((z - z.mean()) ** 2).sum())
    found = interval_of_mean(x, y)
    assert found[:2] == pytest.approx((np.tanh(middle - half), np.tanh(middle + half)), abs=1e-12)


def test_it_says_why_there_is_none() -> None:
    x, y = study(np.random.default_rng(3), 8, 0.5, k=4)
    assert "4 checkpoints" in interval_of_mean(x[:4], y[:4]).note
    y[:, :3] = 0.0
    assert "on 3 of 4 sets all numbers are the same" in interval_of_mean(x, y).note
    y[0, :3] = 0.1
    assert "without one checkpoint" in interval_of_mean(x, y).note
    assert "perfect" in interval_of_mean(x, x).note
    x[0, 0] = np.nan
    assert "missing" in interval_of_mean(x, y).note


def test_blocks_of_many_checkpoints_agree_with_leaving_out_each() -> None:
    x, y = study(np.random.default_rng(4), 400, 0.7)
    low, high, _ = interval_of_mean(x, y)
    half = 1.96 * np.sqrt((1 + 0.7**2 / 2) / 397)
    assert np.arctanh(high) - np.arctanh(low) < 2 * half * 1.1
    assert low < 6 / np.pi * np.arcsin(0.35) < high
