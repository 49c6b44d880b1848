"""Figures of merit beside the EER, and score files of other tools."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from results_tables import make_results

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results
from sharpscope.results.comparable import eligible_rows
from sharpscope.results.scored_systems import enter_scores
from sharpscope.results.table import read_results
from sharpscope.scoring.costs import (
    actual_cost,
    area_under_curve,
    costs,
    likelihood_ratio_cost,
    minimum_cost,
    minimum_likelihood_ratio_cost,
    normal_interval,
    paired_difference,
)
from sharpscope.scoring.eer import EqualErrorRate, equal_error_rate
from sharpscope.scoring.score_files import join, read_key, read_score_file, score
from sharpscope.tables import table

BONAFIDE, SPOOF = np.array([2, 1, 0.5, -0.2]), np.array([-2, -1, 0, 0.6, -0.7])
scores = st.lists(st.integers(-40, 40).map(lambda n: n / 8), min_size=1, max_size=30).map(np.array)


def test_the_official_package_gives_the_same() -> None:
    """asvspoof5 evaluation package, track 1, on these nine scores (style_stats.md, table of EER examples)."""
    assert equal_error_rate(BONAFIDE, SPOOF).eer == pytest.approx(0.225)
    assert minimum_cost(BONAFIDE, SPOOF) == pytest.approx(0.4)
    assert actual_cost(BONAFIDE, SPOOF) == pytest.approx(0.4)
    assert likelihood_ratio_cost(BONAFIDE, SPOOF) == pytest.approx(0.6801611, abs=5e-8)


def test_bengio_and_mariethoz_example() -> None:
    low, high = normal_interval(EqualErrorRate(0.05, 0.0), 7355, 63882)
    assert (low, high) == pytest.approx((0.0473701, 0.0526299), abs=5e-8)


@given(scores, scores)
def test_minimum_cost_equals_every_threshold_tried(bonafide: np.ndarray, spoof: np.ndarray) -> None:
    tried = np.append(np.concatenate([bonafide, spoof]), np.inf)
    slow = min((0.95 * np.mean(bonafide < t) + 0.5 * np.mean(spoof >= t)) / 0.5 for t in tried)
    assert minimum_cost(bonafide, spoof) == pytest.approx(slow)
    assert minimum_cost(bonafide, spoof) <= actual_cost(bonafide, spoof) + 1e-12
    assert minimum_cost(bonafide, spoof) <= 1


@given(scores, scores, st.floats(0.2, 5), st.floats(-3, 3))
def test_only_the_order_counts_where_it_should(
    bonafide: np.ndarray, spoof: np.ndarray, scale: float, shift: float
) -> None:
    moved = [scale * s**3 + shift for s in (bonafide, spoof)]
    if len(np.unique(np.concatenate(moved))) < len(np.unique(np.concatenate([bonafide, spoof]))):
        return  # rounding has made two scores one
    for figure in (minimum_cost, area_under_curve, minimum_likelihood_ratio_cost):
        assert figure(*moved) == pytest.approx(figure(bonafide, spoof), abs=1e-9)
    slow = np.mean([np.mean((b > spoof) + 0.5 * (b == spoof)) for b in bonafide])
    assert area_under_curve(bonafide, spoof) == pytest.approx(slow)


def test_calibrated_scores_cost_what_they_must() -> None:
    """Ratios of two unit Gaussians two apart: Cllr equals its minimum, but for what a finite sample fits."""
    rng = np.random.default_rng(0)
    bonafide, spoof = 2 * (rng.normal(size=20_000) + 1), 2 * (rng.normal(size=20_000) - 1)
    own, best = likelihood_ratio_cost(bonafide, spoof), minimum_likelihood_ratio_cost(bonafide, spoof)
    assert 0 <= own - best < 0.005
    assert likelihood_ratio_cost(3 * bonafide, 3 * spoof) > own + 0.05


@given(scores, scores)
def test_no_monotone_calibration_beats_pooling(bonafide: np.ndarray, spoof: np.ndarray) -> None:
    best = minimum_likelihood_ratio_cost(bonafide, spoof)
    assert -1e-12 <= best <= 1 + 1e-9
    for scale in (0.1, 1.0, 4.0):
        assert best <= likelihood_ratio_cost(scale * bonafide, scale * spoof) + 1e-9


def test_costs_of_another_design() -> None:
    """With equal priors and costs the cost at the best threshold is the smallest sum of both error rates."""
    assert minimum_cost(BONAFIDE, SPOOF, costs(0.5, 1, 1)) == pytest.approx(0.4)
    assert costs(0.5, 1, 1).threshold == 0


def test_paired_differences_use_that_the_trials_are_the_same() -> None:
    """The second system is the first with a little noise: unpaired intervals would not tell them apart."""
    rng = np.random.default_rng(0)
    truth = np.arange(2000) % 2 == 0
    common = rng.normal(size=2000) * 1.0 + 2.0 * truth
    worse = common + 0.9 * rng.normal(size=2000)
    found = paired_difference(common, worse, truth, n_resamples=299)
    assert found.value > 0
    assert found.interval.low > 0
    assert found.p <= 0.01
    none = paired_difference(common, common, truth, n_resamples=99)
    assert (none.value, none.p) == (0.0, 1.0)


def test_paired_p_values_are_valid_for_equal_systems() -> None:
    """Two systems of the same quality: 200 studies, rejected at 5 % about as often as that."""
    rejected = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = np.arange(200) % 2 == 0
        common = rng.normal(size=200) + 1.5 * truth
        one, two = (common + 0.5 * rng.normal(size=200) for _ in range(2))
        rejected += paired_difference(one, two, truth, n_resamples=199, seed=seed).p <= 0.05
    assert rejected / 200 <= 0.1


FORMS = {
    "asvspoof 2021": "a 2\nb 1\nc -1\n",
    "asvspoof 2019": "a - bonafide 2\nb - bonafide 1\nc A07 spoof -1\n",
    "asvspoof 5": "filename\tcm-score\na\t2\nb\t1\nc\t-1\n",
    "comma": "ID,Score,Label\na.wav,2,1\nb.wav,1,1\nc.wav,-1,0\n",
    "both classes": "file,bonafide_score,spoof_score\na,3,1\nb,1,0\nc,0,1\n",
    "ours": "trial label score logit_spoof logit_bonafide\na bonafide 2 -1 1\nb bonafide 1 0 1\nc spoof -1 1 0\n",
    "byte-order mark": "\ufeffa 2\r\nb 1\r\nc -1\r\n\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_files_of_every_form_give_the_same(form: str, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(FORMS[form], encoding="utf-8", newline="")
    assert read_score_file(tmp_path / "s.txt") == {"a": 2.0, "b": 1.0, "c": -1.0}


KEYS = {
    "two columns": "a bonafide\nb real\nc spoof\n",
    "asvspoof 2019": "s1 a - - bonafide\ns2 b - - bonafide\ns3 c - A07 spoof\n",
    "asvspoof 2021": "s1 a alaw ita bonafide n t eval\ns2 b x y bonafide n t eval\ns3 c x y A07 spoof t eval\n",
    "header": "file,label,speaker\na.flac,bonafide,s1\nb.flac,Real,s2\nc.flac,fake,s3\n",
}


@pytest.mark.parametrize("form", KEYS)
def test_keys_of_every_form_give_the_same(form: str, tmp_path: Path) -> None:
    (tmp_path / "k.txt").write_text(KEYS[form])
    assert {name: key.is_bonafide for name, key in read_key(tmp_path / "k.txt").items()} == {
        "a": True,
        "b": True,
        "c": False,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 2\na 3\n", "stands twice"),
        ("a 2\nb nan\n", "not a finite number"),
        ("a 2\nb x\n", "not a finite number"),
        ("a 2\nb 1 3\n", "3 columns"),
        ("a 2 3\n", "3 columns without a header"),
        ("name,duration\na,2\n", "it must name the trial"),
        ("", "no line"),
    ],
)
def test_a_bad_score_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_score_file(tmp_path / "s.txt")


def test_every_trial_of_the_key_needs_a_score(tmp_path: Path) -> None:
    (tmp_path / "k.txt").write_text("a bonafide\nb spoof\nd spoof\n")
    with pytest.raises(UsageError, match="1 of 3 trials of the key have no score, for example d"):
        join({"a": 1.0, "b": 0.0, "x": 3.0}, read_key(tmp_path / "k.txt"), "s.txt")


def test_the_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(400) % 2 == 0
    files = []
    for number, noise in enumerate((0.5, 2.0)):
        values = 2 * truth + noise * rng.normal(size=400)
        files.append(tmp_path / f"{number}.txt")
        files[-1].write_text("".join(f"t{i} {v!r}\n" for i, v in enumerate(values.tolist())))
    key = tmp_path / "key.txt"
    key.write_text(
        "".join(f"s{i % 40} t{i} - - {'bonafide' if b else 'spoof'}\n" for i, b in enumerate(truth))
    )
    runner = CliRunner()
    arguments = ["score", *map(str, files), "--key", str(key)]
    shown = runner.invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert "EER of the second less the first: +" in shown.stdout
    found: dict[str, Any] = json.loads(runner.invoke(main, [*arguments, "--json"]).stdout)
    one = found["systems"][str(files[0])]
    assert one["resampled"] == "speakers"
    assert one["eer"] < found["systems"][str(files[1])]["eer"]
    flipped = score([files[0]], key=key, higher="spoof").systems[str(files[0])]
    assert flipped["eer"] == pytest.approx(1 - one["eer"], abs=0.01)
    assert flipped["auc"] == pytest.approx(1 - one["auc"])
    bad = runner.invoke(main, ["score", str(tmp_path / "none.txt"), "--key", str(key)])
    assert bad.exit_code == 2
    assert "Traceback" not in bad.output


def test_closed_systems_enter_the_table_and_no_correlation(tmp_path: Path) -> None:
    key, file, out = tmp_path / "key.txt", tmp_path / "closed.txt", tmp_path / "results.csv"
    key.write_text("a bonafide\nb bonafide\nc spoof\nd spoof\n")
    file.write_text("a 3\nb 1\nc 2\nd 0\n")
    results = make_results()
    append_results(out, results.to_dict("records"))
    before, _ = eligible_rows(read_results(out))
    arguments = ["score", str(file), "--key", str(key), "--out", str(out)]
    runner = CliRunner()
    unnamed = runner.invoke(main, arguments)
    assert unnamed.exit_code == 2
    assert "--set" in unnamed.stderr
    assert len(read_results(out)) == len(results)
    done = runner.invoke(main, [*arguments, "--set", "itw"])
    assert done.exit_code == 0, done.output
    row = read_results(out).iloc[-1]
    assert (row["checkpoint"], row["set"], row["measure"], row["eer"]) == ("closed", "itw", "eer", 0.5)
    assert math.isnan(row["value"])
    shown = table("eer", out)
    assert "| closed |" in shown
    assert "and 1 scored elsewhere" in shown
    after, warnings = eligible_rows(read_results(out))
    assert len(after) == len(before)
    assert warnings[0] == "systems known by their score files only, in no correlation: 1"
    again = runner.invoke(main, [*arguments, "--set", "itw"])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert runner.invoke(main, [*arguments, "--set", "itw", "--force"]).exit_code == 0
    assert len(read_results(out)) == len(results) + 1


def test_a_table_of_score_files_alone_says_what_it_is_good_for(tmp_path: Path) -> None:
    key, file, out = tmp_path / "key.txt", tmp_path / "closed.txt", tmp_path / "results.csv"
    key.write_text("a bonafide\nc spoof\n")
    file.write_text("a 3\nc 2\n")
    enter_scores(out, [file], key=key, set_name="itw")
    for command, message in (
        ("correlate", "needs rows of"),
        ("plot scatter", "table eer"),
        ("report", "table eer"),
    ):
        shown = CliRunner().invoke(main, [*command.split(), str(out)])
        assert shown.exit_code == 2
        assert message in shown.output
    assert CliRunner().invoke(main, ["table", "eer", str(out)]).exit_code == 0


def test_pooling_equals_the_logit_of_shares() -> None:
    """Two levels of score: the calibrated ratio of each is its odds over the prior odds."""
    bonafide, spoof = np.array([1.0] * 9 + [0.0] * 3), np.array([1.0] * 2 + [0.0] * 18)
    high, low = (math.log(a / b) - math.log(12 / 20) for a, b in ((9, 2), (3, 18)))
    ratios = [np.where(s == 1.0, high, low) for s in (bonafide, spoof)]
    assert minimum_likelihood_ratio_cost(bonafide, spoof) == pytest.approx(likelihood_ratio_cost(*ratios))
