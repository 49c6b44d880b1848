"""Correlation per set with its interval, and the joint answer."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from sharpscope.analysis.correlation_table import JOINT, per_set
from sharpscope.errors import UsageError
from sharpscope.figures import panels
from sharpscope.figures.heat_maps import small_size
from sharpscope.figures.request import Request
from sharpscope.figures.style import GREY, PALETTE
from sharpscope.results import selection, wording
from sharpscope.results.selection import in_order
from sharpscope.results.wording import between, number, probability


def forest(table: pd.DataFrame, ax: Axes | None = None, *, results: pd.DataFrame | None = None) -> Axes:
    """Draw the correlation of each set with its interval, and the joint answer as a diamond.

    Args:
        table: Rows of the correlation table of one measure.
        ax: Axes to draw into; a new figure's when None.
        results: Rows of results.csv, which give the order of sets; None keeps that of the table.

    Returns:
        The axes.

    Raises:
        UsageError: If the rows are about several measures, or none is about a set.
    """
    rows = per_set(table)
    if rows["way"].nunique() != 1:
        raise UsageError(
            "a forest shows one measure; the table has "
            + (wording.listed(list(rows["way"].unique())) or "none")
        )
    if results is not None:
        place = {name: i for i, name in enumerate(in_order(rows["panel"], results))}
        rows = rows.sort_values("panel", key=lambda names: names.map(place), kind="stable")
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
    small = small_size(ax)
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
    rows = of_measure(request)
    count = len(rows)
    wide = max(len(str(name)) for name in per_set(rows)["panel"]) > 14
    width = request.venue.text if wide else request.venue.column
    figure = panels.new_figure(width, 0.65 + 0.19 * max(count, 3))
    forest(rows, figure.add_subplot(), results=request.results)
    panels.settle(figure)
    return figure


def of_measure(request: Request) -> pd.DataFrame:
    """Return the rows of the table of correlations that are about the measure shown.

    Args:
        request: What is drawn.

    Returns:
        Its rows, of every scope.

    Raises:
        UsageError: If there is none.
    """
    table = request.correlations()
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
    rows = of_measure(request)
    joint = rows[rows["scope"] == JOINT] if "scope" in rows else rows.iloc[:0]
    pooled = (
        " Diamond: mean over sets; its p permutes checkpoints in all sets at once, since sets share them."
        if len(joint)
        else " No joint answer was computed."
    )
    tests = int(request.correlations()["p_holm"].notna().sum())
    return (
        f"Spearman's correlation of {request.variant.named()} with EER ({request.method()}) over "
        f"n = {between(per_set(rows)['n'], 'checkpoint')} per set, 95% intervals (Bonett and Wright, 2000), two-sided "
        f"permutation p, {wording.adjusted_over(tests)}.{pooled}"
    )
