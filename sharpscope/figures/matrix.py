"""Correlations at a glance: a heatmap of sets x measures, and a forest of intervals with the joint answer."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from sharpscope.errors import UsageError
from sharpscope.figures import panels, selection
from sharpscope.figures.request import Request
from sharpscope.figures.selection import number, probability
from sharpscope.figures.style import DIVERGING, GREY, PALETTE

FEWEST = 5  # checkpoints below which no p-value can reach .05
JOINT = "mean_within"  # mean over sets, checkpoints permuted jointly; the pooled cloud is never drawn


def per_set(correlation: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a correlation table that are about one set, with columns ``panel`` and ``way``.

    Args:
        correlation: Table made by `correlate`.

    Returns:
        The rows; ``way`` names measure and radius (and m or preset where several occur).
    """
    rows = correlation[correlation["scope"] == "set"] if "scope" in correlation else correlation
    if rows.empty:
        return pd.DataFrame(columns=[*rows.columns, "panel", "way"])
    if "subset" not in rows:
        rows = rows.assign(subset="")
    return rows.assign(panel=selection.panel_names(rows), way=ways(rows))


def ways(rows: pd.DataFrame) -> list[str]:
    """Name the way of measuring of each row, as briefly as is unambiguous.

    Args:
        rows: Has the columns measure and rho, maybe m and preset.

    Returns:
        One name per row.
    """
    names = [
        measure if math.isnan(rho) else f"{measure} {rho:g}"
        for measure, rho in zip(rows["measure"], rows["rho"].astype(float), strict=True)
    ]
    for column in ("m", "preset"):
        if column in rows and rows[column].nunique() > 1:
            names = [
                name
                if value != value
                else f"{name}, {column} {value:g}"
                if column == "m"
                else f"{name}, {value}"
                for name, value in zip(names, rows[column], strict=True)
            ]
    return names


def stars(adjusted: float) -> str:
    """Return the stars of an adjusted p-value.

    Args:
        adjusted: The p-value after correction; NaN gets none.

    Returns:
        "***" from .001 down, "**" from .01, "*" from .05.

    Example:
        >>> stars(0.0004), stars(0.03), stars(0.2), stars(float("nan"))
        ('***', '*', '', '')
    """
    return "***" if adjusted <= 0.001 else "**" if adjusted <= 0.01 else "*" if adjusted <= 0.05 else ""


def heatmap(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw Spearman's correlation with EER for every set and measure; stars on adjusted p-values only.

    Args:
        table: Table made by `correlate`.
        ax: Axes to draw into; a new figure's when None.

    Returns:
        The axes. Cells without a coefficient, or from fewer than 5 checkpoints, are hatched.

    Raises:
        UsageError: If the table has no row about a set.
    """
    rows = per_set(table)
    if rows.empty:
        raise UsageError("the correlation table has no row about a set: nothing to draw")
    names, measures = list(dict.fromkeys(rows["panel"])), list(dict.fromkeys(rows["way"]))
    ax = panels.new_axes(ax, height=0.9 + 0.22 * len(names))
    image = np.full((len(names), len(measures)), np.nan)
    colours = mpl.colormaps[DIVERGING]
    for _, row in rows.iterrows():
        i, j = names.index(row["panel"]), measures.index(row["way"])
        value = float(row["spearman"])
        corner = (j - 0.5, i - 0.5)
        if not math.isfinite(value):
            ax.add_patch(
                Rectangle(corner, 1, 1, facecolor="white", edgecolor=GREY, hatch="////", linewidth=0)
            )
            continue
        image[i, j] = value
        few = float(row["n"]) < FEWEST
        dark = abs(value) > 0.6
        ax.text(
            j,
            i,
            number(value) + ("" if few else stars(float(row.get("p_holm", math.nan)))),
            ha="center",
            va="center",
            fontsize=ax.xaxis.get_label().get_fontproperties().get_size_in_points() - 1,
            color="white" if dark and not few else "black",
            gid="cell",
        )
        if few:
            ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=GREY, hatch="////", linewidth=0))
            image[i, j] = np.nan
    drawn = ax.imshow(image, cmap=colours, vmin=-1, vmax=1, aspect="auto")
    counts = rows.groupby("panel")["n"].max()
    least = rows.groupby("panel")["n"].min()
    ax.set_yticks(
        range(len(names)),
        [
            f"{name} ({counts[name]:g})"
            if counts[name] == least[name]
            else f"{name} ({least[name]:g}–{counts[name]:g})"
            for name in names
        ],
    )
    ax.set_xticks(range(len(measures)), measures, rotation=40, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(drawn, ax=ax, shrink=0.9, pad=0.02, aspect=25)
    bar.set_label("Spearman with EER")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return ax


def heatmap_figure(request: Request) -> Figure:
    """Draw `heatmap` at the width that its number of measures needs.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = per_set(_correlation(request))
    names, measures = rows["panel"].nunique(), rows["way"].nunique()
    longest = max(len(name) for name in rows["panel"])
    width = request.venue.text if measures > 4 or longest > 14 else request.venue.column
    figure = panels.new_figure(width, 1.1 + 0.2 * max(names, 3))
    heatmap(_correlation(request), figure.add_subplot())
    panels.settle(figure)
    return figure


def _count(rows: pd.DataFrame) -> str:
    low, high = rows["n"].min(), rows["n"].max()
    return f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def heatmap_caption(request: Request) -> str:
    """Return the sentence under `heatmap`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = per_set(_correlation(request))
    tests = int(rows["p_holm"].notna().sum())
    return (
        f"Spearman's correlation of each measure with EER over {_count(rows)} checkpoints per set. Stars on "
        f"Holm-adjusted two-sided permutation p over the {tests} tests shown: * .05, ** .01, *** .001. "
        f"Hatched: no coefficient, or fewer than {FEWEST} checkpoints, where no p-value can reach .05."
    )


def forest(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the correlation of each set with its interval, and the joint answer as a diamond.

    Args:
        table: Rows of the correlation table of one measure.
        ax: Axes to draw into; a new figure's when None.

    Returns:
        The axes.

    Raises:
        UsageError: If the rows are about several measures, or none is about a set.
    """
    rows = per_set(table)
    if rows["way"].nunique() != 1:
        raise UsageError(
            "a forest shows one measure; the table has "
            + (selection.listed(list(rows["way"].unique())) or "none")
        )
    joint = table[table["scope"] == JOINT] if "scope" in table else table.iloc[:0]
    ax = panels.new_axes(ax, height=0.8 + 0.2 * (len(rows) + len(joint)))
    ax.axvline(0, color=GREY, linewidth=0.5)
    labels, notes = [], []
    for i, (_, row) in enumerate(rows.iterrows()):
        value, low, high = (float(row[c]) for c in ("spearman", "spearman_low", "spearman_high"))
        if math.isfinite(low) and math.isfinite(high):
            ax.plot([low, high], [i, i], color=PALETTE[0], linewidth=1, gid="interval")
        if math.isfinite(value):
            ax.plot([value], [i], marker="s", color=PALETTE[0], gid="set")
        labels.append(f"{row['panel']} ({row['n']:g})")
        notes.append(_answer(row))
    for _, row in joint.iterrows():
        value, low, high = (float(row[c]) for c in ("spearman", "spearman_low", "spearman_high"))
        at = len(labels)
        if math.isfinite(value):
            ends = (low, high) if math.isfinite(low) and math.isfinite(high) else (value - 0.03, value + 0.03)
            corners = [(ends[0], at), (value, at - 0.28), (ends[1], at), (value, at + 0.28)]
            ax.add_patch(Polygon(corners, color=PALETTE[2], gid="joint"))
        labels.append(f"all sets ({row['n']:g})")
        notes.append(_answer(row))
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_xlim(-1.05, 1.05)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    small = ax.xaxis.get_label().get_fontproperties().get_size_in_points() - 1
    for i, note in enumerate(notes):
        ax.annotate(
            note, (1, i), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            fontsize=small, va="center", annotation_clip=False,
        )  # fmt: skip
    ax.set_xlabel("Spearman with EER, 95% interval")
    return ax


def _answer(row: pd.Series) -> str:
    adjusted = float(row.get("p_holm", math.nan))
    if not math.isfinite(float(row["spearman"])):
        return str(row.get("note") or "none")[:24]
    kind, p = ("Holm p", adjusted) if math.isfinite(adjusted) else ("p", float(row.get("p", math.nan)))
    return (
        f"{number(float(row['spearman']))}, {kind} {probability(p)}"
        if math.isfinite(p)
        else f"{number(float(row['spearman']))}, no p"
    )


def forest_figure(request: Request) -> Figure:
    """Draw `forest` for the chosen measure.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = _chosen(request)
    count = len(rows)
    wide = max(len(str(name)) for name in per_set(rows)["panel"]) > 14
    width = request.venue.text if wide else request.venue.column
    figure = panels.new_figure(width, 0.65 + 0.19 * max(count, 3))
    forest(rows, figure.add_subplot())
    panels.settle(figure)
    return figure


def _correlation(request: Request) -> pd.DataFrame:
    if request.correlation is None or request.correlation.empty:
        raise UsageError("there is no correlation to draw: it needs checkpoints with a value and an EER")
    return request.correlation


def _chosen(request: Request) -> pd.DataFrame:
    table = _correlation(request)
    keep = (table["measure"] == request.variant.measure) & selection.same(table["rho"], request.variant.rho)
    for column, value in (("m", request.variant.m), ("preset", request.variant.preset)):
        if column in table:
            keep &= selection.same(table[column], value) | table[column].isna()
    if not keep.any():
        raise UsageError(f"the correlation table has no row about {request.variant.label()}")
    return table[keep]


def forest_caption(request: Request) -> str:
    """Return the sentence under `forest`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = _chosen(request)
    joint = rows[rows["scope"] == JOINT] if "scope" in rows else rows.iloc[:0]
    pooled = (
        " Diamond: mean over sets; its p permutes checkpoints in all sets at once, since sets share them."
        if len(joint)
        else " No joint answer was computed."
    )
    tests = int(_correlation(request)["p_holm"].notna().sum())
    return (
        f"Spearman's correlation of {request.variant.label()} with EER over {_count(rows)} "
        "checkpoints per set, "
        "95% intervals (Bonett and Wright, 2000), two-sided permutation p, "
        f"Holm-adjusted over {tests} tests.{pooled}"
    )
