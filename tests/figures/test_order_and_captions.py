"""What all kinds of figures share: one order of sets, captions that count rightly."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_tables import NAN, make_correlation, make_results
from test_kinds import layered, pooled, write_table

from sharpscope.errors import UsageError
from sharpscope.figures import PLOTS, plot
from sharpscope.figures.det import det
from sharpscope.figures.scatter_plot import statistic_lines
from sharpscope.figures.style import LINES
from sharpscope.results.comparable import eligible_rows
from sharpscope.tables import table as make_table

ORDER = ["near", "b", "a"]  # "near" is in domain; a errs more than b


@pytest.fixture
def shuffled() -> pd.DataFrame:
    table = make_results(("near", "a", "b"), measures=(("sam", 0.01), ("sam", 0.05)), ms=(8.0, 32.0))
    table.loc[table["set"] == "a", "eer"] += 0.3
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def titles(figure) -> list[str]:
    return [ax._left_title.get_text() for ax in figure.axes]


@pytest.mark.parametrize(
    "kind", ["scatter", "rho-curve", "m-curve", "pairs", "layers", "shift", "heatmap", "forest"]
)
def test_sets_stand_in_one_order_in_every_figure(kind: str, shuffled: pd.DataFrame) -> None:
    source = layered(shuffled[shuffled["m"] == 32]) if kind == "layers" else shuffled
    done = plot(kind, source, m=32.0, correlation=make_correlation(shuffled))
    ax = done.figure.axes[0]
    if kind == "shift":
        found = [label.get_text() for label in ax.get_xticklabels()]
    elif kind in ("heatmap", "forest"):
        found = [label.get_text().split(" ")[0] for label in ax.get_yticklabels()]
    else:
        found = titles(done.figure)
    assert found == ORDER


def test_tables_have_the_order_of_the_figures(shuffled: pd.DataFrame) -> None:
    for kind in ("eer", "correlations", "recipes"):
        head = make_table(kind, shuffled, correlation=make_correlation(shuffled)).splitlines()[0]
        assert [cell for cell in re.split(r" *\| *", head) if cell in ORDER] == ORDER


def test_det_stands_in_the_order_too_and_counts_checkpoints_and_sets(tmp_path: Path) -> None:
    table = make_results(("near", "a", "b"))
    table.loc[table["set"] == "a", "eer"] += 0.3
    path = write_table(table.iloc[::-1], tmp_path)
    assert titles(plot("det", path).figure) == ORDER
    caption = plot("det", path, sets=["near"]).caption
    assert "of 6 checkpoints on 1 set (near)" in caption
    one = write_table(table[table["checkpoint"] == "tiny-adam-0.pt"], tmp_path / "one")
    assert "of 1 checkpoint on 3 sets" in plot("det", one).caption


def test_det_tells_architectures_by_line_and_marks_every_error_rate() -> None:
    rng = np.random.default_rng(0)
    rows = [
        pd.DataFrame({
            "label": ["bonafide"] * 50 + ["spoof"] * 50,
            "score": np.r_[rng.normal(1, 1, 50), rng.normal(-1, 1, 50)],
            "sha256": f"{arch}{recipe}{seed}", "arch": arch, "recipe": recipe,
        })
        for arch in ("x", "y") for recipe in ("adam", "sam") for seed in (0, 1)
    ]  # fmt: skip
    ax = det(pd.concat(rows, ignore_index=True))
    lines = [line for line in ax.lines if line.get_gid() == "det"]
    assert {(line.get_color(), line.get_linestyle()) for line in lines} == {
        (colour, style) for colour in {line.get_color() for line in lines} for style in LINES[:2]
    }
    assert len({line.get_color() for line in lines}) == 2
    assert sum(line.get_gid() == "eer" for line in ax.lines) == 8
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "40"


def test_det_of_detectors_worse_than_chance_shows_their_error() -> None:
    rows = pd.DataFrame({
        "label": ["bonafide"] * 50 + ["spoof"] * 50, "score": np.r_[np.linspace(-2, 0, 50), np.linspace(-1, 3, 50)],
        "sha256": "0", "arch": "x", "recipe": "adam",
    })  # fmt: skip
    ax = det(rows)
    mark = next(line for line in ax.lines if line.get_gid() == "eer")
    low, high = ax.get_xlim()
    assert low < mark.get_xdata()[0] < high


def test_forest_counts_checkpoints_of_sets_without_the_pooled_row() -> None:
    table = make_results()
    correlation = pooled(make_correlation(table))
    correlation.loc[correlation["scope"] == "mean_within", "n"] = 60
    assert "n = 6 checkpoints per set" in plot("forest", table, correlation=correlation).caption


@pytest.mark.parametrize("kind", sorted(set(PLOTS) - {"det", "pairs"}))
def test_one_set_and_one_checkpoint_are_counted_in_the_singular(kind: str) -> None:
    table = make_results(
        ("seen",), seeds=(0,), recipes=("adam",), measures=(("sam", 0.01), ("sam", 0.05)), ms=(8.0, 32.0)
    )
    if kind == "grow":
        table = pd.concat([table.assign(subset=f"attacks={k}") for k in (1, 2)], ignore_index=True)
    if kind == "layers":
        table = layered(table)
    caption = plot(
        kind, table, m=32.0, correlation=make_correlation(make_results(("seen",), seeds=(0,)))
    ).caption
    assert not re.search(r"\b1 (checkpoints|sets|tests|pairs)\b|(\d+) to \2\b", caption), caption


def test_layers_of_later_panels_are_inside_the_axis() -> None:
    table = layered(make_results(("a", "b", "c"), seeds=(0,)))
    table.loc[(table["set"] == "a") & (table["value"] > 0.5), "value"] = 0.68
    table.loc[(table["set"] == "b") & (table["value"] > 0.5), "value"] = 0.847
    figure = plot("layers", table).figure
    for ax in figure.axes:
        low, high = ax.get_xlim()
        drawn = np.concatenate([line.get_xdata() for line in ax.lines if line.get_gid() == "mean"])
        assert low <= drawn.min()
        assert drawn.max() <= high


def test_a_measure_without_negative_values_has_no_negative_axis() -> None:
    table = make_results(("a",)).assign(value=[0.01, 0.2, 0.3, 0.4, 0.5, 0.6], value_low=-5.0, value_high=1.0)
    (ax,) = plot("scatter", table).figure.axes
    assert -0.05 < ax.get_xlim()[0] <= 0.01


def test_pairs_show_the_architecture_and_count_in_words() -> None:
    done = plot("pairs", make_results(("a",), ("x", "y"), seeds=(0, 1)))
    (ax,) = done.figure.axes
    assert {line.get_marker() for line in ax.lines if line.get_gid() == "from"} == {"o", "s"}
    assert ax.texts[0].get_text().startswith("of 4 pairs: EER fell in ")
    labels = [text.get_text() for text in done.figure.legends[0].get_texts()]
    assert {"x", "y", "sam", "adam (hollow)"} == set(labels)


def test_what_is_not_there_is_answered_by_what_is() -> None:
    table = make_results(measures=(("sam", 0.05), ("loss", NAN)))
    with pytest.raises(UsageError, match=r"has no sam with rho 0\.07; it has: rho 0\.05, m 32, rigorous$"):
        plot("scatter", table, rho=0.07)
    with pytest.raises(UsageError, match=r"has no sam with m 8; it has"):
        plot("scatter", table, m=8)


def test_legends_read_along_their_rows() -> None:
    done = plot("shift", make_results(archs=("a", "b", "c"), sets=("s", "t")), venue="interspeech")
    legend = done.figure.legends[0]
    texts = legend.get_texts()
    places = [(round(-t.get_window_extent().y0), t.get_window_extent().x0, t.get_text()) for t in texts]
    read = [name for *_, name in sorted(places)]
    assert read == ["a, adam", "a, sam", "b, adam", "b, sam", "c, adam", "c, sam"]


@pytest.mark.parametrize("kind", ["glance", "scatter", "heatmap", "forest"])
def test_where_nothing_can_be_tested_no_caption_speaks_of_zero_tests(kind: str) -> None:
    table = make_results(("seen", "codec"), seeds=(0, 1))
    caption = plot(kind, table).caption
    assert "0 tests" not in caption
    assert "0 of 2" not in caption
    assert "no p-value can reach .05" in caption


def test_a_reason_above_a_panel_is_not_cut_off() -> None:
    reason = {"spearman": float("nan"), "note": "fewer than 5 checkpoints cannot reach 5 %"}
    lines = statistic_lines(make_results(("seen",)), 6, reason)
    assert " ".join(lines) == "fewer than 5 checkpoints cannot reach 5 %; n = 6"
    assert max(map(len, lines)) <= 34


def test_group_sizes_are_whole_numbers_in_words() -> None:
    table = make_results(("seen",), ms=(4.0, 16.0))
    assert (
        "several group sizes in one table (4, 16): never compared with one another" in eligible_rows(table)[1]
    )
