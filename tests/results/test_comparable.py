"""What must be said of rows before they are correlated."""

import numpy as np
import pandas as pd
from results_tables import make_results

from sharpscope.results.comparable import eligible_rows


def warnings_of(results: pd.DataFrame) -> str:
    return "\n".join(eligible_rows(results)[1])


def test_checkpoints_on_other_trials_are_told() -> None:
    results = make_results().assign(trials_hash="aa")
    assert "draws of trials" not in warnings_of(results)
    first = results["sha256"] == results["sha256"].iloc[0]
    results.loc[first, "trials_hash"] = "bb"
    assert "2 different draws of trials of seen (rigorous, m 32)" in warnings_of(results)


def test_other_number_formats_and_versions_are_told() -> None:
    results = make_results()
    first = results["sha256"] == results["sha256"].iloc[0]
    results["dtype"] = np.where(first, "float64", "float32")
    results["version"] = np.where(first, "0.1.0", "0.2.0")
    said = warnings_of(results)
    assert "number formats (float32, float64)" in said
    assert "versions of sharpscope (0.1.0, 0.2.0)" in said


def test_cells_without_a_finite_number_are_told() -> None:
    results = make_results()
    results.loc[results.index[0], "value"] = np.inf
    results.loc[results.index[1], "eer"] = np.nan
    assert f"2 of {len(results)} rows hold no finite number" in warnings_of(results)
