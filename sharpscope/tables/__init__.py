"""Tables for papers: EER with intervals, recipes compared in pairs, correlations; LaTeX (booktabs) or Markdown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.files import replace_file
from sharpscope.results.records import Records
from sharpscope.results.table import read_results
from sharpscope.scoring.errors import N_RESAMPLES
from sharpscope.tables.error_rates import errors_table
from sharpscope.tables.kinds import correlation_table, eer_table, recipe_table
from sharpscope.tables.layout import Cell, Table

__all__ = ["FORMATS", "TABLES", "Cell", "Kind", "Table", "table"]

FORMATS = ("markdown", "latex")
ENDINGS = {".md": "markdown", ".txt": "markdown", ".tex": "latex"}


class Kind(NamedTuple):
    """A registered kind of table.

    Attributes:
        function: Makes it from the results.
        summary: One line for `sharpscope table --help`.
    """

    function: Callable[..., Table]
    summary: str


TABLES: dict[str, Kind] = {
    "eer": Kind(eer_table, "EER per checkpoint and set, with intervals"),
    "errors": Kind(errors_table, "EER, DCF, Cllr, AUC, HTER and the gap, with intervals, from the scores"),
    "recipes": Kind(recipe_table, "recipes by architecture, paired tests against the baseline"),
    "correlations": Kind(correlation_table, "Spearman of each measure with EER, per set"),
}


def table(
    kind: str,
    results: str | Path | pd.DataFrame,
    *,
    out: str | Path | None = None,
    format: str | None = None,  # the name that the option has on the command line
    preset: str | None = None,
    baseline: str = "",
    correlation: Any = None,
    threshold_from: str | None = None,
    by: str | None = None,
    resamples: int = N_RESAMPLES,
) -> str:
    """Make one table of a results file.

    Args:
        kind: A key of ``TABLES``.
        results: The results file, or its table.
        out: Where to write it; nothing is written when None.
        format: "markdown" or "latex"; None goes by the ending of ``out``.
        preset: Whose scoring; None takes the table's first.
        baseline: Recipe that others are compared with.
        correlation: What `correlate` returned; computed when needed and None.
        threshold_from: Of ``errors``: in-domain set of the threshold for HTER; None takes the table's.
        by: Of ``errors``: "attack" or "codec" adds a line for each.
        resamples: Of ``errors``: draws for the intervals; 0 gives none.

    Returns:
        The text.

    Raises:
        UsageError: If the kind, format or ending is unknown, or there is nothing of the kind to tabulate.
    """
    if kind not in TABLES:
        raise unknown_name("kind of table", kind, TABLES)
    format = format or _format_of(out)
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    rows = results if isinstance(results, pd.DataFrame) else read_results(results)
    records = None if isinstance(results, pd.DataFrame) else Records.beside(results)
    made = TABLES[kind].function(
        rows,
        preset=preset,
        baseline=baseline,
        correlation=correlation,
        records=records,
        threshold_from=threshold_from,
        by=by,
        resamples=resamples,
    )
    text = made.latex() if format == "latex" else made.markdown()
    if out is not None:
        replace_file(Path(out), text)
    return text


def _format_of(out: str | Path | None) -> str:
    """Go by the ending of the file that is to be written; standard output gets Markdown."""
    ending = Path(out).suffix.lower() if out is not None else ".md"
    if ending not in ENDINGS:
        raise UsageError(
            f"{out}: a table is written as {', '.join(ENDINGS)}; name it so, or say --format markdown or latex"
        )
    return ENDINGS[ending]
