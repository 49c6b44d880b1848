"""Every kind of figure under its name, and `plot`, which draws one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from sharpscope.analysis.correlation_table import correlation_of
from sharpscope.errors import UsageError, unknown_name
from sharpscope.figures import (
    at_a_glance,
    curves,
    det,
    forest_plot,
    heat_maps,
    layers_plot,
    pairs_plot,
    scatter_plot,
    shift_plot,
    style,
    transfer,
)
from sharpscope.figures.request import Plotted, Request
from sharpscope.results import selection
from sharpscope.results.records import Records


class Kind(NamedTuple):
    """A registered kind of figure.

    Attributes:
        figure: Draws it.
        caption: Writes the sentence under it.
        summary: One line for `sharpscope plot --help`.
        tests: Whether it shows correlations, which are computed when they are not given.
        blocks: Whether it shows rows about blocks of networks, which no other kind does.
    """

    figure: Callable[[Request], Figure]
    caption: Callable[[Request], str]
    summary: str
    tests: bool = False
    blocks: bool = False


def _scatter(request: Request) -> Figure:
    return scatter_plot.scatter_panels(request.results, request.variant, request.venue, request.correlation)


def _scatter_caption(request: Request) -> str:
    return scatter_plot.scatter_caption(request.results, request.variant, request.correlation)


PLOTS: dict[str, Kind] = {
    "glance": Kind(
        at_a_glance.glance_figure,
        at_a_glance.glance_caption,
        "how wrong detectors are per set, and whether the sharper ones are worse",
        True,
    ),
    "scatter": Kind(_scatter, _scatter_caption, "EER against a measure, a panel per set", True),
    "shift": Kind(
        shift_plot.shift_figure, shift_plot.shift_caption, "a measure per set, in-domain to most shifted"
    ),
    "grow": Kind(
        curves.grow_figure, curves.grow_caption, "a measure as attacks, channels or speakers are added"
    ),
    "rho-curve": Kind(curves.rho_curve_figure, curves.rho_curve_caption, "a measure along its radius"),
    "m-curve": Kind(curves.m_curve_figure, curves.m_curve_caption, "a measure along the trials per group"),
    "heatmap": Kind(
        heat_maps.heatmap_figure, heat_maps.heatmap_caption, "correlations, sets x measures", True
    ),
    "forest": Kind(
        forest_plot.forest_figure,
        forest_plot.forest_caption,
        "correlation per set with intervals, joint answer",
        True,
    ),
    "layers": Kind(
        layers_plot.layers_figure,
        layers_plot.layers_caption,
        "which blocks of the network carry the sharpness",
        blocks=True,
    ),
    "det": Kind(det.det_figure, det.det_caption, "detection error trade-off per set, from the score files"),
    "transfer": Kind(
        transfer.transfer_figure,
        transfer.transfer_figure_caption,
        "sharpness on one set against EER on another, sets x sets",
    ),
    "pairs": Kind(
        pairs_plot.pairs_figure, pairs_plot.pairs_caption, "baseline to other recipe, an arrow per seed"
    ),
}


def _shown(table: pd.DataFrame, sets: Sequence[str]) -> pd.Series:
    names = selection.panel_names(table.assign(subset=table.get("subset", "")))
    return table["set"].isin(sets) | pd.Series(names, index=table.index).isin(sets)


def _only(results: pd.DataFrame, sets: Sequence[str]) -> pd.DataFrame:
    known = {*results["set"], *selection.panel_names(results)}
    for name in sets:
        if name not in known:
            raise unknown_name("set in this results table", name, known)
    return results[_shown(results, sets)]


def plot(
    kind: str,
    results: str | Path | pd.DataFrame,
    *,
    out: str | Path | None = None,
    venue: str = "interspeech",
    correlation: Any = None,
    measure: str | None = None,
    rho: float | None = None,
    m: float | None = None,
    preset: str | None = None,
    baseline: str = "",
    sets: Sequence[str] | None = None,
    records: Records | None = None,
) -> Plotted:
    """Draw one figure of a results table.

    Args:
        kind: A key of ``PLOTS``.
        results: The results file, or its table.
        out: Where to write it (.pdf, .png or .svg); nothing is written when None.
        venue: A key of `sharpscope.figures.style.VENUES`.
        correlation: What `correlate` returned, or its correlations.csv; computed when the kind needs it and
            None is given.
        measure: Measure shown; None takes the paper's.
        rho: Its radius; None takes 0.05 where the table has it.
        m: Trials per group, where the table has several.
        preset: Preset, where the table has several.
        baseline: Recipe that pairs start from.
        sets: Sets (or set/subset) shown; None shows all.
        records: Scores of a table in memory; None takes those beside the file.

    Returns:
        The figure and its caption.

    Raises:
        UsageError: If the kind or a choice is unknown, or there is nothing of the kind to draw; says why.
    """
    if kind not in PLOTS:
        raise unknown_name("kind of figure", kind, PLOTS)
    from sharpscope.results.table import read_results

    style.venue_named(venue)
    if out is not None:
        style.checked_ending(out)
    if not isinstance(results, pd.DataFrame):
        records = Records.beside(results)
        results = read_results(results)
    if results.empty:
        raise UsageError("the results table has no rows: nothing to draw; fill it with `sharpscope measure`")
    chosen = PLOTS[kind]
    results = layers_plot.block_rows(results) if chosen.blocks else selection.whole(results)
    whole = results
    if sets:
        results = _only(results, sets)
    # What is asked for is looked up before anything is computed, which may take a minute.
    variant = selection.choose(results, measure=measure, rho=rho, m=m, preset=preset)
    table = correlation_of(whole, correlation, records=records)[0] if chosen.tests else None
    if sets:
        # The joint answer is one about all sets; beside a choice of them it would mislead.
        table = table if table is None else table[(table["scope"] == "set") & _shown(table, sets)]
    with style.context(venue) as where:
        request = Request(results, variant, where, table, records, baseline)
        done = Plotted(chosen.figure(request), chosen.caption(request))
    if out is not None:
        style.save(done.figure, out, caption=done.caption, venue=venue)
    return done
