"""The correlation table that a figure, a table or a page shows: given, read from disk, or computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, some_of
from sharpscope.results.records import Records
from sharpscope.results.selection import Variant, panel_names, same

JOINT = "mean_within"  # mean over sets, checkpoints permuted jointly; the pooled cloud is never drawn
NEEDED_TEXT = ("scope", "set", "subset", "measure", "preset", "note")
TEXT = (*NEEDED_TEXT, "evidence", "adjusted_by", "alternative", "fixed", "question", "given")
KEY = ["set", "subset", "measure", "rho", "m", "preset"]


class Told(NamedTuple):
    """What was found out about a results table.

    Attributes:
        table: The correlation table.
        summary: Its words; "" where there are none.
        questions: Answers to what is asked next; empty where there are none.
    """

    table: pd.DataFrame
    summary: str
    questions: pd.DataFrame


def correlation_of(
    results: pd.DataFrame, correlation: Any = None, *, records: Records | None = None
) -> tuple[pd.DataFrame, str]:
    """Return the correlation table that belongs to a results table, and its summary in words.

    Args:
        results: Rows of results.csv.
        correlation: What `correlate` returned, its table, or a path to correlations.csv; None computes it.
        records: Scores and group values of the results, where they come from a file.

    Returns:
        The table and the summary; "" where there is none.

    Raises:
        UsageError: If the file is not a correlation table, or was made from other results.
    """
    return told_of(results, correlation, records=records)[:2]


def told_of(results: pd.DataFrame, correlation: Any = None, *, records: Records | None = None) -> Told:
    """Return everything that was found out about a results table.

    Args:
        results: Rows of results.csv.
        correlation: What `correlate` returned, its table, or a path to correlations.csv; None computes it,
            which takes a minute or two for many measures.
        records: Scores and group values of the results, where they come from a file.

    Returns:
        Table, summary and questions.

    Raises:
        UsageError: If the file is not a correlation table, or was made from other results.
    """
    nothing = pd.DataFrame()
    if correlation is None:
        from sharpscope.analysis.correlate import correlate
        from sharpscope.analysis.correlation_rows import COLUMNS

        if results["sha256"].nunique() < 2:
            alone = "One checkpoint: there is nothing to correlate."
            return Told(pd.DataFrame(columns=list(COLUMNS)), alone, nothing)
        # A picture of checkpoints that were not measured alike is drawn, and its words say so.
        correlation = correlate(results, records=records, allow_mixed=True)
    if isinstance(correlation, (str, Path)):
        beside = Path(correlation).with_name("summary.md")
        summary = beside.read_text(encoding="utf-8") if beside.is_file() else ""
        asked = Path(correlation).with_name("questions.csv")
        answers = pd.read_csv(asked, dtype=dict.fromkeys(TEXT, str)) if asked.is_file() else nothing
        answers = answers.fillna({name: "" for name in TEXT if name in answers})
        return Told(read_correlation(correlation, results), summary, answers)
    words = str(getattr(correlation, "summary", ""))
    return Told(getattr(correlation, "table", correlation), words, getattr(correlation, "questions", nothing))


def read_correlation(path: str | Path, results: pd.DataFrame) -> pd.DataFrame:
    """Read correlations.csv and check that it speaks of these results.

    Args:
        path: A file written by `sharpscope correlate`.
        results: Rows of results.csv.

    Returns:
        Its rows.

    Raises:
        UsageError: If it is another kind of file, or its numbers of checkpoints are not those of the results.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file; make one with `sharpscope correlate`")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path}: not a correlation table ({error})") from error
    missing = [name for name in (*NEEDED_TEXT, *KEY, "n", "spearman", "p_holm") if name not in table]
    if missing:
        raise UsageError(
            f"{path}: not a correlation table; it lacks {some_of(missing)}; make one with `sharpscope correlate`"
        )
    table = table.fillna({name: "" for name in TEXT if name in table})
    finite = results[np.isfinite(results["value"]) & np.isfinite(results["eer"])]
    told = table[table["scope"] == "set"].groupby(KEY, dropna=False)["n"].sum()
    found = finite.groupby(KEY, dropna=False)["sha256"].nunique()
    told, found = told[told > 0], found[found > 0]
    if (
        "fixed" in table and (table["fixed"] != "").any()
    ):  # ways and sets that were not asked about are not there
        found = found[found.index.isin(told.index)]
    if not told.sort_index().astype(float).equals(found.sort_index().astype(float).rename("n")):
        raise UsageError(
            f"{path} was not made from this results table (other measures, sets or numbers of checkpoints); "
            "run `sharpscope correlate` again, or leave the option out"
        )
    return table


def statistic_of(
    correlation: pd.DataFrame | None, variant: Variant, panel: str, *, scope: str = "set"
) -> Mapping[str, Any] | None:
    """Find the row of a correlation table that belongs to one panel.

    Args:
        correlation: Table made by `correlate`, or None.
        variant: The way of measuring.
        panel: Set, or set/subset.
        scope: Value of the column ``scope``.

    Returns:
        The row as a mapping; None when there is none, or more than one and so no telling which.
    """
    if correlation is None or correlation.empty:
        return None
    keep = (correlation["measure"] == variant.measure) & same(correlation["rho"], variant.rho)
    if "scope" in correlation:
        keep &= correlation["scope"] == scope
    if "preset" in correlation:
        keep &= correlation["preset"] == variant.preset
    if "m" in correlation:
        keep &= same(correlation["m"], variant.m)
    rows = correlation[keep]
    if scope == "set":
        names = panel_names(rows) if "subset" in rows else list(rows["set"].astype(str))
        rows = rows[[name == panel for name in names]]
    return {str(k): v for k, v in rows.iloc[0].items()} if len(rows) == 1 else None


def per_set(correlation: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a correlation table that are about one set, with columns ``panel`` and ``way``.

    Args:
        correlation: Table made by `correlate`.

    Returns:
        The rows; ``way`` names measure and radius (and m or preset where several occur).
    """
    rows = correlation[correlation["scope"] == "set"] if "scope" in correlation else correlation
    if rows.empty:
        return pd.DataFrame(columns=[*rows.columns, "panel", "way"])
    if "subset" not in rows:
        rows = rows.assign(subset="")
    return rows.assign(panel=panel_names(rows), way=ways(rows))


def ways(rows: pd.DataFrame) -> list[str]:
    """Name the way of measuring of each row, as briefly as is unambiguous.

    Args:
        rows: Has the columns measure and rho, maybe m and preset.

    Returns:
        One name per row.
    """
    names = [
        measure if math.isnan(rho) else f"{measure} {rho:g}"
        for measure, rho in zip(rows["measure"], rows["rho"].astype(float), strict=True)
    ]
    for column in ("m", "preset"):
        if column in rows and rows[column].nunique() > 1:
            names = [
                name
                if value != value
                else f"{name}, {column} {value:g}"
                if column == "m"
                else f"{name}, {value}"
                for name, value in zip(names, rows[column], strict=True)
            ]
    return names


def stars(adjusted: float) -> str:
    """Return the stars of an adjusted p-value.

    Args:
        adjusted: The p-value after correction; NaN gets none.

    Returns:
        "***" from .001 down, "**" from .01, "*" from .05.

    Example:
        >>> stars(0.0004), stars(0.03), stars(0.2), stars(float("nan"))
        ('***', '*', '', '')
    """
    return "***" if adjusted <= 0.001 else "**" if adjusted <= 0.01 else "*" if adjusted <= 0.05 else ""
