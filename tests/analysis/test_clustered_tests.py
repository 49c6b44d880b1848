"""Tests of pieces of evidence: against enumeration, and on the designs of the audit where the usual ones fail."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from sharpscope.analysis.clustered_tests import joint_test, one_value_each
from sharpscope.analysis.permutation import joint_null
from sharpscope.analysis.rank_correlation import p_of, standardised_ranks

RUNS = 150


def study(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, k))


def rejects(one: Callable[[np.random.Generator], float]) -> float:
    rng = np.random.default_rng(3)
    return float(np.mean([one(rng) <= 0.05 for _ in range(RUNS)]))


def test_all_orders_by_hand_give_the_same_p() -> None:
    rng = np.random.default_rng(0)
    x, y = study(rng, 6, 3), study(rng, 6, 3)

    def t(order: tuple[int, ...]) -> float:
        u = np.zeros(6)
        for j in range(3):
            a, b = stats.rankdata(x[list(order), j]) - 3.5, stats.rankdata(y[:, j]) - 3.5
            u += a * b / np.sqrt((a @ a) * (b @ b)) / 3
        return float(u.sum() / np.sqrt(u @ u))

    null = np.abs([t(order) for order in itertools.permutations(range(6))])
    found = joint_test(x, y, studentised=True)
    assert found.p == pytest.approx((null >= abs(t((0, 1, 2, 3, 4, 5))) - 1e-12).mean())
    each = [stats.spearmanr(x[:, j], y[:, j]).statistic for j in range(3)]
    assert found.estimate == pytest.approx(np.mean(each))


def test_epochs_of_a_run_count_once() -> None:
    """Audit B: six runs of four epochs rejected .35 to .41."""
    labels = np.repeat(np.arange(6), 4)

    def one(rng: np.random.Generator) -> float:
        x, y = (study(rng, 6, 5)[labels] + 0.3 * rng.normal(size=(24, 5)) for _ in range(2))
        return joint_test(x, y, labels=labels).p

    assert rejects(one) <= 0.10


def test_unequal_spreads_do_not_reject() -> None:
    """Audit B: half the architectures with ten times the spread rejected .11 to .13."""
    times = np.where(np.arange(12) < 6, 1, 10.0)[:, None]

    def one(rng: np.random.Generator) -> float:
        return joint_test(study(rng, 12, 5) * times, study(rng, 12, 5) * times, studentised=True).p

    assert rejects(one) <= 0.10


def test_seeds_inside_architectures_are_not_the_evidence() -> None:
    """Audit B: `--by arch` with recipes of several seeds inside rejected .302."""
    arch, recipe = np.repeat(np.arange(6), 6), np.repeat(np.arange(12), 3)

    def one(rng: np.random.Generator) -> float:
        x, y = (
            3 * rng.normal(size=(6, 1))[arch] + study(rng, 12, 5)[recipe] + 0.3 * rng.normal(size=(36, 5))
            for _ in range(2)
        )
        return joint_test(x, y, labels=recipe, strata=arch).p

    assert rejects(one) <= 0.10


def test_without_studentising_it_is_the_joint_test_of_correlate() -> None:
    rng = np.random.default_rng(5)
    x, y = study(rng, 7, 3), study(rng, 7, 3)
    zx, zy = standardised_ranks(x), standardised_ranks(y)
    observed = float((zx * zy).sum(axis=0).mean())
    by_correlate = p_of(observed, joint_null(zx, zy).mean(axis=1), exact=True)
    assert joint_test(x, y).p == by_correlate
    assert joint_test(x, y, studentised=True).estimate == joint_test(x, y).estimate


def test_a_real_correlation_is_found() -> None:
    def one(rng: np.random.Generator) -> float:
        x = study(rng, 12, 5)
        return joint_test(x, 0.8 * x + 0.6 * study(rng, 12, 5)).p

    assert rejects(one) >= 0.8


def test_ten_copies_are_no_more_than_one() -> None:
    rng = np.random.default_rng(1)
    x, y = study(rng, 7, 2), study(rng, 7, 2)
    labels = np.repeat(np.arange(7), [10, 1, 1, 3, 1, 1, 1])
    assert joint_test(x[labels], y[labels], labels=labels) == joint_test(x, y)


def test_missing_numbers_are_left_out_and_said() -> None:
    rng = np.random.default_rng(2)
    x, y = study(rng, 8, 2), study(rng, 8, 2)
    x[3, 1] = np.nan
    found = joint_test(x, y)
    assert (found.n, found.note) == (7, "1 pieces of evidence left out")
    assert one_value_each(x[[3, 4]], np.array([0, 0]))[0, 1] == pytest.approx(x[4, 1])


def test_what_cannot_be_tested_says_so() -> None:
    rng = np.random.default_rng(2)
    x, y = study(rng, 8, 2), study(rng, 8, 2)
    assert "fewer than 5" in joint_test(x[:4], y[:4]).note
    assert joint_test(np.ones((8, 2)), y).note == "nothing varies"
    few = joint_test(x, y, strata=np.repeat(np.arange(4), 2))
    assert np.isnan(few.p)
    assert few.note == "too few orders inside strata to reach 5 %"


def test_clusters_of_one_are_the_values_in_their_order() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 3))
    values[4, 1], values[7, 0] = np.nan, np.inf
    labels = rng.permutation(30)
    found = one_value_each(values, labels)
    for checkpoint, cluster in enumerate(labels):
        expected = np.where(np.isfinite(values[checkpoint]), values[checkpoint].round(12), np.nan)
        np.testing.assert_array_equal(found[cluster], expected)
