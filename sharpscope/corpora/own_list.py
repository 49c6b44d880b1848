"""One's own list of trials: a CSV with the columns ``file`` and ``label``, or the five columns of ASVspoof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.asvspoof import five_columns
from sharpscope.corpora.listing import AUDIO_ENDINGS
from sharpscope.corpora.place import Place
from sharpscope.corpora.protocols import file_name, read_lines, with_header
from sharpscope.corpora.trials import BONAFIDE, SPOOF, Trial, known, label_of
from sharpscope.errors import UsageError

# What toolkits call the column of the file, the surest first; an utterance has no ending.
FILE = "file|path|file_name|audio_path|filename|filepath|utt_id"
# Columns of 0 and 1 that say in their name which class 1 is.
ONES = {
    **dict.fromkeys(("is_fake", "is_spoof", "fake", "spoof"), ("bonafide", "spoof")),
    **dict.fromkeys(("is_real", "is_bonafide", "real", "bonafide"), ("spoof", "bonafide")),
}
OPTIONAL = ("attack", "speaker", "language", "codec")


def read_own_list(place: Place, path: Path, parts: tuple[str, ...] = ("",)) -> Iterator[Trial]:
    """Read ``file,label[,attack][,speaker][,language][,codec][,subset]``; ``file`` is relative to the list.

    Semicolons and tabs separate as well; ``path``, ``file_name``, ``audio_path``, ``filename`` and ``utt_id`` are other
    names of ``file``, and a column such as ``is_fake`` of 0 and 1 one of ``label``. Two columns need no header.
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
    here = path.absolute().parent
    separator = next((sign for sign in ",;\t" if sign in first), None)
    cells = [cell.strip() for cell in (first.split(separator) if separator else first.rsplit(None, 1))]
    asvspoof = separator is None and len(first.split()) == 5
    if not asvspoof and len(cells) == 2 and cells[1].lower() in (*BONAFIDE, *SPOOF):
        yield from _two_columns(place, path, separator)
        return
    if asvspoof:
        folders = [str(path.absolute().parent / name) for name in ("", "flac", "wav")]
        yield from five_columns(place, path, [folder.rstrip("/") for folder in folders])
        return
    needed = (FILE, "|".join(("label", *ONES)), *(() if parts == ("",) else ("subset",)))
    named = [cell.lower() for cell in cells]
    direction = None if "label" in named else next((ONES[name] for name in ONES if name in named), None)
    for where, row in with_header(path, place.tally, needed, separator or ","):
        name = file_name(row["file"], where)
        label = _label(row["label"], where, direction)
        if parts != ("",) and row["subset"].strip() not in parts:
            place.tally.other_parts += 1
            continue
        yield Trial(name, _audio(place, here, name), label, *(known(row.get(column)) for column in OPTIONAL))


def _two_columns(place: Place, path: Path, separator: str | None) -> Iterator[Trial]:
    """Read ``file label`` without a header."""
    here = path.absolute().parent
    for number, line in enumerate(read_lines(path), start=1):
        place.tally.lines += 1
        where = f"{path}, line {number}"
        cells = line.split(separator) if separator else line.rsplit(None, 1)
        if not line.strip():
            place.tally.blank += 1
            continue
        if len(cells) != 2:
            raise UsageError(f"{where}: {len(cells)} columns; the first line has two, file and label")
        place.tally.rows += 1
        name = file_name(cells[0], where)
        yield Trial(name, _audio(place, here, name), label_of(cells[1], where))


def _label(word: str, where: str, direction: tuple[str, str] | None) -> str:
    """Return a label; 0 and 1 count only where the column's name says which is which."""
    word = word.strip()
    if word not in {"0", "1"}:
        return label_of(word, where)
    if direction is None:
        raise UsageError(
            f"{where}: label {word} does not say which class is 1; call the column is_fake or is_real"
        )
    return direction[int(word)]


def _audio(place: Place, here: Path, name: str) -> str:
    """Return where a file is; one without an ending lies beside the list, in flac/ or in wav/."""
    if Path(name).suffix.lower() in AUDIO_ENDINGS:
        return str(here / name)
    return place.locate([str(here), f"{here}/flac", f"{here}/wav"], name)
