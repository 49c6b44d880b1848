"""A measure along something ordered: sets by shift, radii, group sizes, growing numbers of conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

from sharpscope.errors import UsageError
from sharpscope.figures import panels, selection
from sharpscope.figures.request import Request
from sharpscope.figures.scatter_plot import needs_logarithm, room_for

MOST_BANDS = 8  # checkpoints; the intervals of more would cover each other


def by_shift(rows: pd.DataFrame) -> list[str]:
    """Order panels from in-domain to most shifted: by domain, then by the checkpoints' mean EER.

    Args:
        rows: Rows of results.csv with the column ``panel``.

    Returns:
        Panel names.
    """
    keys = [
        (0 if set(part["domain"]) == {"id"} else 1, float(part["eer"].mean()), name)
        for name, part in rows.groupby("panel", sort=False)
    ]
    return [str(name) for *_, name in sorted(keys, key=lambda k: (k[0], np.nan_to_num(k[1], nan=2.0)))]


def _label_names(ax: Axes, names: Sequence[str]) -> None:
    ax.set_xticks(range(len(names)), [n if len(n) <= 22 else f"{n[:10]}…{n[-10:]}" for n in names])
    room = ax.get_figure().bbox.width * 0.8 / len(names)  # type: ignore[union-attr]
    if max(label.get_window_extent().width for label in ax.get_xticklabels()) > room:
        ax.tick_params(axis="x", rotation=35)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def shift(table: pd.DataFrame, ax: Axes | None = None, *, coding: panels.Coding | None = None) -> Axes:
    """Draw a measure on every set, ordered from in-domain to most shifted.

    Points are checkpoints over their intervals, side by side by recipe and architecture; a line joins the
    means of each kind.

    Args:
        table: Rows of results.csv of one measure.
        ax: Axes to draw into; a new figure's when None.
        coding: How checkpoints are told apart.

    Returns:
        The axes.
    """
    ax = panels.new_axes(ax)
    rows = table.assign(panel=selection.panel_names(table))
    rows = rows[np.isfinite(rows["value"])]
    names = by_shift(rows)
    coding = coding or panels.code_checkpoints(rows)
    groups = coding.groups(rows)
    step = min(0.7 / len(groups), 0.25)
    for place, (entry, part) in enumerate(groups):
        at = part["panel"].map({name: i for i, name in enumerate(names)}).to_numpy(dtype=float)
        # Checkpoints of a kind stand beside each other, or the first would hide the others.
        turn = part.groupby("sha256", sort=False).ngroup().to_numpy(dtype=float)
        seats = at + (place - (len(groups) - 1) / 2 + 0.6 * (turn / max(turn.max(), 1) - 0.5)) * step
        colour = str(entry.get_color())
        ax.vlines(seats, part["value_low"], part["value_high"], color=colour, linewidth=0.6, alpha=0.6)
        ax.plot(
            seats,
            part["value"],
            linestyle="none",
            marker=str(entry.get_marker()),
            color=colour,
            markerfacecolor=entry.get_markerfacecolor(),
            markersize=3,
            gid="checkpoint",
        )
        middle = at + (place - (len(groups) - 1) / 2) * step
        means = pd.Series(part["value"].to_numpy(), index=middle).groupby(level=0).mean()
        ax.plot(means.index, means, color=colour, linewidth=0.7, alpha=0.8, zorder=1, gid="mean")
    if needs_logarithm(rows["value"]):
        ax.set_yscale("log")
    ax.set_ylim(*room_for(rows["value"], ax.get_ylim(), ax.get_yscale() == "log"))
    panels.few_ticks(ax, x=False)
    _label_names(ax, names)
    ax.set_xlim(-0.5, len(names) - 0.5)
    first = rows.iloc[0]
    ax.set_ylabel(selection.label(str(first["measure"]), float(first["rho"])))
    return ax


def shift_figure(request: Request) -> Figure:
    """Draw `shift` at the width that its number of points needs.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = request.rows()
    coding = panels.code_checkpoints(rows)
    crowded = rows["panel"].nunique() * len(coding.handles(rows)) > 16
    width = request.venue.text if crowded else request.venue.column
    figure = panels.new_figure(width, max(2.6, 0.47 * width))
    shift(rows, figure.add_subplot(), coding=coding)
    panels.legend(figure, coding.handles(rows))
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
    return (
        f"{request.variant.label()} on each set, from in-domain to most shifted (by domain, then by the "
        f"checkpoints' mean EER): {', '.join(by_shift(rows))}. Points: n = {rows['sha256'].nunique()} "
        "checkpoints over their 95% intervals across groups; lines: means of checkpoints of a kind. No test."
    )


def grown(subset: str) -> int | None:
    """Return how many conditions a subset holds, from its name.

    Args:
        subset: Conditions joined by "+", or a name that ends in a number, behind the number of a random order.

    Returns:
        The count; None where the name does not tell.

    Example:
        >>> grown("A07+A08+A09"), grown("speakers=12"), grown("order2/attacks=3"), grown("de")
        (3, 12, 3, 1)
        >>> grown("") is None
        True
    """
    if not subset:
        return None
    if found := re.search(r"(?:^|/)order\d+/\w+=(\d+)$", subset):
        return int(found.group(1))
    subset = subset.split("/")[0]  # what follows says how it was drawn
    if "+" in subset:
        return len(subset.split("+"))
    found = re.search(r"[=:_-](\d+)$", subset)
    return int(found.group(1)) if found else 1


def curve(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    along: str,
    coding: panels.Coding | None = None,
    logarithmic: bool | None = None,
) -> Axes:
    """Draw a measure on one set along a numeric column: thin per checkpoint, thick the mean of a kind.

    Args:
        table: Rows of results.csv of one set.
        ax: Axes to draw into; a new figure's when None.
        along: Column of the horizontal axis ("rho", "m", or a column of counts).
        coding: How checkpoints are told apart.
        logarithmic: Whether the vertical axis is; when None, if the values are positive and span a factor
            of 30.

    Returns:
        The axes.
    """
    ax = panels.new_axes(ax)
    rows = table[np.isfinite(table["value"]) & np.isfinite(table[along])]
    coding = coding or panels.code_checkpoints(table)
    if rows.empty:
        panels.say(ax, "no finite value")
        return ax
    for entry, part in coding.groups(rows):
        colour = str(entry.get_color())
        for _, one in part.groupby("sha256"):
            one = one.sort_values(along)
            ax.plot(one[along], one["value"], color=colour, linewidth=0.5, alpha=0.45, gid="checkpoint")
            if rows["sha256"].nunique() <= MOST_BANDS:
                ax.fill_between(
                    one[along], one["value_low"], one["value_high"], color=colour, alpha=0.12, linewidth=0
                )
        mean = part.groupby(along)["value"].mean()
        ax.plot(
            mean.index,
            mean,
            color=colour,
            marker=str(entry.get_marker()),
            markerfacecolor=entry.get_markerfacecolor(),
            gid="mean",
        )
    ticks = sorted(set(rows[along]))
    if along in ("rho", "m"):
        ax.set_xscale("symlog", linthresh=min(t for t in ticks if t > 0)) if ticks[0] == 0 else ax.set_xscale(
            "log"
        )
    if needs_logarithm(rows["value"]) if logarithmic is None else logarithmic:
        ax.set_yscale("log")
    panels.few_ticks(ax, x=False)
    if along in ("rho", "m"):
        most = 6 if ax.get_position().width * ax.get_figure().get_figwidth() > 2 else 4  # type: ignore[union-attr]
        places = np.unique(np.linspace(0, len(ticks) - 1, most).round().astype(int))
        ax.xaxis.set_major_locator(FixedLocator([ticks[i] for i in places]))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_minor_locator(NullLocator())
    return ax


def _curve_figure(rows: pd.DataFrame, request: Request, along: str, words: str, ylabel: str) -> Figure:
    names = by_shift(rows)
    coding = panels.code_checkpoints(rows)
    figure, axes = panels.grid(request.venue, len(names), height=1.65)
    logarithmic = needs_logarithm(rows["value"])
    for name, ax in zip(names, axes, strict=True):
        curve(rows[rows["panel"] == name], ax, along=along, coding=coding, logarithmic=logarithmic)
        panels.header(ax, name, [])
    panels.share_vertical([ax for ax in axes if ax.has_data()])
    figure.supxlabel(words)
    figure.supylabel(f"{ylabel}, logarithmic" if logarithmic else ylabel)
    panels.legend(figure, coding.handles(rows))
    panels.settle(figure)
    return figure


def _along(request: Request, column: str) -> pd.DataFrame:
    """Return the rows of the chosen measure at every value of one column, the others as chosen."""
    variant = request.variant
    rows = request.results
    keep = (rows["measure"] == variant.measure) & (rows["preset"] == variant.preset) & rows[column].notna()
    if column == "rho":
        keep &= (rows["m"] == variant.m) | (rows["m"].isna() & np.isnan(variant.m))
    if column == "m":
        keep &= (rows["rho"] == variant.rho) | (rows["rho"].isna() & np.isnan(variant.rho))
    rows = rows[keep]
    if rows[column].nunique() < 2:
        there = ", ".join(f"{v:g}" for v in sorted(rows[column].unique())) or "none"
        raise UsageError(
            f"{variant.measure} was measured with {column} = {there}; a curve needs two or more. "
            f"Measure again with --{column} a,b,c"
        )
    return rows.assign(panel=selection.panel_names(rows))


def rho_curve_figure(request: Request) -> Figure:
    """Draw the measure along its radius, a panel per set.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    label = selection.label(request.variant.measure, 1.0).replace(", ρ = 1", "")
    return _curve_figure(_along(request, "rho"), request, "rho", "Radius ρ, logarithmic", label)


def m_curve_figure(request: Request) -> Figure:
    """Draw the measure along the size of the groups, a panel per set.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = _along(request, "m")
    return _curve_figure(rows, request, "m", "Trials per group m, logarithmic", request.variant.label())


def _grow_rows(request: Request) -> pd.DataFrame:
    rows = selection.rows_of(request.results, request.variant)
    counts = [grown(str(s)) for s in rows["subset"].fillna("")]
    rows = rows.assign(conditions=np.array(counts, dtype=float), panel=rows["set"])  # None becomes NaN
    rows = rows[rows["conditions"].notna()]
    enough = [name for name, part in rows.groupby("set") if part["conditions"].nunique() > 1]
    if not enough:
        raise UsageError(
            "no set was measured on subsets of growing size; measure with --grow attack (or codec, language, "
            "speaker)"
        )
    return _over_orders(rows[rows["set"].isin(enough)])


def _over_orders(rows: pd.DataFrame) -> pd.DataFrame:
    """Average a checkpoint's values over the random orders in which conditions were added."""
    same = ["sha256", "set", "conditions"]
    if not rows.duplicated(same).any():
        return rows
    mean = rows.groupby(same, sort=False)[["value", "eer"]].mean().reset_index()
    first = rows.drop_duplicates(same).drop(columns=["value", "eer"])
    # Intervals of single orders are not those of their mean.
    return first.merge(mean, on=same).assign(value_low=np.nan, value_high=np.nan)


def grow_figure(request: Request) -> Figure:
    """Draw the measure along the number of conditions (attacks, channels, ...) in a set, a panel per set.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    rows = _grow_rows(request)
    return _curve_figure(rows, request, "conditions", "Conditions in the subset", request.variant.label())


def curve_caption(along: str, rows_of: Callable[[Request], pd.DataFrame]) -> Callable[[Request], str]:
    """Return the function that writes the sentence under a curve.

    Args:
        along: What lies on the horizontal axis, in words.
        rows_of: Gives the rows drawn.

    Returns:
        A function of the request.
    """

    def caption(request: Request) -> str:
        rows = rows_of(request)
        few = rows["sha256"].nunique() <= MOST_BANDS
        bands = " with their 95% intervals across groups" if few else ""
        return (
            f"{request.variant.measure} along {along}, one panel per set, in order of shift: "
            f"{', '.join(by_shift(rows))}. Thin: n = {rows['sha256'].nunique()} checkpoints"
            f"{bands}; thick: means of checkpoints of one kind. No test."
        )

    return caption


rho_curve_caption = curve_caption("the radius ρ", lambda request: _along(request, "rho"))
m_curve_caption = curve_caption("the trials per group m", lambda request: _along(request, "m"))
grow_caption = curve_caption("the number of conditions", _grow_rows)
