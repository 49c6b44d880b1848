"""A measure along something with numbers: radii, group sizes, conditions added one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

from sharpscope.errors import UsageError
from sharpscope.figures import legends, panels
from sharpscope.figures.request import Request
from sharpscope.figures.scatter_plot import needs_logarithm
from sharpscope.figures.shift_plot import FEW, FEWEST_OF_A_KIND
from sharpscope.figures.style import GREY
from sharpscope.results import selection, wording
from sharpscope.results.wording import capital, counted

ALWAYS_LOGARITHMIC = ("rho", "m")


def scale_of(values: pd.Series) -> tuple[str, float]:
    """Choose the vertical axis of values that span orders of magnitude, negative ones among them.

    Args:
        values: What will be drawn.

    Returns:
        "linear", "log" or "symlog", and the size below which a symlog axis is linear (NaN for the others).

    Example:
        >>> scale_of(pd.Series([0.001, 1.0])), scale_of(pd.Series([1.0, 2.0]))
        (('log', nan), ('linear', nan))
        >>> scale_of(pd.Series([-0.001, 0.01, 1.0]))
        ('symlog', 0.001)
    """
    finite = values[np.isfinite(values) & (values != 0)]
    sizes = finite.abs()
    if finite.empty or sizes.max() < 10 * sizes.min():
        return "linear", float("nan")
    if bool((values.dropna() > 0).all()):
        return "log", float("nan")
    # Two decades below the largest at most: more would spread noise about zero over the panel.
    least = max(float(sizes.min()), float(sizes.max()) / 1000)
    return "symlog", float(10 ** np.floor(np.log10(least) + 1e-9))


def set_scale(ax: Axes, scale: str, linear_below: float) -> None:
    """Put a vertical axis on the scale that `scale_of` chose.

    Args:
        ax: The panel.
        scale: "linear", "log" or "symlog".
        linear_below: Size below which a symlog axis is linear.
    """
    if scale == "log":
        ax.set_yscale("log")
    elif scale == "symlog":
        ax.set_yscale("symlog", linthresh=linear_below, linscale=0.5)
        ax.axhline(0, color=GREY, linewidth=0.5, zorder=0.5)


def curve(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    along: str,
    coding: panels.Coding | None = None,
    logarithmic: bool | None = None,
) -> Axes:
    """Draw a measure on one set along a numeric column: thin per checkpoint, thick the mean of a kind.

    A kind of three or more checkpoints has the 95% bootstrap interval of its mean as a band; checkpoints of
    smaller kinds have their own intervals across groups, where there are no more than eight.

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
        _kind(ax, part, entry, along, few=rows["sha256"].nunique() <= FEW)
    ticks = sorted(set(rows[along]))
    if along in ALWAYS_LOGARITHMIC and ticks[0] == 0 and len(ticks) > 1:
        ax.set_xscale("symlog", linthresh=min(t for t in ticks if t > 0))
    elif along in ALWAYS_LOGARITHMIC and ticks[0] > 0:
        ax.set_xscale("log")
    if needs_logarithm(rows["value"]) if logarithmic is None else logarithmic:
        ax.set_yscale("log")
    panels.few_ticks(ax, x=False)
    if along in ALWAYS_LOGARITHMIC:
        most = 6 if ax.get_position().width * ax.get_figure().get_figwidth() > 2 else 4  # type: ignore[union-attr]
        places = np.unique(np.linspace(0, len(ticks) - 1, most).round().astype(int))
        ax.xaxis.set_major_locator(FixedLocator([ticks[i] for i in places]))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="", ylabel="")
    return ax


def _kind(ax: Axes, part: pd.DataFrame, entry: Line2D, along: str, *, few: bool) -> None:
    """Draw the checkpoints of one kind and their mean."""
    colour = str(entry.get_color())
    many = part["sha256"].nunique() >= FEWEST_OF_A_KIND
    before = len(ax.lines)
    sns.lineplot(
        part, x=along, y="value", units="sha256", estimator=None, color=colour, linewidth=0.5,
        alpha=0.45, legend=False, ax=ax,
    )  # fmt: skip
    for line in ax.lines[before:]:
        line.set_gid("checkpoint")
    if few and not many and bool(part["value_low"].notna().any()):
        for _, one in part.sort_values(along).groupby("sha256"):
            ends = one["value_low"].to_numpy(), one["value_high"].to_numpy()
            ax.fill_between(one[along].to_numpy(), *ends, color=colour, alpha=0.12, linewidth=0)
    before = len(ax.lines)
    # The seed keeps the bytes.
    sns.lineplot(
        part, x=along, y="value", errorbar=("ci", 95) if many else None, seed=0, color=colour,
        marker=str(entry.get_marker()), markerfacecolor=entry.get_markerfacecolor(), markeredgecolor=colour,
        markeredgewidth=0.8, err_kws={"alpha": 0.15, "linewidth": 0}, legend=False, ax=ax,
    )  # fmt: skip
    for line in ax.lines[before:]:
        line.set_gid("mean")


def _curve_figure(rows: pd.DataFrame, request: Request, along: str, words: str, ylabel: str) -> Figure:
    names = request.sets(rows)
    coding = panels.code_checkpoints(rows)
    figure, axes = panels.grid(request.venue, len(names), height=1.65)
    if along == "rho":  # sharpness grows with its radius by orders of magnitude
        scale, linear_below = scale_of(rows["value"])
    else:
        scale, linear_below = ("log" if needs_logarithm(rows["value"]) else "linear"), float("nan")
    for name, ax in zip(names, axes, strict=True):
        curve(rows[rows["panel"] == name], ax, along=along, coding=coding, logarithmic=scale == "log")
        if scale == "symlog" and ax.has_data():
            set_scale(ax, scale, linear_below)
        panels.header(ax, name, [])
    panels.share_vertical([ax for ax in axes if ax.has_data()])
    if scale == "symlog":
        for ax in axes:
            panels.symmetric_ticks(ax, linear_below)
    figure.supxlabel(words)
    figure.supylabel(ylabel if scale == "linear" else f"{ylabel}, logarithmic")
    legends.legend(figure, coding.handles(rows))
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
    label = wording.label(request.variant.measure, 1.0).replace(", ρ = 1", "")
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


def rho_curve_caption(request: Request) -> str:
    """Return the sentence under the curve along the radius.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = _along(request, "rho")
    scale, linear_below = scale_of(rows["value"])
    negative = int((rows["value"] < 0).sum())
    more = ""
    if scale == "symlog":
        more = f" The vertical axis is logarithmic beyond ±{linear_below:g} and linear between."
    if negative:
        more += (
            f" {counted(negative, 'value')} below zero: the step lowered the loss there (a step too long, or "
            "noise about a flat point)."
        )
    return curve_words(rows, request, "the radius ρ", "rho") + more + " No test."


def m_curve_caption(request: Request) -> str:
    """Return the sentence under the curve along the trials per group.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    return curve_words(_along(request, "m"), request, "the trials per group m", "m") + " No test."


def curve_words(rows: pd.DataFrame, request: Request, along: str, column: str) -> str:
    """Return what every curve's caption says: sets, how it was measured, n, what lines and bands are.

    Args:
        rows: The rows drawn.
        request: What was drawn.
        along: What lies on the horizontal axis, in words.
        column: Its column.

    Returns:
        Sentences.
    """
    names = request.sets(rows)
    kinds = [part["sha256"].nunique() for _, part in panels.code_checkpoints(rows).groups(rows)]
    bands = []
    if max(kinds) >= FEWEST_OF_A_KIND:
        bands.append("means of a kind with their 95% bootstrap interval over checkpoints")
    else:
        bands.append("means of a kind")
    small = min(kinds) < FEWEST_OF_A_KIND and rows["sha256"].nunique() <= FEW
    if small and bool(rows["value_low"].notna().any()):
        bands.append("bands about thin lines: 95% intervals across groups")
    name = wording.named(request.variant.measure, float("nan") if column == "rho" else request.variant.rho)
    where = (
        f"one panel per set, in order of shift: {', '.join(names)}" if len(names) > 1 else f"on {names[0]}"
    )
    head = f"{capital(name)} along {along} ({request.method(column)}), {where}. "
    shown = counted(rows["sha256"].nunique(), "checkpoint")
    if max(kinds) == 1:  # each is its own mean
        bands = [band.replace("thin", "the") for band in bands[1:]]
        return head + "; ".join([f"A line per checkpoint, n = {shown}", *bands]) + "."
    return f"{head}Thin: n = {shown}; thick: {'; '.join(bands)}."


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


def grown_things(subsets: Sequence[str]) -> str:
    """Return what was added to make a set grow, in the plural.

    Args:
        subsets: Names of subsets.

    Returns:
        The word that all names share, such as "attacks"; "conditions" where they do not say.

    Example:
        >>> grown_things(["order0/attacks=1", "order0/attacks=2"]), grown_things(["A07", "A07+A08"])
        ('attacks', 'conditions')
    """
    found = {match.group(1) for s in subsets if (match := re.search(r"(?:^|/)([a-z]+)=\d+", s))}
    return found.pop() if len(found) == 1 else "conditions"


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
    return rows[rows["set"].isin(enough)]


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
    things = grown_things(list(rows["subset"]))
    words = f"Number of {things} in the subset"
    return _curve_figure(_over_orders(rows), request, "conditions", words, request.variant.label())


def grow_caption(request: Request) -> str:
    """Return the sentence under the curve along the conditions of a set.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    rows = _grow_rows(request)
    things = grown_things(list(rows["subset"]))
    orders = rows.groupby(["sha256", "set", "conditions"]).size().max()
    more = f" Each point is a mean over {orders} random orders of adding them." if orders > 1 else ""
    return (
        curve_words(_over_orders(rows), request, f"the number of {things}", "conditions") + more + " No test."
    )
