"""Grids of small panels with headers, shared labels and a legend that fit the printed width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import (
    FixedLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
    StrMethodFormatter,
)

from sharpscope.figures.legends import MOST
from sharpscope.figures.style import GREY, INK, PALETTE, Mark, Venue, marks
from sharpscope.results import selection


def new_figure(width: float, height: float) -> Figure:
    """Make a figure outside pyplot: no window, no global state, nothing to close.

    Args:
        width: In inches.
        height: In inches.

    Returns:
        An empty figure whose layout keeps labels inside.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_axes(ax: Axes | None, *, width: float = 80 / 25.4, height: float | None = None) -> Axes:
    """Return the given axes, or those of a new figure.

    Args:
        ax: Axes to draw into, or None.
        width: Width of a new figure in inches.
        height: Its height; from the golden ratio when None.

    Returns:
        Axes to draw into.
    """
    if ax is not None:
        return ax
    return new_figure(width, height or width * 0.7).add_subplot()


def grid(venue: Venue, count: int, *, height: float = 1.95) -> tuple[Figure, list[Axes]]:
    """Make a figure with ``count`` panels: one column wide for up to two, the text's width beyond.

    Args:
        venue: Where it is printed.
        count: Number of panels.
        height: Height of a row of panels, in inches.

    Returns:
        The figure and its axes.
    """
    columns = 1 if count <= 2 else 3 if count in (3, 5, 6, 9) else 4
    rows = math.ceil(count / columns)
    width = venue.column if count <= 2 else venue.text
    tall = max(height, 0.5 * width) if count <= 2 else height
    figure = new_figure(width, rows * tall + 0.45)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    return figure, axes


class Coding(NamedTuple):
    """How checkpoints are told apart: colour by one column, marker by another.

    Attributes:
        colour_by: Column whose levels have a colour and, when it is the only one, a marker.
        marker_by: Column whose levels have a marker; the same as ``colour_by`` when only one varies.
        colours: Mark of each level of ``colour_by``.
        markers: Mark of each level of ``marker_by``.
    """

    colour_by: str
    marker_by: str
    colours: dict[str, Mark]
    markers: dict[str, Mark]

    def mark(self, row: pd.Series) -> tuple[Mark, bool]:
        """Return how one checkpoint is drawn.

        Args:
            row: Has the two columns.

        Returns:
            Colour and marker, and whether the marker is filled: two recipes of one architecture differ
            in filling as well, so that they survive grey printing.
        """
        colour = self.colours[_text(row[self.colour_by])]
        marker = self.markers[_text(row[self.marker_by])]
        turn, level = divmod(list(self.colours).index(_text(row[self.colour_by])), len(PALETTE))
        # Where colours come round again, filling is the other one: sixteen levels of one shape stay apart.
        filled = self.colour_by == self.marker_by or (turn + level) % 2 == 0
        return Mark(colour.colour, marker.marker, colour.line), filled

    def line(self, row: pd.Series) -> Any:
        """Return the line style of one checkpoint: by its marker's level, since its colour tells the other.

        Args:
            row: Has the two columns.

        Returns:
            A style that matplotlib knows.
        """
        return self.markers[_text(row[self.marker_by])].line

    def groups(self, rows: pd.DataFrame) -> list[tuple[Line2D, pd.DataFrame]]:
        """Split checkpoints into those drawn alike.

        Args:
            rows: Rows of results.csv.

        Returns:
            For every combination that occurs, its legend entry and its rows.
        """
        first = [_text(v) for v in rows[self.colour_by]]
        second = [_text(v) for v in rows[self.marker_by]]
        colours, markers = list(self.colours), list(self.markers)
        order = sorted(
            set(zip(second, first, strict=True)), key=lambda p: (markers.index(p[0]), colours.index(p[1]))
        )
        found = []
        for pair in order:
            part = rows[[names == pair for names in zip(second, first, strict=True)]]
            mark, filled = self.mark(part.iloc[0])
            label = ", ".join(n for n in dict.fromkeys(pair) if n) or "unnamed"
            entry = Line2D(
                [],
                [],
                linestyle="none",
                marker=mark.marker,
                color=mark.colour,
                markerfacecolor=mark.colour if filled else "white",
                label=label,
            )
            found.append((entry, part))
        return found

    def handles(self, rows: pd.DataFrame, *, lines: bool = False) -> list[Line2D]:
        """Return the entries of a legend: one for every combination that occurs, if there is room for them.

        More than ``MOST`` combinations of two columns are told by an entry for each colour and one, in black, for
        each shape.

        Args:
            rows: The checkpoints drawn.
            lines: Whether the figure draws a line for each of them.

        Returns:
            Entries sorted as the levels are.
        """
        groups = self.groups(rows)
        for entry, part in groups:
            if lines:
                entry.set(linestyle=self.line(part.iloc[0]), linewidth=0.7)
        if len(groups) <= MOST or self.colour_by == self.marker_by:
            return [entry for entry, _ in groups]
        found: dict[str, Line2D] = {}
        for entry, part in groups:
            name = _text(part.iloc[0][self.colour_by]) or "unnamed"
            alike: dict[str, Any] = {
                "color": entry.get_color(),
                "markerfacecolor": entry.get_markerfacecolor(),
            }
            found.setdefault(name, Line2D([], [], linestyle="none", marker="o", label=name, **alike))
        shapes: dict[str, Line2D] = {}
        for entry, part in groups:
            name = _text(part.iloc[0][self.marker_by]) or "unnamed"
            alike = {"marker": entry.get_marker(), "linestyle": entry.get_linestyle(), "linewidth": 0.7}
            shapes.setdefault(name, Line2D([], [], color=INK, label=name, **alike))
        return [*found.values(), *shapes.values()]


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def code_checkpoints(rows: pd.DataFrame) -> Coding:
    """Choose what colour and marker stand for: recipe and architecture, whichever of them vary.

    Args:
        rows: Rows of results.csv.

    Returns:
        The coding, the same for every panel.
    """
    recipes, archs = selection.levels(rows, "recipe"), selection.levels(rows, "arch")
    if len(recipes) == 1 and len(archs) > 1:
        return Coding("arch", "arch", marks(archs), marks(archs))
    if len(archs) == 1:
        return Coding("recipe", "recipe", marks(recipes), marks(recipes))
    return Coding("recipe", "arch", marks(recipes), marks(archs))


def settle(figure: Figure) -> None:
    """Lay the figure out once and keep it so: PDF and PNG get the same places, and the second is quick.

    A vertical label that is longer than the figure is high gets a second line. The middle of a title that is
    wider than its panel is left out; captions give whole names.

    Args:
        figure: A finished figure.
    """
    figure.draw_without_rendering()
    tall = [figure._supylabel, *(ax.yaxis.get_label() for ax in figure.axes)]  # type: ignore[attr-defined]
    tall = [text for text in tall if text and text.get_window_extent().height > figure.bbox.height - 4]
    for text in tall:
        words = text.get_text()
        middle = min((i for i, c in enumerate(words) if c == " "), key=lambda i: abs(i - len(words) / 2))
        text.set_text(f"{words[:middle]}\n{words[middle + 1 :]}")
    if tall:
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        wide: Text = ax._left_title  # type: ignore[attr-defined]
        name = wide.get_text()
        room = ax.get_window_extent().width / max(wide.get_window_extent().width, 1)
        if room < 1:
            keep = max(int(room * len(name)) - 2, 4)
            wide.set_text(f"{name[: keep // 2]}…{name[-(keep - keep // 2) :]}")


def header(ax: Axes, name: str, lines: Sequence[str]) -> None:
    """Write a panel's name and its statistics above it, where no point can lie.

    Args:
        ax: The panel.
        name: Its set.
        lines: Short lines of statistics.
    """
    small = ax.xaxis.get_label().get_fontproperties().get_size_in_points() - 1
    ax.set_title(name, loc="left", fontweight="bold", pad=3 + 1.25 * small * len(lines))
    if lines:
        ax.annotate(
            "\n".join(lines),
            (0, 1),
            (0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=small,
            va="bottom",
            linespacing=1.1,
            annotation_clip=False,
        )


def say(ax: Axes, text: str) -> None:
    """Write into empty axes why there is nothing in them.

    Args:
        ax: The axes; their ticks go.
        text: The reason, in words.
    """
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color=GREY, wrap=True)
    ax.set_xticks([])
    ax.set_yticks([])


def few_ticks(ax: Axes, *, x: bool = True, y: bool = True, count: int = 4) -> None:
    """Keep the tick labels of a small panel few and short.

    Args:
        ax: The panel.
        x: Whether to treat the horizontal axis; a long logarithmic axis keeps its powers of ten.
        y: Whether to treat the vertical one.
        count: At most this many intervals.
    """
    for axis, wanted, scale in ((ax.xaxis, x, ax.get_xscale()), (ax.yaxis, y, ax.get_yscale())):
        if not wanted:
            continue
        low, high = sorted(axis.get_view_interval())
        if scale == "linear" or high < 20 * low:  # a decade or less has too few round powers to label
            axis.set_major_locator(MaxNLocator(count))
            formatter = ScalarFormatter(useMathText=True)
            formatter.set_powerlimits((-3, 4))
            axis.set_major_formatter(formatter)
        axis.set_minor_formatter(NullFormatter())


def symmetric_ticks(ax: Axes, linear_below: float) -> None:
    """Label a symlog axis at zero and at powers of ten, few enough to stand apart.

    Args:
        ax: The panel.
        linear_below: Size below which the axis is linear.
    """
    low, high = ax.get_ylim()
    start = round(np.log10(linear_below))
    powers = [10.0**k for k in range(start, start + 12)]
    up, down = [p for p in powers if p <= high], [-p for p in powers if -p >= low]
    ticks = [*down[:: -max(1, len(down) // 2)], 0.0, *up[:: max(1, len(up) // 3)]]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def error_axis(ax: Axes, least: float = 2.0) -> None:
    """Make room on an axis of EER in per cent: never far below 0, never so fine that equal errors look different.

    Args:
        ax: The panel.
        least: Points that it shows at least.
    """
    low, high = ax.get_ylim()
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    low, high = (low, high) if low > -0.5 else (-0.5, max(high, least - 0.5))
    ax.set_ylim(low, high)


def share_vertical(axes: Sequence[Axes]) -> bool:
    """Give all panels one vertical range, unless that would flatten one of them beyond reading.

    Args:
        axes: The panels that hold data.

    Returns:
        Whether they share it now.
    """
    ranges = np.array([ax.get_ylim() for ax in axes])
    if len(ranges) < 2:
        return True
    low, high = ranges[:, 0].min(), ranges[:, 1].max()
    spans = ranges[:, 1] - ranges[:, 0]
    if spans.min() < 0.3 * (high - low):
        return False
    for ax in axes:
        ax.set_ylim(low, high)
    return True
