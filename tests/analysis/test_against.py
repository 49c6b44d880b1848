"""Other errors for the rows of a results table, from the scores beside it."""

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results

from sharpscope.analysis.against import against, errors_of_table
from sharpscope.errors import UsageError
from sharpscope.results.records import Place, Records
from sharpscope.scoring.errors import Scores, error_of


def with_scores(shift: float = 3.0) -> tuple[pd.DataFrame, Records]:
    """A table of two sets; on the second all scores are shifted, and trials name attacks and speakers."""
    results = make_results(sets=("home", "away"), seeds=(0, 1))
    results[["trials_hash", "spec_hash"]] = "0123456789ab"
    rng, records = np.random.default_rng(0), Records()
    for row in results.to_dict("records"):
        scores = np.r_[rng.normal(2, 1, 60), rng.normal(-2, 1, 60)] + (shift if row["set"] == "away" else 0)
        table = pd.DataFrame(
            {"label": np.repeat(["bonafide", "spoof"], 60), "score": scores}
            | {
                "speaker": np.tile(np.arange(6), 20).astype(str),
                "attack": np.tile(["A1", "A2"], 60),
                "codec": "",
            }
        )
        records.add(Place.of(row), table, pd.DataFrame({"measure": [], "rho": []}))
    return results, records


def test_every_checkpoint_and_set_has_every_error() -> None:
    results, records = with_scores()
    found = errors_of_table(results, records, threshold_from="home")
    assert len(found) == 4 * 2 * 7
    row = results[results["set"] == "away"].iloc[0].to_dict()
    table = records.scores(row)
    assert table is not None
    away = Scores(
        *(table.loc[table["label"] == label, "score"].to_numpy() for label in ("bonafide", "spoof"))
    )
    shown = found[(found["sha256"] == row["sha256"]) & (found["set"] == "away")].set_index("error")["value"]
    assert shown["cllr"] == error_of("cllr", away)
    assert shown["eer"] < 0.1
    assert shown["hter"] > 0.3


def test_attacks_stand_against_all_bona_fide_trials_and_intervals_are_over_speakers() -> None:
    results, records = with_scores()
    found = errors_of_table(results, records, ["eer"], by="attack", n_resamples=20)
    assert set(found["group"]) == {"", "A1", "A2"}
    whole = found[found["group"] == ""]
    assert (whole["low"] <= whole["value"]).all()
    assert (whole["value"] <= whole["high"]).all()


def test_another_error_takes_the_place_of_eer() -> None:
    results, records = with_scores()
    changed, said = against(results, records, "hter", threshold_from="home")
    assert set(changed["set"]) == {"away"}
    assert (changed["eer"] > 0.3).all()
    assert said == (
        "Error is hter: half total error rate at the threshold of an in-domain set's equal error rate, taken from home."
    )
    lost, said = against(results, records, "auc")
    assert (lost["eer"] < 0.1).all()
    assert said.startswith("Error is 1 - auc: ")


def test_what_is_missing_is_named() -> None:
    results, records = with_scores()
    with pytest.raises(UsageError, match="no scores lie beside the table"):
        errors_of_table(results, Records())
    with pytest.raises(UsageError, match="--threshold-from"):
        errors_of_table(results, records, ["hter"])
    with pytest.raises(UsageError, match="unknown set in the table 'hom'; did you mean 'home'"):
        errors_of_table(results, records, ["hter"], threshold_from="hom")
    with pytest.raises(UsageError, match="unknown error"):
        errors_of_table(results, records, ["dcf"])
    only = results[(results["set"] == "away") | (results["seed"] == 0)]
    with pytest.raises(UsageError, match="has no scores on home"):
        errors_of_table(only, records, ["gap"], threshold_from="home")
