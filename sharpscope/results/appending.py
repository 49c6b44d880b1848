"""Adding rows to a results table, and knowing which are there; of a table that grows each line is read once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sharpscope.errors import UsageError
from sharpscope.files import locked, replace_file
from sharpscope.results.table import (
    COLUMNS,
    TEXT_COLUMNS,
    cell_text,
    check_text,
    key_of,
    parsed_rows,
    text_of,
)

HEADER = ",".join(COLUMNS) + "\n"


class _Known(NamedTuple):
    """A table as it was last seen here: the file's number, size and time, its text, and the checkpoint of each key."""

    stamp: tuple[int, ...]
    text: str
    keys: dict[tuple[str, ...], str]


# A run asks for the keys once a set and checkpoint; other processes only ever add rows at the end.
_LAST_SEEN: dict[Path, _Known] = {}


def measured_keys(path: str | Path) -> set[tuple[str, ...]]:
    """Return the keys of the measurements that a results file holds; none when it does not exist.

    Args:
        path: The results file.

    Returns:
        One key (see `key_of`) per row.

    Raises:
        UsageError: If it is no results table.
    """
    path = Path(path)
    return set(_known(path).keys) if path.is_file() else set()


def append_results(path: str | Path, rows: Iterable[Mapping[str, Any]], *, force: bool = False) -> int:
    """Add rows to a results file, safely under several writers and at any moment of interruption.

    Args:
        path: The results file; made when it does not exist.
        rows: Mappings with exactly the columns of ``COLUMNS``.
        force: Replace rows that measure the same thing; without it they are an error.

    Returns:
        How many rows were written.

    Raises:
        UsageError: If a row's columns differ from ``COLUMNS``, or a measurement is already there and
            ``force`` is not given. Nothing is written then.
    """
    path = Path(path)
    new = _as_written(path, rows)
    with locked(path.with_name(f"{path.name}.lock")):
        known = _known(path) if path.is_file() else _Known((), HEADER, {})
        keys = {key_of(row): row for row in new}
        clash = next((key for key in known.keys if key in keys), None)
        if len(keys) < len(new) or (clash and not force):
            twice = keys[clash] if clash else new[0]
            name = known.keys[clash] if clash else twice["checkpoint"]
            raise UsageError(
                f"{path} already holds {name} on {twice['set']}, {twice['measure']}; "
                "--force measures it again and replaces it"
            )
        if not clash and known.text.startswith(HEADER) and known.text.endswith("\n"):
            replace_file(path, known.text + _lines(new))
        else:
            old = parsed_rows(path, known.text, only_ours=True)
            replace_file(path, HEADER + _lines([row for row in old if key_of(row) not in keys] + new))
    return len(new)


def _as_written(path: Path, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    new: list[dict[str, str]] = []
    for row in rows:
        if set(row) != set(COLUMNS):
            raise UsageError(f"a results row has other columns than the contract: {set(row) ^ set(COLUMNS)}")
        new.append({column: cell_text(row[column]) for column in COLUMNS})
        for column in TEXT_COLUMNS:
            check_text(path, len(new), column, new[-1][column])
    return new


def _lines(rows: Iterable[Mapping[str, str]]) -> str:
    buffer = io.StringIO()
    csv.DictWriter(buffer, COLUMNS, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _known(path: Path) -> _Known:
    """Return what a table holds; one that has not changed is not read, of one that has grown only the new lines are."""
    status, last = path.stat(), _LAST_SEEN.get(path)
    stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
    if last is not None and last.stamp == stamp:
        return last
    text = text_of(path)
    keys = _grown(path, text, last) if last is not None and last.text.endswith("\n") else None
    known = _Known(stamp, text, _keys(parsed_rows(path, text)) if keys is None else keys)
    _LAST_SEEN[path] = known
    return known


def _grown(path: Path, text: str, last: _Known) -> dict[tuple[str, ...], str] | None:
    """Return the keys of a text that begins with the last one; None where it does not, or a new line is bad."""
    if not text.startswith(last.text):
        return None
    header = text[: text.index("\n") + 1]
    try:
        added = parsed_rows(path, header + text[len(last.text) :])
    except UsageError:  # its line is counted from the wrong place
        return None
    return {**last.keys, **_keys(added)}


def _keys(rows: Iterable[Mapping[str, str]]) -> dict[tuple[str, ...], str]:
    return {key_of(row): row["checkpoint"] for row in rows}
