"""Which corpora are on disk, and whether they are whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import soundfile

from sharpscope.corpora import CORPORA, find_corpus, published, read_set
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.trials import TrialSet
from sharpscope.errors import UsageError


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
        One entry per corpus, found or not, in the order of the registry.

    Raises:
        UsageError: If the root is not a folder.
    """
    place = data or os.environ.get("SHARPSCOPE_DATA")
    if place and not Path(place).is_dir():
        raise UsageError(f"--data is {place}, which is not a folder")
    listing = Listing()
    entries = []
    for key in CORPORA:
        if report is not None and place:
            report(key)
        entries.append(_look(key, Path(place).absolute() if place else None, listing))
    return entries


def _look(key: str, root: Path | None, listing: Listing) -> Found:
    corpus = CORPORA[key]
    known = published(corpus, tuple(corpus.default.split("+")))
    counts = "" if known is None else f"{known[0]}/{known[1]}" if known[0] is not None else str(known[2])
    entry = Found(key, corpus.title, "", None, None, counts, None, corpus.licence, corpus.source, "")
    folder = find_corpus(key, root, listing) if root is not None else None
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
            frames = soundfile.info(path).frames
            reason = "" if frames else "holds no samples"
        except (soundfile.SoundFileError, OSError, RuntimeError) as error:
            reason = str(error)
        if reason:
            bad.append((trial, reason))
    return bad
