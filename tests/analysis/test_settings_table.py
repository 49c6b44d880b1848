"""Measures against settings of recipes."""

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results

from sharpscope.analysis.settings_table import settings_in_names, settings_table
from sharpscope.errors import UsageError


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["adam lr=1e-4", "adam lr=3e-4"], {"lr": [1e-4, 3e-4]}),
        (["sam_lr0.001_rho0.05", "sam_lr0.001_rho0.1"], {"rho": [0.05, 0.1]}),
        (["adam", "sam"], {}),
        (["wav2vec2", "hubert"], {}),
    ],
)
def test_settings_are_read_from_names(names: list[str], found: dict[str, list[float]]) -> None:
    assert settings_in_names(pd.Series(names)).to_dict("list") == found


def test_a_measure_that_is_the_learning_rate_is_found_out() -> None:
    results = make_results(archs=("t", "u", "v"), recipes=("a", "b", "c", "d"), seeds=(0,))
    recipes = results.drop_duplicates("sha256").set_index("sha256")["recipe"]
    settings = pd.DataFrame({"lr": recipes.map({"a": 1e-4, "b": 3e-4, "c": 1e-3, "d": 3e-3})})
    rng = np.random.default_rng(0)
    results["value"] = np.log(results["sha256"].map(settings["lr"])) + 0.1 * rng.normal(size=len(results))
    row = settings_table(results, settings).iloc[0]
    assert row["spearman"] > 0.9
    assert row["p"] < 0.01
    assert row["n"] == 12
    assert abs(row["spearman_with_error"]) < 0.9


def test_seeds_of_a_setting_count_once() -> None:
    results = make_results(recipes=("a", "b", "c", "d", "e", "f"), seeds=(0, 1, 2))
    recipes = results.drop_duplicates("sha256").set_index("sha256")["recipe"]
    settings = pd.DataFrame({"lr": recipes.map(dict(zip("abcdef", range(6), strict=True))).astype(float)})
    row = settings_table(results, settings, labels=pd.Series(pd.factorize(recipes)[0], recipes.index)).iloc[0]
    assert row["n"] == 6


def test_settings_that_do_not_vary_or_fit_are_said() -> None:
    results = make_results()
    settings = pd.DataFrame({"lr": 1.0}, index=results["sha256"].unique())
    assert settings_table(results, settings).iloc[0]["note"] == "the setting does not vary"
    with pytest.raises(UsageError, match="indexed by sha256"):
        settings_table(results, pd.DataFrame({"lr": [1.0]}, index=["x"]))
