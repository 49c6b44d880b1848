"""Sharpness and error rate from other trials: what identical detectors give, by records on disk and in memory."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sharpscope
from sharpscope.analysis.cross_half import (
    Halves,
    correlate_halves,
    draw_halves,
    halves_of_errors,
    halves_of_record,
    halves_of_values,
)
from sharpscope.analysis.halves_of_sets import HalvesOfSets, what_is_apart
from sharpscope.analysis.over_sets import correlate_over_sets, max_t_over_ways, ranks_of
from sharpscope.errors import UsageError
from sharpscope.results.records import KNOWN_OF_TRIALS, Place, Records, write_group_values, write_scores
from sharpscope.results.table import COLUMNS
from sharpscope.scoring.eer import equal_error_rate


def margins(rng: np.random.Generator, n: int, trials: int, spread: float = 0.0) -> np.ndarray:
    """Margins of detectors that differ in nothing but noise, or in their true mean as well."""
    shared = 1.6 + rng.normal(size=(1, trials))
    own: np.ndarray = shared + rng.normal(size=(n, trials)) + spread * rng.normal(size=(n, 1))
    return own


def halves_of_study(
    rng: np.random.Generator, n: int, per_class: int, m: int, spread: float = 0.0, n_splits: int = 1
) -> Halves:
    s = margins(rng, n, 2 * per_class, spread)
    truth = np.arange(2 * per_class) % 2 == 0
    groups = np.array_split(rng.permutation(2 * per_class), 2 * per_class // m)
    group = np.zeros(2 * per_class, dtype=int)
    for number, trials in enumerate(groups):
        group[trials] = number
    values = np.stack([1 / (1 + np.exp(s[:, trials])) for trials in groups], axis=1).mean(axis=2)
    first = draw_halves(len(groups), n_splits=n_splits)
    inside = first[:, group]
    scores = np.where(truth, s, -s)
    errors = (halves_of_errors(scores, truth, chosen) for chosen in (~inside, inside, ~inside))
    sizes = np.full(len(groups), m)
    return Halves(halves_of_values(values, sizes, first), *errors, halves_of_values(values, sizes, ~first))


def test_detectors_equal_in_truth_do_not_correlate_and_the_same_trials_say_they_do() -> None:
    """From the same trials 70 % of such studies "find" a correlation (the audit), from halves at most 5 %."""
    rng = np.random.default_rng(0)
    across, same, shared = [], [], []
    for _ in range(200):
        halves = halves_of_study(rng, 12, 40, 16)
        across.append(correlate_halves(halves).p <= 0.05)
        same.append(stats.spearmanr(halves.x[:, 0], halves.y_same[:, 0]).pvalue <= 0.05)
        shared.append(correlate_halves(halves, test=False).shared_noise)
    # Nominal 5 %; 200 studies tell the rate to 3 points.
    assert 0.01 <= np.mean(across) <= 0.09
    assert np.mean(same) >= 0.4
    assert 0.4 < np.mean(shared) < 0.9


def test_detectors_that_differ_are_found_across_halves() -> None:
    rng = np.random.default_rng(1)
    found = [correlate_halves(halves_of_study(rng, 12, 200, 20, spread=1.0)) for _ in range(5)]
    assert min(one.spearman for one in found) > 0.85
    assert max(one.p for one in found) <= 0.01


def test_errors_of_halves_equal_the_error_rate_of_their_trials() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(60) < 0.5
    scores = rng.normal(size=(3, 60)) + truth
    chosen = rng.random((4, 60)) < 0.5
    found = halves_of_errors(scores, truth, chosen)
    for checkpoint in range(3):
        for split in range(4):
            own, kept = scores[checkpoint], chosen[split]
            slow = equal_error_rate(own[kept & truth], own[kept & ~truth]).eer
            assert found[checkpoint, split] == pytest.approx(slow, abs=1e-12)
    folded = halves_of_errors(-scores, truth, chosen, folded=True)
    assert (folded <= 0.5).all()


def test_twice_the_median_of_hand_made_splits() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(5, 5)), rng.normal(size=(5, 5))
    one = correlate_halves(Halves(x, y, y, y, x))
    each = []
    for split in range(5):
        rho = abs(stats.spearmanr(x[:, split], y[:, split]).statistic)
        every = [
            stats.spearmanr(np.array(o), y[:, split]).statistic for o in itertools.permutations(x[:, split])
        ]
        each.append(np.mean(np.abs(every) >= rho - 1e-12))
    assert one.p == pytest.approx(min(1.0, 2 * np.median(each)), abs=1e-9)
    each_r = [stats.spearmanr(x[:, s], y[:, s]).statistic for s in range(5)]
    assert one.spearman == pytest.approx(np.median(each_r), abs=1e-9)


def test_the_largest_of_many_ways_is_tested_as_the_largest() -> None:
    rng = np.random.default_rng(4)
    ways = [[halves_of_study(rng, 8, 40, 16, n_splits=3) for _ in range(2)] for _ in range(4)]
    ranks = [ranks_of(way) for way in ways]
    adjusted = max_t_over_ways(ranks)
    for way, p in zip(ranks, adjusted, strict=True):
        assert p >= correlate_over_sets(way).p - 1e-12


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A results table with records: six checkpoints, one set, six groups of ten trials and four trials in none."""
    rng = np.random.default_rng(5)
    s = margins(rng, 6, 64, spread=1.0)
    truth = np.arange(64) % 2 == 0
    group = np.append(np.repeat(np.arange(6), 10), [-1] * 4)
    rows = []
    for number in range(6):
        loss = 1 / (1 + np.exp(s[number]))
        values = [float(loss[group == g].mean()) for g in range(6)]
        scores = np.where(truth, s[number], -s[number])
        row = dict.fromkeys(COLUMNS, "") | {
            "checkpoint": f"c{number}",
            "sha256": f"{number:064d}",
            "arch": "tiny",
            "set": "noise",
            "measure": "sam",
            "rho": 0.05,
            "m": 10,
            "value": float(np.mean(values)),
            "eer": equal_error_rate(scores[truth], scores[~truth]).eer,
            "n_bonafide": 32,
            "n_spoof": 32,
            "preset": "rigorous",
            "score_rule": "logit_difference",
            "spec_hash": "s",
            "trials_hash": "t",
        }
        rows.append(row)
        place = Place.of(row)
        table = {"trial": [f"t{i}" for i in range(64)], "label": np.where(truth, "bonafide", "spoof")}
        table |= {"score": scores, "logit_spoof": 0.0, "logit_bonafide": scores, "group": group}
        write_scores(
            tmp_path / "results.csv", place, pd.DataFrame(table | dict.fromkeys(KNOWN_OF_TRIALS, ""))
        )
        cells = [{"group": str(g), "measure": "sam", "rho": "0.05", "value": repr(v), "n_trials": "10"} for g, v in
                 enumerate(values)]  # fmt: skip
        write_group_values(tmp_path / "results.csv", place, cells)
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "results.csv", index=False)
    return tmp_path / "results.csv", table


def test_records_beside_a_table_give_the_halves_that_hand_made_arrays_give(
    study: tuple[Path, pd.DataFrame],
) -> None:
    path, table = study
    halves = HalvesOfSets(Records.beside(path)).of(table.sort_values("sha256"))
    assert halves is not None
    first = draw_halves(6)
    scores = Records.beside(path).scores(table.iloc[2])
    assert scores is not None
    outside = ~first[0][scores["group"].to_numpy()] | (scores["group"] < 0).to_numpy()
    bonafide = (scores["label"] == "bonafide").to_numpy()
    own = scores["score"].to_numpy()
    slow = equal_error_rate(own[outside & bonafide], own[outside & ~bonafide]).eer
    assert halves.y[2, 0] == pytest.approx(slow, abs=1e-12)
    groups = Records.beside(path).groups(table.iloc[2])
    assert groups is not None
    assert halves.x[2, 0] == pytest.approx(groups["value"].to_numpy()[first[0]].mean(), abs=1e-12)


def with_halves(path: Path, table: pd.DataFrame, half: np.ndarray, **known: list[str]) -> None:
    """Write the scores again, with halves and what is known of trials."""
    for row in table.to_dict("records"):
        scores = Records.beside(path).scores(row)
        assert scores is not None
        write_scores(path, Place.of(row), scores.assign(half=half, **known))


def test_halves_of_the_records_are_those_of_the_test(study: tuple[Path, pd.DataFrame]) -> None:
    """Groups 0, 2, 4 are of one half; the trials in no group belong to halves too, and count for the error rate."""
    path, table = study
    half = np.append(np.repeat(np.arange(6), 10) % 2, [0, 0, 1, 1])
    speaker = [f"s{one}{i % 3}" for i, one in enumerate(half)]
    with_halves(path, table, half, speaker=speaker)
    halves = HalvesOfSets(Records.beside(path), n_splits=3)
    found = halves.of(table.sort_values("sha256"))
    assert found is not None
    assert halves.kept_apart == {("noise", ""): "speakers"}
    scores, groups = Records.beside(path).scores(table.iloc[1]), Records.beside(path).groups(table.iloc[1])
    assert scores is not None
    assert groups is not None
    by_half = [groups["value"].to_numpy()[side::2].mean() for side in (0, 1)]
    own, bonafide = scores["score"].to_numpy(), (scores["label"] == "bonafide").to_numpy()

    def eer(kept: np.ndarray) -> float:
        return equal_error_rate(own[kept & bonafide], own[kept & ~bonafide]).eer

    for split in range(3):
        side = int(np.isclose(found.x[1, split], by_half[1]))
        assert found.x[1, split] == pytest.approx(by_half[side], abs=1e-12)
        assert found.x_other[1, split] == pytest.approx(by_half[1 - side], abs=1e-12)
        assert found.y[1, split] == pytest.approx(eer(half != side), abs=1e-12)
        assert found.y_same[1, split] == pytest.approx(
            eer((half == side) & (scores["group"] >= 0)), abs=1e-12
        )
    assert found.x[1, 0] != found.x[1, 1]  # the halves take turns
    row = sharpscope.correlate(path).table.iloc[0]
    assert row["halves_by"] == "speakers"


def test_speakers_in_both_halves_are_seen_and_old_records_are_read(
    study: tuple[Path, pd.DataFrame],
) -> None:
    path, table = study
    half = np.append(np.repeat(np.arange(6), 10) % 2, [0, 0, 1, 1])
    with_halves(
        path, table, half, speaker=["a", "b"] * 32, pair=[f"p{i if i >= 40 else i % 20}" for i in range(64)]
    )
    assert sharpscope.correlate(path).table.iloc[0]["halves_by"] == "pairs"
    for row in table.to_dict("records"):
        file = next(path.parent.glob(f"scores/results/{row['checkpoint']}-*/*.txt"))
        lines = file.read_text().splitlines()
        # A file of a version that knew no halves: the last column is missing.
        file.write_text("\n".join([lines[0], *(line.rpartition(" ")[0] for line in lines[1:])]) + "\n")
    scores = Records.beside(path).scores(table.iloc[0])
    assert scores is not None
    assert set(scores["half"]) == {-1}
    row = sharpscope.correlate(path).table.iloc[0]
    assert row["evidence"] == "cross-half"
    assert row["halves_by"] == "trials"


def test_a_group_with_trials_of_both_halves_has_none() -> None:
    half, group = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    assert halves_of_record(half, group[::-1], [0, 1]) is not None
    assert halves_of_record(np.array([0, 1, 1, 1]), group, [0, 1]) is None
    assert halves_of_record(np.array([0, 0, 0, 0]), group, [0, 1]) is None
    assert halves_of_record(np.array([0, 0, 1, -1]), group, [0, 1]) is None


def test_what_is_apart_is_read_off_the_trials() -> None:
    one = np.array([True, True, False, False])
    trials = pd.DataFrame({"speaker": ["a", "a", "b", "b"], "pair": ["1", "2", "1", "2"]})
    assert what_is_apart(trials, one, ~one) == "speakers"
    assert what_is_apart(trials.assign(speaker=list("abab")), one, ~one) == "trials"
    assert what_is_apart(trials.assign(speaker=list("abab"), pair=list("1122")), one, ~one) == "pairs"
    assert what_is_apart(trials.assign(speaker=["a", "a", "", ""]), one, ~one) == "trials"


def test_halves_of_groups_are_as_alike_in_attacks_as_chance_gives() -> None:
    """Twelve groups, each of one of three attacks, as in file order: the halves hold two of each."""
    attacks = np.repeat(np.eye(3) * 32, 4, axis=0)
    for seed in range(5):
        first = draw_halves(12, seed=seed, n_splits=3, attacks=attacks)
        assert first.shape == (3, 12)
        assert ((first @ attacks) == 64).all()
    assert np.array_equal(draw_halves(12, attacks=np.ones((12, 1))), draw_halves(12))


def test_correlate_takes_what_pandas_reads_and_says_where_the_evidence_comes_from(
    study: tuple[Path, pd.DataFrame],
) -> None:
    path, _ = study
    with_records = sharpscope.correlate(path)
    row = with_records.table.iloc[0]
    assert row["evidence"] == "cross-half"
    assert 0 < row["spearman"] <= 1
    assert "no trial is in both" in with_records.summary.replace("\n", " ")
    without = sharpscope.correlate(pd.read_csv(path))
    assert without.table.iloc[0]["evidence"] == "same trials"
    assert without.table.iloc[0]["spearman"] == row["spearman_same_trials"]
    assert "Only same-trials correlations can be given" in without.summary
    assert "must not be cited" in without.summary


def test_a_way_fixed_beforehand_is_named_with_its_time(study: tuple[Path, pd.DataFrame]) -> None:
    path, table = study
    fixed = sharpscope.correlate(path, primary="sam@0.05")
    assert set(fixed.table["measure"]) == {"sam"}
    with pytest.raises(UsageError, match=r"names 0 ways of the table; it has sam 0.05 10.0 rigorous"):
        sharpscope.correlate(path, primary="sam@0.2")
    with pytest.raises(UsageError, match="leave one out to test on"):
        sharpscope.correlate(path, freeze=["noise"])
    other = table.assign(set="speech", trials_hash="u")
    both = sharpscope.correlate(pd.concat([table, other]), freeze=["noise"])
    assert set(both.table["set"]) <= {"speech", "all sets"}
