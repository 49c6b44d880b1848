"""What is asked after the correlation: each answer against a slow or independent one."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results
from scipy.stats import rankdata, spearmanr

from sharpscope.analysis.clusters import find_clusters
from sharpscope.analysis.confounding import freedman_lane, mean_partial, partial_correlation
from sharpscope.analysis.correlate import correlate
from sharpscope.analysis.evidence import evidence_rows
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.permutation import max_t_p
from sharpscope.analysis.reliability import agreement, of_the_whole, split_halves
from sharpscope.analysis.robustness import COLUMNS, ask, mean_within
from sharpscope.analysis.trust import trust
from sharpscope.errors import UsageError
from sharpscope.results.measure_facts import is_control
from sharpscope.results.records import (
    KNOWN_OF_TRIALS,
    Place,
    Records,
    score_path,
    write_group_values,
    write_scores,
)
from sharpscope.scoring.eer import equal_error_rate

SETS = ("seen", "codec", "noise", "speakers", "languages")


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return make_results(
        sets=SETS,
        archs=("aasist", "tiny", "rawnet2"),
        recipes=("adam", "sam"),
        seeds=(0, 1, 2),
        measures=(("sam", 0.05), ("loss", math.nan), ("grad_norm", math.nan)),
    )


@pytest.fixture(scope="module")
def answers(results: pd.DataFrame) -> pd.DataFrame:
    return ask(results)


def wide(results: pd.DataFrame, measure: str, column: str = "value") -> pd.DataFrame:
    own = results[results["measure"] == measure]
    return own.pivot(index="sha256", columns="set", values=column)[list(SETS)]


def slow_mean(x: pd.DataFrame, y: pd.DataFrame) -> float:
    return float(np.mean([spearmanr(x[name], y[name]).statistic for name in x]))


def one(answers: pd.DataFrame, question: str, given: str = "", measure: str = "sam") -> pd.Series:
    found = answers[
        (answers["question"] == question) & (answers["measure"] == measure) & (answers["given"] == given)
    ]
    assert len(found) == 1, found
    return found.iloc[0]


def test_the_columns_are_fixed(answers: pd.DataFrame) -> None:
    assert tuple(answers.columns) == COLUMNS


def test_leaving_out_equals_doing_it_again(results: pd.DataFrame, answers: pd.DataFrame) -> None:
    x, y = wide(results, "sam"), wide(results, "sam", "eer")
    without = [slow_mean(x.drop(index=i), y.drop(index=i)) for i in x.index]
    row = one(answers, "leave_one_checkpoint_out")
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx(
        (slow_mean(x, y), min(without), max(without)), abs=1e-12
    )
    arch = results.drop_duplicates("sha256").set_index("sha256")["arch"].loc[x.index]
    by_arch = {name: slow_mean(x[arch != name], y[arch != name]) for name in arch.unique()}
    row = one(answers, "leave_one_architecture_out")
    assert (row["low"], row["high"]) == pytest.approx(
        (min(by_arch.values()), max(by_arch.values())), abs=1e-12
    )
    assert row["note"] == f"lowest without {min(by_arch, key=by_arch.__getitem__)}"


def test_the_lowest_set_is_named(results: pd.DataFrame, answers: pd.DataFrame) -> None:
    x, y = wide(results, "sam"), wide(results, "sam", "eer")
    each = {name: spearmanr(x[name], y[name]).statistic for name in SETS}
    row = one(answers, "lowest_set")
    assert row["set"] == min(each, key=each.__getitem__)
    assert row["estimate"] == pytest.approx(min(each.values()), abs=1e-12)


def test_seeds_of_a_recipe_are_one_piece_of_evidence(results: pd.DataFrame) -> None:
    means = results[results["measure"] == "sam"].groupby(["arch", "recipe", "set"])[["value", "eer"]].mean()
    each = [spearmanr(part["value"], part["eer"]).statistic for _, part in means.groupby("set")]
    row = one(evidence_rows(results, find_clusters(results)).assign(given=""), "seeds_as_one")
    assert row["n"] == 6
    assert row["estimate"] == pytest.approx(np.mean(each), abs=1e-12)
    assert row["p"] * 720 == pytest.approx(round(row["p"] * 720))  # all 6! orders


def test_granulated_kendall_compares_runs_that_differ_in_one_thing(
    results: pd.DataFrame, answers: pd.DataFrame
) -> None:
    own = results[results["measure"] == "sam"]
    per_set = []
    for _, cells in own.groupby("set"):
        # A seed is no setting: pairs with any two seeds count, as long as one of the settings is equal.
        psi = []
        for axis, other in (("arch", "recipe"), ("recipe", "arch")):
            taus = []
            for _, part in cells.groupby(other):
                pairs = [
                    (a, b)
                    for a, b in itertools.combinations(part.to_dict("records"), 2)
                    if a[axis] != b[axis]
                ]
                agree = [np.sign(a["value"] - b["value"]) * np.sign(a["eer"] - b["eer"]) for a, b in pairs]
                taus.append(np.mean(agree))
            psi.append(np.mean(taus))
        per_set.append(np.mean(psi))
    assert one(answers, "granulated_kendall")["estimate"] == pytest.approx(np.mean(per_set), abs=1e-12)


def test_partial_correlation_of_one_set_is_the_textbook_one() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(15, 1))
    x, y = z + rng.normal(size=(15, 1)), z + rng.normal(size=(15, 1))
    estimate, _ = freedman_lane(x, y, z)
    assert estimate == pytest.approx(partial_correlation(x[:, 0], y[:, 0], z)[0], abs=1e-12)
    assert mean_partial(x, y, z) == pytest.approx(estimate, abs=1e-12)
    both = [np.hstack([side, side + rng.normal(size=side.shape)]) for side in (x, y, z)]
    assert mean_partial(*both) == pytest.approx(freedman_lane(*both)[0], abs=1e-12)


def test_freedman_lane_equals_every_order_by_hand() -> None:
    """Six checkpoints, two sets: regress, permute residuals over checkpoints, add back, regress, correlate."""
    rng = np.random.default_rng(1)
    x, y, z = (rng.normal(size=(6, 2)) for _ in range(3))

    def residual(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        design = np.column_stack([np.ones(len(b)), b])
        return a - design @ np.linalg.lstsq(design, a, rcond=None)[0]

    def statistic(order: tuple[int, ...]) -> float:
        total = 0.0
        for j in range(2):
            rx, ry, rz = (rankdata(values[:, j]) for values in (x, y, z))
            rest = residual(ry, rz)
            again = (ry - rest) + rest[list(order)]
            total += np.corrcoef(residual(rx, rz), residual(again, rz))[0, 1]
        return total / 2

    observed = statistic(tuple(range(6)))
    null = [statistic(order) for order in itertools.permutations(range(6))]
    expected = np.mean(np.abs(null) >= abs(observed) - 1e-9)
    assert freedman_lane(x, y, z) == pytest.approx((observed, expected), abs=1e-9)


def test_a_confounder_is_seen_through() -> None:
    """Sharpness and error both follow the loss: the plain test rejects nearly always, the partial one at its level."""
    from sharpscope.analysis.rank_correlation import spearman_p

    plain = partial = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(12, 1))
        x, y = (z + 0.4 * rng.normal(size=(12, 1)) for _ in range(2))
        plain += spearman_p(x[:, 0], y[:, 0], rng=0) <= 0.05
        partial += freedman_lane(x, y, z)[1] <= 0.05
    assert plain / 200 > 0.8
    assert 0.01 <= partial / 200 <= 0.11


def test_partials_are_given_for_each_control_and_not_for_itself(answers: pd.DataFrame) -> None:
    given = answers[(answers["question"] == "partial") & (answers["measure"] == "sam")]["given"]
    assert set(given) == {"loss", "in-domain EER"}
    same = answers[(answers["question"] == "same_quantity") & (answers["measure"] == "sam")]
    assert same["given"].tolist() == ["grad_norm"]
    assert "the same quantity as sam, not a confounder" in same["note"].iloc[0]
    assert "loss" not in set(
        answers[(answers["question"] == "partial") & (answers["measure"] == "loss")]["given"]
    )


def test_shift_is_the_same_question_with_sets_in_place_of_checkpoints(
    results: pd.DataFrame, answers: pd.DataFrame
) -> None:
    x, y = wide(results, "sam"), wide(results, "sam", "eer")
    each = [spearmanr(x.loc[i], y.loc[i]).statistic for i in x.index]
    row = one(answers, "shift")
    assert row["estimate"] == pytest.approx(np.mean(each), abs=1e-12)
    assert row["p"] * 120 == pytest.approx(round(row["p"] * 120))  # all 5! orders of sets
    few = ask(results[results["set"].isin(SETS[:4])])
    refused = few[(few["question"] == "shift")].iloc[0]
    assert math.isnan(refused["p"])
    assert "fewer than 5" in refused["note"]


def test_equal_means_of_error_rates_are_ties() -> None:
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last place; recipes with those seeds share a rank."""
    rates = {
        "a": (0.1, 0.2, 0.3),
        "b": (0.3, 0.2, 0.1),
        "c": (0.2, 0.2, 0.2),
        "d": (0.5, 0.5, 0.5),
        "e": (0.0, 0.1, 0.2),
    }
    assert len({sum(own) / 3 for own in rates.values()}) > 3
    results = make_results(sets=("seen",), recipes=tuple(rates))
    given = [rates[row.recipe][int(row.seed)] for row in results.itertuples()]
    values = [float("acbde".index(row.recipe)) for row in results.itertuples()]
    results = results.assign(eer=given, value=values)
    found = one(evidence_rows(results, find_clusters(results)), "seeds_as_one")
    expected = spearmanr([0, 2, 1, 3, 4], [1, 1, 1, 2, 0]).statistic
    assert found["estimate"] == pytest.approx(expected, abs=1e-12)


def test_reliability_is_one_without_noise_and_bounds_the_correlation(results: pd.DataFrame) -> None:
    silent = results.assign(stderr=0.0)
    assert one(ask(silent), "reliability", "measure")["estimate"] == 1.0
    spread = results[results["measure"] == "sam"].groupby("set")["value"].var().mean()
    noisy = ask(results.assign(stderr=float(np.sqrt(spread))))
    row = one(noisy, "reliability", "measure")
    assert row["estimate"] < 0.6
    other = one(noisy, "reliability", "EER")["estimate"]
    assert one(noisy, "attenuation_bound", "intervals")["estimate"] == pytest.approx(
        math.sqrt(row["estimate"] * other)
    )


def test_max_t_equals_its_definition_and_lies_between_raw_and_bonferroni() -> None:
    rng = np.random.default_rng(0)
    null = rng.uniform(-1, 1, size=(500, 4))
    observed = np.array([0.99, 0.5, -0.9, 0.0])
    slow = [(1 + sum(max(abs(r) for r in row) >= abs(o) for row in null)) / 501 for o in observed]
    assert max_t_p(observed, np.abs(null).max(axis=1), exact=False).tolist() == pytest.approx(slow)
    table = correlate(
        make_results(sets=SETS, archs=("a", "b"), measures=(("sam", 0.05), ("sam", 0.01)))
    ).table
    tests = table[table["scope"] == "set"]
    assert tests["p_max_t"].notna().all()
    assert (tests["p_max_t"] >= tests["p"] - 0.011).all()
    # A single step is never worse than Bonferroni, but for the chance in the orders.
    assert (tests["p_max_t"] <= (len(tests) * tests["p"]).clip(upper=1) + 0.02).all()


def test_max_t_needs_the_same_checkpoints_in_every_test_of_a_family(results: pd.DataFrame) -> None:
    """A number that sharpness lacks leaves its family to Holm, and changes nothing for the controls."""
    assert not is_control(str(results["measure"].iloc[0]))
    keys = ["measure", "rho", "set"]
    whole, lost = (
        rows[rows["scope"] == "set"].set_index(keys)["p_max_t"].sort_index()
        for rows in (correlate(results).table, correlate(results.drop(index=results.index[0])).table)
    )
    control = lost.index.get_level_values("measure").map(is_control).to_numpy(bool)
    assert whole.notna().all()
    assert lost[~control].isna().all()
    pd.testing.assert_series_equal(lost[control], whole[control])


def test_words_say_what_the_answers_are(answers: pd.DataFrame) -> None:
    words = trust(answers)
    row = one(answers, "leave_one_checkpoint_out")
    assert f"{row['estimate']:.2f}" in words
    assert "given loss" in words
    assert trust(answers[answers["question"] == "shift"]) == ""


def test_constant_columns_and_single_sets_give_no_number() -> None:
    assert math.isnan(mean_within(np.ones((5, 2)), np.arange(10.0).reshape(5, 2)))
    table = make_results(sets=("only",), archs=("a", "b"))
    answers = ask(table.assign(value=1.0))
    assert answers[answers["question"] != "reliability"]["estimate"].isin([0.0, math.nan]).all()


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_reliability_of_the_whole_is_the_share_of_the_signal(noise: float) -> None:
    rng = np.random.default_rng(0)
    groups, difficulty = 24, rng.normal(size=(1, 24)) * 5
    values = rng.normal(size=(2000, 1)) + difficulty + noise * rng.normal(size=(2000, groups))
    # Pearson's reliability of a mean over groups is 1 / (1 + noise^2 / groups); ranks lose little of it.
    expected = 1 / (1 + noise**2 / groups)
    one, other = (part.mean(axis=1, keepdims=True) for part in np.split(values, 2, axis=1))
    assert of_the_whole(agreement(one, other)) == pytest.approx(expected, abs=0.02)
    assert np.isnan(agreement(one[:2], other[:2]))
    assert np.isnan(of_the_whole(math.nan))


def test_the_whole_of_two_halves_ranks_as_a_second_set_would() -> None:
    """Reliability is by definition the correlation with a parallel test: here the same detectors on new trials."""
    rng = np.random.default_rng(3)
    strength = rng.uniform(1.5, 2.5, 150)
    truth = np.arange(240) < 120

    def scored() -> np.ndarray:
        shared = rng.normal(0, 0.7, 240)  # how hard a trial is for every detector
        return strength[:, None] * truth + shared + rng.normal(0, 0.7, (150, 240))

    def rates(scores: np.ndarray, kept: np.ndarray) -> np.ndarray:
        return np.array([equal_error_rate(own[truth & kept], own[~truth & kept]).eer for own in scores])

    halves, parallel = [], []
    half, every = np.arange(240) % 2 == 0, np.ones(240, dtype=bool)
    for _ in range(12):
        one, two = scored(), scored()
        halves.append(of_the_whole(agreement(rates(one, half)[:, None], rates(one, ~half)[:, None])))
        parallel.append(float(spearmanr(rates(one, every), rates(two, every)).statistic))
    assert 0.3 < np.mean(parallel) < 0.9
    assert np.mean(halves) == pytest.approx(np.mean(parallel), abs=0.05)


def test_other_trials_and_too_many_have_no_halves_and_damaged_files_are_named(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    """One checkpoint has other trials on one set; a file is damaged, then of another measurement."""
    rng = np.random.default_rng(4)
    sam = results[results["measure"] == "sam"]
    labels, group = np.arange(40) % 2, np.arange(40) // 10
    path = tmp_path / "r.csv"
    for number, row in enumerate(sam.to_dict("records")):
        bonafide = 2.0 * labels + rng.normal(0, 1, 40)
        scores = {"trial": [f"{'x' * (number == 0)}t{i}" for i in range(40)], "score": bonafide}
        scores |= {"label": np.where(labels == 1, "bonafide", "spoof"), "logit_spoof": 0.0}
        scores |= {"logit_bonafide": bonafide, "group": group}
        write_scores(path, Place.of(row), pd.DataFrame(scores | dict.fromkeys(KNOWN_OF_TRIALS, "")))
        cell = {"measure": "sam", "rho": repr(row["rho"]), "n_trials": "10"}
        write_group_values(
            path, Place.of(row), [cell | {"group": str(g), "value": repr(rng.normal())} for g in range(4)]
        )
    halves = HalvesOfSets(Records.beside(path))
    found = {name: halves.of(cells.sort_values("sha256")) for name, cells in sam.groupby("set")}
    assert [name for name, one in found.items() if one is None] == [sam["set"].iloc[0]]
    assert "other trials for some checkpoints" in halves.reasons[(sam["set"].iloc[0], "")]
    rows = list(split_halves(sam, halves))
    assert {row["given"] for row in rows} == {"measure", "EER", "split halves"}
    assert all(row["note"].startswith("4 sets") for row in rows)
    many = sam[sam["set"] == SETS[1]].assign(n_bonafide=1e9).sort_values("sha256")
    assert HalvesOfSets(Records.beside(path)).of(many) is None
    file = score_path(path, sam[sam["set"] == SETS[1]].iloc[0])
    whole, cells = file.read_text(), sam[sam["set"] == SETS[1]].sort_values("sha256")
    file.write_text("".join(whole.splitlines(keepends=True)[:2]) + "t0 bonafide much\n")
    with pytest.raises(UsageError, match="not a score file"):
        HalvesOfSets(Records.beside(path)).of(cells)
    file.write_text(whole.replace("m=32", "m=8", 1))
    with pytest.raises(UsageError, match="of another measurement than the row's"):
        HalvesOfSets(Records.beside(path)).of(cells)


def test_a_set_without_halves_is_no_set_without_reliability(results: pd.DataFrame, tmp_path: Path) -> None:
    """On one set all checkpoints score alike: its EER has no reliability, and the bound is that of the other sets."""
    rng = np.random.default_rng(5)
    labels = np.arange(60) % 2
    sam = results[(results["measure"] == "sam") & (results["rho"] == results["rho"].max())]
    for number, row in enumerate(sam.itertuples()):
        place = Place.of(row._asdict())
        far = 0.1 * (number // len(SETS)) if row.set != "seen" else 5.0
        bonafide = far * labels + (rng.normal(0, 0.3, 60) if row.set != "seen" else 0)
        logits = np.stack([np.zeros(60), bonafide], axis=1)
        scores = {"trial": [f"t{i}" for i in range(60)], "label": np.where(labels == 1, "bonafide", "spoof")}
        scores |= {"score": bonafide, "logit_spoof": logits[:, 0], "logit_bonafide": bonafide}
        scores["group"] = np.arange(60) // 10
        write_scores(tmp_path / "r.csv", place, pd.DataFrame(scores | dict.fromkeys(KNOWN_OF_TRIALS, "")))
        cell = {
            "measure": row.measure,
            "rho": repr(row.rho),
            "n_trials": "10",
        }
        groups = [cell | {"group": str(g), "value": repr(row.value + 1e-9 * rng.normal())} for g in range(6)]
        write_group_values(tmp_path / "r.csv", place, groups)
    halves = HalvesOfSets(Records.beside(tmp_path / "r.csv"))
    found = ask(sam.assign(n_bonafide=30, n_spoof=30), halves=halves)
    eer = found[(found["question"] == "split_half") & (found["given"] == "EER")].iloc[0]
    bound = found[(found["question"] == "attenuation_bound") & (found["given"] == "split halves")].iloc[0]
    assert eer["note"].startswith(f"{len(SETS) - 1} sets")
    assert "halves agree by" in eer["note"]
    assert bound["note"].startswith(f"{len(SETS) - 1} sets")
    assert bound["low"] > 0.3


def test_the_words_take_halves_before_intervals(results: pd.DataFrame) -> None:
    answers = ask(results)
    assert "were the errors of the EERs independent" in trust(answers)
    ways = answers[answers["question"] == "leave_one_checkpoint_out"]
    halves = ways.assign(question="attenuation_bound", given="split halves", estimate=0.5)
    assert "lets no correlation above 0.50 through" in trust(pd.concat([answers, halves]))
    assert "independent" not in trust(pd.concat([answers, halves]))
    assert "lets no correlation through" in trust(pd.concat([answers, halves.assign(estimate=0.0)]))
    wide = ask(results.assign(eer_low=0.0, eer_high=1.0))
    assert "wider than checkpoints lie apart" in trust(wide)


def test_groups_without_scores_have_no_halves_and_why_is_said(results: pd.DataFrame, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for row in results.drop_duplicates([*Place._fields]).to_dict("records"):
        place = Place.of(row)
        here = results[(results["sha256"] == place.sha256) & (results["set"] == place.set)]
        rows = [
            {
                "group": str(group),
                "measure": str(own.measure),
                "rho": "" if pd.isna(own.rho) else repr(own.rho),
                "value": repr(own.value + 1e-6 * rng.normal()),
                "n_trials": "8",
            }
            for own in here.itertuples()
            for group in range(6)
        ]
        write_group_values(tmp_path / "r.csv", place, rows)
    for path, why in (("r.csv", "no scores of trials"), ("nowhere.csv", "no values of groups")):
        halves = HalvesOfSets(Records.beside(tmp_path / path))
        assert ask(results, halves=halves)["question"].ne("split_half").all()
        assert all(reason.startswith(why) for reason in halves.reasons.values())
        assert set(halves.reasons) == {(name, "") for name in SETS}
