"""A copy of a corpus against what is published, and a look at its audio: what is missing, cut, odd or there twice."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile

from sharpscope.audio.containers import (
    SEPARATOR,
    TABLES,
    file_of,
    open_audio,
    open_bytes,
    read_bytes,
    size_of,
)
from sharpscope.audio.cut_off import cut
from sharpscope.audio.decode import read_audio
from sharpscope.corpora import CORPORA, read_set, resolve_key
from sharpscope.corpora.counts import published
from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.registry import is_registered
from sharpscope.corpora.trials import Trial, TrialSet
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.progress import Meter

# Bytes in the middle of a file that tell most files of one size apart.
MIDDLE = 4096


def _not_read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    raise UsageError(f"{place.folder}: a set of one's own is read from its list")


# A list or containers of one's own: nothing is published about it.
_UNKNOWN = Corpus(title="", read=_not_read, markers=(), licence="", source="", layout="")


class PartCount(NamedTuple):
    """One part of a corpus as it is on disk.

    Attributes:
        part: Its name, "" for the whole corpus.
        bonafide: Trials with audio, None where the part could not be read.
        spoof: Trials with audio.
        missing: Trials of the protocol whose audio is not there.
        published: (bona fide, spoof, total), None where unknown; a class is None where only the total is known.
        whole: True if it agrees with the published counts, None where there are none.
        note: What is missing, or why it could not be read.
    """

    part: str
    bonafide: int | None
    spoof: int | None
    missing: int | None
    published: tuple[int | None, int | None, int] | None
    whole: bool | None
    note: str


class Finding(NamedTuple):
    """Something wrong with a file.

    Attributes:
        kind: "undecodable", "cut", "silent", "rate", "duplicate" or "both classes".
        trial: Its id.
        path: The file.
        detail: In words.
    """

    kind: str
    trial: str
    path: str
    detail: str


class Verification(NamedTuple):
    """What is known about a copy after it was looked through.

    Attributes:
        key: Of the corpus.
        title: Its name.
        parts: Counts of each part.
        files: Files compared with each other.
        decoded: Files decoded whole.
        rates: Files of each sample rate among those decoded, by class.
        findings: What is wrong.
        notes: What else to know.
        source: Where to get what is missing, "" for a set of one's own.
    """

    key: str
    title: str
    parts: tuple[PartCount, ...]
    files: int
    decoded: int
    rates: dict[str, dict[int, int]]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    source: str

    @property
    def sound(self) -> bool:
        """Whether nothing is missing and nothing was found."""
        return not self.findings and not any(
            part.missing or part.whole is False or part.bonafide is None for part in self.parts
        )


def verify(
    spec: str, *, data: str | Path | None = None, sample: int = 500, seed: int = 0, meter: Meter | None = None
) -> Verification:
    """Compare a copy of a corpus with the published counts and look through its audio.

    Every file is compared with the others by size, by its middle and, where these agree, whole; a seeded sample is
    decoded from start to end.

    Args:
        spec: ``key``, ``key@part``, or either with ``=DIR``, as for `read_set`; also ``name=LIST`` or containers, of
            which no count is published.
        data: Folder that holds the corpora; None takes SHARPSCOPE_DATA.
        sample: Files to decode, half of each class where there are enough; 0 decodes all.
        seed: Seeds the sample.
        meter: Shows how far it is; its total is set here.

    Returns:
        What was found.

    Raises:
        UsageError: If the corpus is unknown or not there, or the sample is negative.
    """
    if sample < 0:
        raise UsageError(f"--sample is {sample}; a number of files to decode, 0 for all")
    head, equals, where = spec.partition("=")
    name, _, part = head.partition("@")
    corpus = _UNKNOWN._replace(title=head)
    key = name
    if not equals or is_registered(name):
        key = resolve_key(name, lambda one: _readable(f"{one}{equals}{where}", data))
        corpus = CORPORA[key]
    counted, sets = _parts(key, corpus, part, f"{equals}{where}", data)
    if not sets:
        raise UsageError(counted[0].note)
    table = pd.concat([one.table for one in sets]).drop_duplicates("path", ignore_index=True)
    chosen = _sample(table, sample, seed)
    if meter is not None:
        meter.total = len(table) + len(chosen)
    findings = [*_twice(table, meter)]
    rates, found = _decoded(table.iloc[chosen], meter)
    findings += found
    notes = list(dict.fromkeys(note for one in sets for note in one.notes if "published" not in note))
    usual = {label: max(found, key=found.__getitem__) for label, found in rates.items()}
    if len(set(usual.values())) > 1:
        words = " and ".join(f"{label} has {rate} Hz" for label, rate in usual.items())
        notes.append(f"the rate tells the class: most {words}")
    if corpus.partners:
        notes += _partners(key, f"{equals}{where}", data)
    return Verification(
        key, corpus.title, tuple(counted), len(table), len(chosen), rates, tuple(findings), tuple(notes), corpus.source
    )  # fmt: skip


def _parts(
    key: str, corpus: Corpus, part: str, where: str, data: str | Path | None
) -> tuple[list[PartCount], list[TrialSet]]:
    """Count the parts that are asked for; a copy that cannot be told into parts is counted as one."""
    wanted = [part] if part else list(dict.fromkeys([*corpus.parts, *corpus.counts])) or [""]
    both = [_part(key, corpus, one, where, data) for one in wanted]
    if not part and all(trials is None for _, trials in both):
        # Containers on the hub seldom call their splits as the corpus does.
        whole = _part(key, corpus, "", where, data)
        both = both if whole[1] is None else [whole]
    return [count for count, _ in both], [trials for _, trials in both if trials is not None]


def _readable(spec: str, data: str | Path | None) -> bool:
    try:
        read_set(spec, data=data, skip_missing=True, pairing="none")
    except UsageError:
        return False
    return True


def _part(
    key: str, corpus: Corpus, part: str, where: str, data: str | Path | None
) -> tuple[PartCount, TrialSet | None]:
    """Count one part; what is missing is named by reading it once more without leave to skip."""
    spec = f"{key}@{part}{where}" if part else f"{key}{where}"
    known = published(corpus, (part or corpus.default).split("+"))
    note = ""
    try:
        trials = read_set(spec, data=data, skip_missing=True, pairing="none")
    except UsageError as error:
        return PartCount(part, None, None, None, known, None if known is None else False, str(error)), None
    if trials.skipped:
        try:
            read_set(spec, data=data, pairing="none")
        except UsageError as error:
            note = str(error).split("; --skip-missing")[0]
    bonafide = int((trials.table["label"] == "bonafide").sum())
    spoof = len(trials.table) - bonafide
    whole = None
    if known is not None:
        same = known[0] is None or (bonafide, spoof) == tuple(known[:2])
        whole = abs(bonafide + spoof - known[2]) <= corpus.slack and (same or bool(corpus.slack))
    return PartCount(part, bonafide, spoof, trials.skipped, known, whole, note), trials


def _partners(key: str, where: str, data: str | Path | None) -> list[str]:
    """Say whether a spoof-only corpus has its real partner beside it."""
    try:
        read_set(f"{key}{where}", data=data, skip_missing=True)
    except UsageError as error:
        return [str(error)]
    return []


def _sample(table: pd.DataFrame, sample: int, seed: int) -> np.ndarray:
    """Draw rows, half of each class where there are enough."""
    if not sample or sample >= len(table):
        return np.arange(len(table))
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(np.flatnonzero(table["label"] == label)) for label in ("bonafide", "spoof")]
    short = min(map(len, orders))
    half = min(sample // 2, short)
    longer = max(orders, key=len)
    shorter = min(orders, key=len)
    return np.sort(np.concatenate([shorter[:half], longer[: sample - half]]))


def _decoded(rows: pd.DataFrame, meter: Meter | None) -> tuple[dict[str, dict[int, int]], list[Finding]]:
    rates: dict[str, Counter[int]] = defaultdict(Counter)
    of: dict[int, int] = {}
    findings = []
    for at, (trial, path, label) in enumerate(zip(rows["trial"], rows["path"], rows["label"], strict=True)):
        rate, kind, detail = _heard(path)
        if kind:
            findings.append(Finding(kind, trial, path, detail))
        if rate:
            rates[label][rate] += 1
            of[at] = rate
        if meter is not None:
            meter.advance()
    findings += _odd_rates(rows, of)
    return {label: dict(sorted(found.items())) for label, found in sorted(rates.items())}, findings


def _heard(path: str) -> tuple[int, str, str]:
    """Decode a file whole: (rate, what is wrong with it, in words)."""
    try:
        info = soundfile.info(open_audio(path))
    except (soundfile.SoundFileError, SharpscopeError, OSError, RuntimeError) as error:
        return 0, "undecodable", _reason(path, error)
    try:
        short = cut(path)
        wave = np.ones(1) if short else read_audio(path)
    except (soundfile.SoundFileError, SharpscopeError, OSError, RuntimeError) as error:
        # Its head is whole, so that it is of the right kind and ends, or breaks, too soon.
        announced = f"announces {info.frames} samples and does not decode to its end"
        return info.samplerate, "cut", f"{announced}: {_reason(path, error)}"
    if short:
        return info.samplerate, "cut", short
    # Compressed files announce their length as well; MP3 pads it.
    if info.format != "MP3" and len(wave) < info.frames:
        return info.samplerate, "cut", f"{len(wave)} of {info.frames} samples"
    if not wave.any():
        return info.samplerate, "silent", "every sample is zero"
    return info.samplerate, "", ""


def _reason(path: str, error: Exception) -> str:
    """Say why a file does not open, without its name, which stands before."""
    with contextlib.suppress(OSError, SharpscopeError):
        if not size_of(path):
            return "an empty file"
    return str(error).removeprefix(f"{path}: ").removeprefix(f"Error opening '{path}': ")


def _odd_rates(rows: pd.DataFrame, of: dict[int, int]) -> list[Finding]:
    """Name the files of another rate than nearly all; where rates are mixed none is odd."""
    counts = Counter(of.values())
    if len(counts) < 2:
        return []
    usual, number = counts.most_common(1)[0]
    findings = []
    if number >= 0.95 * len(of):
        for at, rate in of.items():
            if rate != usual:
                row = rows.iloc[at]
                findings.append(
                    Finding("rate", row["trial"], row["path"], f"{rate} Hz, {number} others {usual} Hz")
                )
    return findings


def _twice(table: pd.DataFrame, meter: Meter | None) -> list[Finding]:
    """Find files that hold the same bytes; rows of tables tell no size and are read whole, in order, once each."""
    by_size: dict[int, list[int]] = defaultdict(list)
    by_content: dict[bytes, list[int]] = defaultdict(list)
    for at, path in enumerate(table["path"]):
        with contextlib.suppress(
            OSError, SharpscopeError
        ):  # what is missing was counted, what is cut is decoded
            if SEPARATOR in path and file_of(path).lower().endswith(TABLES):
                by_content[hashlib.sha256(read_bytes(path)).digest()].append(at)
            else:
                by_size[size_of(path)].append(at)
        if meter is not None:
            meter.advance()
    groups: Iterable[list[int]] = (rows for size, rows in by_size.items() if size and len(rows) > 1)
    for whole in (False, True):
        groups = [same for rows in groups for same in _alike(table, rows, whole)]
    groups = [*groups, *(rows for rows in by_content.values() if len(rows) > 1)]
    findings = []
    for rows in groups:
        first = table.iloc[rows[0]]
        for at in rows[1:]:
            row = table.iloc[at]
            kind = "duplicate" if row["label"] == first["label"] else "both classes"
            findings.append(Finding(kind, row["trial"], row["path"], f"the same bytes as {first['trial']}"))
    return findings


def _alike(table: pd.DataFrame, rows: Sequence[int], whole: bool) -> list[list[int]]:
    """Split files of one size into those with the same middle, or the same content."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for at in rows:
        try:
            with open_bytes(table["path"].iloc[at]) as file:
                if not whole:
                    file.seek(max(0, file.seek(0, 2) // 2 - MIDDLE // 2))
                digest = hashlib.sha256(file.read() if whole else file.read(MIDDLE)).digest()
        except (OSError, SharpscopeError):
            continue
        found[digest].append(at)
    return [same for same in found.values() if len(same) > 1]
