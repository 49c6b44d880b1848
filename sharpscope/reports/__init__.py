"""One page that holds everything: figures to hover, tables to sort and filter, the provenance of every row."""

from __future__ import annotations

import json
import math
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from sharpscope.analysis.correlation_table import JOINT, correlation_of, per_set, statistic_of
from sharpscope.errors import UsageError
from sharpscope.figures import panels
from sharpscope.figures.scatter_plot import statistic_lines, theil_sen
from sharpscope.figures.style import on_dark
from sharpscope.figures.surface import read_points
from sharpscope.files import replace_file
from sharpscope.results import selection, wording
from sharpscope.results.pairing import measured
from sharpscope.results.records import Records
from sharpscope.results.selection import by_shift
from sharpscope.results.table import read_results

# The same shapes as in the printed figures, under the names that plotly has for them.
SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "X": "x",
    "P": "cross", "<": "triangle-left", "*": "star", ">": "triangle-right", "h": "hexagon", "p": "pentagon",
}  # fmt: skip


def report(
    results: str | Path | pd.DataFrame,
    out: str | Path = "report.html",
    *,
    correlation: Any = None,
    landscape: str | Path | None = None,
    title: str = "Sharpness and equal error rate",
) -> Path:
    """Write one self-contained HTML page about a results table; it opens from disk and asks no network.

    Args:
        results: The results file, or its table.
        out: The page.
        correlation: What `correlate` returned (its ``table`` and ``summary`` are shown), or its
            correlations.csv; computed when None.
        landscape: A table of points from `landscape`, drawn as surfaces that can be turned.
        title: Heading of the page.

    Returns:
        The path of the page.

    Raises:
        UsageError: If the results table has no rows, or plotly is not installed.
    """
    table = results if isinstance(results, pd.DataFrame) else read_results(results)
    if table.empty:
        raise UsageError(
            "the results table has no rows: nothing to report; fill it with `sharpscope measure`"
        )
    table = selection.whole(table)
    known = None if isinstance(results, pd.DataFrame) else Records.beside(results)
    statistics, summary = correlation_of(table, correlation, records=known)
    data = page_data(table, statistics, read_points(landscape) if landscape else None)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(_asset("page.html")).render(
        title=title,
        summary=paragraphs(summary),
        facts=facts(table),
        style=Markup(_asset("page.css")),
        script=Markup(_asset("page.js")),
        plotly=Markup(_plotly()),
        # "<" would let a name end the element that carries the data.
        data=Markup(json.dumps(data, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")),
    )
    replace_file(Path(out), page)
    return Path(out)


def _asset(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError("the report needs plotly's script; install it with `pip install plotly`") from error
    return str(get_plotlyjs())


def facts(table: pd.DataFrame) -> str:
    """Say in one line what a results table holds.

    Args:
        table: Rows of results.csv.

    Returns:
        Text.
    """
    sets = wording.listed(list(dict.fromkeys(selection.panel_names(table))))
    kinds = len(selection.variants(table))
    versions = ", ".join(sorted({str(v) for v in table["version"] if v})) or "unknown"
    return (
        f"{table['sha256'].nunique()} checkpoints on {table['set'].nunique()} sets ({sets}), {kinds} measures "
        f"and radii, {len(table)} rows; sharpscope {versions}."
    )


def paragraphs(markdown: str) -> list[Markup]:
    r"""Return the paragraphs of a summary as HTML: headings and emphasis are all that it uses.

    Args:
        markdown: Paragraphs between blank lines.

    Returns:
        One escaped text per paragraph.

    Example:
        >>> paragraphs("# Two <sets>\n\n*n* = 3")
        [Markup('<strong>Two &lt;sets&gt;</strong>'), Markup('<em>n</em> = 3')]
    """
    found = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        text = str(escape(block.strip().lstrip("#").strip()))
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        text = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)
        if block.startswith("#"):
            text = f"<strong>{text}</strong>"
        if text:
            found.append(Markup(text))
    return found


def plain(value: Any) -> Any:
    """Return a value that JSON has a word for: NaN and infinity become None.

    Args:
        value: A cell.

    Returns:
        The value.

    Example:
        >>> plain(float("nan")) is None, plain(np.float64(0.5)), plain("a")
        (True, 0.5, 'a')
    """
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain mappings.

    Args:
        table: Any table.

    Returns:
        One mapping per row.
    """
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def page_data(
    table: pd.DataFrame, statistics: pd.DataFrame, points: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Collect what the page's script draws from.

    Args:
        table: Rows of results.csv.
        statistics: The correlation table.
        points: Points of loss surfaces.

    Returns:
        Plain values for JSON.
    """
    table = table.reset_index(drop=True)
    table = table.assign(panel=selection.panel_names(table))
    coding = panels.code_checkpoints(table)
    groups, group_of = [], pd.Series(0, index=table.index)
    for index, (entry, part) in enumerate(coding.groups(table)):
        colour, filled = str(entry.get_color()), entry.get_markerfacecolor() != "white"
        symbol = SYMBOLS[str(entry.get_marker())] + ("" if filled else "-open")
        groups.append(
            {"label": entry.get_label(), "colour": colour, "dark": on_dark(colour), "symbol": symbol}
        )
        group_of.loc[part.index] = index
    kinds, kind_of = [], pd.Series(0, index=table.index)
    for index, variant in enumerate(selection.variants(table)):
        rows = selection.rows_of(table, variant)
        kind_of.loc[rows.index] = index
        kinds.append(_variant(rows, variant, statistics))
    return {
        "sets": by_shift(table),
        "groups": groups,
        "variants": kinds,
        "rows": records(table.assign(group=group_of, variant=kind_of)),
        "correlations": records(per_set(statistics).drop(columns=["set", "subset"], errors="ignore")),
        "surfaces": [] if points is None else _surfaces(points),
    }


def _variant(rows: pd.DataFrame, variant: selection.Variant, statistics: pd.DataFrame) -> dict[str, Any]:
    lines: dict[str, Any] = {}
    words: dict[str, list[str]] = {}
    numbers: dict[str, Any] = {}
    for name, part in rows.groupby("panel", sort=False):
        drawn = measured(part)
        found = statistic_of(statistics, variant, str(name))
        words[str(name)] = statistic_lines(drawn, len(part), found)
        numbers[str(name)] = None if found is None else {k: plain(v) for k, v in found.items()}
        if len(drawn) > 2 and drawn["value"].nunique() > 1:
            slope, intercept = theil_sen(drawn["value"].to_numpy(), 100 * drawn["eer"].to_numpy())
            ends = [float(drawn["value"].min()), float(drawn["value"].max())]
            lines[str(name)] = [ends, [float(intercept + slope * x) for x in ends]]
    joint = statistic_of(statistics, variant, "", scope=JOINT)
    return {
        "measure": variant.measure,
        "rho": plain(variant.rho),
        "m": plain(variant.m),
        "preset": variant.preset,
        "label": variant.label(),
        "lines": lines,
        "words": words,
        "statistics": numbers,
        "joint": None if joint is None else {k: plain(v) for k, v in joint.items()},
    }


def _surfaces(points: pd.DataFrame) -> list[dict[str, Any]]:
    points = points[points["y"].notna()].assign(panel=selection.panel_names(points[points["y"].notna()]))
    found = []
    for (name, sha, panel, seed), part in points.groupby(
        ["checkpoint", "sha256", "panel", "seed"], sort=False
    ):
        wide = part.pivot(index="y", columns="x", values="loss")
        found.append(
            {
                "title": f"{name} ({str(sha)[:6]}), {panel}" + (f", draw {seed}" if seed else ""),
                "x": wide.columns.tolist(),
                "y": wide.index.tolist(),
                "loss": [[plain(v) for v in row] for row in wide.to_numpy()],
                "axes": [str(part["x_axis"].iloc[0]), str(part["y_axis"].iloc[0])],
            }
        )
    return found
