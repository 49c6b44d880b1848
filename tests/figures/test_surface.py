from __future__ import annotations

import math

import pytest
from results_tables import make_points

from sharpscope.figures.surface import contour, plot_landscape


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_the_trained_network_is_marked_and_named_in_every_panel(kind: str) -> None:
    figure = plot_landscape(make_points(2, 2), kind=kind).figure
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert len(panels) == 4
    for ax in panels:
        (mark,) = [line for line in ax.lines if line.get_gid() == "trained"]
        (word,) = [text for text in ax.texts if text.get_gid() == "trained"]
        assert word.get_text() == "trained"
        if kind == "surface":
            # Every made-up bowl has its lowest loss, 0.1, at the trained network.
            assert [v[0] for v in mark.get_data_3d()] == pytest.approx([0, 0, math.log10(0.1)])
        else:
            assert mark.get_xydata().tolist() == [[0, 0]]


def test_two_random_directions_have_two_names() -> None:
    ax = contour(make_points(1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "first random direction, filter norms",
        "second random direction, filter norms",
    )
    assert "second random direction" in plot_landscape(make_points(1)).caption
    assert "Loss of 1 checkpoint on" in plot_landscape(make_points(1)).caption
