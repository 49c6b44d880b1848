"""Lines of protocols to cells. Every line is a trial, counted as something else, or an error that names it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sharpscope.audio.containers import read_bytes
from sharpscope.errors import UsageError, some_of

# Columns at the end of tables that hold whatever was said.
FREE_TEXT = {"transcript", "text", "sentence", "lyrics"}


@dataclass
class Tally:
    """What became of the lines of a set's protocols: ``lines == blank + header + rows``.

    Attributes:
        lines: All of them.
        blank: Empty ones.
        header: Names of columns.
        rows: The others; each gives a trial or counts below.
        other_parts: Rows that belong to a part that was not asked for.
        left_out: Rows (or files) that gave no trial for another reason, by reason.
        partners: Keys of the corpora whose bona fide speech was taken.
        notes: What else a reader of a result should know.
    """

    lines: int = 0
    blank: int = 0
    header: int = 0
    rows: int = 0
    other_parts: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    partners: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a protocol, whatever its byte-order mark and line ends.

    Args:
        path: The file.

    Returns:
        Lines without their ends.

    Raises:
        UsageError: If it is not text.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: not a readable text file ({error})") from error
    if "\0" in text:
        raise UsageError(f"{path}: not a text file (it holds zero bytes)")
    # str.splitlines would also split at the separators that transcripts hold.
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def blank_separated(
    path: Path, tally: Tally, columns: str, *, optional: int = 0, header: Sequence[str] = ()
) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells of a protocol whose columns stand apart by blanks or tabs, trailing ones ignored.

    Args:
        path: The protocol.
        tally: Counts its lines.
        columns: Names of the columns, for messages and for their number.
        optional: How many at the end may lack; 99 also allows more than are named.
        header: Words of which a header line holds one; empty where the first line is a trial.

    Yields:
        (file and line, cells).

    Raises:
        UsageError: If a line has another number of cells.
    """
    most = len(columns.split())
    least = most if optional == 99 else most - optional
    known = {word.lower() for word in header}
    for number, line in enumerate(read_lines(path), start=1):
        tally.lines += 1
        cells = line.split()
        if not cells:
            tally.blank += 1
            continue
        if number == 1 and known and known & {cell.lower() for cell in cells}:
            tally.header += 1
            continue
        where = f"{path}, line {number}"
        if len(cells) < least or (len(cells) > most and optional != 99):
            raise UsageError(f"{where}: {len(cells)} columns; expected {columns}")
        tally.rows += 1
        yield where, cells


def with_header(
    path: Path,
    tally: Tally,
    needed: Sequence[str],
    separator: str = ",",
    *,
    several_lines: bool = False,
    lenient: bool = False,
    search: int = 0,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a table that names its columns; names in any case.

    A comma separates as in CSV, with quoting. A bar separates wherever it stands: the transcripts beside it
    hold bare quotation marks that are no quoting.

    Args:
        path: The table.
        tally: Counts its lines.
        needed: Columns that must be there; "a|b" is met by either, and the row has it under the first name.
        separator: "," or ";", with quoting; "|" or a tab, without; " " for any number of blanks.
        several_lines: Quoted cells may hold line ends, as lyrics do.
        search: In how many lines to look for the header: some copies have others before it.
        lenient: Count a row of another number of cells as left out, and let a last column of text hold separators.

    Yields:
        (file and line, column -> cell).

    Raises:
        UsageError: If a column is missing, a row has another number of cells than the header, or is not one line.
    """
    lines = read_lines(path)
    rows = (
        _quoted(path, lines, several_lines, separator)
        if separator in ",;"
        else (line.split(separator.strip(" ") or None) for line in lines)
    )
    names: list[str] = []
    before = tally.header
    for number, cells in enumerate(rows, start=1):
        tally.lines += 1
        if not any(cell.strip() for cell in cells):
            tally.blank += 1
            continue
        if not names and tally.header == before and number <= search and not _names_all(cells, needed):
            tally.rows += 1
            tally.left_out[f"line before the header of {path.name}"] += 1
            continue
        if not names:
            names = _named(path, cells, needed)
            tally.header += 1
            continue
        if len(cells) > len(names) and lenient and names[-1] in FREE_TEXT:
            # Whatever stands behind the last separator that can be one is text.
            cells = [*cells[: len(names) - 1], separator.join(cells[len(names) - 1 :])]
        if len(cells) != len(names) and lenient:
            tally.rows += 1
            tally.left_out[f"row with other cells than the header has ({path.parent.name}/{path.name})"] += 1
            continue
        if len(cells) != len(names):
            raise UsageError(f"{path}, line {number}: {len(cells)} cells, the header has {len(names)}")
        tally.rows += 1
        yield f"{path}, line {number}", dict(zip(names, cells, strict=True))
    if not names:
        raise UsageError(f"{path}: no header; expected {', '.join(needed)}")


def _names_all(cells: Sequence[str], needed: Sequence[str]) -> bool:
    """Tell whether a line names every column that is needed."""
    names = {cell.strip().lower() for cell in cells}
    return all(names & set(choice.lower().split("|")) for choice in needed)


def _named(path: Path, cells: Sequence[str], needed: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for choice in needed:
        options = [option.lower() for option in choice.split("|")]
        met = next((option for option in options if option in names), None)
        if met is None:
            hint = _separator_hint(cells, needed)
            raise UsageError(f"{path}: no column '{some_of(options, ' or ')}'; it has {some_of(names)}{hint}")
        names[names.index(met)] = options[0]
    if len(set(names)) != len(names):
        raise UsageError(f"{path}: a column name stands twice in {', '.join(names)}")
    return names


def _separator_hint(cells: Sequence[str], needed: Sequence[str]) -> str:
    """Say so where a header names what is needed, but with another separator between the names."""
    for sign, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        parts = {part.strip().lower() for part in ",".join(cells).split(sign)}
        if len(parts) > 1 and all(parts & set(choice.lower().split("|")) for choice in needed):
            return f". Its columns stand apart by {name}; write commas, e.g. `{','.join(sorted(needed))}`"
    return ""


def _quoted(path: Path, lines: list[str], several_lines: bool, separator: str) -> Iterator[list[str]]:
    """Parse CSV; a quotation mark that swallows line ends would lose trials unseen, so it stops."""
    rows = csv.reader(
        (line + "\n" for line in lines) if several_lines else lines, strict=True, delimiter=separator
    )
    number = 0
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{path}, line {number + 1}: not a readable CSV row ({error})") from error
        number += 1
        if rows.line_num != number and not several_lines:
            raise UsageError(
                f"{path}, line {number}: a quotation mark opens here and closes on line {rows.line_num}"
            )
        yield cells


def file_name(cell: str, where: str) -> str:
    """Return the file that a cell names.

    Args:
        cell: As it stands in the protocol.
        where: File and line, for the message.

    Returns:
        The name without blanks around it.

    Raises:
        UsageError: If there is none.

    Example:
        >>> file_name(" 0.wav ", "meta.csv, line 2")
        '0.wav'
    """
    name = cell.strip()
    last = name.rsplit("/", 1)[-1]
    # A name such as ".wav" has lost its stem; ".." is a folder.
    if not last or last.startswith("."):
        raise UsageError(f"{where}: '{cell}' names no file")
    return name
