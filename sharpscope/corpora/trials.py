"""The table of trials that every reader returns, and the checks that none of them can skip."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sharpscope.audio.containers import is_there
from sharpscope.audio.decode import Reader
from sharpscope.corpora.label_words import BONAFIDE, SPOOF
from sharpscope.corpora.listing import Listing
from sharpscope.errors import UsageError

COLUMNS = ("trial", "path", "label", "attack", "speaker", "language", "codec", "pair")
_LABELS = {**dict.fromkeys(BONAFIDE, "bonafide"), **dict.fromkeys(SPOOF, "spoof")}
# Words that protocols write where they have nothing to say.
_NOTHING = {"-", "--", "n/a", "none", "nan", "unknown"}


class Trial(NamedTuple):
    """One line of a protocol: an utterance with what is known about it.

    Attributes:
        trial: Id, unique in the set.
        path: Its audio file.
        label: "bonafide" or "spoof".
        attack: What made it, "" for bona fide or where unknown.
        speaker: "" where unknown.
        language: "" where unknown.
        codec: "" where unknown.
        pair: The recording that a fake was made from, the same for both, "" where the corpus names none.
    """

    trial: str
    path: str
    label: str
    attack: str = ""
    speaker: str = ""
    language: str = ""
    codec: str = ""
    pair: str = ""


class TrialSet(NamedTuple):
    """A set as it will be measured.

    Attributes:
        name: Its key, as in the results table.
        subset: "" for the whole set.
        table: One row per trial in protocol order, columns ``COLUMNS``, all str.
        skipped: Trials left out because their audio is missing.
        notes: What a reader of a result on it should know.
        reader: Returns the samples and rate of a trial by its path, where trials lie in no files; None reads files.
    """

    name: str
    subset: str
    table: pd.DataFrame
    skipped: int
    notes: tuple[str, ...]
    reader: Reader | None = None


def label_of(word: str, where: str) -> str:
    """Return the label that a protocol's word means.

    Args:
        word: As it stands in the file, in any case.
        where: File and line, for the message.

    Returns:
        "bonafide" or "spoof".

    Raises:
        UsageError: If the word is neither. A reader that skipped it would lose a class unseen.

    Example:
        >>> label_of("bona-fide", "meta.csv, line 2"), label_of("Fake", "x")
        ('bonafide', 'spoof')
    """
    label = _LABELS.get(word.strip().lower())
    if label is None:
        raise UsageError(
            f"{where}: label '{word}' is not known; write bonafide or spoof ({', '.join(BONAFIDE[1:5])}, "
            f"{', '.join(SPOOF[1:5])} are read too)"
        )
    return label


def known(word: str | None) -> str:
    """Return a protocol's word, or "" where it stands for nothing.

    Args:
        word: As it stands in the file.

    Returns:
        The word without blanks around it.

    Example:
        >>> known(" A07 "), known("-")
        ('A07', '')
    """
    text = (word or "").strip()
    return "" if text.lower() in _NOTHING else text


def make_set(
    name: str,
    trials: Iterable[Trial],
    *,
    source: Path,
    subset: str = "",
    skip_missing: bool = False,
    notes: Iterable[str] = (),
    listing: Listing | None = None,
) -> TrialSet:
    """Check trials and make a set of them.

    Args:
        name: The set's key.
        trials: In protocol order.
        source: Protocol or folder, for messages.
        subset: Which part.
        skip_missing: Leave out trials without audio and count them.
        notes: What a reader of a result should know.
        listing: Folders that were listed already.

    Returns:
        The set.

    Raises:
        UsageError: If there is no trial, an id stands twice, or audio is missing.
    """
    # Objects, since strings that pyarrow holds cannot name a file whose name is not UTF-8.
    table = pd.DataFrame(list(trials), columns=list(COLUMNS), dtype=object)
    if table.empty:
        raise UsageError(f"{source}: no trial in it")
    twice = table["trial"][table["trial"].duplicated()]
    if len(twice):
        raise UsageError(f"{source}: {len(twice)} trial ids stand twice, the first is '{twice.iloc[0]}'")
    there = listing or Listing()
    missing = [path for path in table["path"] if not is_there(path, there.has_file)]
    if missing:
        shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        if len(missing) == len(table):
            raise UsageError(f"{source}: none of its {len(table)} audio files is there ({shown})")
        if not skip_missing:
            raise UsageError(
                f"{source}: {len(missing)} of {len(table)} audio files are missing ({shown}); --skip-missing goes "
                "on without them and counts them"
            )
        table = table[~table["path"].isin(missing)].reset_index(drop=True)
    return TrialSet(name, subset, table, len(missing), tuple(notes))


def trials_hash(table: pd.DataFrame) -> str:
    """Return 12 hexadecimal digits that change with any trial, label or their order, and not with the folder.

    Args:
        table: Of a `TrialSet`.

    Returns:
        The digits.

    Example:
        >>> one = pd.DataFrame({"trial": ["a", "b"], "label": ["spoof", "bonafide"]})
        >>> trials_hash(one) == trials_hash(one.iloc[::-1])
        False
    """
    digest = hashlib.sha256()
    for trial, label in zip(table["trial"], table["label"], strict=True):
        digest.update(f"{trial}\t{label}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:12]
