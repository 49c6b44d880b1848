"""What a checkpoint has already seen: found in the sets under test, reported, and left out on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sharpscope.corpora import TrialSet, read_set
from sharpscope.corpora.leaks import leaks, without
from sharpscope.corpora.registry import keys_of
from sharpscope.errors import UsageError

Mode = Literal["ids", "audio", "exclude", "off"]
MODES: tuple[Mode, ...] = ("ids", "audio", "exclude", "off")


def strangers(used: Sequence[str], tested: Sequence[str]) -> list[str]:
    """Say which sets of training or selection are neither a known corpus nor a set under test: a slip, or not here.

    Nothing is refused: a corpus that nobody else has is a fact of a checkpoint all the same.

    Args:
        used: Sets that checkpoints were trained or selected on, as ``--sets`` takes them.
        tested: The sets under test, likewise.

    Returns:
        One line for each, with the nearest names.

    Example:
        >>> strangers(["own=train.csv", "home", "itv"], ["home=calls.csv"])[0].partition(";")[0]
        "unknown set 'itv'"
    """
    here = {name_of(spec) for spec in tested}
    lines = []
    for name in dict.fromkeys(name_of(spec) for spec in used if "=" not in spec and "://" not in spec):
        for one in name.split("+"):
            try:
                if one not in here:
                    keys_of(one)
            except UsageError as error:
                lines.append(str(error))
    return lines


def name_of(spec: str) -> str:
    """Return the name of a set as ``--sets`` takes it, without its part and its list.

    Args:
        spec: The set.

    Returns:
        The name.

    Example:
        >>> name_of("home@eval=calls.csv")
        'home'
    """
    return spec.partition("=")[0].partition("@")[0]


class SeenTrials:
    """Compares sets under test with those that checkpoints were trained or selected on.

    Args:
        mode: "ids" compares names within a corpus, "audio" what is heard too, "exclude" does both and leaves out
            what was found, "off" compares nothing.
        data: Folder that holds the corpora.
        preset: How sets are read.

    Raises:
        UsageError: If there is no such mode.
    """

    def __init__(self, mode: str, data: str | Path | None, preset: str) -> None:
        if mode not in MODES:
            raise UsageError(f"--leaks is '{mode}'; it is one of {', '.join(MODES)}")
        self.mode = mode
        self.data = data
        self.preset = preset
        self._read: dict[str, TrialSet | str] = {}
        self._done: dict[tuple[str, str, int, tuple[str, ...]], TrialSet] = {}

    def apply(self, trials: TrialSet, used: Sequence[str]) -> TrialSet:
        """Return a set with what the audit found in its notes, without the trials found where that was asked for.

        A set that was used and cannot be read here is said to be unchecked, and stops nothing.

        Args:
            trials: The set under test.
            used: Sets that a checkpoint was trained or selected on, as ``--sets`` takes them.

        Returns:
            The set to measure.

        Raises:
            UsageError: If every trial would be left out.
        """
        names = tuple(dict.fromkeys(used))
        if self.mode == "off" or not names:
            return trials
        key = (trials.name, trials.subset, id(trials.table), names)
        if key not in self._done:
            self._done[key] = self._compare(trials, names)
        return self._done[key]

    def _compare(self, trials: TrialSet, names: tuple[str, ...]) -> TrialSet:
        read = {name: self._set(name) for name in names}
        unread = [name for name, found in read.items() if isinstance(found, str)]
        notes = [f"not checked for trials of {', '.join(unread)}, which could not be read"] if unread else []
        others = [found for found in read.values() if isinstance(found, TrialSet)]
        if others:
            found = leaks(trials, others, by_audio=self.mode != "ids")
            if self.mode == "exclude":
                trials = without(trials, found)
            elif found.trials:
                notes.append(found.summary)
        return trials._replace(notes=(*trials.notes, *notes))

    def _set(self, name: str) -> TrialSet | str:
        if name not in self._read:
            try:
                self._read[name] = read_set(name, data=self.data, skip_missing=True, preset=self.preset)
            except UsageError as error:
                self._read[name] = str(error)
        return self._read[name]
