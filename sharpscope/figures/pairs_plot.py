"""From the baseline to the other recipe: an arrow per architecture and seed."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from sharpscope.figures import legends, panels
from sharpscope.figures.request import Request
from sharpscope.figures.style import INK, PALETTE, Mark, marks
from sharpscope.results import selection, wording
from sharpscope.results.pairing import one_set, pair_recipes


def architectures(rows: pd.DataFrame) -> dict[str, Mark]:
    """Return the mark of each architecture; its shape tells them apart where there are several.

    Args:
        rows: Rows of results.csv.

    Returns:
        One mark per architecture.
    """
    return marks(selection.levels(rows, "arch"))


def dash(kinds: dict[str, Mark], recipe: str) -> Literal["-", "--"]:
    """Return the line of a recipe's arrows: dashed where its colour has been another recipe's before.

    Args:
        kinds: Marks of the recipes.
        recipe: One of them.

    Returns:
        A line style.

    Example:
        >>> kinds = marks([f"recipe{i}" for i in range(9)])
        >>> dash(kinds, "recipe0"), dash(kinds, "recipe8")
        ('-', '--')
    """
    return "-" if list(kinds).index(recipe) < len(PALETTE) else "--"


def pairs(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    baseline: str = "",
    coding: dict[str, Mark] | None = None,
) -> Axes:
    """Draw an arrow in the plane of measure and EER from the baseline to each other recipe.

    Args:
        table: Rows of results.csv of one set and one measure.
        ax: Axes to draw into; a new figure's when None.
        baseline: Recipe that arrows start from.
        coding: Mark of each architecture; None takes those of the table.

    Returns:
        The axes.

    Raises:
        UsageError: If there is nothing to pair.
    """
    ax = panels.new_axes(ax)
    one_set(table)
    found = pair_recipes(table, baseline)
    kinds = marks([r for r in selection.levels(table, "recipe") if r != found.baseline])
    coding = coding or architectures(table)
    for _, pair in found.table.iterrows():
        mark = kinds[str(pair["recipe"])]
        start = (float(pair["value_from"]), 100 * float(pair["eer_from"]))
        end = (float(pair["value_to"]), 100 * float(pair["eer_to"]))
        shape = coding[str(pair["arch"])].marker if len(coding) > 1 else ""
        ax.plot(*start, marker=shape or "o", color=INK, markerfacecolor="white", linestyle="none", gid="from")
        ax.plot(*end, marker=shape or mark.marker, color=mark.colour, linestyle="none", gid="to")
        ax.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=5, color=mark.colour, linewidth=0.6, shrinkA=2,
                shrinkB=2, zorder=1, linestyle=dash(kinds, str(pair["recipe"])),
            )
        )  # fmt: skip
    if found.table.empty:
        panels.say(ax, "no pair")
    else:
        panels.error_axis(ax)
        panels.few_ticks(ax)
    better = found.table["eer_to"] < found.table["eer_from"]
    flatter = found.table["value_to"] < found.table["value_from"]
    lines = [
        f"of {wording.counted(len(found.table), 'pair')}: EER fell in {better.sum()},",
        f"{table['measure'].iloc[0]} in {flatter.sum()}, both in {(better & flatter).sum()}",
    ]
    panels.header(ax, selection.panel_names(table)[0], lines)
    ax.set_xlabel(wording.label(str(table["measure"].iloc[0]), float(table["rho"].iloc[0])))
    ax.set_ylabel("EER (%)")
    return ax


def pairs_figure(request: Request) -> Figure:
    """Draw `pairs`, a panel per set.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = request.rows()
    found = pair_recipes(rows, request.baseline)
    names = request.sets(rows)
    coding = architectures(rows)
    figure, axes = panels.grid(request.venue, len(names))
    for name, ax in zip(names, axes, strict=True):
        part = rows[rows["panel"] == name]
        if part["recipe"].nunique() < 2 or found.baseline not in set(part["recipe"].fillna("")):
            panels.say(ax, f"no pair with\n{found.baseline}")
            panels.header(ax, name, [])
        else:
            pairs(part, ax, baseline=found.baseline, coding=coding)
        ax.set(xlabel="", ylabel="")
    panels.share_vertical([ax for ax in axes if ax.has_data()])
    figure.supxlabel(request.variant.label())
    figure.supylabel("EER (%)")
    kinds = marks([r for r in selection.levels(rows, "recipe") if r != found.baseline])
    entries = [
        Line2D([], [], linestyle="none", marker=m.marker, color=m.colour, label=name or "unnamed")
        if len(coding) == 1
        else Line2D(
            [], [], linestyle=dash(kinds, name), linewidth=1.5, color=m.colour, label=name or "unnamed"
        )
        for name, m in kinds.items()
    ]
    start = Line2D(
        [],
        [],
        linestyle="none",
        marker="o",
        color=INK,
        markerfacecolor="white",
        label=f"{found.baseline} (hollow)",
    )
    shapes = [
        Line2D([], [], linestyle="none", marker=m.marker, color=INK, label=name or "unnamed")
        for name, m in coding.items()
    ]
    legends.legend(figure, [start, *entries, *(shapes if len(coding) > 1 else [])])
    panels.settle(figure)
    return figure


def pairs_caption(request: Request) -> str:
    """Return the sentence under `pairs`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    found = pair_recipes(request.rows(), request.baseline)
    counts = found.table.groupby(["set", "subset"]).size() if len(found.table) else pd.Series([0])
    alone = f" {found.alone} measurements have no partner and are not drawn." if found.alone else ""
    return (
        f"EER against {request.variant.named()}: an arrow from {found.baseline} to the other recipe of the "
        f"same architecture and seed ({request.method()}), {wording.between(counts, 'pair')} per set.{alone} "
        "Counts, no test; the paired tests are in `sharpscope table recipes`."
    )
