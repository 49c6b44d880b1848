"""Which blocks of the networks carry the sharpness: shares of the one-step ascent, a panel per set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sharpscope.errors import UsageError
from sharpscope.figures import legends, panels
from sharpscope.figures.request import Request
from sharpscope.results import wording
from sharpscope.results.table import about_blocks, measure_and_block

MOST = 60  # blocks; more lines than that have no room on a page
LINE = 0.17  # inches a block


def block_rows(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about blocks, their measure without the block and the block in a column of its own.

    Args:
        results: Rows of results.csv.

    Returns:
        Rows with the column ``block``, "architecture: block" where there are several architectures.

    Raises:
        UsageError: If there is none.
    """
    rows = results[about_blocks(results)]
    if rows.empty:
        raise UsageError(
            "the results hold no shares of blocks; measure with --measures sam_layers (or asam_layers): they cost "
            "nothing beside sam"
        )
    names = [measure_and_block(str(name)) for name in rows["measure"]]
    blocks = [block for _, block in names]
    if rows["arch"].nunique() > 1:
        blocks = [f"{arch}: {block}" for arch, block in zip(rows["arch"], blocks, strict=True)]
    return rows.assign(measure=[name for name, _ in names], block=blocks)


def layers(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    order: list[str] | None = None,
    coding: panels.Coding | None = None,
) -> Axes:
    """Draw each block's share of the squared ascent direction on one set: a mark is the mean of checkpoints of a kind.

    A line spans the checkpoints of the kind.

    Args:
        table: What `block_rows` returned, of one set and measure.
        ax: Axes to draw into; a new figure's when None.
        order: Blocks from top to bottom; None takes the table's.
        coding: How checkpoints are told apart.

    Returns:
        The axes, shares in per cent.
    """
    order = order or list(dict.fromkeys(table["block"]))
    ax = panels.new_axes(ax, height=0.8 + LINE * len(order))
    groups = (coding or panels.code_checkpoints(table)).groups(table)
    place = {block: line for line, block in enumerate(order)}
    # Kinds that share a block share its line; another architecture has lines of its own.
    kinds = {
        block: [k for k, (_, part) in enumerate(groups) if block in set(part["block"])] for block in order
    }
    for kind, (entry, part) in enumerate(groups):
        spread = part.groupby("block", sort=False)["value"].agg(["mean", "min", "max"]) * 100
        here = [kinds[str(block)] for block in spread.index]
        seats = np.array([0.7 * ((k.index(kind) + 0.5) / len(k) - 0.5) for k in here])
        at = np.array([place[str(block)] for block in spread.index]) + seats
        colour = str(entry.get_color())
        ax.hlines(at, spread["min"], spread["max"], color=colour, linewidth=0.6, alpha=0.6)
        ax.plot(
            spread["mean"],
            at,
            linestyle="none",
            marker=str(entry.get_marker()),
            color=colour,
            markerfacecolor=entry.get_markerfacecolor(),
            markersize=3,
            gid="mean",
        )
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.grid(axis="y", linewidth=0.3, alpha=0.4)
    panels.few_ticks(ax, y=False)
    return ax


def layers_figure(request: Request) -> Figure:
    """Draw `layers` for every set.

    Args:
        request: What to draw; its results are what `block_rows` returned.

    Returns:
        The figure.

    Raises:
        UsageError: If there are more blocks than lines have room.
    """
    rows = request.rows()
    order = list(dict.fromkeys(rows.sort_values("arch", kind="stable")["block"]))
    if len(order) > MOST:
        raise UsageError(
            f"{len(order)} blocks are more than the {MOST} that fit a page; give a table of fewer architectures, as "
            "`sharpscope measure --out` fills one with theirs alone"
        )
    names = request.sets(rows)
    coding = panels.code_checkpoints(rows)
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    width = request.venue.column if len(names) == 1 else request.venue.text
    figure = panels.new_figure(width, lines * (0.45 + LINE * len(order)) + 0.6)
    axes = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    for name, ax in zip(names, axes, strict=False):
        layers(rows[rows["panel"] == name], ax, order=order, coding=coding)
        panels.header(ax, name, [])
    # A range set in one panel holds in all, and only after the last is it known.
    axes[0].set_xlim(0, 105 * float(rows["value"].max()))
    for ax in axes[len(names) :]:
        ax.remove()
    for ax in axes[max(0, len(names) - columns) : len(names)]:
        ax.tick_params(labelbottom=True)
    figure.supxlabel("Share of the squared step (%)")
    legends.legend(figure, coding.handles(rows))
    panels.settle(figure)
    return figure


def layers_caption(request: Request) -> str:
    """Return the sentence under `layers`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = request.rows()
    step = request.variant.measure.removesuffix("_layers")
    return (
        f"Which blocks carry the sharpness: share of each block of the network in the squared one-step ascent "
        f"direction of {step} ({request.method()}), to first order its share of {step} itself, on "
        f"{', '.join(request.sets(rows))}. Marks: means of checkpoints of one kind, lines from the lowest to the "
        f"highest of them; n = {wording.counted(rows['sha256'].nunique(), 'checkpoint')}. Shares add up to 100% in "
        "each checkpoint. No test."
    )
