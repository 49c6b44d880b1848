from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_tables import NAN, make_correlation, make_results
from scipy.stats import theilslopes
from test_style import font_types

from sharpscope.errors import UsageError
from sharpscope.figures import scatter, style, write_correlation_figures
from sharpscope.figures.panels import settle
from sharpscope.figures.scatter_plot import scatter_caption, scatter_panels
from sharpscope.results import selection

VARIANT = selection.Variant("sam", 0.05, 32.0, "rigorous")


def drawn_points(ax) -> list[tuple[float, float]]:
    return [tuple(map(float, line.get_xydata()[0])) for line in ax.lines if line.get_gid() == "checkpoint"]


def assert_nothing_overlaps(figure) -> None:
    """No text crosses the figure's edge or another text."""
    settle(figure)
    box = figure.bbox
    texts = []
    for ax in figure.axes:
        texts += [ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        texts += [t for axis in (ax.xaxis, ax.yaxis) for t in axis.get_ticklabels() if _visible_tick(axis, t)]
    texts += figure.texts + [t for legend in figure.legends for t in legend.get_texts()]
    texts += [t for t in (figure._supxlabel, figure._supylabel) if t is not None and t not in figure.texts]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text().strip() and t.get_visible()]
    for i, (text, b) in enumerate(boxes):
        assert box.x0 - 1 <= b.x0, f"{text!r} is cut at an edge"
        assert b.x1 <= box.x1 + 1, f"{text!r} is cut at an edge"
        assert box.y0 - 1 <= b.y0, f"{text!r} is cut at an edge"
        assert b.y1 <= box.y1 + 1, f"{text!r} is cut at an edge"
        for other, o in boxes[:i]:
            wide = min(b.x1, o.x1) - max(b.x0, o.x0)
            high = min(b.y1, o.y1) - max(b.y0, o.y0)
            assert min(wide, high) < 2, f"{text!r} overlaps {other!r}"


def _visible_tick(axis, text) -> bool:
    low, high = sorted(axis.get_view_interval())
    place = text.get_position()[0 if axis.axis_name == "x" else 1]
    return low <= place <= high


def test_scatter_draws_each_checkpoint_in_per_cent_with_the_theil_sen_line() -> None:
    table = make_results(sets=("codec",))
    ax = scatter(table, statistic=make_correlation(table).iloc[0].to_dict())
    expected = sorted(zip(table["value"], 100 * table["eer"], strict=True))
    np.testing.assert_allclose(sorted(drawn_points(ax)), expected)
    line = next(line for line in ax.lines if line.get_gid() == "theil-sen")
    (x0, y0), (x1, y1) = line.get_xydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(theilslopes(100 * table["eer"], table["value"])[0])
    bars = [
        line.get_ydata() for line in ax.lines if line.get_gid() is None and len(set(line.get_xdata())) == 1
    ]
    assert sorted(b[0] for b in bars) == pytest.approx(sorted(100 * table["eer_low"]))
    assert ax.get_ylabel() == "EER (%)"
    assert "ρ = 0.05" in ax.get_xlabel()
    assert "n = 6" in ax.texts[0].get_text()


def test_scatter_refuses_a_cloud_of_sets() -> None:
    with pytest.raises(UsageError, match="one set"):
        scatter(make_results())


def test_scatter_line_is_fitted_in_the_drawn_coordinates() -> None:
    table = make_results(sets=("codec",), seeds=(0, 1))
    table["value"] = [0.01, 0.1, 1.0, 10.0]
    table["eer"] = [0.1, 0.2, 0.3, 0.4]
    ax = scatter(table)
    assert ax.get_xscale() == "log"
    line = next(line for line in ax.lines if line.get_gid() == "theil-sen")
    np.testing.assert_allclose(line.get_xydata(), [[0.01, 10.0], [10.0, 40.0]])


def test_twenty_four_checkpoints_on_eight_sets_stay_apart() -> None:
    sets = ("19LA", "21LA", "21DF", "ITW", "FOR", "WF", "ADD", "a_very_long_name_of_a_set_with_codecs")
    table = make_results(sets=sets, archs=("aasist", "w2v-base-linear", "w2v-large-aasist", "xlsr-linear"))
    for venue in style.VENUES:
        with style.context(venue) as where:
            figure = scatter_panels(table, VARIANT, where, make_correlation(table))
            assert figure.get_size_inches()[0] == pytest.approx(where.text)
            assert [len(drawn_points(ax)) for ax in figure.axes] == [24] * 8
            assert_nothing_overlaps(figure)


@pytest.mark.parametrize("sets", [1, 2, 3, 5, 6])
def test_any_number_of_sets_fits(sets: int) -> None:
    table = make_results(sets=[f"set{i}" for i in range(sets)])
    with style.context() as where:
        figure = scatter_panels(table, VARIANT, where, make_correlation(table))
        assert figure.get_size_inches()[0] == pytest.approx(where.column if sets < 3 else where.text)
        assert_nothing_overlaps(figure)


def test_write_correlation_figures_one_per_measure_and_radius_same_bytes(tmp_path: Path) -> None:
    table = make_results(measures=(("sam", 0.05), ("sam", 0.01), ("loss", NAN)))
    correlation = make_correlation(table)
    paths = write_correlation_figures(table, correlation, tmp_path / "a")
    names = [p.name for p in paths]
    assert names == [
        f"scatter_{stem}{end}" for stem in ("sam_rho0.05", "sam_rho0.01", "loss") for end in (".pdf", ".png")
    ]
    assert all(p.parent == tmp_path / "a" / "figures" for p in paths)
    assert "/Type3" not in font_types(paths[0])
    again = write_correlation_figures(table, correlation, tmp_path / "b")
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]


def test_two_m_of_one_measure_do_not_overwrite_each_other(tmp_path: Path) -> None:
    table = make_results(sets=("seen",), ms=(8.0, 32.0))
    names = [p.name for p in write_correlation_figures(table, None, tmp_path)]
    assert names[::2] == ["scatter_sam_rho0.05_m8_rigorous.pdf", "scatter_sam_rho0.05_m32_rigorous.pdf"]


def _spoil(table: pd.DataFrame, how: str) -> pd.DataFrame:
    if how == "one checkpoint":
        return table[table["checkpoint"] == table["checkpoint"].iloc[0]]
    if how == "constant measure":
        return table.assign(value=0.25)
    if how == "constant EER":
        return table.assign(eer=0.25)
    if how == "all NaN":
        return table.assign(value=NAN)
    if how == "no intervals":
        return table.assign(eer_low=NAN, eer_high=NAN, value_low=NAN, value_high=NAN)
    return table.assign(value=[NAN if i % 3 else v for i, v in enumerate(table["value"])])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("one checkpoint", "no correlation\nn = 1"),
        ("constant measure", "constant measure: no correlation"),
        ("constant EER", "constant EER: no correlation"),
        ("all NaN", "n = 0 of 6"),
        ("some NaN", "n = 2 of 6"),
        ("no intervals", "n = 6"),
    ],
)
def test_spoilt_tables_draw_something_honest(how: str, words: str, tmp_path: Path) -> None:
    table = _spoil(make_results(), how)
    correlation = make_correlation(table)
    with style.context() as where:
        figure = scatter_panels(table, VARIANT, where, correlation)
        assert words in figure.axes[0].texts[-1].get_text() + figure.axes[0].texts[0].get_text()
        assert_nothing_overlaps(figure)
    assert len(write_correlation_figures(table, correlation, tmp_path)) == 2


def test_empty_table_says_why_there_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rows"):
        write_correlation_figures(make_results().iloc[:0], None, tmp_path)


def test_caption_names_n_test_and_correction() -> None:
    table = make_results()
    caption = scatter_caption(table, VARIANT, make_correlation(table))
    for words in ("n = 6 checkpoints", "permutation", "Holm-adjusted over the 2 tests", "Fewer than 10"):
        assert words in caption
    assert "No correlation was computed" in scatter_caption(table, VARIANT, None)
