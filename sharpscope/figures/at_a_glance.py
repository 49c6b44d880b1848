"""One picture of a whole study: how wrong the detectors are on each set, and whether the sharper ones are worse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sharpscope.analysis.correlation_table import per_set
from sharpscope.figures.forest_plot import of_measure
from sharpscope.figures.request import Request
from sharpscope.figures.style import BAND, GREY, INK, PALETTE
from sharpscope.results import selection
from sharpscope.results.wording import counted

ROW, REST = 0.34, 1.25  # inches


def glance_figure(request: Request) -> Figure:
    """Draw the error of every detector per set beside the correlation of one measure with it.

    Args:
        request: Results, measure, venue and the table of correlations.

    Returns:
        Two panels with a row per set: errors of the detectors with their median; the correlation from different trials
        with its interval, and, hollow, that from the same trials.

    Raises:
        UsageError: If the table of correlations has no row of that measure.
    """
    rows = request.rows()
    found = per_set(of_measure(request)).set_index("panel")
    results, venue = request.results, request.venue
    names = [name for name in selection.in_order(rows["panel"], results) if name in found.index]
    figure = Figure(figsize=(venue.text, REST + ROW * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [1.15, 1]})
    _errors(left, rows, names)
    _correlations(right, found, names)
    for ax in (left, right):
        for place in range(0, len(names), 2):
            ax.axhspan(place - 0.5, place + 0.5, color=BAND, zorder=0, linewidth=0)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.spines[["left", "right", "top"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
    left.set_yticks(range(len(names)), names)
    n = counted(rows["sha256"].nunique(), "detector")
    left.set_title(f"How often are {n} wrong?", loc="left", fontsize=venue.size + 1)
    right.set_title("Are the sharper ones worse?", loc="left", fontsize=venue.size + 1)
    return figure


def _errors(ax: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    """Draw a dot per detector, spread over its row so that none hides another, and the median."""
    for place, name in enumerate(names):
        rates = np.sort(100 * rows.loc[rows["panel"] == name, "eer"].to_numpy(float))
        spread = 0.24 * np.sin(2.4 * np.arange(len(rates)))
        ax.plot(rates, place + spread, "o", color=PALETTE[0], alpha=0.55, markersize=3.2, markeredgewidth=0)
        middle = float(np.median(rates))
        ax.plot([middle, middle], [place - 0.36, place + 0.36], color=PALETTE[2], linewidth=2, gid="median")
    ax.axvline(50, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_xlim(0, max(52.0, 100 * float(rows["eer"].max()) + 2))
    ax.set_xlabel("equal error rate, % (50: a coin)\na dot a detector, a bar their median")


def _correlations(ax: Axes, found: pd.DataFrame, names: list[str]) -> None:
    """Draw the correlation from different trials filled, that from the same trials hollow."""
    ax.axvline(0, color=GREY, linewidth=0.8)
    for place, name in enumerate(names):
        row: dict[Any, Any] = found.loc[name].to_dict()
        value, low, high = (float(row[c]) for c in ("spearman", "spearman_low", "spearman_high"))
        same = float(row["spearman_same_trials"]) if "spearman_same_trials" in row else math.nan
        if math.isfinite(low) and math.isfinite(high):
            ax.plot([low, high], [place, place], color=PALETTE[0], linewidth=1.4, gid="interval")
        if math.isfinite(value):
            ax.plot([value], [place], "o", color=PALETTE[0], markersize=5.5, gid="set")
        if math.isfinite(same):
            ax.plot([same], [place], "o", color=INK, markersize=7.5, markerfacecolor="none", gid="same")
    ax.set_xlim(-1.05, 1.05)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    ax.set_xlabel(
        "no ← Spearman of sharpness and error → yes\nfilled: from different trials; ring: from the same"
    )


def glance_caption(request: Request) -> str:
    """Return the sentence under the picture.

    Args:
        request: Results, measure and the table of correlations.

    Returns:
        What is shown, of how many, and how many correlations stand.
    """
    rows = per_set(of_measure(request))
    tests = int(rows["p_holm"].notna().sum())
    firm = int((rows["p_holm"] <= 0.05).sum())
    stands = (
        f"After Holm's correction {firm} of {len(rows)} differ from 0."
        if tests
        else "There is no test: of so few checkpoints no p-value can reach .05."
    )
    return (
        f"Left: equal error rates of {counted(request.results['sha256'].nunique(), 'detector')}. Right: Spearman's "
        f"correlation of {request.variant.named()} with them, sharpness and error from different trials (95% "
        f"interval), and from the same trials (ring), which share their noise. {stands}"
    )
