"""Measures of other fields for a results table."""

import numpy as np
from results_tables import make_results

from sharpscope.analysis.field_measures import granulated_kendall, worst_sign_error
from sharpscope.analysis.field_rows import COLUMNS, field_rows


def test_every_question_is_asked_of_every_set() -> None:
    results = make_results(archs=("a", "b"), recipes=("adam", "sam"), seeds=(0, 1))
    rows = field_rows(results)
    assert list(rows.columns) == list(COLUMNS)
    assert set(rows["question"]) == {
        "pair_information",
        "worst_sign_error",
        "granulated_kendall",
        "soft_pairwise_accuracy",
    }
    assert set(rows["set"]) == {"seen", "codec"}
    assert rows["n"].eq(8).all()
    with_p = rows["question"].isin(["pair_information", "soft_pairwise_accuracy"])
    assert rows.loc[with_p, "p"].between(0, 1).all()


def test_the_numbers_are_those_of_the_arrays() -> None:
    results = make_results(archs=("a", "b"), recipes=("adam", "sam"), seeds=(0, 1))
    results["eer"] = results["eer"] * 4
    rows = field_rows(results)
    part = results[results["set"] == "codec"].sort_values("sha256")
    settings = part[["arch", "recipe"]].to_numpy(dtype=str)
    value, eer = part["value"].to_numpy(), part["eer"].to_numpy()
    here = rows[rows["set"] == "codec"].set_index("question")
    assert here.loc["granulated_kendall", "estimate"] == granulated_kendall(value, eer, settings)[0]
    signs = worst_sign_error(value, eer, settings, n_trials=np.full(8, 400.0))
    assert here.loc["worst_sign_error", "estimate"] == signs.worst


def test_one_architecture_and_recipe_leave_what_needs_no_settings() -> None:
    rows = field_rows(make_results(recipes=("adam",), seeds=range(6)))
    assert set(rows["question"]) == {"soft_pairwise_accuracy"}


def test_pairs_that_are_all_noise_are_said_to_be() -> None:
    results = make_results(archs=("a", "b"), seeds=(0, 1))
    results["eer"] = 0.1 + 1e-4 * results["eer"]
    rows = field_rows(results).set_index("question")
    assert "16 of 16 pairs within noise left out" in rows.loc["worst_sign_error", "note"].iloc[0]
