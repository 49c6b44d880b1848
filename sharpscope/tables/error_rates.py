"""Every kind of error side by side, from the scores beside a results table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sharpscope.analysis.against import errors_of_table
from sharpscope.errors import UsageError, unknown_name
from sharpscope.results import selection
from sharpscope.results.records import Records
from sharpscope.results.wording import counted, number
from sharpscope.scoring.errors import ERRORS, N_RESAMPLES
from sharpscope.tables.layout import Cell, Table, percent

TITLES = {
    "eer": "EER %",
    "min_dcf": "min DCF",
    "act_dcf": "actual DCF",
    "cllr": "Cllr",
    "auc": "AUC",
    "hter": "HTER %",
    "gap": "gap, points",
}
IN_PER_CENT = ("eer", "hter", "gap")
DIGITS = 3


def errors_table(
    results: pd.DataFrame,
    *,
    records: Records | None = None,
    preset: str | None = None,
    threshold_from: str | None = None,
    by: str | None = None,
    resamples: int = N_RESAMPLES,
    seed: int = 0,
    **_unused: Any,
) -> Table:
    """Tabulate EER, DCF, Cllr, AUC, HTER and the gap of every checkpoint on every set, each with its interval.

    Args:
        results: Rows of results.csv.
        records: The scores beside it.
        preset: Whose scoring; None takes the table's first.
        threshold_from: In-domain set whose threshold is carried over for HTER and whose EER the gap is relative to;
            None takes the one that the table calls in-domain, and leaves both columns out where there is none.
        by: "attack" or "codec" adds a line for each, without intervals.
        resamples: Draws for the intervals; 0 gives none.
        seed: Of the draws.

    Returns:
        One line per checkpoint, set and group; rates and gap in per cent.

    Raises:
        UsageError: If no row has scores beside it, or a name is unknown.
    """
    known = list(dict.fromkeys(results["preset"]))
    if not known:
        raise UsageError("the results table has no rows; fill it with `sharpscope measure`")
    if preset is not None and preset not in known:
        raise unknown_name("preset in this results table", preset, known)
    if resamples < 0:
        raise UsageError(f"--resamples is {resamples}; it is 0 for no intervals, or a number such as 999")
    if records is None:
        raise UsageError("errors are computed from scores; give the results file, which has them beside it")
    rows = results[results["preset"] == (preset or known[0])]
    home = threshold_from or next(iter(_in_domain(rows)), None)
    names = [name for name, error in ERRORS.items() if home is not None or not error.carried]
    found = errors_of_table(
        rows, records, names, threshold_from=home, by=by, n_resamples=resamples, seed=seed
    )
    body, rules = _lines(found.assign(panel=selection.panel_names(found)), names, by)
    return Table(_header(names, by), body, _caption(found, home, by, resamples), "tab:errors", rules)


def _in_domain(rows: pd.DataFrame) -> Sequence[str]:
    """Return the sets that are of every detector's own domain, in the order of the table."""
    own = rows.groupby("set", sort=False)["domain"].agg(lambda domains: set(domains) == {"id"})
    return [str(name) for name, is_own in own.items() if is_own]


def _header(names: Sequence[str], by: str | None) -> tuple[str, ...]:
    return ("Checkpoint", "Set", *((by.capitalize(),) if by else ()), *(TITLES[name] for name in names))


def _lines(
    found: pd.DataFrame, names: Sequence[str], by: str | None
) -> tuple[tuple[tuple[Cell, ...], ...], tuple[int, ...]]:
    body: list[tuple[Cell, ...]] = []
    rules = []
    for _, part in found.groupby("sha256", sort=False):
        if body:
            rules.append(len(body))
        for (panel, group), cells in part.groupby(["panel", "group"], sort=False):
            by_name = {str(row["error"]): row for row in cells.to_dict("records")}
            head = [Cell(str(part["checkpoint"].iloc[0])), Cell(str(panel))]
            head += [Cell(str(group) or "all")] if by else []
            body.append((*head, *(_cell(by_name[name], name) for name in names)))
    return tuple(body), tuple(rules)


def _cell(row: dict[Any, Any], name: str) -> Cell:
    def shown(value: float) -> str:
        return percent(value) if name in IN_PER_CENT else number(value, DIGITS)

    low, high = float(row["low"]), float(row["high"])
    known = math.isfinite(low) and math.isfinite(high)
    return Cell(shown(float(row["value"])), f"[{shown(low)}, {shown(high)}]" if known else "")


def _caption(found: pd.DataFrame, home: str | None, by: str | None, resamples: int) -> str:
    words = [f"n = {counted(found['sha256'].nunique(), 'checkpoint')}."]
    if resamples:
        words.append(
            f"95% intervals: EER by `eer_interval`, the others by {resamples} bootstrap draws of trials, or of "
            "speakers where each class has five."
        )
    if by is not None:
        words.append(
            f"Lines of one {by} have no interval"
            + (
                " and hold all bona fide trials of the set."
                if by == "attack"
                else " and hold its own bona fide trials."
            )
        )
    words.append(
        "No in-domain set is known, so there is neither HTER nor gap; name one with --threshold-from."
        if home is None
        else f"HTER is at the threshold of the EER on {home}; the gap is the EER less that on {home}."
    )
    words.append("DCF and Cllr read scores as log-likelihood ratios.")
    return " ".join(words)
