"""The correlation table that a figure, a table or a page shows: given, read from disk, or computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError
from sharpscope.results.records import Records

TEXT = ("scope", "set", "subset", "measure", "preset", "note")
KEY = ["set", "subset", "measure", "rho", "m", "preset"]


def correlation_of(
    results: pd.DataFrame, correlation: Any = None, *, records: Records | None = None
) -> tuple[pd.DataFrame, str]:
    """Return the correlation table that belongs to a results table, and its summary in words.

    Args:
        results: Rows of results.csv.
        correlation: What `correlate` returned, its table, or a path to correlations.csv; None computes it,
            which takes a minute or two for many measures.
        records: Scores and group values of the results, where they come from a file.

    Returns:
        The table and the summary; "" where there is none.

    Raises:
        UsageError: If the file is not a correlation table, or was made from other results.
    """
    if correlation is None:
        from sharpscope.analysis.correlate import COLUMNS, correlate

        if results["sha256"].nunique() < 2:
            return pd.DataFrame(columns=list(COLUMNS)), "One checkpoint: there is nothing to correlate."
        correlation = correlate(results, records=records)
    if isinstance(correlation, (str, Path)):
        words = Path(correlation).with_name("summary.md")
        summary = words.read_text(encoding="utf-8") if words.is_file() else ""
        return read_correlation(correlation, results), summary
    return getattr(correlation, "table", correlation), str(getattr(correlation, "summary", ""))


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
    missing = [name for name in (*TEXT, *KEY, "n", "spearman", "p_holm") if name not in table]
    if missing:
        raise UsageError(f"{path}: not a correlation table; it lacks {', '.join(missing)}")
    table = table.fillna(dict.fromkeys(TEXT, ""))
    finite = results[np.isfinite(results["value"]) & np.isfinite(results["eer"])]
    told = table[table["scope"] == "set"].groupby(KEY, dropna=False)["n"].sum()
    found = finite.groupby(KEY, dropna=False)["sha256"].nunique()
    told, found = told[told > 0], found[found > 0]
    if not told.sort_index().astype(float).equals(found.sort_index().astype(float).rename("n")):
        raise UsageError(
            f"{path} was not made from this results table (other measures, sets or numbers of checkpoints); "
            "run `sharpscope correlate` again, or leave the option out"
        )
    return table
