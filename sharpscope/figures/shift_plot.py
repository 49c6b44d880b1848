"""A measure from set to set: does it rise from the detectors' own domain to speech they never heard?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import theilslopes

from sharpscope.figures import legends, panels
from sharpscope.figures.request import Request
from sharpscope.figures.scatter_plot import needs_logarithm, room_for
from sharpscope.figures.style import BAND
from sharpscope.results import selection, wording
from sharpscope.results.wording import capital

FEW = 8  # checkpoints whose own intervals have room beside each other
CROWD = 40  # checkpoints from which on their lines fade behind the means
FEWEST_OF_A_KIND = 3  # checkpoints between which an interval of their mean says something


def _label_names(ax: Axes, names: Sequence[str]) -> None:
    ax.set_xticks(range(len(names)), [n if len(n) <= 22 else f"{n[:10]}…{n[-10:]}" for n in names])
    room = ax.get_figure().bbox.width * 0.8 / len(names)  # type: ignore[union-attr]
    if max(label.get_window_extent().width for label in ax.get_xticklabels()) > room:
        ax.tick_params(axis="x", rotation=35)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def rising(table: pd.DataFrame, names: Sequence[str]) -> tuple[int, int]:
    """Count the checkpoints whose measure rises along the sets: the median of its slopes is above zero.

    Args:
        table: Rows of one measure with a column ``panel``.
        names: The sets in order.

    Returns:
        How many rise, and of how many that were measured on two sets or more.

    Example:
        >>> table = pd.DataFrame({"panel": ["a", "b", "a", "b"], "sha256": ["1", "1", "2", "2"]})
        >>> rising(table.assign(value=[1.0, 2.0, 5.0, 3.0]), ["a", "b"])
        (1, 2)
    """
    place = {name: i for i, name in enumerate(names)}
    slopes = []
    for _, one in table[np.isfinite(table["value"])].groupby("sha256"):
        at = one["panel"].map(place)
        if at.nunique() > 1:
            slopes.append(float(theilslopes(one["value"], at)[0]))
    return sum(slope > 0 for slope in slopes), len(slopes)


def shift(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    coding: panels.Coding | None = None,
    order: Sequence[str] | None = None,
) -> Axes:
    """Draw a measure on every set, ordered from in-domain to most shifted: a thin line per checkpoint.

    A large mark is the mean of the checkpoints of one kind over its 95% bootstrap interval, where the kind has
    three or more. Bands of grey part the sets.

    Args:
        table: Rows of results.csv of one measure.
        ax: Axes to draw into; a new figure's when None.
        coding: How checkpoints are told apart.
        order: Names of the sets from left to right; None takes `by_shift` of the table.

    Returns:
        The axes.
    """
    ax = panels.new_axes(ax)
    rows = table.assign(panel=selection.panel_names(table))
    rows = rows[np.isfinite(rows["value"])]
    names = list(order or selection.by_shift(rows))
    coding = coding or panels.code_checkpoints(rows)
    groups = coding.groups(rows)
    for i in range(1, len(names), 2):
        ax.axvspan(i - 0.5, i + 0.5, facecolor=BAND, linewidth=0, zorder=0)
    few = rows["sha256"].nunique() <= FEW
    ink = 0.55 if rows["sha256"].nunique() <= CROWD else 0.25
    place = rows["panel"].map({name: i for i, name in enumerate(names)})
    step = min(0.72 / len(groups), 0.3)
    for turn, (entry, part) in enumerate(groups):
        seat = (turn - (len(groups) - 1) / 2) * step
        kind = part["sha256"].nunique() >= FEWEST_OF_A_KIND
        _checkpoints(
            ax, part.assign(place=place[part.index] + seat), entry, step, few=few, ink=ink, own_marks=not kind
        )
        if kind:
            _means(ax, part.assign(place=place[part.index] + seat), entry)
    if needs_logarithm(rows["value"]):
        ax.set_yscale("log")
    ax.set_ylim(*room_for(rows["value"], ax.get_ylim(), ax.get_yscale() == "log"))
    panels.few_ticks(ax, x=False)
    _label_names(ax, names)
    ax.set_xlim(-0.5, len(names) - 0.5)
    first = rows.iloc[0]
    ax.set(xlabel="", ylabel=wording.label(str(first["measure"]), float(first["rho"])))
    return ax


def _checkpoints(
    ax: Axes, part: pd.DataFrame, entry: Line2D, step: float, *, few: bool, ink: float, own_marks: bool
) -> None:
    """Draw the checkpoints of one kind, each as a line through its sets, side by side within the kind's seat.

    A kind without a mean has the mark of its legend on every point, or nothing would tell it from others.
    """
    colour = str(entry.get_color())
    points: dict[str, Any] = {"marker": ".", "markersize": 2.5, "markeredgewidth": 0}
    if own_marks:
        points = {
            "marker": entry.get_marker(),
            "markersize": 3.5,
            "markeredgewidth": 0.8,
            "markerfacecolor": entry.get_markerfacecolor(),
            "markeredgecolor": colour,
        }
    shas = list(dict.fromkeys(part["sha256"]))
    for turn, sha in enumerate(shas):
        one = part[part["sha256"] == sha].sort_values("place")
        at = one["place"] + 0.6 * step * (turn / max(len(shas) - 1, 1) - 0.5 if len(shas) > 1 else 0.0)
        if few:
            ax.vlines(at, one["value_low"], one["value_high"], color=colour, linewidth=0.6, alpha=0.7)
        ax.plot(at, one["value"], color=(colour, ink), linewidth=0.5, gid="checkpoint", zorder=2)
        ax.plot(at, one["value"], color=colour, linestyle="none", gid="points", zorder=3, **points)


def _means(ax: Axes, part: pd.DataFrame, entry: Line2D) -> None:
    before = len(ax.lines)
    # native_scale keeps the places; the seed keeps the bytes.
    sns.pointplot(
        part, x="place", y="value", ax=ax, native_scale=True, errorbar=("ci", 95), seed=0, linestyle="none",
        color=str(entry.get_color()), marker=str(entry.get_marker()), markersize=4, err_kws={"linewidth": 1.4},
        markerfacecolor=entry.get_markerfacecolor(), markeredgewidth=0.8, zorder=4,
    )  # fmt: skip
    for line in ax.lines[before:]:
        line.set_gid("mean")


def shift_figure(request: Request) -> Figure:
    """Draw `shift` at the width that its number of points needs.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = request.rows()
    coding = panels.code_checkpoints(rows)
    crowd = rows["panel"].nunique() * len(coding.groups(rows))
    width = request.venue.column if crowd <= 10 else request.venue.text
    figure = panels.new_figure(width, max(2.1, 0.47 * width) if crowd <= 10 else 0.42 * width)
    shift(rows, figure.add_subplot(), coding=coding, order=request.sets(rows))
    legends.legend(figure, coding.handles(rows))
    panels.settle(figure)
    return figure


def shift_caption(request: Request) -> str:
    """Return the sentence under `shift`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = request.rows()
    names = request.sets(rows)
    n = rows["sha256"].nunique()
    kinds = [part["sha256"].nunique() for _, part in panels.code_checkpoints(rows).groups(rows)]
    parts = [
        f"{capital(request.variant.named())} ({request.method()}), on {wording.counted(len(names), 'set')} from "
        f"in-domain to most shifted (by domain, then by the checkpoints' mean EER): {', '.join(names)}. "
        f"Thin: n = {wording.counted(n, 'checkpoint')}"
        + (
            ", bars their 95% intervals across groups."
            if n <= FEW
            else ", their intervals across groups not drawn."
        )
    ]
    if max(kinds) >= FEWEST_OF_A_KIND:
        parts.append("Large marks: means over the checkpoints with one mark, with 95% bootstrap intervals.")
    low = rows["value_low"]
    if needs_logarithm(rows["value"]) and bool((low <= 0).any()) and n <= FEW:
        parts.append("Bars that reach zero run out of the logarithmic axis.")
    up, of = rising(rows, names)
    if of:
        parts.append(f"The median slope is upwards in {up} of {of} checkpoints. No test.")
    else:
        parts.append("No test.")
    return " ".join(parts)
