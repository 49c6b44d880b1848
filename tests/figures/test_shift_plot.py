from __future__ import annotations

import numpy as np
import pytest
from results_tables import make_results

from sharpscope.figures import plot
from sharpscope.figures.shift_plot import shift
from sharpscope.figures.style import BAND


def test_each_checkpoint_is_one_line_through_its_sets_in_order() -> None:
    table = make_results(sets=("b", "c", "a"))
    table.loc[table["set"] == "c", "eer"] += 0.5
    ax = shift(table)
    lines = [line for line in ax.lines if line.get_gid() == "checkpoint"]
    assert len(lines) == 6
    wide = table.pivot(index="sha256", columns="set", values="value")[["b", "a", "c"]]
    drawn = np.array([line.get_ydata() for line in lines])
    np.testing.assert_allclose(drawn[drawn[:, 0].argsort()], wide.to_numpy()[wide["b"].argsort()])
    for line in lines:
        assert np.round(line.get_xdata()).tolist() == [0, 1, 2]


def test_every_second_set_stands_on_a_band() -> None:
    ax = shift(make_results(sets=("a", "b", "c", "d")))
    bands = [patch for patch in ax.patches if patch.get_facecolor()[:3] != (1, 1, 1)]
    assert [(patch.get_x(), patch.get_width()) for patch in bands] == [(0.5, 1.0), (2.5, 1.0)]
    assert BAND != "#FFFFFF"


def test_means_of_a_kind_are_those_of_its_checkpoints() -> None:
    table = make_results(sets=("a",), recipes=("adam",))
    ax = shift(table)
    means = [line for line in ax.lines if line.get_gid() == "mean"]
    points = [line.get_ydata() for line in means if line.get_marker() not in ("", "None")]
    assert points[0][0] == pytest.approx(table["value"].mean())


def test_caption_counts_checkpoints_whose_measure_rises_and_names_m_and_preset() -> None:
    table = make_results()
    falling = table["checkpoint"] == "tiny-adam-0.pt"
    table.loc[falling, "value"] = [0.9, 0.1]
    caption = plot("shift", table).caption
    for words in ("groups of m = 32, rigorous preset", "upwards in 5 of 6 checkpoints", "n = 6 checkpoints"):
        assert words in caption
    one = plot("shift", table[falling]).caption
    assert "n = 1 checkpoint," in one
    assert "means" not in one


def test_a_kind_without_a_mean_has_the_mark_of_its_legend_on_every_point() -> None:
    ax = shift(make_results(seeds=(0, 1)))
    assert not [line for line in ax.lines if line.get_gid() == "mean"]
    points = [line for line in ax.lines if line.get_gid() == "points"]
    # Adam's points and SAM's: a mark and a colour each, as in the legend.
    assert {line.get_marker() for line in points} == {"o", "s"}
    assert len({(line.get_marker(), str(line.get_markeredgecolor())) for line in points}) == 2
    assert min(line.get_markersize() for line in points) >= 3
    many = [line for line in shift(make_results(seeds=(0, 1, 2))).lines if line.get_gid() == "points"]
    assert {line.get_marker() for line in many} == {"."}
