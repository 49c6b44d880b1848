"""Annotated heat maps: correlations of sets x measures."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sharpscope.analysis.correlation_table import per_set, stars
from sharpscope.analysis.rank_correlation import FEWEST
from sharpscope.errors import UsageError
from sharpscope.figures import panels
from sharpscope.figures.request import Request
from sharpscope.figures.style import DIVERGING, GREY, readable_on
from sharpscope.results.selection import in_order
from sharpscope.results.wording import between, counted, number


def small_size(ax: Axes) -> float:
    """Return the size of the smallest letters beside some axes, in points.

    Args:
        ax: The axes.

    Returns:
        One point less than their labels have.
    """
    return float(ax.xaxis.get_label().get_fontproperties().get_size_in_points()) - 1


def coefficients(values: pd.DataFrame, words: pd.DataFrame, ax: Axes, *, named: str) -> None:
    """Draw a table of correlations as coloured cells with their numbers in them.

    Args:
        values: Coefficients, rows and columns named as they are written on the axes; NaN is hatched.
        words: What stands in each cell, of the same shape.
        ax: Axes to draw into.
        named: Label of the colour bar.
    """
    before = len(ax.texts)
    sns.heatmap(
        values.astype(float), annot=words, fmt="", vmin=-1, vmax=1, cmap=DIVERGING, ax=ax, linewidths=0.5,
        linecolor="white", annot_kws={"fontsize": small_size(ax)},
        cbar_kws={"label": named, "shrink": 0.9, "pad": 0.02, "aspect": 25, "ticks": [-1, -0.5, 0, 0.5, 1]},
    )  # fmt: skip
    numbers = values.to_numpy(float)
    shown = [(i, j) for i, j in np.ndindex(*numbers.shape) if math.isfinite(numbers[i, j])]
    grounds = mpl.colormaps[DIVERGING]((numbers + 1) / 2)
    for text, cell in zip(ax.texts[before:], shown, strict=True):
        text.set(gid="cell", color=readable_on(to_hex(tuple(grounds[cell]))))
    for i, j in zip(*np.nonzero(values.isna().to_numpy()), strict=True):
        ax.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor=GREY, hatch="////", linewidth=0))
        if words.iloc[i, j]:
            # A number among hatching needs a clear ground.
            ax.text(j + 0.5, i + 0.5, words.iloc[i, j], ha="center", va="center", fontsize=small_size(ax), gid="cell",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip
    ax.set(xlabel="", ylabel="")
    across, down = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5
    ax.set_xticks(across, list(values.columns), rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(down, list(values.index), rotation=0)
    ax.tick_params(length=0)


def heatmap(table: pd.DataFrame, ax: Axes | None = None, *, results: pd.DataFrame | None = None) -> Axes:
    """Draw Spearman's correlation with EER for every set and measure; stars on adjusted p-values only.

    Args:
        table: Table made by `correlate`.
        ax: Axes to draw into; a new figure's when None.
        results: Rows of results.csv, which give the order of sets; None keeps that of the table.

    Returns:
        The axes. Cells without a coefficient, or from fewer than 5 checkpoints, are hatched.

    Raises:
        UsageError: If the table has no row about a set.
    """
    rows = per_set(table)
    if rows.empty:
        raise UsageError("the correlation table has no row about a set: nothing to draw")
    names = list(dict.fromkeys(rows["panel"])) if results is None else in_order(rows["panel"], results)
    ways = list(dict.fromkeys(rows["way"]))
    ax = panels.new_axes(ax, height=0.9 + 0.22 * len(names))
    values = pd.DataFrame(np.nan, index=names, columns=ways)
    words = pd.DataFrame("", index=names, columns=ways)
    for row in rows.to_dict("records"):
        value, few = float(row["spearman"]), float(row["n"]) < FEWEST
        if math.isfinite(value):
            values.loc[row["panel"], row["way"]] = math.nan if few else value
            mark = "" if few else stars(float(row.get("p_holm", math.nan)))
            words.loc[row["panel"], row["way"]] = number(value) + mark
    counts = rows.groupby("panel")["n"].agg(["min", "max"])
    values.index = pd.Index(
        [
            f"{name} ({low:g})" if low == high else f"{name} ({low:g}–{high:g})"
            for name, low, high in counts.loc[names].itertuples()
        ]
    )
    coefficients(values, words, ax, named="Spearman")
    return ax


def heatmap_figure(request: Request) -> Figure:
    """Draw `heatmap` at the width that its number of measures needs.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    table = request.correlations()
    rows = per_set(table)
    names, measures = rows["panel"].nunique(), rows["way"].nunique()
    longest = max(len(name) for name in rows["panel"])
    width = request.venue.text if measures > 4 or longest > 14 else request.venue.column
    figure = panels.new_figure(width, 1.1 + 0.2 * max(names, 3))
    heatmap(table, figure.add_subplot(), results=request.results)
    panels.settle(figure)
    return figure


def heatmap_caption(request: Request) -> str:
    """Return the sentence under `heatmap`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = per_set(request.correlations())
    tests = int(rows["p_holm"].notna().sum())
    said = (
        f"Stars on Holm-adjusted two-sided permutation p, {counted(tests, 'test')} shown: * .05, ** .01, *** .001."
        if tests
        else "No test was possible, so there are no stars."
    )
    return (
        f"Spearman's correlation of each measure with EER over n = {between(rows['n'], 'checkpoint')} per set "
        f"(in brackets). {said} Hatched: no coefficient, or fewer than {FEWEST} checkpoints: no p-value can reach .05."
    )
