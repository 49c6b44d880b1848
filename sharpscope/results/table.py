"""The results table: the one interface between measuring (torch) and analysing (no torch).

One row is one checkpoint x set (x subset) x measure (x radius x m). Numbers are written with every digit
they have; a row once written is never changed, averaged or lost: appending holds a file lock, writes a
new file beside the old one and replaces it in one step.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpscope.errors import UsageError
from sharpscope.files import locked, replace_file

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "checkpoint",
    "sha256",
    "arch",
    "recipe",
    "seed",
    "set",
    "subset",
    "domain",
    "n_bonafide",
    "n_spoof",
    "eer",
    "eer_low",
    "eer_high",
    "measure",
    "rho",
    "m",
    "value",
    "stderr",
    "value_low",
    "value_high",
    "n_groups",
    "preset",
    "loss_name",
    "score_rule",
    "polarity_source",
    "spec_hash",
    "trials_hash",
    "dtype",
    "device",
    "live_share",
    "batch_size",
    "version",
    "created",
    "note",
)
NUMBER_COLUMNS = (
    "seed",
    "n_bonafide",
    "n_spoof",
    "eer",
    "eer_low",
    "eer_high",
    "rho",
    "m",
    "value",
    "stderr",
    "value_low",
    "value_high",
    "n_groups",
    "live_share",
    "batch_size",
)
# Columns that tables of earlier versions lack; their cells are blank then.
ADDED = ("live_share", "batch_size")
TEXT_COLUMNS = tuple(column for column in COLUMNS if column not in NUMBER_COLUMNS)
KEY = ("sha256", "set", "subset", "measure", "rho", "m", "preset", "spec_hash", "trials_hash")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan", re.ASCII)
# What stands in the column ``measure`` of a system that is known by its scores only.
EER_ONLY = "eer"
REQUIRED_TEXT = ("checkpoint", "sha256", "set", "measure")


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes a row the same measurement as another: the columns of ``KEY`` as they are written.

    Args:
        row: A mapping with at least the columns of ``KEY``.

    Returns:
        One string per column of ``KEY``.

    Example:
        >>> key_of({"sha256": "ab", "set": "itw", "subset": "", "measure": "sam", "rho": 0.05, "m": 32,
        ...         "preset": "rigorous", "spec_hash": "s", "trials_hash": "t"})
        ('ab', 'itw', '', 'sam', '0.05', '32', 'rigorous', 's', 't')
    """
    return tuple(_cell(row[column]) for column in KEY)


def measure_and_block(name: str) -> tuple[str, str]:
    """Split what stands in the column ``measure``: rows about one block of a network name it in brackets.

    Args:
        name: A cell of the column.

    Returns:
        The measure, and the block; "" where the row is about the whole network.

    Example:
        >>> measure_and_block("sam"), measure_and_block("sam_layers[encoder.0]")
        (('sam', ''), ('sam_layers', 'encoder.0'))
    """
    measure, _, rest = name.partition("[")
    return measure, rest.removesuffix("]")


def about_blocks(table: pd.DataFrame) -> pd.Series:
    """Tell which rows are about one block of a network.

    Args:
        table: Rows of results.csv.

    Returns:
        One truth value a row.
    """
    return table["measure"].str.contains("[", regex=False)


def of_networks(table: pd.DataFrame) -> pd.Series:
    """Tell which rows hold a measurement of a whole network: neither of one block, nor an error rate alone.

    Args:
        table: Rows of results.csv.

    Returns:
        One truth value a row.
    """
    return ~about_blocks(table) & (table["measure"] != EER_ONLY)


def _cell(value: Any) -> str:
    """Return the text of one cell: the shortest text that gives the same number back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value).replace("\r", " ").replace("\n", " ")
    if isinstance(value, str):
        return value
    return "" if math.isnan(number) else repr(number)


def read_rows(path: Path, *, only_ours: bool = False) -> list[dict[str, str]]:
    """Return the rows of a results file as they stand, every cell a string; columns of others are left out.

    Args:
        path: The file.
        only_ours: Refuse a file with columns that would be lost when it is written anew.

    Returns:
        One mapping per row.

    Raises:
        UsageError: If it is no results table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(
            f"{path}: not a results table ({error}); expected a CSV written by measure"
        ) from error
    if "\0" in text:
        raise UsageError(
            f"{path}: not a results table (it holds zero bytes); expected a CSV written by measure"
        )
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        header = reader.fieldnames or []
        missing = [column for column in COLUMNS if column not in header and column not in ADDED]
        apart = {"\t": "tabs", ";": "semicolons"}.get(
            next((c for c in (header or [""])[0] if c in "\t;"), "")
        )
        if missing and apart:
            raise UsageError(
                f"{path}: its columns stand apart by {apart}; a results table has commas, as `measure` writes it"
            )
        if missing:
            raise UsageError(
                f"{path}: not a results table, it lacks the columns {', '.join(missing[:6])}"
                f"{' ...' if len(missing) > 6 else ''}; expected a CSV written by `sharpscope measure`"
            )
        strange = [column for column in header if column not in COLUMNS]
        if len(set(header)) < len(header) or (strange and only_ours):
            what = (
                f"the columns {', '.join(strange[:6])}, which would be lost" if strange else "a column twice"
            )
            raise UsageError(f"{path}: not written to, its header has {what}; choose another results file")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise UsageError(
                    f"{path}, line {reader.line_num}: {'too many' if None in row else 'too few'} cells; "
                    f"a row has {len(header)}. Was the file edited with a decimal comma?"
                )
            rows.append({column: row.get(column, "") for column in COLUMNS})
    except csv.Error as error:
        raise UsageError(f"{path}: not a readable CSV ({error})") from error
    return rows


def read_results(path: str | Path) -> pd.DataFrame:
    """Read and validate a results table.

    Args:
        path: A file written by `measure` (or several of them joined by hand).

    Returns:
        One row per measurement, the columns of ``COLUMNS`` in order; number columns are float (NaN for an
        empty cell), text columns are str.

    Raises:
        UsageError: If the file does not exist, lacks a column, has a cell that is not a number where one
            belongs, or holds the same measurement twice. The message names the line.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        if Path(path).is_dir():
            raise UsageError(
                f"{path}: is a folder; name the results table in it, such as {Path(path) / 'results.csv'}"
            )
        raise UsageError(f"{path}: no such results file; make one with `sharpscope measure`")
    rows = read_rows(path)
    seen: dict[tuple[str, ...], int] = {}
    for line, row in enumerate(rows, start=2):
        for column in REQUIRED_TEXT:
            if not row[column].strip():
                raise UsageError(f"{path}, line {line}: column {column} is empty")
        for column in TEXT_COLUMNS:
            _check_text(path, line, column, row[column])
        for column in NUMBER_COLUMNS:
            _check_number(path, line, column, row[column])
        key = key_of(row)
        if key in seen:
            raise UsageError(
                f"{path}, lines {seen[key]} and {line}: the same measurement twice "
                f"({row['checkpoint']}, {row['set']}, {row['measure']}, rho {row['rho'] or '-'}); remove one"
            )
        seen[key] = line
    cells: dict[str, Any] = {}
    for column in COLUMNS:
        texts = [row[column] for row in rows]
        # Python's own float gives back exactly the number that was written.
        cells[column] = texts if column in TEXT_COLUMNS else [float(text or "nan") for text in texts]
    return pd.DataFrame(cells)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a results table with its columns as `read_results` has them, whoever read or made it.

    Args:
        table: With the columns of ``COLUMNS``, those of later versions perhaps missing; empty cells may be NaN or None.

    Returns:
        Number columns as float (NaN for an empty cell), text columns as str ("" for an empty one), other columns as
        they are.

    Raises:
        UsageError: If a column is missing, or a number column holds something else.

    Example:
        >>> import pandas as pd
        >>> blank = pd.DataFrame({name: [None] for name in COLUMNS})
        >>> typed(blank).iloc[0]["subset"], str(typed(blank)["eer"].dtype)
        ('', 'float64')
    """
    import pandas as pd

    missing = [column for column in COLUMNS if column not in table and column not in ADDED]
    if missing:
        raise UsageError(
            f"the table lacks the columns {', '.join(missing[:6])}; a results table is what `measure` returns or writes"
        )
    cells: dict[str, Any] = {}
    for column in COLUMNS:
        values = table[column] if column in table else pd.Series([None] * len(table), index=table.index)
        if column in TEXT_COLUMNS:
            cells[column] = ["" if pd.isna(v) else str(v) for v in values]
            continue
        try:
            cells[column] = [float("nan") if pd.isna(v) or v == "" else float(v) for v in values]
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"column {column} of the table holds something that is no number ({error})"
            ) from error
    own = {column: cells[column] for column in COLUMNS if column in table or column in ADDED}
    found = table.assign(**own)
    return found[[*COLUMNS, *(c for c in found.columns if c not in COLUMNS)]]


def _check_number(path: Path, line: int, column: str, cell: str) -> None:
    if not cell:
        return
    # Python also reads 1_000 and digits of other scripts, which no program here has written.
    if not NUMBER.fullmatch(cell):
        hint = "; use a decimal point" if "," in cell else ""
        raise UsageError(f"{path}, line {line}: column {column} holds {cell[:40]!r}, not a number{hint}")
    number = float(cell)
    if column in ("eer", "eer_low", "eer_high") and not (math.isnan(number) or 0 <= number <= 1):
        raise UsageError(
            f"{path}, line {line}: {column} is {cell}; an EER in a file is a fraction from 0 to 1"
        )
    if column in ("n_bonafide", "n_spoof", "n_groups", "m", "rho", "stderr") and number < 0:
        raise UsageError(f"{path}, line {line}: {column} is {cell}; it cannot be negative")


def _check_text(path: Path, line: int, column: str, cell: str) -> None:
    if cell[:1] in ("=", "@"):
        raise UsageError(
            f"{path}, line {line}: column {column} holds {cell[:40]!r}, which a spreadsheet would run as a formula; "
            "write it without the first character"
        )


def measured_keys(path: str | Path) -> set[tuple[str, ...]]:
    """Return the keys of the measurements that a results file holds; none when it does not exist.

    Args:
        path: The results file.

    Returns:
        One key (see `key_of`) per row.
    """
    path = Path(path)
    return {key_of(row) for row in read_rows(path)} if path.is_file() else set()


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
    new = []
    for row in rows:
        if set(row) != set(COLUMNS):
            raise UsageError(f"a results row has other columns than the contract: {set(row) ^ set(COLUMNS)}")
        new.append({column: _cell(row[column]) for column in COLUMNS})
        for column in TEXT_COLUMNS:
            _check_text(path, len(new), column, new[-1][column])
    with locked(path.with_name(f"{path.name}.lock")):
        kept = read_rows(path, only_ours=True) if path.is_file() else []
        keys = {key_of(row) for row in new}
        clash = [row for row in kept if key_of(row) in keys]
        if len(keys) < len(new) or (clash and not force):
            which = (clash or new)[0]
            raise UsageError(
                f"{path} already holds {which['checkpoint']} on {which['set']}, {which['measure']}; "
                "--force measures it again and replaces it"
            )
        kept = [row for row in kept if key_of(row) not in keys]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept + new)
        replace_file(path, buffer.getvalue())
    return len(new)
