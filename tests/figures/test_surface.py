from __future__ import annotations

import math

import pytest
from results_tables import make_points

from sharpscope.figures.style import VENUES
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


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("checkpoints", "sets"), [(1, 1), (2, 1), (3, 2)])
def test_labels_of_a_surface_keep_clear_of_its_ticks_and_of_the_edge(
    venue: str, checkpoints: int, sets: int
) -> None:
    """Three axes in perspective: what lies on what depends on the size of the letters, so every venue is drawn."""
    figure = plot_landscape(make_points(checkpoints, sets), kind="surface", venue=venue).figure
    figure.canvas.draw()
    edge = figure.bbox
    for ax in figure.axes:
        axes = (ax.xaxis, ax.yaxis, ax.zaxis)
        marked = [(axis, tick) for axis in axes for tick in axis.get_major_ticks()]
        texts = [axis.label for axis in axes]
        texts += [
            tick.label1
            for axis, tick in marked
            if axis.get_view_interval()[0] <= tick.get_loc() <= axis.get_view_interval()[1]
        ]
        boxes = [(text, text.get_window_extent()) for text in texts]
        assert len(boxes) >= 9
        for text, box in boxes:
            assert edge.x0 <= box.x0, text
            assert box.x1 <= edge.x1, text
            assert edge.y0 <= box.y0, text
            assert box.y1 <= edge.y1, text
        # A slanted label has a box of mostly nothing; the upright ticks show what is crossed.
        ticks = [box for text, box in boxes if text not in [axis.label for axis in axes]]
        for i, one in enumerate(ticks):
            for other in ticks[:i]:
                wide, high = (
                    min(one.x1, other.x1) - max(one.x0, other.x0),
                    min(one.y1, other.y1) - max(one.y0, other.y0),
                )
                assert min(wide, high) < 2
        upright = ax.zaxis.label.get_window_extent()
        assert all(
            min(upright.x1, t.x1) - max(upright.x0, t.x0) < 2
            or min(upright.y1, t.y1) - max(upright.y0, t.y0) < 2
            for t in ticks
        )
