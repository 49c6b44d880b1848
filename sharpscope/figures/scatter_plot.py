"""Error against sharpness, a panel per set: does the sharper detector err more?"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import theilslopes

from sharpscope.analysis.correlation_table import statistic_of
from sharpscope.errors import UsageError
from sharpscope.figures import legends, panels
from sharpscope.figures.style import GREY, Venue
from sharpscope.results import selection, wording
from sharpscope.results.pairing import measured, one_set
from sharpscope.results.selection import Variant
from sharpscope.results.wording import number, probability

LOGARITHMIC_FROM = 30.0  # largest over smallest value


def scatter(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    statistic: Mapping[str, Any] | None = None,
    coding: panels.Coding | None = None,
    logarithmic: bool | None = None,
) -> Axes:
    """Draw EER against a measure over the checkpoints of one set, with a Theil-Sen line.

    The line is the median of the slopes through all pairs (Theil, 1950; Sen, 1968), fitted in the drawn
    coordinates: it goes with a rank statistic, which a least-squares line does not.

    Args:
        table: Rows of results.csv: one set, one measure, one radius.
        ax: Axes to draw into; a new figure's when None.
        statistic: The set's row of the correlation table.
        coding: How checkpoints are told apart; from recipe and architecture when None.
        logarithmic: Whether the horizontal axis is; when None, if all values are positive and span a
            factor of 30.

    Returns:
        The axes.

    Raises:
        UsageError: If the table mixes sets, measures or radii.
    """
    ax = panels.new_axes(ax)
    rows = one_set(table)
    coding = coding or panels.code_checkpoints(table)
    if logarithmic is None:
        logarithmic = needs_logarithm(rows["value"])
    if logarithmic:
        ax.set_xscale("log")
    for _, row in rows.iterrows():
        _point(ax, row, coding)
    if rows.empty:
        panels.say(ax, "no checkpoint\nwith a value and an EER")
    else:
        _line(ax, rows, logarithmic)
        ax.set_xlim(*room_for(rows["value"], ax.get_xlim(), logarithmic))
        panels.error_axis(ax)
        panels.few_ticks(ax)
    name = selection.panel_names(table)[0] if len(table) else ""
    panels.header(ax, name, statistic_lines(rows, len(table), statistic))
    if len(table):
        first = table.iloc[0]
        ax.set_xlabel(wording.label(str(first["measure"]), float(first["rho"])) + _scale(logarithmic))
    ax.set_ylabel("EER (%)")
    return ax


def room_for(
    values: pd.Series, limits: tuple[float, float], logarithmic: bool = False
) -> tuple[float, float]:
    """Return axis limits that let long intervals run out of the panel rather than crowd the points.

    Args:
        values: The points.
        limits: What points and intervals together would take.
        logarithmic: Whether the axis is.

    Returns:
        Limits at most half the points' span beyond them on either side, and hardly below zero where no point is.

    Example:
        >>> room_for(pd.Series([0.0, 1.0]), (-9.0, 1.1))
        (-0.04, 1.1)
    """
    places = np.log10(values) if logarithmic else values
    low, high = float(places.min()), float(places.max())
    if low == high:
        return limits
    ends = [low - 0.5 * (high - low), high + 0.5 * (high - low)]
    if logarithmic:
        ends = [10**end for end in ends]
    # A measure that is nowhere negative has no negative axis, however long its intervals are.
    floor = 0.0 if not logarithmic and 0 <= low < 0.25 * high else -math.inf
    edge = floor - 0.04 * (high - low) if math.isfinite(floor) else floor
    return max(limits[0], ends[0], edge), min(limits[1], ends[1])


def needs_logarithm(values: pd.Series) -> bool:
    """Say whether a measure is better read on a logarithmic axis.

    Args:
        values: What will be drawn.

    Returns:
        True if all are positive and the largest is at least 30 times the smallest.

    Example:
        >>> needs_logarithm(pd.Series([0.01, 1.0])), needs_logarithm(pd.Series([-0.01, 1.0]))
        (True, False)
    """
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(finite.min() > 0 and finite.max() >= LOGARITHMIC_FROM * finite.min())


def _scale(logarithmic: bool) -> str:
    return ", logarithmic" if logarithmic else ""


def _point(ax: Axes, row: pd.Series, coding: panels.Coding) -> None:
    mark, filled = coding.mark(row)
    x, y = float(row["value"]), 100 * float(row["eer"])
    for low, high, horizontal in (
        (100 * row["eer_low"], 100 * row["eer_high"], False),
        (row["value_low"], row["value_high"], True),
    ):
        if (
            math.isfinite(low)
            and math.isfinite(high)
            and (not horizontal or ax.get_xscale() != "log" or low > 0)
        ):
            span = ([low, high], [y, y]) if horizontal else ([x, x], [low, high])
            ax.plot(*span, color=mark.colour, linewidth=0.5, alpha=0.4, zorder=1.5, solid_capstyle="butt")
    ax.plot(
        [x],
        [y],
        linestyle="none",
        marker=mark.marker,
        color=mark.colour,
        markerfacecolor=mark.colour if filled else "white",
        markeredgecolor=mark.colour if not filled else "white",
        markeredgewidth=0.9 if not filled else 0.35,
        zorder=3,
        gid="checkpoint",
    )


def theil_sen(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the line through the median of the slopes between points.

    Args:
        x: Shape (n,), not all alike.
        y: Shape (n,).

    Returns:
        The two numbers.

    Source:
        Theil (1950), Sen (1968).

    Example:
        >>> theil_sen(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 100.0]))
        (17.5, -22.25)
    """
    # With ties among few points scipy has no variance for the interval, which nobody asked for here.
    with np.errstate(invalid="ignore"):
        slope, intercept = theilslopes(y, x)[:2]
    return float(slope), float(intercept)


def _line(ax: Axes, rows: pd.DataFrame, logarithmic: bool) -> None:
    x = np.log10(rows["value"].to_numpy()) if logarithmic else rows["value"].to_numpy()
    y = 100 * rows["eer"].to_numpy()
    if len(rows) < 3 or np.ptp(x) == 0:
        return
    slope, intercept = theil_sen(x, y)
    ends = np.array([x.min(), x.max()])
    ax.plot(
        10**ends if logarithmic else ends,
        intercept + slope * ends,
        color=GREY,
        linewidth=0.8,
        linestyle="--",
        zorder=1,
        gid="theil-sen",
    )


def statistic_lines(rows: pd.DataFrame, total: int, statistic: Mapping[str, Any] | None) -> list[str]:
    """Return what stands above a panel: coefficient, interval, adjusted p and n, or why there is none.

    Args:
        rows: The checkpoints drawn.
        total: Rows before those without a value were left out.
        statistic: The set's row of the correlation table.

    Returns:
        Two short lines.
    """
    count = f"n = {len(rows)}" + (f" of {total}" if total > len(rows) else "")
    if len(rows) < 2:
        return ["no correlation", count]
    for column, word in (("value", "measure"), ("eer", "EER")):
        if rows[column].nunique() == 1:
            return [f"constant {word}: no correlation", count]
    if statistic is None:
        return ["no correlation given", count]
    value = float(statistic.get("spearman", math.nan))
    if not math.isfinite(value):
        reason = str(statistic.get("note") or "no correlation")
        lines = textwrap.wrap(f"{reason}; {count}", 34)
        # Two lines have room above a panel, and the panel's name stands over two.
        return lines if len(lines) == 2 else [textwrap.shorten(reason, 34, placeholder=" ..."), count]
    first = f"Spearman {number(value)}"
    low, high = (float(statistic.get(f"spearman_{end}", math.nan)) for end in ("low", "high"))
    if math.isfinite(low) and math.isfinite(high):
        first += f" [{number(low)}, {number(high)}]"
    adjusted = float(statistic.get("p_holm", math.nan))
    second = f"Holm p {probability(adjusted)}, {count}" if math.isfinite(adjusted) else f"no p, {count}"
    return [first, second]


def scatter_panels(
    results: pd.DataFrame, variant: Variant, venue: Venue, correlation: pd.DataFrame | None = None
) -> Figure:
    """Draw a panel per set.

    Args:
        results: Rows of results.csv.
        variant: What lies on the horizontal axis.
        venue: Where it is printed.
        correlation: Table made by `correlate`.

    Returns:
        The figure.

    Raises:
        UsageError: If nothing was measured in that way.
    """
    rows = selection.rows_of(results, variant)
    if rows.empty:
        raise UsageError(f"no row of the results table holds {variant.label()}: nothing to draw")
    names = selection.in_order(rows["panel"], results)
    coding = panels.code_checkpoints(rows)
    wide = [needs_logarithm(part["value"]) for _, part in rows.groupby("panel")]
    logarithmic = bool((rows["value"].dropna() > 0).all()) and 2 * sum(wide) > len(wide)
    figure, axes = panels.grid(venue, len(names))
    for name, ax in zip(names, axes, strict=True):
        part = rows[rows["panel"] == name]
        scatter(
            part,
            ax,
            statistic=statistic_of(correlation, variant, name),
            coding=coding,
            logarithmic=logarithmic,
        )
        ax.set(xlabel="", ylabel="")
    filled = [ax for ax in axes if ax.has_data()]
    panels.share_vertical(filled)
    figure.supxlabel(variant.label() + _scale(logarithmic))
    figure.supylabel("EER (%)")
    legends.legend(figure, coding.handles(rows))
    panels.settle(figure)
    return figure


def scatter_caption(results: pd.DataFrame, variant: Variant, correlation: pd.DataFrame | None = None) -> str:
    """Return the sentence under the figure: what is drawn, n, test and correction.

    Args:
        results: Rows of results.csv.
        variant: What lies on the horizontal axis.
        correlation: Table made by `correlate`.

    Returns:
        The caption.
    """
    rows = selection.rows_of(results, variant)
    drawn = measured(rows)
    counts = drawn.groupby("panel").size() if len(drawn) else pd.Series([0])
    group = "" if math.isnan(variant.m) else f", groups of m = {variant.m:g}"
    names = selection.in_order(rows["panel"], results)
    left_out = len(rows) - len(drawn)
    parts = [
        f"Equal error rate against {variant.named()}{group} ({variant.preset} preset), "
        f"{'one panel per set: ' if len(names) > 1 else 'on '}{wording.listed(names)}; "
        f"n = {wording.between(counts, 'checkpoint')}.",
        "Bars: 95% intervals where the results have them, cut at the panel's edge; dashed: Theil-Sen line.",
    ]
    if left_out:
        parts.append(f"{left_out} of {len(rows)} measurements have no finite value or EER and are not drawn.")
    if correlation is None or correlation.empty:
        parts.append("No correlation was computed.")
    else:
        tests = int(np.isfinite(correlation["p_holm"]).sum()) if "p_holm" in correlation else 0
        parts.append(
            "Spearman's rank correlation over checkpoints with its 95% interval; two-sided permutation p, "
            f"{wording.adjusted_over(tests, ' of the whole table')}."
        )
        if counts.min() < 10:
            parts.append("Fewer than 10 checkpoints: only a very strong correlation could show.")
    return " ".join(parts)
