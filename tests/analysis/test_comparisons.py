"""Dependent correlations, partial correlations and joint permutations against published and slow answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from results_tables import make_results
from scipy import stats

from sharpscope.analysis import comparisons, confounding, permutation
from sharpscope.analysis import rank_correlation as statistics
from sharpscope.analysis.power import power
from sharpscope.errors import SharpscopeError, UsageError

HL = np.array([7, 15, 19, 15, 21, 22, 57, 15, 20, 18], float)
DISP = np.array([0, 0.964, 0, 0, 0.921, 0, 0, 1.006, 0, 1.011])
DEG = np.array([9, 2, 3, 4, 1, 3, 1, 3, 6, 1], float)
BC = np.array([1.78e-2, 1.05e-6, 1.37e-5, 7.18e-3, 0, 0, 0, 4.48e-3, 2.10e-6, 0])


def test_partial_correlation_is_ppcor() -> None:
    """Kim (2015), ppcor's y.data: hl and disp given deg and BC."""
    given = np.column_stack([DEG, BC])
    ranked = confounding.partial_correlation(HL, DISP, given)
    linear = confounding.partial_correlation(HL, DISP, given, ranked=False)
    assert ranked.statistic == pytest.approx(-0.7647345, abs=6e-8)
    assert ranked.p == pytest.approx(0.0270808, abs=6e-8)
    assert linear.statistic == pytest.approx(-0.6720863, abs=6e-8)
    assert linear.p == pytest.approx(0.0678920, abs=6e-8)


def test_partial_correlation_refuses_too_few() -> None:
    with pytest.raises(SharpscopeError, match="needs 4"):
        confounding.partial_correlation(HL[:3], DISP[:3], DEG[:3, None])


def test_williams_is_brucer_and_mt_metrics_eval() -> None:
    t, p = comparisons.williams(0.2, 0.45, 0.80, 100)
    assert t == pytest.approx(-4.564233, abs=1e-6)
    assert p == pytest.approx(1.470e-5, abs=1e-8)
    gold, m1, m2 = np.arange(1, 6.0), np.array([1.1, 2, 3.1, 4, 5.1]), np.array([1.5, 2, 3.1, 4, 5.5])
    r12, r13, r23 = (statistics.pearson(a, b) for a, b in ((gold, m1), (gold, m2), (m1, m2)))
    assert (round(r12, 3), round(r13, 3)) == (0.999, 0.987)
    assert comparisons.williams(r12, r13, r23, 5).p / 2 == pytest.approx(0.019, abs=5e-4)


def test_the_swap_of_both_is_its_slow_definition() -> None:
    rng = np.random.default_rng(0)
    z = [statistics.standardised_ranks(rng.normal(size=(6, 2))) for _ in range(3)]

    def mean(x: np.ndarray) -> float:
        return float(np.mean([stats.pearsonr(x[:, k], z[2][:, k]).statistic for k in range(2)]))

    null = []
    for number in range(2**6):
        swap = np.array([number >> i & 1 for i in range(6)], bool)[:, None]
        null.append(mean(np.where(swap, z[1], z[0])) - mean(np.where(swap, z[0], z[1])))
    expected = np.mean(np.abs(null) >= abs(mean(z[0]) - mean(z[1])) - 1e-12)
    assert permutation.swap_test(*z).p == pytest.approx(expected)


def test_resampled_ranks_are_ranks_of_the_resample() -> None:
    """Ties included: every mean equals Spearman's of the drawn rows by scipy."""
    rng = np.random.default_rng(1)
    x, y = rng.integers(4, size=(8, 2)).astype(float), rng.normal(size=(8, 2))
    drawn = np.random.default_rng(5).integers(8, size=(20, 8))
    found = permutation.bootstrap_mean_within(x, y, n_resamples=20, rng=5)
    for rows, mean in zip(drawn, found.values, strict=True):
        if np.isfinite(mean):
            slow = np.mean([stats.spearmanr(x[rows, k], y[rows, k]).statistic for k in range(2)])
            assert mean == pytest.approx(slow)
    assert np.isfinite(found.values).sum() > 10


def test_power_says_what_cannot_be_found() -> None:
    assert math.isnan(power(4).one_test)
    assert power(12, sets=5).family > power(12).one_test
    with pytest.raises(UsageError, match="counts are 1 or more"):
        power(0)


def test_the_smallest_p_within_reach_is_that_of_the_most_extreme_swap() -> None:
    """The audit: at five checkpoints no swap of ranks is rarer than 1 in 8; every swap by hand."""
    rng = np.random.default_rng(0)
    a, b, y = (statistics.standardised_ranks(rng.normal(size=(5, 2))) for _ in range(3))
    found = permutation.swap_test(a, b, y)
    gaps = []
    for swaps in itertools.product((False, True), repeat=5):
        chosen = np.array(swaps)[:, None]
        one, other = np.where(chosen, b, a), np.where(chosen, a, b)
        gaps.append(
            sum(
                np.corrcoef(one[:, j], y[:, j])[0, 1] - np.corrcoef(other[:, j], y[:, j])[0, 1]
                for j in range(2)
            )
        )
    sizes = np.abs(gaps)
    assert found.smallest_p == np.mean(sizes >= sizes.max() - 1e-9)
    assert found.p == np.mean(sizes >= sizes[0] - 1e-9)
    assert found.smallest_p <= found.p
    table = comparisons.compare_measures(
        make_results(measures=(("sam", 0.05), ("sam", 0.01)), seeds=range(4))
    )
    assert (table["smallest_p"] <= table["p"]).all()
    assert (table["smallest_p"] >= 2 / 2**8).all()


def test_power_across_halves_is_what_simulated_studies_find() -> None:
    """Correlations that are said to be found in four studies out of five, on halves of that reliability."""
    one, other = 0.95, 0.85
    asked = power(24, reliability=one, error_reliability=other)
    assert asked.across_halves > asked.one_test
    r = 2 * np.sin(np.pi * asked.across_halves / 6)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        x = rng.normal(size=24)
        y = r * x + np.sqrt(1 - r * r) * rng.normal(size=24)
        x, y = (v + np.sqrt(2 * (1 - c) / c) * rng.normal(size=24) for v, c in ((x, one), (y, other)))
        found.append(stats.spearmanr(x, y).pvalue <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)
    assert np.isnan(power(12, reliability=0.6, error_reliability=0.5).across_halves)
    for wrong in (0.0, 1.1, float("nan")):
        with pytest.raises(UsageError, match="as `split_half` in questions"):
            power(12, reliability=wrong)
