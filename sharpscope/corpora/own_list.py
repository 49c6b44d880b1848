"""One's own list of trials: a CSV with the columns ``file`` and ``label``, and any of the others."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.trials import Trial, known, label_of, read_lines
from sharpscope.errors import UsageError


def read_own_list(path: Path) -> Iterator[Trial]:
    """Read ``file,label[,attack][,speaker][,language][,codec]``; ``file`` is relative to the list's folder.

    Args:
        path: The list.

    Yields:
        Its trials, in order; the id is the file as it is written.

    Raises:
        UsageError: If a column is missing, a row is short, or a label unknown; with file and line.
    """
    lines = read_lines(path)
    try:
        rows = csv.DictReader(lines, strict=True)
        header = [name.strip().lower() for name in rows.fieldnames or []]
        rows.fieldnames = header
        for column in ("file", "label"):
            if column not in header:
                raise UsageError(f"{path}: no column '{column}'; it has {', '.join(header) or 'none'}")
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if None in row or row["file"] is None or row["label"] is None:
                raise UsageError(f"{where}: another number of cells than the header has")
            if not row["file"].strip():
                raise UsageError(f"{where}: column file is empty")
            extra = {column: known(row.get(column)) for column in ("attack", "speaker", "language", "codec")}
            audio = path.parent / row["file"].strip()
            yield Trial(row["file"].strip(), str(audio.absolute()), label_of(row["label"], where), **extra)
    except csv.Error as error:
        raise UsageError(f"{path}: not a readable CSV ({error})") from error
