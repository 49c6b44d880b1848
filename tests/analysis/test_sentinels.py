"""Sentinels beside a measure: chance, names, and sharpness on other sets."""

import numpy as np
from results_tables import make_results
from scipy import stats

from sharpscope.analysis.sentinels import COLUMNS, elsewhere, sentinel_rows


def test_a_measure_of_the_set_beats_chance_and_names() -> None:
    results = make_results(sets=("a", "b", "c"), archs=("t", "u"), seeds=range(4))
    rng = np.random.default_rng(0)
    results["eer"] = results["value"] + 0.001 * rng.normal(size=len(results))
    rows = sentinel_rows(results).set_index("sentinel")
    assert set(rows.columns) | {"sentinel"} == set(COLUMNS)
    assert rows.loc["random", "estimate"] > 0.9
    assert rows.loc["random", "p"] < 0.01
    assert rows.loc["name", "n"] == 16


def test_where_only_the_checkpoint_matters_other_sets_do_as_well() -> None:
    results = make_results(sets=("a", "b", "c", "d"), archs=("t", "u"), seeds=range(4))
    rng = np.random.default_rng(1)
    quality = dict(zip(results["sha256"].unique(), rng.normal(size=16), strict=True))
    results["value"] = results["sha256"].map(quality) + 0.3 * rng.normal(size=len(results))
    results["eer"] = results["sha256"].map(quality) + 0.3 * rng.normal(size=len(results))
    row = sentinel_rows(results).set_index("sentinel").loc["other_sets"]
    assert row["sentinel_estimate"] > 0.7
    assert row["p"] > 0.05


def test_the_estimate_is_the_mean_of_the_correlations() -> None:
    results = make_results(sets=("a", "b"), archs=("t",), seeds=range(4))
    row = sentinel_rows(results).iloc[2]
    value, eer = (results.pivot(index="sha256", columns="set", values=name) for name in ("value", "eer"))
    other = value[["b", "a"]].to_numpy()
    expected = np.mean([stats.spearmanr(other[:, j], eer.to_numpy()[:, j]).statistic for j in range(2)])
    assert abs(row["sentinel_estimate"] - expected) < 1e-12


def test_one_set_has_no_other() -> None:
    rows = sentinel_rows(make_results(sets=("a",))).set_index("sentinel")
    assert rows.loc["other_sets", "note"] == "one set; there is no other"
    assert np.isfinite(rows.loc["random", "p"])
    assert elsewhere(np.eye(3)).shape == (3, 3)
