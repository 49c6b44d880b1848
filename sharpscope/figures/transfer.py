"""How well an order of checkpoints on one set foretells that on another: a matrix of correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sharpscope.analysis.correlation_table import stars
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.rank_correlation import FEWEST
from sharpscope.analysis.transfer import in_domain_sets, transfer
from sharpscope.errors import UsageError
from sharpscope.figures import panels
from sharpscope.figures.heat_maps import coefficients
from sharpscope.figures.request import Request
from sharpscope.figures.style import INK
from sharpscope.results.selection import by_shift
from sharpscope.results.table import EER_ONLY
from sharpscope.results.wording import between, counted, number

COLUMNS = ("source_set", "target_set", "spearman", "p", "p_adjusted", "n")


def transfer_map(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    in_domain: Sequence[str] = (),
    order: Sequence[str] = (),
) -> Axes:
    """Draw which set's sharpness goes with which set's error: sources down, targets across.

    Args:
        table: One row per pair of sets with the columns ``source_set``, ``target_set``, ``spearman``, ``p``,
            ``p_adjusted`` and ``n``.
        ax: Axes to draw into; a new figure's when None.
        in_domain: Sets of the detectors' own domain; their rows are framed, since those alone are at hand before
            a detector meets the world.
        order: Names of the sets in the order that all figures share; None of the table's sets may be missing.

    Returns:
        The axes. Stars stand on adjusted p-values; cells from fewer than 5 checkpoints are hatched.

    Raises:
        UsageError: If columns are missing or there is no row.

    Example:
        >>> row = {"source_set": "a", "target_set": "b", "spearman": 0.5, "p": 0.01, "p_adjusted": 0.02, "n": 12}
        >>> [text.get_text() for text in transfer_map(pd.DataFrame([row])).texts]
        ['.50*']
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing or table.empty:
        raise UsageError(
            f"there is no transfer between sets to draw; the table lacks {', '.join(missing) or 'rows'}"
        )
    sources, targets = (
        sorted(
            dict.fromkeys(table[column]), key=lambda name: order.index(name) if name in order else len(order)
        )
        for column in ("source_set", "target_set")
    )
    ax = panels.new_axes(ax, height=1.1 + 0.25 * len(sources))
    values = pd.DataFrame(np.nan, index=sources, columns=targets)
    words = pd.DataFrame("", index=sources, columns=targets)
    for row in table.to_dict("records"):
        value, few = float(row["spearman"]), float(row["n"]) < FEWEST
        if math.isfinite(value):
            values.loc[row["source_set"], row["target_set"]] = math.nan if few else value
            mark = "" if few else stars(float(row["p_adjusted"]))
            words.loc[row["source_set"], row["target_set"]] = number(value) + mark
    coefficients(values, words, ax, named="Spearman")
    ax.set(xlabel="EER on", ylabel="Sharpness on")
    # Columns are narrow: slanted names of sets would run into each other.
    for label in ax.get_xticklabels():
        label.set(rotation=90, ha="center", va="top", rotation_mode="default")
    for place, name in enumerate(sources):
        if name in in_domain:
            ax.add_patch(
                Rectangle(
                    (0, place),
                    len(targets),
                    1,
                    fill=False,
                    edgecolor=INK,
                    linewidth=1.4,
                    clip_on=False,
                    gid="in-domain",
                )
            )
    return ax


def transfer_caption(table: pd.DataFrame, *, in_domain: Sequence[str] = (), label: str = "sharpness") -> str:
    """Return the sentence under `transfer_map`.

    Args:
        table: What was drawn.
        in_domain: Sets whose rows are framed.
        label: The measure in words.

    Returns:
        The caption.
    """
    tests = counted(int(np.isfinite(table["p_adjusted"]).sum()), "test")
    framed = f" Framed: in-domain ({', '.join(in_domain)})." if in_domain else ""
    return (
        f"Spearman's correlation of {label} on the set of the row with EER on the set of the column, over "
        f"n = {between(table['n'], 'checkpoint')}; two-sided p adjusted by max-T over the {tests} shown: * .05, "
        f"** .01, *** .001. Hatched: no coefficient, or fewer than {FEWEST} checkpoints.{framed}"
    )


def _pairs(request: Request) -> pd.DataFrame:
    """Return the transfer of the one way of measuring that is shown, adjusted over what is shown."""
    rows = request.rows().drop(columns="panel")
    found = transfer(rows, HalvesOfSets(request.records), controls=True)
    return found[found["measure"] != EER_ONLY]


def transfer_figure(request: Request) -> Figure:
    """Draw `transfer_map` for one way of measuring, at the width that its number of sets needs.

    Args:
        request: What to draw.

    Returns:
        The figure.

    Raises:
        UsageError: If the table has no pair of sets.
    """
    found = _pairs(request)
    sets = found["source_set"].nunique()
    figure = panels.new_figure(
        request.venue.text if sets > 5 else request.venue.column, 1.4 + 0.25 * max(sets, 3)
    )
    transfer_map(
        found,
        figure.add_subplot(),
        in_domain=in_domain_sets(request.results),
        order=by_shift(request.results),
    )
    panels.settle(figure)
    return figure


def transfer_figure_caption(request: Request) -> str:
    """Return the sentence under `transfer_figure`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    own = [name for name in in_domain_sets(request.results) if name in set(request.rows()["panel"])]
    sentence = transfer_caption(_pairs(request), in_domain=own, label=request.variant.named())
    return f"{sentence} On the diagonal, sharpness and EER come from different halves of the trials."
