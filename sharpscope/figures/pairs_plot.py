"""From the baseline to the other recipe: an arrow per architecture and seed."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from sharpscope.errors import UsageError, unknown_name
from sharpscope.figures import panels, selection
from sharpscope.figures.request import Request
from sharpscope.figures.scatter_plot import measured, one_set
from sharpscope.figures.style import marks


class Pairing(NamedTuple):
    """Checkpoints that differ in their recipe alone.

    Attributes:
        table: One row per pair: set, arch, seed, recipe, value_from, eer_from, value_to, eer_to.
        baseline: The recipe that arrows start from.
        alone: Measurements without a partner.
    """

    table: pd.DataFrame
    baseline: str
    alone: int


def pair_recipes(rows: pd.DataFrame, baseline: str = "") -> Pairing:
    """Pair every checkpoint with the baseline's of the same architecture, seed and set.

    Args:
        rows: Rows of results.csv of one measure.
        baseline: A recipe; "" takes the one whose name starts with "adam" or "base", else the first.

    Returns:
        The pairs.

    Raises:
        UsageError: If there is one recipe only, the baseline is unknown, or two checkpoints share
            architecture, recipe, seed and set.
    """
    recipes = selection.levels(rows, "recipe")
    if baseline and baseline not in recipes:
        raise unknown_name("recipe in this results table", baseline, recipes)
    if len(recipes) < 2:
        raise UsageError(
            f"the only recipe is {recipes[0] if recipes else 'none'!r}; a pair needs two. Name the recipes "
            "with `sharpscope measure --recipe`"
        )
    baseline = baseline or recipes[0]
    keys = ["set", "subset", "arch", "seed"]
    rows = measured(rows).fillna({"arch": "", "recipe": "", "subset": "", "seed": -1.0})
    clash = rows[rows.duplicated([*keys, "recipe"])]
    if len(clash):
        one = clash.iloc[0]
        raise UsageError(
            f"two checkpoints have architecture {one['arch']!r}, recipe {one['recipe']!r} and seed "
            f"{one['seed']:g} on {one['set']}: which is the partner? Give them different seeds or recipes"
        )
    first = rows[rows["recipe"] == baseline]
    other = rows[rows["recipe"] != baseline]
    wanted = [*keys, "value", "eer"]
    pairs = other[[*wanted, "recipe"]].merge(first[wanted], on=keys, suffixes=("_to", "_from"))
    used = len(pairs) + len(pairs.drop_duplicates(keys))
    return Pairing(pairs, baseline, len(rows) - used)


def pairs(table: pd.DataFrame, ax: Axes | None = None, *, baseline: str = "") -> Axes:
    """Draw an arrow in the plane of measure and EER from the baseline to each other recipe.

    Args:
        table: Rows of results.csv of one set and one measure.
        ax: Axes to draw into; a new figure's when None.
        baseline: Recipe that arrows start from.

    Returns:
        The axes.

    Raises:
        UsageError: If there is nothing to pair.
    """
    ax = panels.new_axes(ax)
    one_set(table)
    found = pair_recipes(table, baseline)
    kinds = marks([r for r in selection.levels(table, "recipe") if r != found.baseline])
    for _, pair in found.table.iterrows():
        mark = kinds[str(pair["recipe"])]
        start = (float(pair["value_from"]), 100 * float(pair["eer_from"]))
        end = (float(pair["value_to"]), 100 * float(pair["eer_to"]))
        ax.plot(*start, marker="o", color="#222222", markerfacecolor="white", linestyle="none", gid="from")
        ax.plot(*end, marker=mark.marker, color=mark.colour, linestyle="none", gid="to")
        ax.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=5, color=mark.colour, linewidth=0.6, shrinkA=2,
                shrinkB=2, zorder=1,
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
        f"{len(found.table)} pairs: lower EER {better.sum()},",
        f"lower measure {flatter.sum()}, both {(better & flatter).sum()}",
    ]
    panels.header(ax, selection.panel_names(table)[0], lines)
    ax.set_xlabel(selection.label(str(table["measure"].iloc[0]), float(table["rho"].iloc[0])))
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
    names = list(dict.fromkeys(rows["panel"]))
    figure, axes = panels.grid(request.venue, len(names))
    for name, ax in zip(names, axes, strict=True):
        part = rows[rows["panel"] == name]
        if part["recipe"].nunique() < 2 or found.baseline not in set(part["recipe"].fillna("")):
            panels.say(ax, f"no pair with\n{found.baseline}")
            panels.header(ax, name, [])
        else:
            pairs(part, ax, baseline=found.baseline)
        ax.set(xlabel="", ylabel="")
    panels.share_vertical([ax for ax in axes if ax.has_data()])
    figure.supxlabel(request.variant.label())
    figure.supylabel("EER (%)")
    kinds = marks([r for r in selection.levels(rows, "recipe") if r != found.baseline])
    entries = [
        Line2D([], [], linestyle="none", marker=m.marker, color=m.colour, label=name or "unnamed")
        for name, m in kinds.items()
    ]
    start = Line2D(
        [], [], linestyle="none", marker="o", color="#222222", markerfacecolor="white", label=found.baseline
    )
    panels.legend(figure, [start, *entries])
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
        f"EER against {request.variant.label()}: an arrow from {found.baseline} to the other recipe of the "
        f"same architecture and seed, {counts.min()} to {counts.max()} pairs per set.{alone} "
        "Counts, no test; the paired tests are in `sharpscope table recipes`."
    )
