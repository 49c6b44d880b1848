"""Other errors than the equal error rate for the rows of a results table, from the scores beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.results.records import Records
from sharpscope.scoring.eer import FEWEST_SPEAKERS
from sharpscope.scoring.errors import ERRORS, Scores, error_interval, error_of, errors_by_group

COLUMNS = (
    *("checkpoint", "sha256", "set", "subset", "preset", "trials_hash"),
    *("by", "group", "error", "value", "low", "high"),
)
GROUPINGS = ("attack", "codec")
_MEASUREMENT = ["sha256", "set", "subset", "preset", "m", "trials_hash", "spec_hash"]


def errors_of_table(
    results: pd.DataFrame,
    records: Records,
    names: Sequence[str] = tuple(ERRORS),
    *,
    threshold_from: str | None = None,
    by: str | None = None,
    n_resamples: int = 0,
    seed: int = 0,
    advance: Callable[[], object] | None = None,
) -> pd.DataFrame:
    """Compute errors of every checkpoint on every set, and attack by attack or codec by codec.

    Args:
        results: Rows of a results table.
        records: The scores beside it.
        names: Of ``ERRORS``.
        threshold_from: The set whose threshold is carried over, and which a gap is relative to.
        by: "attack" or "codec" adds a row for each; None gives whole sets only.
        n_resamples: Draws for the intervals; 0 gives none.
        seed: Of the draws.
        advance: Called after every checkpoint and set.

    Returns:
        Columns ``COLUMNS``; whole sets have a blank ``group``. A row without scores is left out.

    Raises:
        UsageError: If a name or grouping is unknown, no row has scores, or the in-domain set is missing or unnamed.
    """
    _check(results, names, by, threshold_from)
    rows: list[dict[str, Any]] = []
    for row in results.drop_duplicates(_MEASUREMENT).to_dict("records"):
        table = records.scores(row)
        if table is None:
            continue
        home = None if threshold_from is None else _home(results, records, row, threshold_from)
        scores = scores_of(table)
        head = {name: row[name] for name in COLUMNS[:6]}
        for name in names:
            low, high = (
                error_interval(name, scores, in_domain=home, n_resamples=n_resamples, rng=seed)
                if n_resamples
                else (math.nan, math.nan)
            )
            value = error_of(name, scores, in_domain=home)
            rows.append(
                head | {"by": "", "group": "", "error": name, "value": value, "low": low, "high": high}
            )
        if by is not None:
            rows += [head | part for part in _by_group(table, scores, by, names, home)]
        if advance is not None:
            advance()
    if not rows:
        raise UsageError(
            "no scores lie beside the table; errors other than EER are computed from them: measure again with this "
            "version, or keep the folder scores beside the table"
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _check(results: pd.DataFrame, names: Sequence[str], by: str | None, threshold_from: str | None) -> None:
    for name in names:
        if name not in ERRORS:
            raise unknown_name("error", name, ERRORS)
    if by not in (None, *GROUPINGS):
        raise unknown_name("grouping", str(by), GROUPINGS)
    if threshold_from is not None and threshold_from not in set(results["set"]):
        raise unknown_name("set in the table", threshold_from, sorted(set(results["set"])))


def scores_of(table: pd.DataFrame) -> Scores:
    """Return the scores of a record, with speakers where every trial names one and each class has five.

    Args:
        table: Columns label, score and speaker, as `Records.scores` returns them.

    Returns:
        Scores by class.

    Example:
        >>> table = pd.DataFrame({"label": ["bonafide", "spoof"], "score": [1.0, 0.0], "speaker": ["", ""]})
        >>> scores_of(table).bonafide.tolist(), scores_of(table).bonafide_speakers is None
        ([1.0], True)
    """
    bonafide, spoof = (table[table["label"] == label] for label in ("bonafide", "spoof"))
    told = bool((table["speaker"] != "").all())
    enough = min(part["speaker"].nunique() for part in (bonafide, spoof)) >= FEWEST_SPEAKERS
    speakers = [
        part["speaker"].to_numpy(dtype=str) if told and enough else None for part in (bonafide, spoof)
    ]
    return Scores(bonafide["score"].to_numpy(float), spoof["score"].to_numpy(float), *speakers)


def _home(results: pd.DataFrame, records: Records, row: Mapping[Any, Any], name: str) -> Scores:
    """Return the scores of the row's checkpoint on the in-domain set, measured in the same way."""
    same = results["set"] == name
    for column in ("sha256", "preset", "spec_hash"):
        same &= results[column] == row[column]
    for other in results[same & (results["subset"] == "")].to_dict("records"):
        table = records.scores(other)
        if table is not None:
            return scores_of(table)
    raise UsageError(
        f"{row['checkpoint']} has no scores on {name}, whose threshold is to be carried over; measure it there or name "
        "another set with --threshold-from"
    )


def _by_group(
    table: pd.DataFrame, scores: Scores, by: str, names: Sequence[str], home: Scores | None
) -> list[dict[str, Any]]:
    """Return the errors of each attack against all bona fide trials, or of each codec against its own."""
    is_spoof = table["label"] == "spoof"
    groups = table[by]
    if (groups[is_spoof] == "").all():
        return []
    own = groups[~is_spoof].tolist() if by == "codec" else None
    found = errors_by_group(names, scores, groups[is_spoof].tolist(), bonafide_groups=own, in_domain=home)
    return [
        {"by": by, "group": group, "error": name, "value": value, "low": math.nan, "high": math.nan}
        for group, errors in found.items()
        for name, value in errors.items()
    ]


def error_on_trials(
    results: pd.DataFrame, records: Records, name: str, *, threshold_from: str | None = None
) -> Callable[[Mapping[Any, Any], pd.DataFrame], float]:
    """Return a function that gives one error of a checkpoint on some of its trials, for halves of a set.

    Args:
        results: Rows of a results table.
        records: The scores beside it.
        name: Of ``ERRORS``.
        threshold_from: The set whose threshold is carried over.

    Returns:
        Of a row and a part of its scores; NaN where a class has no trial.
    """
    homes: dict[str, Scores] = {}

    def error(row: Mapping[Any, Any], table: pd.DataFrame) -> float:
        scores = scores_of(table.assign(speaker=""))
        if not len(scores.bonafide) or not len(scores.spoof):
            return math.nan
        if threshold_from is not None and row["sha256"] not in homes:
            homes[row["sha256"]] = _home(results, records, row, threshold_from)
        value = error_of(name, scores, in_domain=homes.get(row["sha256"]))
        return 1 - value if ERRORS[name].falls else value

    return error


def against(
    results: pd.DataFrame, records: Records, name: str, *, threshold_from: str | None = None
) -> tuple[pd.DataFrame, str]:
    """Put another error in the place of the equal error rate, so that everything after it is asked of that.

    Args:
        results: Rows of a results table.
        records: The scores beside it.
        name: Of ``ERRORS``; the area under the curve is turned into what it lacks to 1, so that more is worse.
        threshold_from: The set whose threshold is carried over; its own rows are left out, for it is at home there.

    Returns:
        Rows with the error in the column ``eer``, those without scores left out, and a sentence that says so.

    Raises:
        UsageError: As in `errors_of_table`.
    """
    found = errors_of_table(results, records, [name], threshold_from=threshold_from)
    keys = ["sha256", "set", "subset", "preset", "trials_hash"]
    value = found.drop_duplicates(keys).set_index(keys)["value"]
    if ERRORS[name].falls:
        value = 1 - value
    index = pd.MultiIndex.from_frame(results[keys])
    changed = results.assign(eer=value.reindex(index).to_numpy(float), eer_low=np.nan, eer_high=np.nan)
    without = changed[~np.isfinite(changed["eer"])]["sha256"].nunique()
    changed = changed[np.isfinite(changed["eer"])]
    if ERRORS[name].carried:
        changed = changed[changed["set"] != threshold_from]
    said = f"Error is {'1 - ' if ERRORS[name].falls else ''}{name}: {ERRORS[name].summary}"
    said += f", taken from {threshold_from}" if ERRORS[name].carried else ""
    left_out = f" {without} checkpoints without scores on some set are left out there." if without else ""
    return changed, f"{said}.{left_out}"
