"""What the page's script draws from: rows, correlations and lines as plain values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.colors import to_hex

from sharpscope.analysis.correlation_table import JOINT, per_set, statistic_of
from sharpscope.figures import panels
from sharpscope.figures.scatter_plot import needs_logarithm, statistic_lines, theil_sen
from sharpscope.figures.style import DIVERGING, SEQUENTIAL, on_dark
from sharpscope.results import selection, wording
from sharpscope.results.pairing import measured
from sharpscope.results.selection import by_shift

# The same shapes as in the printed figures, under the names that plotly has for them.
SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "X": "x",
    "P": "cross", "<": "triangle-left", "*": "star", ">": "triangle-right", "h": "hexagon", "p": "pentagon",
}  # fmt: skip


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
    r"""Return the paragraphs of a summary as HTML: headings, emphasis, lists and tables are all that it uses.

    Args:
        markdown: Paragraphs between blank lines.

    Returns:
        One escaped text per paragraph; a list and a table are elements of their own.

    Example:
        >>> paragraphs("# Two <sets>\n\n*n* = 3")
        [Markup('<strong>Two &lt;sets&gt;</strong>'), Markup('<em>n</em> = 3')]
        >>> paragraphs("**So.** - it is\n\n- one\n- two\n\n| a |\n|---|\n| 1 |")[1:]
        [Markup('<ul><li>one</li><li>two</li></ul>'), Markup('<table><tr><th>a</th></tr><tr><td>1</td></tr></table>')]
    """
    found = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        text = str(escape(block.strip().lstrip("#").strip()))
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
        text = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)
        if block.startswith("|"):
            text = _table(text.splitlines())
        elif block.startswith("- "):
            text = "".join(f"<li>{line.removeprefix('- ')}</li>" for line in text.splitlines())
            text = f"<ul>{text}</ul>"
        elif block.startswith("#"):
            text = f"<strong>{text}</strong>"
        if text:
            found.append(Markup(text))
    return found


def _table(lines: Sequence[str]) -> str:
    """Return a table of Markdown as HTML; the second line only draws a rule."""
    rows = []
    for number, line in enumerate(lines):
        if number != 1:
            tag = "td" if number else "th"
            cells = line.strip().strip("|").split("|")
            rows.append("<tr>" + "".join(f"<{tag}>{cell.strip()}</{tag}>" for cell in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>"


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
        "scales": {"diverging": colours_of(DIVERGING), "sequential": colours_of(SEQUENTIAL)},
    }


def colours_of(name: str, steps: int = 11) -> list[list[Any]]:
    """Return a colour map of the printed figures as the page's script wants it.

    Args:
        name: A colour map of matplotlib.
        steps: Colours.

    Returns:
        Pairs of a place from 0 to 1 and a colour.

    Example:
        >>> colours_of("viridis", 2)
        [[0.0, '#440154'], [1.0, '#fde725']]
    """
    chosen = mpl.colormaps[name]
    return [[float(place), to_hex(chosen(float(place)))] for place in np.linspace(0, 1, steps)]


def packed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Write rows column by column, a value that repeats once: the same page in a fifth of the letters.

    Args:
        rows: Mappings with the same keys.

    Returns:
        By column ``[values]`` when all are alike, ``[words, places]`` for few distinct words, else ``[0, 0, values]``;
        and ``length`` under the name "".

    Example:
        >>> packed([{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 1, "b": "x"}])
        {'': 3, 'a': [1], 'b': [['x', 'y'], [0, 1, 0]]}
    """
    found: dict[str, Any] = {"": len(rows)}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        distinct = list(dict.fromkeys(values))
        if len(distinct) == 1:
            found[name] = distinct
        elif len(distinct) <= 0.7 * len(values):
            place = {value: i for i, value in enumerate(distinct)}
            found[name] = [distinct, [place[value] for value in values]]
        else:
            found[name] = [0, 0, values]
    return found


def _variant(rows: pd.DataFrame, variant: selection.Variant, statistics: pd.DataFrame) -> dict[str, Any]:
    lines: dict[str, Any] = {}
    words: dict[str, list[str]] = {}
    numbers: dict[str, Any] = {}
    wide = [needs_logarithm(part["value"]) for _, part in rows.groupby("panel")]
    # As in the printed figure: one kind of axis for all panels, fit in the drawn coordinates.
    logarithmic = bool((rows["value"].dropna() > 0).all()) and 2 * sum(wide) > len(wide)
    for name, part in rows.groupby("panel", sort=False):
        drawn = measured(part)
        found = statistic_of(statistics, variant, str(name))
        words[str(name)] = statistic_lines(drawn, len(part), found)
        numbers[str(name)] = None if found is None else {k: plain(v) for k, v in found.items()}
        if len(drawn) > 2 and drawn["value"].nunique() > 1:
            places = np.log10(drawn["value"].to_numpy()) if logarithmic else drawn["value"].to_numpy()
            slope, intercept = theil_sen(places, 100 * drawn["eer"].to_numpy())
            ends = [float(drawn["value"].min()), float(drawn["value"].max())]
            heights = [float(intercept + slope * x) for x in (places.min(), places.max())]
            lines[str(name)] = [ends, heights]
    joint = statistic_of(statistics, variant, "", scope=JOINT)
    return {
        "measure": variant.measure,
        "rho": plain(variant.rho),
        "m": plain(variant.m),
        "preset": variant.preset,
        "label": variant.label(),
        "logarithmic": logarithmic,
        "shift_logarithmic": needs_logarithm(rows["value"]),
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
