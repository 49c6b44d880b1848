"""ReplayDF (Müller et al., 2025): played and recorded again, one bar-separated table per room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.protocols import file_name, read_lines
from sharpscope.corpora.trials import Trial, label_of
from sharpscope.errors import UsageError


def _rows(place: Place, path: Path) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(read_lines(path), start=1):
        place.tally.lines += 1
        cells = line.split("|")
        if not line.strip():
            place.tally.blank += 1
        elif number == 1 and cells[0].strip() == "original_file":
            place.tally.header += 1
        elif len(cells) < 3:
            raise UsageError(f"{path}, line {number}: {line!r}; expected original_file|path|label|...")
        else:
            place.tally.rows += 1
            yield f"{path}, line {number}", cells


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for table in place.listing.match(place.folder, "wav/*/meta.csv"):
        for where, cells in _rows(place, table):
            label = label_of(cells[2], where)
            name = file_name(cells[1], where).removeprefix("./")
            root = place.folder if place.listing.has_file(place.folder / name) else table.parent
            # wav/<room>/spoof/<system>/<language>/<file>
            folders = Path(name).parts[-4:-1]
            attack, language = (folders[-2], folders[-1]) if len(folders) == 3 else ("", "")
            attack = attack if label == "spoof" else ""
            # The row tells the room; a table may name another room's files.
            room = Path(name).parts[1] if name.startswith("wav/") else table.parent.name
            trial = name if name.startswith("wav/") else f"wav/{table.parent.name}/{name}"
            yield Trial(
                trial, str(root / name), label, attack, language=language, codec=room, pair=cells[0].strip()
            )


CORPORA = {
    "replaydf": Corpus(
        title="ReplayDF (Müller et al., 2025)",
        read=_read,
        markers=("wav/*/meta.csv",),
        licence="not verified",
        source="https://huggingface.co/datasets/mueller91/ReplayDF",
        layout="wav/<room>/{meta.csv, spoof/<system>/<language>/*.wav, ...}",
        evidence="no published count; address from memory",
        traps=("meta.csv separates by |", "the column codec holds the room and device (the folder's name)"),
    )
}
