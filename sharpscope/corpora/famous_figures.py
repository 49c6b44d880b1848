"""Famous Figures: ten public figures, several engines; a tab-separated list with the server's own paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place, total
from sharpscope.corpora.protocols import file_name, read_lines
from sharpscope.corpora.trials import Trial, label_of
from sharpscope.errors import UsageError


def _columns(path: Path, header: list[str]) -> tuple[int, int]:
    """Return where the label and the path stand: by name, the label else before the path."""
    names = [name.strip().lower() for name in header]
    if "audiopath" not in names:
        raise UsageError(f"{path}: no column 'AudioPath'; it has {', '.join(names)}")
    at = names.index("audiopath")
    return next((names.index(name) for name in ("label", "key", "class") if name in names), at - 1), at


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    path = place.protocol("protocol.txt")
    columns: tuple[int, int] | None = None
    for number, line in enumerate(read_lines(path), start=1):
        place.tally.lines += 1
        if not line.strip():
            place.tally.blank += 1
            continue
        cells = line.split("\t")
        if columns is None:
            columns = _columns(path, cells)
            place.tally.header += 1
            continue
        place.tally.rows += 1
        if len(cells) <= max(columns):
            raise UsageError(f"{path}, line {number}: {len(cells)} columns; the header has more")
        where = f"{path}, line {number}"
        label = label_of(cells[columns[0]], where)
        file = file_name(cells[columns[1]], where)
        name = re.split(r"famous_?figures/", file, flags=re.IGNORECASE)[-1].lstrip("/")
        speaker, _, rest = name.partition("/")
        source = rest.partition("/")[0]
        if not place.listing.has_file(path.parent / name) and source == "-":
            # Real speech has no source in the list and a folder of its own on disk.
            name = f"{speaker}/Bonafide/{rest.partition('/')[2]}"
        attack = source if label == "spoof" else ""
        yield Trial(name, str(path.parent / name), label, attack, speaker, "en")


CORPORA = {
    "famous_figures": Corpus(
        title="Famous Figures",
        read=_read,
        markers=("protocol.txt & */Bonafide/",),
        licence="not verified",
        source="address not verified",
        layout="<speaker>/{Bonafide,<engine>}/*.wav beside protocol.txt",
        aliases=dict.fromkeys(("FamousFigures",), ""),
        counts={"": total(348135)},
        evidence="rows of the list; papers used 49,945/296,526",
        traps=("absolute paths of the authors' server", "tabs and CRLF", "bona fide rows have - as source"),
    )
}
