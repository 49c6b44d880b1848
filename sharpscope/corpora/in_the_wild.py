"""In-the-Wild (Müller et al., 2022): one folder of numbered wav files beside ``meta.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.trials import Trial, known, label_of, read_lines
from sharpscope.errors import UsageError


def find(folder: Path) -> bool:
    """Tell whether a folder is the corpus: its table beside its first files, or re-packed by class.

    Args:
        folder: A candidate.

    Returns:
        True if it is.
    """
    if not (folder / "meta.csv").is_file():
        return False
    return (folder / "0.wav").is_file() or folder.name == "release_in_the_wild" or (folder / "real").is_dir()


def read(folder: Path, split: str) -> Iterator[Trial]:
    """Read ``meta.csv`` (file,speaker,label with the words bona-fide and spoof).

    Args:
        folder: The corpus.
        split: Only "eval": the corpus has one part.

    Yields:
        Its trials, the file name as id.

    Raises:
        UsageError: If a column or a cell is missing.
    """
    path = folder / "meta.csv"
    rows = csv.DictReader(read_lines(path))
    lacking = {"file", "speaker", "label"} - set(rows.fieldnames or [])
    if lacking:
        raise UsageError(f"{path}: no column {', '.join(sorted(lacking))}; expected file,speaker,label")
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        if None in row or None in row.values():
            raise UsageError(f"{where}: another number of cells than the header has")
        label = label_of(row["label"], where)
        audio = folder / row["file"]
        if not (folder / "0.wav").is_file():
            repacked = folder / ("real" if label == "bonafide" else "fake") / row["file"]
            audio = repacked if repacked.parent.is_dir() else audio
        yield Trial(row["file"], str(audio), label, speaker=known(row["speaker"]), language="en")
