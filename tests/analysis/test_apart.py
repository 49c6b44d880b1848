"""Every test of a table takes sharpness and errors from different trials, and a frozen choice is made anew."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sharpscope
from sharpscope.analysis.apart import SOME, apart_table, evidence_of
from sharpscope.analysis.correlate import Correlation, write_correlation
from sharpscope.analysis.cross_half import N_SPLITS
from sharpscope.analysis.frozen import CHOSEN_ANEW, frozen_p
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.rank_correlation import kendall_p, standardised_ranks
from sharpscope.analysis.way_cells import CROSS_HALF, SAME_TRIALS
from sharpscope.results.records import SCORE_COLUMNS, Place, Records
from sharpscope.results.table import COLUMNS, TEXT_COLUMNS
from sharpscope.scoring.eer import equal_error_rate

N, PER_CLASS, M = 7, 40, 10


def study(sets: int = 3, ways: tuple[float, ...] = (0.05,)) -> tuple[pd.DataFrame, Records]:
    """Detectors equal in truth, trials with noise that both sides share."""
    rng = np.random.default_rng(3)
    size = 2 * PER_CLASS
    truth, records, rows = np.arange(size) % 2 == 0, Records(), []
    for k in range(sets):
        s = 1.6 + rng.normal(size=(1, size)) + rng.normal(size=(N, size))
        group = rng.permutation(size) // M
        scores = np.where(truth, s, -s)
        for i in range(N):
            eer = equal_error_rate(scores[i, truth], scores[i, ~truth]).eer
            head = {c: "" if c in TEXT_COLUMNS else math.nan for c in COLUMNS}
            head |= {"checkpoint": f"c{i}", "sha256": f"{i:064x}", "arch": f"a{i % 2}", "recipe": f"r{i}"}
            head |= {"set": f"set{k}", "domain": "ood" if k else "id", "preset": "rigorous", "m": float(M)}
            head |= {"eer": eer, "eer_low": eer - 0.05, "eer_high": eer + 0.05, "trials_hash": f"t{k}"}
            head |= {"n_bonafide": float(PER_CLASS), "n_spoof": float(PER_CLASS), "spec_hash": "s"}
            groups = []
            values = [("sam", rho, 1 / (1 + np.exp(s[i] / rho / 20))) for rho in ways]
            for name, rho, per_trial in [*values, ("loss", math.nan, np.log1p(np.exp(-s[i])))]:
                each = np.bincount(group, per_trial) / M
                own = {"measure": name, "rho": rho, "value": each.mean(), "stderr": each.std(ddof=1) / 3}
                rows.append(head | own)
                groups.append(
                    pd.DataFrame(
                        {"group": range(len(each)), "measure": name, "rho": rho, "value": each, "n_trials": M}
                    )
                )
            table = pd.DataFrame(dict.fromkeys(SCORE_COLUMNS, ""), index=range(size))
            table = table.assign(
                trial=[f"s{k}t{t}" for t in range(size)],
                label=np.where(truth, "bonafide", "spoof"),
                score=scores[i],
                logit_spoof=-scores[i],
                logit_bonafide=0.0,
                group=group,
            )
            if "half" in SCORE_COLUMNS:
                table["half"] = -1
            records.add(Place.of(rows[-1]), table, pd.concat(groups, ignore_index=True))
    return pd.DataFrame(rows), records


@pytest.fixture(scope="module")
def answer() -> Correlation:
    table, records = study()
    return sharpscope.correlate(table, by="arch", records=records)


def test_the_table_apart_holds_what_the_halves_hold() -> None:
    table, records = study()
    halves = HalvesOfSets(records)
    apart = apart_table(table, halves)
    assert set(apart["evidence"]) == {CROSS_HALF}
    cells = table[(table["set"] == "set1") & (table["measure"] == "sam")].sort_values("sha256")
    own = halves.of(cells)
    assert own is not None
    assert own.x.shape[1] == N_SPLITS
    assert apart.loc[cells.index, "value"].to_numpy() == pytest.approx(own.x[:, 0])
    assert apart.loc[cells.index, "eer"].to_numpy() == pytest.approx(own.y[:, 0])
    assert apart.loc[cells.index, "stderr"].to_numpy() == pytest.approx(cells["stderr"] * math.sqrt(2))
    width = apart.loc[cells.index, "eer_high"] - apart.loc[cells.index, "eer_low"]
    assert width.to_numpy() == pytest.approx(0.1 * math.sqrt(2))
    assert list(apart.index) == list(table.index)


def test_a_set_without_records_is_left_as_it_is_and_said_to_be() -> None:
    table, records = study()
    more = table[table["set"] == "set0"].assign(set="bare", trials_hash="none")
    apart = apart_table(pd.concat([table, more], ignore_index=True), HalvesOfSets(records))
    bare = apart[apart["set"] == "bare"]
    assert set(bare["evidence"]) == {SAME_TRIALS}
    assert bare["value"].tolist() == more["value"].tolist()
    assert set(evidence_of(apart, apart)) == {SOME}


def test_every_answer_says_that_its_two_sides_come_from_different_trials(
    answer: Correlation, tmp_path: object
) -> None:
    tested = answer.table["p"].notna()
    assert set(answer.table.loc[tested, "evidence"]) == {CROSS_HALF}
    assert set(answer.comparisons["evidence"]) == {CROSS_HALF}
    assert set(answer.questions["evidence"]) == {CROSS_HALF}
    write_correlation(answer, str(tmp_path))
    assert set(pd.read_csv(f"{tmp_path}/sentinels.csv")["evidence"]) == {CROSS_HALF}


def test_all_that_is_asked_of_one_way_agrees_with_the_test_of_record(answer: Correlation) -> None:
    """From the same trials these detectors, equal in truth, correlate by more than .5; across halves they do not."""
    joint = answer.table[(answer.table["scope"] == "mean_within") & (answer.table["measure"] == "sam")].iloc[
        0
    ]
    assert abs(joint["spearman"] - joint["spearman_same_trials"]) > 0.2
    own = answer.questions[answer.questions["measure"] == "sam"].set_index("question")
    for question in ("leave_one_checkpoint_out", "clusters_as_one"):
        assert own.loc[question, "estimate"] == pytest.approx(joint["spearman"])
    pair = answer.comparisons.iloc[0]
    assert pair["mean_within"] == pytest.approx(joint["spearman"])


def test_kendall_stands_for_the_same_halves_as_spearman(answer: Correlation) -> None:
    table, records = study()
    cells = table[(table["set"] == "set2") & (table["measure"] == "sam")].sort_values("sha256")
    own = HalvesOfSets(records).of(cells)
    assert own is not None
    x, y = own.x[:, 0], own.y[:, 0]
    found = answer.table
    row = found[(found["scope"] == "set") & (found["set"] == "set2") & (found["measure"] == "sam")].iloc[0]
    assert row["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert row["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert row["p_kendall"] == kendall_p(x, y)
    assert row["kendall"] != pytest.approx(stats.kendalltau(cells["value"], cells["eer"]).statistic)


def slow_frozen_p(ways: list[np.ndarray], y: np.ndarray, chosen: int) -> float:
    """Every order of the checkpoints, the choice made in each, by scipy's correlation."""

    def statistic(order: tuple[int, ...]) -> float:
        r = np.array(
            [[stats.spearmanr(x[list(order), j], y[:, j]).statistic for j in range(y.shape[1])] for x in ways]
        )
        return float(r[np.abs(r[:, :chosen].mean(axis=1)).argmax(), chosen:].mean())

    observed = abs(statistic(tuple(range(len(y)))))
    null = [abs(statistic(order)) for order in itertools.permutations(range(len(y)))]
    return float(np.mean([value >= observed - 1e-12 for value in null]))


def test_a_frozen_choice_is_made_again_in_every_order() -> None:
    rng = np.random.default_rng(5)
    y, ways = rng.normal(size=(5, 3)), [rng.normal(size=(5, 3)) for _ in range(2)]
    zy, ranked = standardised_ranks(y), [standardised_ranks(x) for x in ways]
    _, p, _ = frozen_p([(z[:, :2], zy[:, :2]) for z in ranked], [(z[:, 2:], zy[:, 2:]) for z in ranked])
    assert p == pytest.approx(slow_frozen_p(ways, y, 2))


def test_freeze_prints_p_values_that_know_of_the_choice() -> None:
    table, records = study(ways=(0.05, 0.02, 0.1))
    frozen = sharpscope.correlate(table, freeze=["set0"], records=records)
    sharp = frozen.table[frozen.table["measure"] == "sam"]
    mean = sharp[sharp["scope"] == "mean_within"].iloc[0]
    assert mean["adjusted_by"] == CHOSEN_ANEW
    assert mean["p"] == mean["p_headline"] == mean["p_adjusted"]
    fixed = sharpscope.correlate(
        table[table["set"] != "set0"], primary=f"sam@{mean['rho']:g}", records=records
    ).table
    beforehand = fixed[(fixed["scope"] == "mean_within") & (fixed["measure"] == "sam")].iloc[0]
    assert beforehand["spearman"] == pytest.approx(mean["spearman"])
    assert beforehand["p"] != mean["p"]
    assert sharp[sharp["scope"] == "set"]["p"].between(0, 1).all()
    assert sharp["p_max_t"].isna().all()
