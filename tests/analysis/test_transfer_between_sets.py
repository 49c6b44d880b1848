"""Sharpness on one set against error on another: a slow reference, levels, epochs as one, and shared trials."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results
from scipy import stats

from sharpscope.analysis.correlate import correlate, write_correlation
from sharpscope.analysis.cross_half import correlate_halves
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.transfer import COLUMNS, in_domain_sets, say_transfer, transfer
from sharpscope.results.records import KNOWN_OF_TRIALS, Place, Records


def study(n: int = 6, sets: int = 3, *, seed: int = 0, link: float = 0.0) -> pd.DataFrame:
    """Return detectors whose sharpness on any set has to do with their error everywhere by ``link``."""
    rng = np.random.default_rng(seed)
    table = make_results(
        sets=[f"s{i}" for i in range(sets)],
        recipes=[f"r{i}" for i in range(n)],
        seeds=(0,),
        measures=(("sam", 0.05), ("sam", 0.01), ("loss", float("nan"))),
    )
    quality = pd.Series(rng.normal(size=n), index=table["sha256"].unique())
    cells = table.groupby(["sha256", "set"]).ngroup()
    noise = rng.normal(size=cells.max() + 1)
    table["eer"] = stats.norm.cdf(-1.5 + 0.3 * (table["sha256"].map(quality) + 0.3 * noise[cells]))
    table["value"] = link * table["sha256"].map(quality) + rng.normal(size=len(table))
    return table


def brute_force(table: pd.DataFrame) -> dict[tuple[str, str, float], tuple[float, float, float]]:
    """Enumerate every order of six detectors for every pair of sets and way."""
    sharp = table[table["measure"] == "sam"]
    x = sharp.pivot(index="sha256", columns=["set", "rho"], values="value")
    y = sharp.drop_duplicates(["sha256", "set"]).pivot(index="sha256", columns="set", values="eer")
    pairs = [(source, target, rho) for source, rho in x.columns for target in y.columns if source != target]
    null = np.array(
        [
            [
                stats.spearmanr(x[(s, rho)].to_numpy()[list(order)], y[t].to_numpy()).statistic
                for s, t, rho in pairs
            ]
            for order in itertools.permutations(range(len(x)))
        ]
    )
    observed, highest = null[0], np.abs(null).max(axis=1)
    return {
        pair: (
            observed[j],
            float((np.abs(null[:, j]) >= abs(observed[j]) - 1e-9).mean()),
            float((highest >= abs(observed[j]) - 1e-9).mean()),
        )
        for j, pair in enumerate(pairs)
    }


def test_correlations_and_both_p_values_are_those_of_enumeration() -> None:
    table = study(5, 2, link=1.0)
    found = transfer(table, HalvesOfSets(None))
    assert list(found.columns) == list(COLUMNS)
    off = found[(found["source_set"] != found["target_set"]) & (found["measure"] == "sam")]
    expected = brute_force(table)
    assert len(off) == len(expected) == 4
    for row in off.to_dict("records"):
        r, p, adjusted = expected[(row["source_set"], row["target_set"], row["rho"])]
        assert row["spearman"] == pytest.approx(r)
        assert (row["p"], row["p_adjusted"]) == (pytest.approx(p), pytest.approx(adjusted))
    assert set(found["measure"]) == {"sam", "eer"}


def test_without_an_effect_the_smallest_adjusted_p_is_below_five_percent_in_five_percent_of_studies() -> None:
    smallest = []
    for seed in range(30):
        found = transfer(study(6, 2, seed=seed), HalvesOfSets(None))
        # The error rate on other sets, the baseline, does go with error: these detectors differ in quality.
        smallest.append(found.loc[found["measure"] == "sam", "p_adjusted"].min())
    assert np.mean(np.array(smallest) <= 0.05) <= 0.1


def test_epochs_of_a_run_count_once() -> None:
    table = study(6, 2, link=1.0)
    twin = table.assign(sha256=table["sha256"] + "x", value=table["value"] + 0.01)
    both = pd.concat([table, twin], ignore_index=True)
    found = transfer(both, HalvesOfSets(None))
    off = found[(found["source_set"] != found["target_set"])]
    assert set(off["n"]) == {6}
    alone = transfer(table, HalvesOfSets(None))
    assert off["p"].tolist() == alone[alone["source_set"] != alone["target_set"]]["p"].tolist()


def test_a_set_without_error_rates_is_a_source_and_no_target() -> None:
    table = study(6, 3, link=1.0)
    table.loc[table["set"] == "s2", "eer"] = np.nan
    found = transfer(table, HalvesOfSets(None))
    assert "s2" in set(found["source_set"])
    assert "s2" not in set(found["target_set"])


def records_of(table: pd.DataFrame, names: dict[str, list[str]]) -> Records:
    """Return records whose trials are called as given, with four groups of two."""
    rng = np.random.default_rng(1)
    records = Records()
    for row in table.drop_duplicates(["sha256", "set"]).to_dict("records"):
        own = names[row["set"]]
        label = np.array(["bonafide", "spoof"] * (len(own) // 2))
        score = np.where(label == "bonafide", 1.0, 0.0) + rng.normal(size=len(own))
        scores = pd.DataFrame({"trial": own, "label": label, "score": score, "logit_spoof": -score})
        scores = scores.assign(logit_bonafide=score, group=np.arange(len(own)) // 2)
        scores = scores.assign(**dict.fromkeys(KNOWN_OF_TRIALS, ""))
        groups = pd.DataFrame(
            [
                {"group": g, "measure": measure, "rho": rho, "value": rng.normal(), "n_trials": 2}
                for measure, rho in (("sam", 0.05), ("sam", 0.01), ("loss", np.nan))
                for g in range(len(own) // 2)
            ]
        )
        records.add(Place.of(row), scores, groups)
    return records


def test_the_diagonal_is_that_of_halves_and_sets_with_common_trials_are_no_pair() -> None:
    table = study(8, 2)
    table.loc[table["set"] == "s1", ["set", "subset"]] = ["s0", "part"]
    names = {"s0": [f"t{i}" for i in range(40)]}
    halves = HalvesOfSets(records_of(table, names))
    # Both parts have the same place but for the subset, so the records are made once for each.
    other = records_of(table[table["subset"] == "part"], names)
    assert halves.records is not None
    halves.records._scores |= other._scores
    halves.records._groups |= other._groups
    found = transfer(table, halves)
    off = found[found["source_set"] != found["target_set"]]
    assert off["spearman"].isna().all()
    own = found[(found["source_set"] == "s0") & (found["target_set"] == "s0") & (found["rho"] == 0.05)]
    cells = table[(table["subset"] == "") & (table["rho"] == 0.05)].sort_values("sha256")
    split = halves.of(cells)
    assert split is not None
    answer = correlate_halves(split)
    assert own["spearman"].iloc[0] == pytest.approx(answer.spearman)
    assert own["p"].iloc[0] == pytest.approx(answer.p)


def test_the_summary_tells_of_the_in_domain_set_and_the_matrix_is_written(tmp_path: Path) -> None:
    table = study(8, 3, link=3.0)
    assert in_domain_sets(table) == ["s0"]
    done = correlate(table)
    assert "sharpness on the in-domain s0 against the error on s1, s2, no trial in both" in done.summary
    assert "The error rate on s0 itself gives" in done.summary
    files = write_correlation(done, tmp_path)
    read = pd.read_csv(next(f for f in files if f.name == "transfer.csv"))
    assert list(read.columns) == list(COLUMNS)
    assert say_transfer(done.transfer, []) == ""
