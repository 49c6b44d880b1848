"""Rows of evidence from a results table: what is exchanged, inside what, over which sets."""

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results

from sharpscope.analysis.clustered_tests import joint_test
from sharpscope.analysis.clusters import find_clusters
from sharpscope.analysis.evidence import COLUMNS, evidence_rows, level_of_evidence, note_spreads, unequal_ways
from sharpscope.errors import UsageError
from sharpscope.results.measured_rates import ONE_SET_SPREADS


def test_recipes_are_permuted_where_there_are_five() -> None:
    results = make_results(archs=("a", "b", "c"), recipes=("adam", "sam"), seeds=(0, 1))
    clusters = find_clusters(results)
    assert level_of_evidence(clusters) == ("recipe", None)
    rows = evidence_rows(results, clusters, by="arch")
    assert list(rows.columns) == list(COLUMNS)
    assert rows["question"].tolist() == ["clusters_as_one", "seeds_as_one", "within_arch"]
    assert rows["n"].tolist() == [6, 6, 6]
    assert rows["p"][1] == rows["p"][0]
    assert rows["note"][1] == "means of 12 checkpoints"
    wide = [results.pivot(index="sha256", columns="set", values=name).to_numpy() for name in ("value", "eer")]
    by_hand = joint_test(*wide, labels=np.repeat(np.arange(6), 2))
    assert rows["p"][0] == by_hand.p
    assert rows["note"][2] == "too few orders inside strata to reach 5 %"


def test_few_recipes_leave_runs_inside_them() -> None:
    results = make_results(recipes=("adam", "sam"), seeds=range(5))
    clusters = find_clusters(results)
    assert level_of_evidence(clusters) == ("run", "recipe")
    rows = evidence_rows(results, clusters, by="recipe")
    assert rows["given"].tolist() == ["runs inside recipes", "", "runs inside recipes"]
    assert rows["p"][0] == rows["p"][2]
    assert rows["note"][1].endswith("fewer than 5 pieces of evidence cannot reach 5 %")
    assert rows["n"][0] == 10


def test_an_unknown_grouping_is_named() -> None:
    results = make_results()
    with pytest.raises(UsageError, match="unknown grouping 'seed'"):
        evidence_rows(results, find_clusters(results), by="seed")


def test_architectures_that_vary_unequally_are_studentised_and_said() -> None:
    results = make_results(archs=("a", "b"), recipes=("r1", "r2", "r3", "r4"), seeds=(0,))
    wild = results["arch"] == "b"
    results.loc[wild, ["value", "eer"]] = results.loc[wild, ["value", "eer"]] * 20
    rows = evidence_rows(results, find_clusters(results))
    assert rows["note"][0] == "architectures vary unequally: studentised"


def test_unequal_spreads_are_said_beside_each_p_value() -> None:
    way = {"measure": "sam", "rho": 0.05, "m": 8.0, "preset": "", "set": "s", "subset": "", "recipe": ""}
    table = pd.DataFrame(
        [
            way
            | {"checkpoint": f"{a}{i}", "sha256": f"{a}{i}", "arch": a, "seed": float("nan")}
            | {"value": scale * i, "eer": scale * i}
            for a, scale in (("a", 1.0), ("b", 9.0))
            for i in range(4)
        ]
    )
    alike = table.assign(value=table["value"].where(table["arch"] == "a", table["value"] / 9))
    rows = [
        way | {"scope": "set", "p": 0.01, "note": "seen"},
        way | {"scope": "set", "p": np.nan, "note": ""},
    ]
    for results, ends in (
        (table, f"{ONE_SET_SPREADS.words} reject at 5 % without an effect"),
        (alike, "seen"),
    ):
        found = pd.DataFrame(rows)
        note_spreads(found, unequal_ways(results, find_clusters(results)))
        assert found["note"][0].startswith("seen")
        assert found["note"][0].endswith(ends)
        assert found["note"][1] == ""
