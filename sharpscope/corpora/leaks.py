"""Trials under test that a checkpoint has seen: by id within a corpus, by file and by what is heard in any."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import soundfile

from sharpscope.audio.containers import file_of, open_audio
from sharpscope.corpora.trials import TrialSet
from sharpscope.errors import SharpscopeError, UsageError


class Leaks(NamedTuple):
    """Which trials of a set were used in training or selection.

    Attributes:
        by_id: Trials with the same id in the same corpus.
        by_file: Trials that are the same file in any corpus, whatever either is called there.
        by_audio: (trial under test, "set: trial" that was used) with the same samples.
        unreadable: Files that could not be compared.
        compared: Trials under test.
    """

    by_id: tuple[str, ...]
    by_file: tuple[str, ...]
    by_audio: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...]
    compared: int

    @property
    def trials(self) -> frozenset[str]:
        """Every trial that leaked."""
        return frozenset(self.by_id) | frozenset(self.by_file) | {trial for trial, _ in self.by_audio}

    @property
    def summary(self) -> str:
        """One line for a person."""
        if not self.trials:
            return f"none of {self.compared} trials was used in training or selection"
        example = (*(trial for trial, _ in self.by_audio), *self.by_id, *self.by_file)[0]
        return (
            f"{len(self.trials)} of {self.compared} trials were used in training or selection "
            f"({len(self.by_id)} by id, {len(self.by_file)} by file, {len(self.by_audio)} by audio; "
            f"for example {example})"
        )


def _shape(path: str) -> tuple[int, int, int] | None:
    try:
        info = soundfile.info(open_audio(path))
    except (soundfile.SoundFileError, SharpscopeError, OSError, RuntimeError):
        return None
    return info.samplerate, info.channels, info.frames


def audio_hash(path: str) -> str:
    """Return a hash of a file's samples as 16-bit numbers: the same for WAV and FLAC of one recording.

    Args:
        path: The file.

    Returns:
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256()
    with soundfile.SoundFile(open_audio(path)) as file:
        for block in file.blocks(blocksize=1 << 18, dtype="int16", always_2d=True):
            digest.update(block.tobytes())
    return digest.hexdigest()


def leaks(under_test: TrialSet, used: TrialSet | Sequence[TrialSet], *, by_audio: bool = True) -> Leaks:
    """Find trials of a set that stand in others too.

    Ids are compared within a corpus only: ASVspoof 2019 and 2021 share ids and not audio. Files, links followed, and
    audio are compared everywhere; only files of equal rate, channels and length are decoded. Float files compare at
    16 bits.

    Args:
        under_test: The set that is measured.
        used: What a checkpoint was trained or selected on.
        by_audio: Open every file; False compares ids and paths only.

    Returns:
        What leaked.

    Raises:
        UsageError: If nothing to compare with is given.
    """
    others = [used] if isinstance(used, TrialSet) else list(used)
    if not others:
        raise UsageError("no set to compare with; name what the checkpoint was trained or selected on")
    same = [set(other.table["trial"]) for other in others if other.name == under_test.name]
    by_id = tuple(trial for trial in under_test.table["trial"] if any(trial in ids for ids in same))
    files = {real_file(path) for other in others for path in other.table["path"]}
    by_file = tuple(
        trial
        for trial, path in zip(under_test.table["trial"], under_test.table["path"], strict=True)
        if real_file(path) in files
    )
    if not by_audio:
        return Leaks(by_id, by_file, (), (), len(under_test.table))
    unreadable: list[str] = []
    mine = _by_shape(zip(under_test.table["trial"], under_test.table["path"], strict=True), unreadable)
    theirs = _by_shape(
        (
            (f"{other.name}: {trial}", path)
            for other in others
            for trial, path in zip(other.table["trial"], other.table["path"], strict=True)
        ),
        unreadable,
    )
    pairs = []
    for shape in mine.keys() & theirs.keys():
        seen = _hashed(theirs[shape], unreadable)
        for digest, trials in _hashed(mine[shape], unreadable).items():
            if digest in seen:
                pairs += [(trial, seen[digest][0]) for trial in trials]
    order = {trial: at for at, trial in enumerate(under_test.table["trial"])}
    pairs.sort(key=lambda pair: order[pair[0]])
    return Leaks(by_id, by_file, tuple(pairs), tuple(unreadable), len(under_test.table))


def real_file(path: str) -> str:
    """Return where a trial's audio lies, links followed, so that equal texts mean one recording.

    Args:
        path: Of a file, or of one inside another.

    Returns:
        The path, its folder resolved once for all that lie there.
    """
    file = file_of(path)
    folder, name = os.path.split(file)
    real = os.path.realpath(file) if os.path.islink(file) else os.path.join(_real_folder(folder), name)
    return real + path[len(file) :]


@functools.lru_cache(maxsize=1 << 16)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _by_shape(
    files: Iterable[tuple[str, str]], unreadable: list[str]
) -> dict[tuple[int, int, int], list[tuple[str, str]]]:
    found: dict[tuple[int, int, int], list[tuple[str, str]]] = {}
    for trial, path in files:
        shape = _shape(path)
        if shape is None:
            unreadable.append(path)
        elif shape[2]:
            found.setdefault(shape, []).append((trial, path))
    return found


def _hashed(files: Iterable[tuple[str, str]], unreadable: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for trial, path in files:
        try:
            found.setdefault(audio_hash(path), []).append(trial)
        except (soundfile.SoundFileError, SharpscopeError, OSError, RuntimeError):
            unreadable.append(path)
    return found


def without(trials: TrialSet, leaked: Leaks) -> TrialSet:
    """Leave out the trials that leaked.

    Args:
        trials: The set under test.
        leaked: What `leaks` found in it.

    Returns:
        The rest, with a note that says how many went.

    Raises:
        UsageError: If nothing would be left.
    """
    if not leaked.trials:
        return trials
    table = trials.table[~trials.table["trial"].isin(leaked.trials)].reset_index(drop=True)
    if table.empty:
        raise UsageError(f"set '{trials.name}': every trial was used in training or selection")
    note = f"{len(trials.table) - len(table)} trials left out that were used in training or selection"
    return trials._replace(table=table, notes=(*trials.notes, note))
