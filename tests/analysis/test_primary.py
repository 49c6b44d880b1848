"""What is fixed beforehand: the way, its direction, the time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from known_truths import study
from results_tables import make_results

from sharpscope.analysis.correlate import correlate, write_correlation
from sharpscope.analysis.primary import fix_way
from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.results.records import Records

WAYS = (("sam", 0.05), ("sam", 0.01), ("loss", float("nan")))


@pytest.mark.parametrize(
    ("primary", "alternative"),
    [
        ("sam@0.05", "two-sided"),
        ("sam@0.05:two-sided", "two-sided"),
        ("sam@0.05:greater", "greater"),
        ("sam@0.05@m=32:positive", "greater"),
        ("sam@0.05@preset=rigorous:negative", "less"),
    ],
)
def test_a_direction_stands_behind_the_colon(primary: str, alternative: str) -> None:
    table, choice = fix_way(make_results(measures=WAYS), primary, [])
    assert choice.alternative == alternative
    assert choice.alternative_of("loss") == "two-sided"
    assert choice.words.startswith(primary)
    assert set(table.loc[table["measure"] == "sam", "rho"]) == {0.05}


@pytest.mark.parametrize(
    ("primary", "words"),
    [
        ("sam@0.05:up", "unknown direction"),
        ("loss", "loss is a control"),
        ("sam@x", "'x' is not a number"),
        ("sam@0.05@k=3", "and last :greater or :less"),
    ],
)
def test_what_is_no_way_or_direction_is_said(primary: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fix_way(make_results(measures=WAYS), primary, [])


def test_the_direction_halves_the_p_value_and_is_written_down() -> None:
    results = make_results(measures=WAYS, sets=("seen", "codec", "far"))
    both, up, down = (
        correlate(results, primary=f"sam@0.05{end}").table.set_index(["scope", "set", "measure"])
        for end in ("", ":greater", ":less")
    )
    at = ("mean_within", "all sets", "sam")
    assert both.loc[at, "spearman"] > 0
    # Six checkpoints without ties: the null is symmetric but for the observed order.
    assert both.loc[at, "p"] == pytest.approx(2 * up.loc[at, "p"], abs=2e-3)
    assert down.loc[at, "p"] > 0.9
    other = ("mean_within", "all sets", "loss")
    assert up.loc[other, "p"] == both.loc[other, "p"]
    assert up.loc[at, "alternative"] == "greater"
    assert up.loc[at, "fixed"].startswith("sam@0.05:greater, 20")
    assert both.loc[at, "fixed"].startswith("sam@0.05, two-sided, 20")
    assert up.loc[at, "adjusted_by"] == "fixed beforehand"
    assert up.loc[at, "p_adjusted"] == up.loc[at, "p"]


def test_every_file_that_prints_p_values_prints_adjusted_ones_beside(tmp_path: Path) -> None:
    recipes = [f"adam lr={lr}" for lr in (0.001, 0.003, 0.01)]
    results = make_results(measures=WAYS, recipes=recipes, seeds=(0, 1), sets=("seen", "codec", "far"))
    found = correlate(results, by="recipe", records=Records())
    beside = {
        "correlations.csv": ("p", "p_adjusted"),
        "questions.csv": ("p", "p_adjusted"),
        "comparisons.csv": ("p", "p_holm"),
        "sentinels.csv": ("p", "p_adjusted"),
        "transfer.csv": ("p", "p_adjusted"),
        "settings.csv": ("p", "p_adjusted"),
    }
    files = {file.name: file for file in write_correlation(found, tmp_path)}
    for name, (p, adjusted) in beside.items():
        table = pd.read_csv(files[name])
        tested = table[p].notna()
        assert tested.any(), name
        assert (table.loc[tested, adjusted] >= table.loc[tested, p] - 1e-12).all(), name
        if "adjusted_by" in table:
            assert table.loc[tested, "adjusted_by"].str.contains("Holm|max-T|one test").all(), name
    assert set(found.table.loc[found.table["scope"] == "within_recipe", "adjusted_by"]) != {""}


def test_sharpness_and_controls_are_families_of_their_own() -> None:
    made = study(np.array([0.5, -0.5, 0.2, -0.9, 0.8, 0.0]), sets=2)
    with_controls = correlate(made.results, records=made.records).table
    alone = correlate(made.results, records=made.records, measures=["sam"]).table
    sharp = with_controls[with_controls["measure"] == "sam"].reset_index(drop=True)
    columns = ["p", "p_holm", "p_max_t", "p_headline", "p_adjusted"]
    pd.testing.assert_frame_equal(sharp[columns], alone[columns].reset_index(drop=True))


def test_the_command_line_names_an_unknown_direction(tmp_path: Path) -> None:
    path = f"{tmp_path}/results.csv"
    make_results(measures=WAYS).to_csv(path, index=False)
    done = CliRunner().invoke(main, ["correlate", path, "--primary", "sam@0.05:up"])
    assert done.exit_code == 2
    assert "did you mean" in done.stderr or "unknown direction" in done.stderr
