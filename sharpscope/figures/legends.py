"""The legend above the panels of a figure, or in a cell that no panel fills."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

MOST = 16  # entries of a legend; more are not looked up


def legend(figure: Figure, handles: Sequence[Artist], *, most: int = MOST, handlelength: float = 2.0) -> None:
    """Put a legend above the panels, in as many columns as fit the figure's width.

    Args:
        figure: The figure.
        handles: Labelled entries.
        most: Entries shown; the rest is counted in the last one.
        handlelength: Length of a line beside its name, in letters.
    """
    shown = list(handles[:most])
    if len(handles) > most:
        shown.append(Line2D([], [], linestyle="none", label=f"and {len(handles) - most} more"))
    if len(shown) < 2:
        return
    if spare := _spare_cell(figure):
        box = figure.legend(
            handles=shown, loc="center", bbox_to_anchor=spare.bounds, handlelength=handlelength
        )
        extent = box.get_window_extent()
        room = (0.9 * spare.width * figure.bbox.width, 0.8 * spare.height * figure.bbox.height)
        if extent.width < room[0] and extent.height < room[1]:
            return
        box.remove()
    for columns in range(len(shown), 0, -1):
        box = figure.legend(
            handles=by_rows(shown, columns),
            loc="outside upper center",
            ncols=columns,
            handlelength=handlelength,
        )
        width = box.get_window_extent().width
        if columns == 1 or width <= figure.bbox.width - 4:
            return
        box.remove()


def by_rows(entries: Sequence[Artist], columns: int) -> list[Artist]:
    """Return legend entries so that they read along the rows: matplotlib fills column after column.

    Args:
        entries: In the order in which they should be read.
        columns: Columns of the legend.

    Returns:
        The same entries in the order in which matplotlib wants them.
    """
    # Where the last row is short, matplotlib shortens the last columns; so does this.
    return [entries[i] for column in range(columns) for i in range(column, len(entries), columns)]


def _spare_cell(figure: Figure) -> Bbox | None:
    """Return the place of the last cell of a grid of panels when no panel is in it."""
    places = [(ax, ax.get_subplotspec()) for ax in figure.axes]
    if not places or any(place is None for _, place in places):
        return None
    rows, columns, *_ = places[0][1].get_geometry()  # type: ignore[union-attr]
    if rows == 1 or len(places) >= rows * columns:
        return None
    figure.draw_without_rendering()  # panels have their places only now
    above = places[columns - 1][0].get_position()
    beside = places[-1][0].get_position()
    return Bbox.from_extents(above.x0, beside.y0, above.x1, beside.y1)
