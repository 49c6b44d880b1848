from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from results_tables import NAN, make_correlation, make_results
from statsmodels.stats.multitest import multipletests

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results
from sharpscope.tables import TABLES, table
from sharpscope.tables.kinds import eer_table, recipe_table, sign_flip
from sharpscope.tables.layout import escape


def lines_of(markdown: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]


def test_eer_in_per_cent_with_its_interval_and_the_best_bold() -> None:
    results = make_results()
    head, _, *rows = lines_of(table("eer", results))
    assert head == ["Checkpoint", "Recipe", "seen", "codec"]
    assert len(rows) == 6
    first = results[(results["checkpoint"] == "tiny-adam-0.pt") & (results["set"] == "seen")].iloc[0]
    expected = f"{100 * first['eer']:.2f} [{100 * first['eer_low']:.2f}, {100 * first['eer_high']:.2f}]"
    assert rows[0][2].replace("**", "") == expected
    for column in (2, 3):
        values = [float(re.sub(r"\*|\[.*", "", row[column])) for row in rows]
        bold = [row[column].startswith("**") for row in rows]
        assert bold.index(True) == int(np.argmin(values))
        assert sum(bold) == 1


def test_an_eer_appears_once_however_many_measures_there_are() -> None:
    many = make_results(measures=(("sam", 0.05), ("sam", 0.01)), seeds=(0,))
    assert len(eer_table(many).rows) == 2
    many.loc[0, "eer"] += 0.1
    with pytest.raises(UsageError, match="two EERs"):
        eer_table(many)


def sign_flip_by_hand(gaps: np.ndarray) -> float:
    signs = np.array(list(itertools.product((1, -1), repeat=len(gaps))))
    return float(np.mean(np.abs((signs * gaps).mean(axis=1)) >= abs(gaps.mean()) - 1e-12))


@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_sign_flip_equals_enumeration(n: int) -> None:
    gaps = np.random.default_rng(n).normal(0.3, 1, n)
    assert sign_flip(gaps) == pytest.approx(sign_flip_by_hand(gaps))


def test_differences_on_a_grid_that_sum_to_zero_are_no_evidence() -> None:
    """Every assignment is at least as far from zero as the data: p is 1, and .94 to .97 where ties float."""
    assert sign_flip(np.array([0.1, 0.2, -0.3, 0.1, -0.1, 0.3, -0.2, -0.1])) == 1.0
    assert sign_flip(np.array([1, 2, -3, 4, -4, 7, -7, 1, -1]) / 40) == 1.0


def test_sign_flip_has_no_answer_for_one_pair_or_no_difference() -> None:
    assert np.isnan(sign_flip(np.array([0.3])))
    assert np.isnan(sign_flip(np.zeros(4)))


def test_recipes_are_compared_in_pairs_with_holm() -> None:
    results = make_results(archs=("a", "b"), seeds=range(4))
    _, _, *rows = lines_of(table("recipes", results))
    assert [row[:2] for row in rows] == [
        ["a", "adam"], ["a", "sam"], ["b", "adam"], ["b", "sam"],
        ["difference (pairs)", "sam − adam"], ["Holm p", ""],
    ]  # fmt: skip
    wide = results.pivot_table(index=["arch", "seed", "set"], columns="recipe", values="eer")
    gap = (wide["sam"] - wide["adam"]).unstack("set")
    for column, name in ((2, "seen"), (3, "codec")):
        assert rows[4][column] == f"{100 * gap[name].mean():.2f} (8)".replace("-", "−")
    raw = [sign_flip_by_hand(gap[name].to_numpy()) for name in ("seen", "codec")]
    adjusted = multipletests(raw, method="holm")[1]
    shown = [float(cell.replace("< ", "")) for cell in rows[5][2:]]
    np.testing.assert_allclose(shown, adjusted, atol=0.006)
    adam = results[(results["arch"] == "a") & (results["recipe"] == "adam") & (results["set"] == "seen")][
        "eer"
    ]
    assert rows[0][2].replace("**", "") == f"{100 * adam.mean():.2f} ± {100 * adam.std():.2f}"


def test_few_pairs_are_said_to_be_few() -> None:
    caption = recipe_table(make_results()).caption
    assert "3 pairs no p-value can fall below 0.25" in caption


def test_correlations_have_stars_on_adjusted_p_and_the_joint_answer() -> None:
    correlation = make_correlation(make_results())
    correlation.loc[0, ["spearman", "p", "p_holm"]] = [0.9, 0.0001, 0.2]
    correlation.loc[1, ["spearman", "p", "p_holm"]] = [-0.5, 0.001, 0.004]
    joint = correlation.iloc[[0]].assign(scope="mean_within", set="all sets", spearman=0.25, p_holm=NAN)
    head, _, row = lines_of(
        table("correlations", make_results(), correlation=pd.concat([correlation, joint], ignore_index=True))
    )
    assert head == ["Measure", "seen", "codec", "all sets"]
    assert [cell.split(" [")[0] for cell in row] == ["sam 0.05", ".90", r"−.50\*\*", ".25"]


def test_latex_has_booktabs_rules_and_escapes_names(tmp_path: Path) -> None:
    results = make_results(sets=("a_b", "50%"))
    text = table("eer", results, out=tmp_path / "t.tex")
    assert (tmp_path / "t.tex").read_text() == text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{", r"\label{tab:eer}", r"\centering"):
        assert rule in text
    assert r"a\_b" in text
    assert r"50\%" in text
    assert not re.search(r"(?<!\\)[%_]", re.sub(r"\\label\{.*?\}", "", text))
    body = text[text.index("\\midrule") : text.index("\\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert len(lines) == 6
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {3}
    assert text.count("{") == text.count("}")
    assert table("recipes", results, format="latex").count(r"\midrule") == 2


def test_every_special_character_is_escaped() -> None:
    assert escape("\\&%$#_{}~^") == (r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}")


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("how", ["empty", "one checkpoint", "constant", "NaN"])
def test_spoilt_tables_say_what_they_can(kind: str, how: str) -> None:
    results = make_results()
    if how == "empty":
        results = results.iloc[:0]
    elif how == "one checkpoint":
        results = results[results["checkpoint"] == "tiny-adam-0.pt"]
    elif how == "constant":
        results = results.assign(value=1.0, eer=0.5)
    else:
        results = results.assign(eer=NAN, eer_low=NAN, eer_high=NAN)
    correlation = pd.DataFrame() if how == "empty" else make_correlation(results)
    # A table of errors rests on scores, and none lie beside these results.
    if how == "empty" or kind == "errors" or (kind, how) == ("recipes", "one checkpoint"):
        with pytest.raises(UsageError, match=r"no rows|a pair needs two|no correlation|computed from scores"):
            table(kind, results, correlation=correlation)
        return
    text = table(kind, results, correlation=correlation)
    assert "nan" not in text.lower()
    assert ("–" in text) == (how == "NaN" or kind == "correlations" or (kind, how) == ("recipes", "constant"))


def test_command_prints_markdown_or_writes_latex(tmp_path: Path) -> None:
    append_results(tmp_path / "results.csv", make_results().to_dict("records"))
    done = CliRunner().invoke(main, ["table", "eer", str(tmp_path / "results.csv")])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("| Checkpoint | Recipe | seen | codec |")
    out = tmp_path / "t.tex"
    done = CliRunner().invoke(main, ["table", "recipes", str(tmp_path / "results.csv"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert r"\toprule" in out.read_text()
    bad = CliRunner().invoke(main, ["table", "recipes", str(tmp_path / "results.csv"), "--baseline", "sgd"])
    assert bad.exit_code == 2
    assert "Known: adam, sam" in bad.output
