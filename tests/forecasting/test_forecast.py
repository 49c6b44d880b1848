"""From a table and its scores to a forecast: coverage, order, honesty, refusals, and what may not be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.stats import norm

import sharpscope
from benchmarks.forecast_coverage import POPULATIONS, coverage
from sharpscope.analysis.adjustment import holm
from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.forecasting.audit import pairs_right, sign_flip_p, verdicts
from sharpscope.forecasting.forecast import Forecast, forecast
from sharpscope.forecasting.model import fit_line, half_width, quality, weights_of
from sharpscope.results.appending import append_results
from sharpscope.results.records import KNOWN_OF_TRIALS, Place, Records, write_scores
from sharpscope.results.table import COLUMNS, TEXT_COLUMNS
from sharpscope.scoring.eer import equal_error_rate


def study(
    sets: int = 10, checkpoints: int = 6, *, seed: int = 0, trials: int = 200, target_labels: bool = False
) -> tuple[pd.DataFrame, Records]:
    """Return a table with an in-domain set, labelled sets and a target, and scores that are what the table says."""
    rng = np.random.default_rng(seed)
    names = ["home", *(f"s{i}" for i in range(sets)), "target"]
    skill = rng.normal(size=checkpoints)
    hard = {name: 0.0 if name == "home" else 0.8 + 0.4 * rng.normal() for name in names}
    rows, records = [], Records()
    truth = np.repeat([True, False], trials // 2)
    for c in range(checkpoints):
        for name in names:
            mean = max(2.0 - 0.4 * skill[c] - hard[name] + 0.05 * rng.normal(), 0.2)
            score = np.where(truth, mean, -mean) + rng.normal(size=trials)
            row: dict[str, Any] = {column: "" if column in TEXT_COLUMNS else np.nan for column in COLUMNS}
            row |= {"checkpoint": f"c{c}", "sha256": f"{c}" * 64, "arch": f"a{c % 2}", "set": name}
            row |= {"domain": "id" if name == "home" else "ood", "measure": "sam_predicted", "rho": 0.05}
            row |= {"value": float(norm.pdf(mean) * (1 + 0.1 * rng.normal())), "m": 32.0}
            row |= {"preset": "rigorous", "trials_hash": name, "spec_hash": "s"}
            blind = name == "target" and not target_labels
            if not blind:
                row["eer"] = equal_error_rate(score[truth], score[~truth]).eer
                row |= {"n_bonafide": trials / 2, "n_spoof": trials / 2}
            scores = pd.DataFrame({"trial": [f"t{i}" for i in range(trials)], "score": score, "group": -1})
            scores["label"] = "" if blind else np.where(truth, "bonafide", "spoof")
            scores = scores.assign(
                logit_spoof=-score, logit_bonafide=0.0, **dict.fromkeys(KNOWN_OF_TRIALS, "")
            )
            records.add(Place.of(row), scores, pd.DataFrame({"measure": [], "rho": []}))
            rows.append(row)
    return pd.DataFrame(rows), records


@pytest.fixture(scope="module")
def told() -> Forecast:
    table, records = study(seed=1)
    return forecast(table, target="target", records=records)


def test_the_forecast_is_near_the_truth_that_it_did_not_see(told: Forecast) -> None:
    table, _ = study(seed=1, target_labels=True)
    truth = table[table["set"] == "target"].set_index("checkpoint")["eer"]
    own = told.table.set_index("checkpoint")
    assert list(told.table["rank"]) == [1, 2, 3, 4, 5, 6]
    assert own["eer"].is_monotonic_increasing
    assert np.abs(own["eer"] - truth[own.index]).max() < 0.06
    assert ((own["eer_low"] <= truth[own.index]) & (truth[own.index] <= own["eer_high"])).mean() >= 0.5
    assert own["level"].tolist() == pytest.approx([0.9] * 6)


def test_labels_of_the_target_change_nothing(told: Forecast) -> None:
    table, records = study(seed=1, target_labels=True)
    seen = forecast(table, target="target", records=records)
    pd.testing.assert_frame_equal(told.table, seen.table)
    pd.testing.assert_frame_equal(told.audit, seen.audit)


def test_the_audit_is_of_sets_and_of_architectures_left_out(told: Forecast) -> None:
    found = told.audit
    assert set(found["left_out"]) == {"set", "set and architecture"}
    assert set(found["set"]) == {f"s{i}" for i in range(10)}
    methods = {"forecast", "in_domain_eer", "mean_error", "sam_predicted@0.05", "mixture_eer"}
    assert methods <= set(found["method"])
    own = found[(found["left_out"] == "set") & (found["method"] == "forecast")]
    assert own["points"].mean() < 5
    assert own["inside"].mean() > 0.7
    judged = verdicts(found)
    assert len(judged) == 8
    assert judged["p_adjusted"].tolist() == pytest.approx(
        holm(judged["p"].to_numpy(float)).tolist(), nan_ok=True
    )
    assert (judged["p_adjusted"].dropna() >= judged["p"].dropna()).all()
    assert told.headline in told.summary
    assert "What may not be concluded" in told.summary


def test_a_set_left_out_is_not_learnt_from() -> None:
    """Whatever the error rates of a set were, what is said of it is the same."""
    table, records = study(sets=5, checkpoints=5, seed=2)
    other = table.copy()
    other.loc[other["set"] == "s0", "eer"] = 1 - other.loc[other["set"] == "s0", "eer"]
    said = []
    for one in (table, other):
        found = forecast(one, records=records).audit
        own = found[(found["set"] == "s0") & (found["method"] == "forecast")]
        said.append(own["half_width"].tolist())
    assert said[0] == said[1]


def test_where_nothing_beats_the_in_domain_error_that_is_the_headline() -> None:
    table, records = study(sets=5, seed=3)
    found = forecast(table, records=records)
    assert not found.beaten
    assert found.headline.startswith("Nothing here beats the in-domain error rate")
    assert "5 sets are too few to show it" in found.headline
    assert len(found.table) == 0
    assert "give no more" in found.summary


@pytest.mark.parametrize("name", ["12 sets", "nothing is told", "sets alike"])
def test_intervals_hold_on_populations_of_known_structure(name: str) -> None:
    """A reduced form of benchmarks/forecast_coverage.py: 25 runs know a coverage to about 4 points."""
    covers, pairs, _, mean = coverage(POPULATIONS[name], 25, seed=1)
    assert 0.80 <= covers <= 0.98
    assert pairs >= mean - 0.05


def test_what_is_too_little_is_refused_in_words() -> None:
    table, records = study(sets=3)
    with pytest.raises(UsageError, match="table has 3 sets and 6 checkpoints beside target, home"):
        forecast(table, target="target", records=records)
    table, records = study(sets=4, checkpoints=4)
    with pytest.raises(UsageError, match="learns from 4 labelled sets and 5 checkpoints"):
        forecast(table, records=records)
    table, records = study(sets=4, checkpoints=5)
    with pytest.raises(UsageError, match="is the in-domain set"):
        forecast(table, target="home", records=records)
    with pytest.raises(UsageError, match="unknown set"):
        forecast(table, target="tagret", records=records)
    with pytest.raises(UsageError, match="--level is nan"):
        forecast(table, target="target", records=records, level=float("nan"))
    with pytest.raises(UsageError, match="unknown preset"):
        forecast(table, target="target", records=records, preset="mine")


def test_without_scores_or_home_the_rest_still_speaks_and_says_so() -> None:
    table, _ = study(seed=4)
    found = forecast(table.assign(domain=""), target="target")
    assert "no in-domain set" in found.summary
    assert "the mean error of the labelled sets" in found.headline
    assert found.table["in_domain_eer"].isna().all()


def test_a_table_without_sharpness_that_needs_no_labels_is_forecast_from_its_scores() -> None:
    table, records = study(seed=4)
    found = forecast(table.assign(measure="sam"), target="target", records=records)
    assert found.table["eer"].between(0, 1).all()
    assert "sam_predicted" not in found.summary


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    table, records = study(sets=5, checkpoints=5, seed=5)
    out = tmp_path / "results.csv"
    append_results(out, [{column: row[column] for column in COLUMNS} for row in table.to_dict("records")])
    for place, scores in records._scores.items():
        write_scores(out, place, scores)
    written = tmp_path / "f.csv"
    arguments = ["forecast", str(out), "--target", "target", "--out", str(written), "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "On target, c" in done.output
    in_memory = sharpscope.forecast(table, target="target", records=records).table
    assert pd.read_csv(written)["eer"].tolist() == pytest.approx(in_memory["eer"].tolist(), rel=1e-12)
    audited = CliRunner().invoke(main, ["forecast", str(out), "--audit", "--quiet"])
    assert audited.exit_code == 0
    assert "pairs_right" in audited.output
    neither = CliRunner().invoke(main, ["forecast", str(out)])
    assert neither.exit_code == 2
    assert "--audit" in neither.output


def test_the_line_is_that_of_the_normal_equations_and_of_its_limits() -> None:
    rng = np.random.default_rng(0)
    x, y, q = rng.normal(size=(30, 3)), rng.normal(size=30), rng.uniform(0.5, 2, size=30)
    line = fit_line(x, y, 0.3, q)
    share = q / q.sum()
    z = (x - share @ x) / np.sqrt(share @ (x - share @ x) ** 2)
    slopes = (
        np.linalg.inv(z.T @ np.diag(share) @ z + 0.3 * np.eye(3)) @ z.T @ np.diag(share) @ (y - share @ y)
    )
    assert line.predict(x) == pytest.approx(z @ slopes + share @ y)
    assert fit_line(x, y, 1e12, q).predict(x) == pytest.approx(np.full(30, share @ y))
    constant = np.column_stack([x, np.full(30, 7.0)])
    assert fit_line(constant, y, 0.3, q).predict(constant) == pytest.approx(line.predict(x))


def test_quality_is_a_mean_of_differences_on_other_known_sets() -> None:
    rng = np.random.default_rng(1)
    cells = [(c, s) for c in range(4) for s in range(4)]
    frame = pd.DataFrame(cells, columns=["c", "s"])
    frame = frame.assign(y=rng.normal(size=16), known=[s < 3 and (c, s) != (0, 1) for c, s in cells])
    found = quality(*(frame[name].to_numpy() for name in ("y", "s", "c", "known")))
    for row, value in zip(frame.to_dict("records"), found, strict=True):
        others = []
        for s in {0, 1, 2} - {row["s"]}:
            here = frame[(frame["s"] == s) & frame["known"]]
            own = here[here["c"] == row["c"]]
            if len(own):
                others.append(own["y"].iloc[0] - here["y"].mean())
        assert value == pytest.approx(np.mean(others))


def test_small_pieces() -> None:
    assert weights_of(np.array(["a", "b", "b"])).tolist() == [1.0, 0.5, 0.5]
    assert half_width(np.array([-3.0, 2.0]), np.array(["a", "b"]), 0.5) == (2.5, 0.5)
    assert np.isnan(pairs_right(np.array([1.0, 2.0]), np.array([0.1, 0.1])))
    assert sign_flip_p(np.array([0.1, 0.2, -0.3])) == 1.0
    assert np.isnan(sign_flip_p(np.zeros(0)))
