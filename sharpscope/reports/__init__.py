"""One page that holds everything: the answer, a leaderboard, figures to hover, tables to sort, every trial's part."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from sharpscope.analysis.correlation_table import told_of
from sharpscope.errors import UsageError
from sharpscope.figures.surface import read_points
from sharpscope.files import replace_file
from sharpscope.reports.data import SYMBOLS, facts, packed, page_data, paragraphs
from sharpscope.reports.printed import commands, printed
from sharpscope.reports.trials import all_trials
from sharpscope.reports.verdict import verdict
from sharpscope.results import selection
from sharpscope.results.records import Records
from sharpscope.results.table import read_results

__all__ = ["SYMBOLS", "page_data", "report"]

MOST_BYTES = 5_900_000  # a page that a mail takes

Source = str | Path | pd.DataFrame


def report(
    results: Source | Sequence[Source],
    out: str | Path = "report.html",
    *,
    correlation: Any = None,
    landscape: str | Path | None = None,
    title: str = "Sharpness and equal error rate",
) -> Path:
    """Write one self-contained HTML page about one or several results tables; it opens from disk without a network.

    Args:
        results: The results file, or its table; several of them stand side by side and are switched between.
        out: The page.
        correlation: What `correlate` returned (its ``table`` and ``summary`` are shown), or its
            correlations.csv; computed when None. For several tables a list of these, in their order.
        landscape: A table of points from `landscape`, drawn as surfaces that can be turned, with the first table.
        title: Heading of the page.

    Returns:
        The path of the page.

    Raises:
        UsageError: If a results table has no rows, plotly is not installed, or there are more correlations than tables.
    """
    sources: list[Source] = [results] if isinstance(results, (str, Path, pd.DataFrame)) else list(results)
    given = (
        list(correlation) if isinstance(correlation, (list, tuple)) and len(sources) > 1 else [correlation]
    )
    if len(given) > len(sources):
        raise UsageError(
            f"{len(given)} correlations for {len(sources)} tables; give one for each table, or none"
        )
    given += [None] * (len(sources) - len(given))
    names = _names(sources)
    studies = [
        _study(source, name, found, landscape if i == 0 else None, Path(out))
        for i, (source, name, found) in enumerate(zip(sources, names, given, strict=True))
    ]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    fixed = {
        "title": title,
        "style": Markup(_asset("page.css")),
        "script": Markup(_asset("page.js")),
        "plotly": Markup(_plotly()),
    }
    template = environment.from_string(_asset("page.html"))
    page = template.render(**fixed, studies=studies, data=_json(studies))
    for part in (
        "pdf",
        "image",
        "trials",
    ):  # what can be made again goes before what cannot be seen elsewhere
        if len(page.encode()) <= MOST_BYTES:
            break
        _lighten(studies, part)
        page = template.render(**fixed, studies=studies, data=_json(studies))
    replace_file(Path(out), page)
    return Path(out)


def _names(sources: Sequence[Source]) -> list[str]:
    """Name tables by their files, with the folder where two files share a name."""
    names = ["results" if isinstance(s, pd.DataFrame) else Path(s).stem for s in sources]
    if len(set(names)) < len(names):
        names = [
            name if isinstance(s, pd.DataFrame) else f"{Path(s).resolve().parent.name}/{name}"
            for s, name in zip(sources, names, strict=True)
        ]
    return [name if names.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(names)]


def _study(
    source: Source, name: str, correlation: Any, landscape: str | Path | None, out: Path
) -> dict[str, Any]:
    """Collect everything that the page says of one results table."""
    table = source if isinstance(source, pd.DataFrame) else read_results(source)
    if table.empty:
        raise UsageError(
            "the results table has no rows: nothing to report; fill it with `sharpscope measure`"
        )
    whole = selection.whole(table)
    known = None if isinstance(source, pd.DataFrame) else Records.beside(source)
    told = told_of(whole, correlation, records=known)
    statistics = told.table
    variant = selection.choose(whole)
    choice = {key: value for key, value in variant._asdict().items() if value == value and value != ""}
    figures = printed(source, statistics, **choice)
    path = "results.csv" if isinstance(source, pd.DataFrame) else Path(os.path.relpath(source)).as_posix()
    points = "" if landscape is None else Path(os.path.relpath(landscape)).as_posix()
    data = page_data(whole, statistics, read_points(landscape) if landscape else None)
    return {
        **data,
        "name": name,
        "facts": facts(whole),
        "verdict": verdict(whole, statistics, told.questions),
        "summary": paragraphs(told.summary),
        "commands": commands(path, points, variant, [figure.kind for figure in figures]),
        "figures": [figure._asdict() for figure in figures],
        "trials": all_trials(whole, variant, known, out),
    }


def _json(studies: Sequence[dict[str, Any]]) -> Markup:
    """Write the data of the page's script."""
    plain = [
        {
            **{key: value for key, value in study.items() if key not in ("verdict", "summary", "facts")},
            "rows": packed(study["rows"]),
            "correlations": packed(study["correlations"]),
        }
        for study in studies
    ]
    text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # "<" would let a name end the element that carries the data.
    return Markup(text.replace("<", "\\u003c"))


def _lighten(studies: Sequence[dict[str, Any]], part: str) -> None:
    """Leave one part out of the page, which then says how to make it."""
    for study in studies:
        if part == "trials":
            study["trials"] = {}
        for figure in study["figures"]:
            if part in figure:
                figure[part] = ""


def _asset(name: str) -> str:
    return resources.files("sharpscope.reports").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError("the report needs plotly's script; install it with `pip install plotly`") from error
    return str(get_plotlyjs())
