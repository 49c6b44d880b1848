"""Which corpora are on disk, and whether they are whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

from sharpscope.audio.containers import TABLES, open_audio
from sharpscope.corpora import CORPORA, find_corpus, read_set
from sharpscope.corpora.counts import published
from sharpscope.corpora.embedded_sets import find_embedded_corpus
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.trials import TrialSet
from sharpscope.errors import SharpscopeError, UsageError


class Found(NamedTuple):
    """One corpus as it is on disk.

    Attributes:
        key: Its key.
        title: Its name.
        folder: Where it lies, "" where it was not found.
        bonafide: Trials found, None where it could not be read.
        spoof: Trials found.
        published: Counts to compare with, "" where unknown.
        missing: Trials whose audio is not there.
        licence: Of the audio.
        source: Where to get it.
        note: What differs, what failed, or what was looked for.
    """

    key: str
    title: str
    folder: str
    bonafide: int | None
    spoof: int | None
    published: str
    missing: int | None
    licence: str
    source: str
    note: str


def survey(data: str | Path | None = None, *, report: Callable[[str], None] | None = None) -> list[Found]:
    """Look for every known corpus under a root and count its trials.

    Args:
        data: Folder that holds the corpora; None takes SHARPSCOPE_DATA, and looks nowhere without it.
        report: Called with each key before its corpus is read.

    Returns:
        One entry per corpus, found or not, in the order of the registry, then other sets in parquet or arrow.

    Raises:
        UsageError: If the root is not a folder.
    """
    place = data or os.environ.get("SHARPSCOPE_DATA")
    if place and not Path(place).is_dir():
        raise UsageError(f"--data is {place}, which is not a folder")
    listing, packed = Listing(), Listing(archives=True)
    root = Path(place).absolute() if place else None
    entries = []
    for key in CORPORA:
        if report is not None and place:
            report(key)
        entries.append(_look(key, root, listing, packed))
    return [*entries, *_others(root, listing, {entry.folder for entry in entries})] if root else entries


def _others(root: Path, listing: Listing, known: set[str]) -> Iterator[Found]:
    """Yield the folders and files under a root that hold audio in parquet or arrow and are no known corpus."""
    for folder in list(listing.under(root, 3)):
        inside = [place for place in known if place and Path(place) in (folder, *folder.parents)]
        if inside or not any(name.endswith(TABLES) for name in listing.files(folder)):
            continue
        # The splits of one set lie in a folder called data, those of the hub's cache below a snapshot.
        names = [part for part in folder.relative_to(root).parts if part not in {"data", "snapshots"}]
        name = re.split(r"--|___", names[0])[-1] if names else root.name
        entry = Found(
            name, "in containers", str(folder), None, None, "", None, "", "", f"--sets {name}={folder}"
        )
        try:
            trials = read_set(f"{name}={folder}", skip_missing=True)
        except UsageError as error:
            yield entry._replace(note=str(error))
            continue
        bonafide = int((trials.table["label"] == "bonafide").sum())
        spoof = len(trials.table) - bonafide
        note = "; ".join((entry.note, *trials.notes))
        yield entry._replace(bonafide=bonafide, spoof=spoof, missing=trials.skipped, note=note)


def _look(key: str, root: Path | None, listing: Listing, packed: Listing) -> Found:
    corpus = CORPORA[key]
    known = published(corpus, tuple(corpus.default.split("+")))
    counts = "" if known is None else f"{known[0]}/{known[1]}" if known[0] is not None else str(known[2])
    entry = Found(key, corpus.title, "", None, None, counts, None, corpus.licence, corpus.source, "")
    folder = None
    if root is not None:
        folder = (
            find_corpus(key, root, listing)
            or find_embedded_corpus(key, corpus, root, listing)
            or find_corpus(key, root, packed)
        )
    if folder is None:
        return entry._replace(note=f"looked for {' or '.join(corpus.markers)}" if root else "")
    entry = entry._replace(folder=str(folder))
    try:
        trials = _tolerant(key, root)
    except UsageError as error:
        return entry._replace(note=str(error))
    bonafide = int((trials.table["label"] == "bonafide").sum())
    return entry._replace(
        bonafide=bonafide,
        spoof=len(trials.table) - bonafide,
        missing=trials.skipped,
        note="; ".join(trials.notes),
    )


def _tolerant(key: str, root: Path | None) -> TrialSet:
    """Read a corpus; a spoof-only one whose partner is not there alone."""
    try:
        return read_set(key, data=root, skip_missing=True)
    except UsageError as error:
        if CORPORA[key].classes != "spoof":
            raise
        alone = read_set(key, data=root, skip_missing=True, pairing="none")
        return alone._replace(notes=(*alone.notes, str(error)))


def undecodable(trials: TrialSet) -> list[tuple[str, str]]:
    """Open every file of a set and return those that cannot be decoded or hold no samples.

    Args:
        trials: The set.

    Returns:
        (trial, reason), in protocol order.
    """
    bad = []
    for trial, path in zip(trials.table["trial"], trials.table["path"], strict=True):
        try:
            frames = soundfile.info(open_audio(path)).frames
            reason = "" if frames else "holds no samples"
        except (soundfile.SoundFileError, SharpscopeError, OSError, RuntimeError) as error:
            reason = str(error)
        if reason:
            bad.append((trial, reason))
    return bad
