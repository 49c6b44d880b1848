"""The table of errors against loops over the very scores that lie beside a results file, and through the command."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from results_tables import make_results

from sharpscope.analysis.against import errors_of_table
from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results
from sharpscope.results.records import Place, Records, write_scores
from sharpscope.tables import table
from sharpscope.tables.error_rates import errors_table

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
NAMES = ("eer", "min_dcf", "act_dcf", "cllr", "auc", "hter", "gap")


def by_loops(scores: np.ndarray, is_bonafide: np.ndarray, home: tuple[np.ndarray, np.ndarray]) -> list[float]:
    """Every error in the order of `NAMES`, by counting, with nothing of sharpscope."""

    def rates(s: np.ndarray, y: np.ndarray, t: float) -> tuple[float, float]:
        missed = sum(1 for v in s[y] if v < t) / y.sum()
        taken = sum(1 for v in s[~y] if v >= t) / (~y).sum()
        return missed, taken

    def point(s: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        best = (math.inf, 0.0, 0.0)
        for t in [*sorted(set(s)), math.inf]:
            missed, taken = rates(s, y, t)
            if abs(missed - taken) < best[0] - 1e-12:
                best = (abs(missed - taken), (missed + taken) / 2, t)
        return best[1:]

    eer, _ = point(scores, is_bonafide)
    home_eer, threshold = point(*home)
    costs = [
        (0.95 * missed + 0.5 * taken) / 0.5
        for missed, taken in (rates(scores, is_bonafide, t) for t in [*set(scores), math.inf])
    ]
    missed, taken = rates(scores, is_bonafide, math.log(0.5 / 0.95))
    bits = [
        sum(math.log2(1 + math.exp(sign * v)) for v in part) / len(part)
        for sign, part in ((-1, scores[is_bonafide]), (1, scores[~is_bonafide]))
    ]
    above = [float(b > s) + 0.5 * float(b == s) for b in scores[is_bonafide] for s in scores[~is_bonafide]]
    return [
        eer,
        min(costs),
        (0.95 * missed + 0.5 * taken) / 0.5,
        sum(bits) / 2,
        sum(above) / len(above),
        sum(rates(scores, is_bonafide, threshold)) / 2,
        eer - home_eer,
    ]


def a_table(scores_of: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, Records]:
    """One checkpoint on the given sets, "home" being its own domain."""
    results = make_results(sets=tuple(scores_of), seeds=(0,))
    results = results[results["recipe"] == results["recipe"].iloc[0]].reset_index(drop=True)
    results[["trials_hash", "spec_hash"]] = "0123456789ab"
    results["domain"] = np.where(results["set"] == "home", "id", "ood")
    records = Records()
    for row in results.to_dict("records"):
        records.add(Place.of(row), scores_of[row["set"]], pd.DataFrame({"measure": [], "rho": []}))
    return results, records


def drawn(seed: int, shift: float = 0.0, speakers: int = 3) -> pd.DataFrame:
    """Scores of 40 + 50 trials with ties, two attacks and two codecs."""
    rng = np.random.default_rng(seed)
    scores = np.round(np.r_[rng.normal(1, 1, 40), rng.normal(-1, 1, 50)] + shift, 1)
    return pd.DataFrame(
        {
            "label": np.repeat(["bonafide", "spoof"], [40, 50]),
            "score": scores,
            "speaker": (np.arange(90) % speakers).astype(str),
            "attack": np.r_[np.full(40, "-"), np.tile(["A1", "A2"], 25)],
            "codec": np.tile(["gsm", "opus"], 45),
        }
    )


def cells_of(text: str) -> tuple[list[str], list[list[str]]]:
    lines = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return lines[0], lines[2:]


def test_every_cell_is_what_counting_gives() -> None:
    sets = {"home": drawn(0), "away": drawn(1, shift=1.5)}
    results, records = a_table(sets)
    found = errors_of_table(results, records, NAMES, threshold_from="home")
    truth = {name: part["label"].to_numpy() == "bonafide" for name, part in sets.items()}
    home = (sets["home"]["score"].to_numpy(), truth["home"])
    made = errors_table(results, records=records, resamples=0)
    for line, name in zip(made.rows, sets, strict=True):
        expected = by_loops(sets[name]["score"].to_numpy(), truth[name], home)
        ours = found[found["set"] == name].set_index("error")["value"].loc[list(NAMES)]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-9)
        shown = [float(cell.text.replace("−", "-")) for cell in line[2:]]
        rounded = [
            100 * v if n in ("eer", "hter", "gap") else v for n, v in zip(NAMES, expected, strict=True)
        ]
        np.testing.assert_allclose(shown, rounded, atol=0.00501)


@pytest.mark.parametrize("detector", ["AASIST", "AASIST-L"])
def test_published_detectors_on_real_speech(detector: str) -> None:
    file = REFERENCE / f"scores_{detector}.csv"
    if not file.is_file():
        pytest.skip("the reference scores are not on this machine")
    read = pd.read_csv(file).rename(columns={"logit_bonafide": "score"})
    sets = {
        {"dev": "home"}.get(str(name), str(name)): part.assign(speaker="", attack="", codec="")
        for name, part in read.groupby("set")
    }
    results, records = a_table(sets)
    found = errors_of_table(results, records, NAMES, threshold_from="home").set_index(["set", "error"])[
        "value"
    ]
    home = (sets["home"]["score"].to_numpy(), sets["home"]["label"].to_numpy() == "bonafide")
    for name, part in sets.items():
        expected = by_loops(part["score"].to_numpy(), part["label"].to_numpy() == "bonafide", home)
        np.testing.assert_allclose(found[name].loc[list(NAMES)], expected, rtol=0, atol=1e-9)


def test_attacks_and_codecs_have_their_own_lines() -> None:
    results, records = a_table({"home": drawn(0), "away": drawn(1)})
    for by, groups in (("attack", ["all", "A1", "A2"]), ("codec", ["all", "gsm", "opus"])):
        made = errors_table(results, records=records, by=by, resamples=0)
        assert made.header[:3] == ("Checkpoint", "Set", by.capitalize())
        assert [row[2].text for row in made.rows] == groups * 2
    part = drawn(1)
    alone = part[(part["label"] == "bonafide") | (part["attack"] == "A2")]
    truth = alone["label"].to_numpy() == "bonafide"
    expected = by_loops(alone["score"].to_numpy(), truth, (alone["score"].to_numpy(), truth))[3]
    made = errors_table(results, records=records, by="attack", resamples=0)
    assert float(made.rows[5][6].text) == pytest.approx(expected, abs=0.00051)


def test_intervals_hold_the_value_and_no_in_domain_set_is_said() -> None:
    results, records = a_table({"home": drawn(0, speakers=6), "away": drawn(1, speakers=6)})
    made = errors_table(results, records=records, resamples=99)
    assert made.header[2:] == ("EER %", "min DCF", "actual DCF", "Cllr", "AUC", "HTER %", "gap, points")
    for row in made.rows:
        for cell in row[2:]:
            low, high = (float(end) for end in cell.small.replace("−", "-").strip("[]").split(", "))
            assert low <= float(cell.text.replace("−", "-")) <= high
    bare = errors_table(results.assign(domain="ood"), records=records, resamples=0)
    assert bare.header[-1] == "AUC"
    assert "neither HTER nor gap; name one with --threshold-from" in bare.caption
    with pytest.raises(UsageError, match="--resamples is -1"):
        errors_table(results, records=records, resamples=-1)
    with pytest.raises(UsageError, match="give the results file"):
        errors_table(results)


def test_the_command_reads_the_scores_beside_the_file(tmp_path: Path) -> None:
    results, _ = a_table({"home": drawn(0), "away": drawn(1)})
    append_results(tmp_path / "results.csv", results.to_dict("records"))
    done = CliRunner().invoke(main, ["table", "errors", str(tmp_path / "results.csv")])
    assert done.exit_code == 2
    assert "no scores lie beside the table" in done.output
    for row in results.to_dict("records"):
        own = drawn(0 if row["set"] == "home" else 1)
        blank = {"logit_spoof": -own["score"], "logit_bonafide": own["score"], "pair": "", "path": ""}
        own = own.assign(trial=[f"t{i}" for i in range(90)], group=-1, **blank)
        write_scores(tmp_path / "results.csv", Place.of(row), own)
    done = CliRunner().invoke(
        main,
        ["table", "errors", str(tmp_path / "results.csv"), "--resamples", "9", "--threshold-from", "home"],
    )
    assert done.exit_code == 0, done.output
    head, rows = cells_of(done.output)
    assert len(rows) == 2
    assert rows[1][head.index("gap, points")].startswith(("−", "0", "1", "2"))
    assert table("errors", tmp_path / "results.csv", resamples=9, threshold_from="home") == done.output
