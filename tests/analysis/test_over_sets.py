"""Means over sets: exact orders with numbers missing, inside strata, adjusted together."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from sharpscope.analysis.over_sets import (
    correlate_over_sets,
    max_t_over_cells,
    max_t_over_ways,
    ranks_at,
)
from sharpscope.analysis.permutation import joint_null
from sharpscope.analysis.rank_correlation import p_of


def cells(rng: np.random.Generator, n: int = 6, sets: int = 3) -> np.ndarray:
    """Checkpoints x sets x one split, what a checkpoint is like shared by all sets."""
    own: np.ndarray = (rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, sets)))[:, :, None]
    return own


def lacking(x: np.ndarray) -> np.ndarray:
    """Each set lacks three checkpoints that no other set lacks."""
    x = x.copy()
    for j in range(x.shape[1]):
        x[3 * j : 3 * j + 3, j] = np.nan
    return x


def test_a_complete_table_is_tested_by_every_order() -> None:
    rng = np.random.default_rng(0)
    x, y = cells(rng), cells(rng)

    def mean(order: tuple[int, ...]) -> float:
        return float(np.mean([spearmanr(x[list(order), j, 0], y[:, j, 0]).statistic for j in range(3)]))

    null = np.array([mean(order) for order in itertools.permutations(range(6))])
    observed = mean(tuple(range(6)))
    for alternative, extreme in (
        ("two-sided", np.abs(null) >= abs(observed) - 1e-9),
        ("greater", null >= observed - 1e-9),
        ("less", null <= observed + 1e-9),
    ):
        found = correlate_over_sets(ranks_at(x, y), alternative=alternative)
        assert found.spearman == pytest.approx(observed)
        assert found.p == pytest.approx(extreme.mean()), alternative


def test_where_numbers_are_missing_only_orders_among_the_same_sets_are_drawn() -> None:
    """Two groups of three: 36 orders by hand, on ranks less the mean of the group."""
    rng = np.random.default_rng(1)
    x, y = cells(rng, 6, 2), cells(rng, 6, 2)
    for side in (x, y):
        side[3:, 1] = np.nan
    found = ranks_at(x, y)
    assert found.n_orders == pytest.approx(36)

    def part(values: np.ndarray, places: list[int]) -> np.ndarray:
        ranked = values.argsort().argsort().astype(float)
        for group in ([0, 1, 2], [3, 4, 5]):
            inside = [places.index(i) for i in group if i in places]
            if inside:
                ranked[inside] -= ranked[inside].mean()
        unit: np.ndarray = ranked / np.linalg.norm(ranked)
        return unit

    a = [part(x[:, 0, 0], [*range(6)]), part(x[:3, 1, 0], [0, 1, 2])]
    b = [part(y[:, 0, 0], [*range(6)]), part(y[:3, 1, 0], [0, 1, 2])]
    null = []
    for first in itertools.permutations(range(3)):
        for second in itertools.permutations(range(3, 6)):
            null.append((a[0][[*first, *second]] @ b[0] + a[1][list(first)] @ b[1]) / 2)
    answer = correlate_over_sets(found)
    observed = (a[0] @ b[0] + a[1] @ b[1]) / 2
    assert answer.p == pytest.approx(np.mean(np.abs(null) >= abs(observed) - 1e-9))
    plain = [spearmanr(x[:, 0, 0], y[:, 0, 0]).statistic, spearmanr(x[:3, 1, 0], y[:3, 1, 0]).statistic]
    assert answer.spearman == pytest.approx(np.mean(plain))


def test_the_test_with_missing_numbers_keeps_its_level_and_finds_what_is_there() -> None:
    """The audit's design: twelve checkpoints, four sets, each lacking three others; no checkpoint is complete."""
    rejected = found = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, y = (lacking(cells(rng, 12, 4)) for _ in range(2))
        rejected += correlate_over_sets(ranks_at(x, y)).p <= 0.05
        found += correlate_over_sets(ranks_at(x, lacking(x + 0.5 * cells(rng, 12, 4)))).p <= 0.05
    # Nominal 5 %; 300 studies tell the rate to 2.5 points.
    assert 0.015 <= rejected / 300 <= 0.085
    assert found / 300 > 0.8


def test_who_has_nobody_to_be_exchanged_with_counts_in_the_mean_and_not_in_the_test() -> None:
    rng = np.random.default_rng(2)
    x, y = cells(rng, 7), cells(rng, 7)
    x[6, 0] = y[6, 0] = np.nan
    found = ranks_at(x, y)
    assert found.pieces.tolist() == [0, 1, 2, 3, 4, 5]
    expected = [spearmanr(x[:6, 0, 0], y[:6, 0, 0]).statistic]
    expected += [spearmanr(x[:, j, 0], y[:, j, 0]).statistic for j in (1, 2)]
    assert correlate_over_sets(found).spearman == pytest.approx(np.mean(expected))
    few = ranks_at(lacking(cells(rng, 6, 2)), lacking(cells(rng, 6, 2)))
    assert few.testable
    alone = cells(rng, 5, 5)
    alone[np.arange(5), np.arange(5)] = np.nan
    assert math.isnan(correlate_over_sets(ranks_at(alone, alone)).p)


def test_max_t_is_the_enumeration_of_the_largest() -> None:
    rng = np.random.default_rng(3)
    ways = [(cells(rng, 6), cells(rng, 6)) for _ in range(3)]
    ranked = [ranks_at(*way) for way in ways]
    null = np.stack([joint_null(one.x[:, :, 0], one.y[:, :, 0]) for one in ranked])  # (ways, orders, sets)
    means = [correlate_over_sets(one).spearman for one in ranked]
    over_ways = max_t_over_ways(ranked)
    for mean, p in zip(means, over_ways, strict=True):
        assert p == pytest.approx(p_of(mean, np.abs(null.mean(axis=2)).max(axis=0), exact=True))
    highest = np.abs(null).max(axis=(0, 2))
    for one, own in zip(ranked, max_t_over_cells(ranked), strict=True):
        for r, p in zip(one.within[:, 0], own, strict=True):
            assert p == pytest.approx(p_of(float(r), highest, exact=True))


def test_ways_with_other_checkpoints_have_no_common_orders() -> None:
    rng = np.random.default_rng(4)
    x, y = cells(rng, 8), cells(rng, 8)
    other = x.copy()
    other[:3, 1] = np.nan
    assert np.isnan(max_t_over_ways([ranks_at(x, y), ranks_at(other, y)])).all()


def test_clusters_are_their_mean_and_strata_keep_to_themselves() -> None:
    rng = np.random.default_rng(5)
    x, y = cells(rng, 6), cells(rng, 6)
    twice = np.repeat(np.arange(6), 2)
    assert correlate_over_sets(ranks_at(x[twice], y[twice], labels=twice)) == correlate_over_sets(
        ranks_at(x.round(12), y.round(12))
    )
    strata = np.repeat(np.arange(2), 3)
    found = ranks_at(x + 100.0 * strata[:, None, None], y, strata=strata)
    assert found.n_orders == pytest.approx(36)
    flat = [
        np.concatenate([ranked[strata == s] - ranked[strata == s].mean() for s in (0, 1)])
        for ranked in (rankdata(side[:, 0, 0]) for side in (x + 100.0 * strata[:, None, None], y))
    ]
    hand = flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    assert found.within[0, 0] == pytest.approx(hand)


@pytest.mark.parametrize("strata", [None, np.repeat([0, 1], 200)])
def test_hundreds_of_checkpoints_are_tested(strata: np.ndarray | None) -> None:
    """400! is no float: 171 checkpoints and more once ended in an overflow."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2, 1))
    found = ranks_at(x, x + rng.normal(size=x.shape), strata=strata)
    assert found.n_orders == math.factorial(400) or found.n_orders == math.factorial(200) ** 2
    assert correlate_over_sets(found).p == pytest.approx(1e-4)
    assert correlate_over_sets(ranks_at(x, rng.normal(size=x.shape), strata=strata)).p > 0.01
