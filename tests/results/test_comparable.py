"""What must be said of rows before they are correlated."""

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results

from sharpscope.errors import UsageError
from sharpscope.results.comparable import eligible_rows


def warnings_of(results: pd.DataFrame, *, allow_mixed: bool = False) -> str:
    return "\n".join(eligible_rows(results, allow_mixed=allow_mixed)[1])


def test_checkpoints_on_other_trials_are_refused_unless_mixed_ones_are_allowed() -> None:
    results = make_results().assign(trials_hash="aa")
    assert "draws of trials" not in warnings_of(results)
    first = results["sha256"] == results["sha256"].iloc[0]
    results.loc[first, "trials_hash"] = "bb"
    words = r"2 different draws of trials of seen \(rigorous, m 32\).* \(and 1 more differences\); .*--allow-mixed"
    with pytest.raises(UsageError, match=words):
        eligible_rows(results)
    assert "2 different draws of trials of seen (rigorous, m 32)" in warnings_of(results, allow_mixed=True)


def test_sets_of_other_sizes_are_refused_too() -> None:
    results = make_results()
    results.loc[results["sha256"] == results["sha256"].iloc[0], "n_spoof"] = 7.0
    with pytest.raises(UsageError, match=r"other numbers of trials of seen \(rigorous, m 32\): "):
        eligible_rows(results)
    assert "other numbers of trials of codec" in warnings_of(results, allow_mixed=True)


def test_other_number_formats_are_refused_and_other_versions_told() -> None:
    results = make_results()
    first = results["sha256"] == results["sha256"].iloc[0]
    results["dtype"] = np.where(first, "float64", "float32")
    results["version"] = np.where(first, "0.1.0", "0.2.0")
    with pytest.raises(
        UsageError, match=r"number formats \(float32, float64\); measure them alike, or go on"
    ):
        eligible_rows(results)
    assert "versions of sharpscope (0.1.0, 0.2.0)" in warnings_of(results.assign(dtype="float32"))
    said = warnings_of(results, allow_mixed=True)
    assert "number formats (float32, float64)" in said
    assert "versions of sharpscope (0.1.0, 0.2.0)" in said


def test_cells_without_a_finite_number_are_told() -> None:
    results = make_results()
    results.loc[results.index[0], "value"] = np.inf
    results.loc[results.index[1], "eer"] = np.nan
    assert f"2 of {len(results)} rows hold no finite number" in warnings_of(results)
