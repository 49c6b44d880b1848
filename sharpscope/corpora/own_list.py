"""One's own list of trials: a CSV with the columns ``file`` and ``label``, or the five columns of ASVspoof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.asvspoof import five_columns
from sharpscope.corpora.place import Place
from sharpscope.corpora.protocols import file_name, read_lines, with_header
from sharpscope.corpora.trials import Trial, known, label_of

OPTIONAL = ("attack", "speaker", "language", "codec")


def read_own_list(place: Place, path: Path, parts: tuple[str, ...] = ("",)) -> Iterator[Trial]:
    """Read ``file,label[,attack][,speaker][,language][,codec][,subset]``; ``file`` is relative to the list.

    A list of five columns without commas is read as ASVspoof's; its audio lies beside it, in flac/ or in wav/.

    Args:
        place: Listing and tally.
        path: The list.
        parts: Values of the column ``subset`` to take; "" takes all.

    Yields:
        Its trials, in order; the id is the file as it is written.

    Raises:
        UsageError: If a column is missing, a row is short, or a label unknown; with file and line.
    """
    first = next((line for line in read_lines(path) if line.strip()), "")
    if "," not in first and len(first.split()) == 5:
        folders = [str(path.absolute().parent / name) for name in ("", "flac", "wav")]
        yield from five_columns(place, path, [folder.rstrip("/") for folder in folders])
        return
    needed = ("file", "label") if parts == ("",) else ("file", "label", "subset")
    here = path.absolute().parent
    for where, row in with_header(path, place.tally, needed):
        name = file_name(row["file"], where)
        label = label_of(row["label"], where)
        if parts != ("",) and row["subset"].strip() not in parts:
            place.tally.other_parts += 1
            continue
        yield Trial(name, str(here / name), label, *(known(row.get(column)) for column in OPTIONAL))
