"""Statistics that other software or a textbook has published, each with its source."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sharpscope.analysis import rank_correlation as statistics
from sharpscope.analysis.adjustment import adjust_sets

IQ = np.array([106, 100, 86, 101, 99, 103, 97, 113, 112, 110], float)
TV = np.array([7, 27, 2, 50, 28, 29, 20, 12, 6, 17], float)
TUNA_X = np.array([44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1])
TUNA_Y = np.array([2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8])
LIVER_X = np.array([7.1, 7.1, 7.2, 8.3, 9.4, 10.5, 11.4])
LIVER_Y = np.array([2.8, 2.9, 2.8, 2.6, 3.5, 4.6, 5.0])
LSAT = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594], float)
GPA = np.array([3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96])
PAIRS_Y = np.array([21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19], float)
PAIRS_X = np.array([67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51], float)


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("R cor.test (Hollander and Wolfe): tau", statistics.kendall(TUNA_X, TUNA_Y), 0.4444444),
        ("R cor.test: exact p of tau", statistics.kendall_p(TUNA_X, TUNA_Y), 0.1194389),
        ("the same: Spearman", statistics.spearman(TUNA_X, TUNA_Y), 0.6),
        ("the same: exact p", statistics.spearman_p(TUNA_X, TUNA_Y), 0.0967978),
        ("Wikipedia, IQ and television: Spearman", statistics.spearman(IQ, TV), -29 / 165),
        ("Wikipedia, IQ and television: tau", statistics.kendall(IQ, TV), -0.1111111),
        ("scipy tutorial, ties: Spearman", statistics.spearman(LIVER_X, LIVER_Y), 0.7),
        ("scipy tutorial, ties: p by absolute values", statistics.spearman_p(LIVER_X, LIVER_Y), 0.0884921),
        ("scipy tutorial, ties: tau-b", statistics.kendall(LIVER_X, LIVER_Y), 0.55),
        (
            "torchmetrics documentation: tau",
            statistics.kendall(np.array([2.5, 0, 2, 8]), np.array([3, -0.5, 2, 1])),
            1 / 3,
        ),
        (
            "scipy.stats.kendalltau documentation: tau-b",
            statistics.kendall(np.array([12, 2, 1, 12, 2]), np.array([1, 4, 7, 1, 0])),
            -0.4714045,
        ),
        ("Efron's law schools: Pearson", statistics.pearson(LSAT, GPA), 0.7763745),
        ("Efron's law schools: Spearman", statistics.spearman(LSAT, GPA), 0.7964286),
        ("Efron's law schools: tau", statistics.kendall(LSAT, GPA), 0.6380952),
        ("statpsych ci.spear: r", statistics.spearman(PAIRS_X, PAIRS_Y), 0.8699639),
        ("statpsych ci.spear: low", statistics.spearman_interval(0.8699639, 15).low, 0.5840951),
        ("statpsych ci.spear: high", statistics.spearman_interval(0.8699639, 15).high, 0.9638297),
        ("statpsych ci.kendall: tau-b", statistics.kendall(PAIRS_X, PAIRS_Y), 0.7282926),
        ("statpsych ci.kendall: low", statistics.kendall_interval(0.7282926, 15).low, 0.4887584),
        ("statpsych ci.kendall: high", statistics.kendall_interval(0.7282926, 15).high, 0.8657196),
    ],
)
def test_known_answer(name: str, found: float, expected: float) -> None:
    assert found == pytest.approx(expected, abs=6e-7), name


def test_the_exact_p_of_tau_of_ten_is_reached_by_permutation() -> None:
    """Wikipedia's example, exact p .7274895; n = 10 takes 9,999 random orders, so three standard errors."""
    error = np.sqrt(0.7275 * 0.2725 / 9999)
    assert statistics.kendall_p(IQ, TV) == pytest.approx(0.7274895, abs=3 * error)


def test_the_exact_p_of_spearman_of_ten_is_reached_by_permutation() -> None:
    """R pspearman: P(sum of squared differences <= 36) = .005265377 for n = 10, here both tails."""
    x, y = np.arange(10.0), np.array([4, 1, 2, 3, 0, 6, 5, 7, 9, 8], float)
    assert ((x - y) ** 2).sum() == 36
    error = np.sqrt(0.010530754 / 9999)
    assert statistics.spearman_p(x, y) == pytest.approx(0.010530754, abs=3 * error)


@pytest.mark.parametrize(
    ("source", "p", "holm", "bh"),
    [
        (
            "Benjamini and Hochberg (1995): Holm rejects 3, theirs 4",
            np.array([1, 4, 19, 95, 201, 278, 298, 344, 459, 3240, 4262, 5719, 6528, 7590, 10000]) / 1e4,
            [0.0015, 0.0056, 0.0247],
            [0.0015, 0.003, 0.0095, 0.035625],
        ),
        ("R p.adjust", np.array([0.01, 0.02, 0.03, 0.04, 0.05]), [0.05, 0.08, 0.09, 0.09, 0.09], [0.05] * 5),
        (
            "NII sig_test",
            np.array([0.01, 0.04, 0.03, 0.005]),
            [0.03, 0.06, 0.06, 0.02],
            [0.02, 0.04, 0.04, 0.02],
        ),
    ],
)
def test_adjusted_p_values(source: str, p: np.ndarray, holm: list[float], bh: list[float]) -> None:
    table = pd.DataFrame({"scope": "set", "measure": "sam", "p": p, "p_holm": np.nan, "q_bh": np.nan})
    adjust_sets(table)
    assert table["p_holm"].head(len(holm)).tolist() == pytest.approx(holm), source
    assert table["q_bh"].head(len(bh)).tolist() == pytest.approx(bh), source
    if len(p) == 15:
        assert ((table["p_holm"] <= 0.05).sum(), (table["q_bh"] <= 0.05).sum()) == (3, 4)


@pytest.mark.parametrize(
    ("n", "r"), [(89, 0.3), (51, 0.4), (33, 0.5), (23, 0.6), (16, 0.7), (12, 0.8), (9, 0.9)]
)
def test_power_of_planned_studies(n: int, r: float) -> None:
    """Sample sizes for 80 % power by Bonett and Wright: n suffices for r and n - 1 does not."""
    assert statistics.minimum_detectable(n) <= r < statistics.minimum_detectable(n - 1)


numbers = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=12)


@given(numbers)
def test_spearman_and_kendall_equal_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(statistics.spearman(x, y))
        assert np.isnan(statistics.kendall(x, y))
        return
    assert statistics.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert statistics.kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)
    assert statistics.spearman(-x, y) == pytest.approx(-statistics.spearman(x, y))


def test_a_perfect_order_is_as_rare_as_orders_are() -> None:
    """n = 4: 2 of 24 orders are perfect."""
    line = np.arange(4.0)
    assert statistics.spearman_p(line, line) == pytest.approx(2 / 24)
    assert np.isnan(statistics.spearman_interval(1.0, 4).low)


def test_the_permutation_test_keeps_its_level() -> None:
    """Unrelated data, n = 8: rejected at 5 % in at most 5 % of 400 runs, but for sampling."""
    rng = np.random.default_rng(0)
    p = [statistics.spearman_p(rng.normal(size=6), rng.normal(size=6)) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
