"""Lists that people and other toolkits wrote: one reader for `--sets name=LIST`, `score --key` and `train`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.asvspoof import five_columns
from sharpscope.corpora.embedded_rows import ONE_IS_BONAFIDE, ONE_IS_SPOOF, said_numbers
from sharpscope.corpora.label_words import BONAFIDE, SPOOF
from sharpscope.corpora.listing import AUDIO_ENDINGS, below
from sharpscope.corpora.place import Place
from sharpscope.corpora.protocols import file_name, read_lines, with_header
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

# What toolkits call the column of the file, the surest first; an utterance has no ending.
FILE = "file|path|file_name|audio_path|filename|filepath|utt_id|utterance_id|utt|utterance|trial|name|wav|audio|id"
WORDS = "label|labels|key|cm-label|cm_label|class|target"
# Columns of 0 and 1 that say in their name which class 1 is.
ONES = {
    **{name: {1: "spoof", 0: "bonafide"} for name in sorted(ONE_IS_SPOOF)},
    **{name: {1: "bonafide", 0: "spoof"} for name in sorted(ONE_IS_BONAFIDE)},
}
SEPARATORS = "\t;,"
WORDS_OF_CLASSES = (*BONAFIDE, *SPOOF)
OPTIONAL = ("attack", "speaker", "language", "codec", "pair")


def read_own_list(place: Place, path: Path, parts: tuple[str, ...] = ("",)) -> Iterator[Trial]:
    """Read ``file,label[,attack][,speaker][,language][,codec][,pair][,subset]``; ``file`` is relative to the list.

    Commas, semicolons or tabs separate; ``path``, ``file_name``, ``audio_path``, ``filename`` and ``utt_id`` are other
    names of ``file``, ``key`` and ``class`` of ``label``, and so is a column of 0 and 1 such as ``is_fake``. Two
    columns need no header. Without commas, five columns are those of ASVspoof, and of four or more the second is the
    utterance and the only word for a class the label; their audio lies beside the list, in flac/ or in wav/.

    Args:
        place: Listing and tally.
        path: The list.
        parts: Values of the column ``subset`` to take, and what numbers mean as ``bonafide:1``; "" takes all.

    Yields:
        Its trials, in order; the id is the file as it is written.

    Raises:
        UsageError: If a column is missing, a row is short, or a label unknown; with file and line.
    """
    wanted, said = said_numbers([part for part in parts if part], str(path))
    first = next((line for line in read_lines(path) if line.strip()), "")
    separator = next((sign for sign in SEPARATORS if sign in first), None)
    fields = first.split()
    cells = [
        cell.strip().strip('"') for cell in (first.split(separator) if separator else first.rsplit(None, 1))
    ]
    labelled = len(cells) == 2 and (
        cells[1].lower() in WORDS_OF_CLASSES or (cells[1] in {"0", "1"} and bool(said))
    )
    if separator is None and len(fields) == 5:
        folders = [str(path.absolute().parent / name) for name in ("", "flac", "wav")]
        yield from five_columns(place, path, [folder.rstrip("/") for folder in folders])
    elif separator is None and len(fields) > 3 and _worded(fields):
        yield from _many_columns(place, path)
    elif labelled:
        yield from _two_columns(place, path, separator, said)
    else:
        yield from _with_header(place, path, separator or (" " if len(cells) == 2 else ","), wanted, said)


def _with_header(
    place: Place, path: Path, separator: str, wanted: list[str], said: dict[int, str]
) -> Iterator[Trial]:
    """Read a list that names its columns."""
    here = path.absolute().parent
    needed = (FILE, "|".join((WORDS, *ONES)), *(("subset|split|partition",) if wanted else ()))
    rows = with_header(path, place.tally, needed, separator)
    direction: dict[int, str] | None = None
    for where, row in rows:
        if direction is None:
            # The label stands under the first of its names; the others are still there under their own.
            direction = said or _direction(path, separator)
        name = file_name(row["file"], where)
        label = _label(place, row["label"], where, direction)
        if wanted and row["subset"].strip() not in wanted:
            place.tally.other_parts += 1
            continue
        about = (known(row.get(column)) for column in OPTIONAL)
        yield Trial(name, _audio(place, here, name), label, *about)


def _direction(path: Path, separator: str) -> dict[int, str]:
    """Return what 0 and 1 mean by the name of the column that was taken for the label; nothing for a plain name."""
    first = next(line for line in read_lines(path) if line.strip())
    named = [
        cell.strip().strip('"').lower()
        for cell in (first.split() if separator == " " else first.split(separator))
    ]
    if any(word in named for word in WORDS.split("|")):
        return {}
    return next((ONES[name] for name in ONES if name in named), {})


def _two_columns(place: Place, path: Path, separator: str | None, said: dict[int, str]) -> Iterator[Trial]:
    """Read ``file label`` without a header."""
    here = path.absolute().parent
    for number, line in enumerate(read_lines(path), start=1):
        place.tally.lines += 1
        where = f"{path}, line {number}"
        cells = [
            cell.strip().strip('"') for cell in (line.split(separator) if separator else line.rsplit(None, 1))
        ]
        if not line.strip():
            place.tally.blank += 1
            continue
        if len(cells) != 2:
            raise UsageError(f"{where}: {len(cells)} columns; the first line has two, file and label")
        place.tally.rows += 1
        name = file_name(cells[0], where)
        yield Trial(name, _audio(place, here, name), _label(place, cells[1], where, said))


def _worded(cells: list[str]) -> bool:
    """Tell whether exactly one of the cells is a word for a class."""
    return sum(cell.lower() in WORDS_OF_CLASSES for cell in cells) == 1


def _many_columns(place: Place, path: Path) -> Iterator[Trial]:
    """Read ``speaker utterance ... label ...``, as challenges write their protocols."""
    here = path.absolute().parent
    for number, line in enumerate(read_lines(path), start=1):
        place.tally.lines += 1
        cells = line.split()
        where = f"{path}, line {number}"
        if not cells:
            place.tally.blank += 1
            continue
        if len(cells) < 4 or not _worded(cells):
            raise UsageError(f"{where}: not `speaker utterance ... label ...` with one word for the class")
        place.tally.rows += 1
        word = next(cell for cell in cells if cell.lower() in WORDS_OF_CLASSES)
        name = file_name(cells[1], where)
        yield Trial(name, _audio(place, here, name), label_of(word, where), speaker=known(cells[0]))


def _label(place: Place, word: str, where: str, direction: dict[int, str]) -> str:
    """Return a label; 0 and 1 count only where the column's name or the user says which is which."""
    word = word.strip()
    if word not in {"0", "1"}:
        return label_of(word, where)
    if not direction:
        raise UsageError(
            f"{where}: label {word} does not say which class is 1; call the column is_fake or is_real, or say it: "
            "--sets name@bonafide:1=LIST, --key LIST@bonafide:1"
        )
    note = f"labels 0 = {direction[0]}, 1 = {direction[1]}"
    if note not in place.tally.notes:
        place.tally.notes.append(note)
    return direction[int(word)]


def _audio(place: Place, here: Path, name: str) -> str:
    """Return where a file is; one without an ending lies beside the list, in flac/ or in wav/."""
    if Path(name).suffix.lower() in AUDIO_ENDINGS:
        return below(name, (here, *place.roots), place.listing)
    return place.locate([str(here), f"{here}/flac", f"{here}/wav"], name)
