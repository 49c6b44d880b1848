"""No epoch is chosen on trials that will be tested: sets are compared by what they hold, not by how they are spelt."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sharpscope.corpora import CORPORA, TrialSet, read_set, resolve_key
from sharpscope.corpora.leaks import leaks
from sharpscope.errors import UsageError

# Opening every file of larger sets takes longer than a look before training should.
FEW = 20_000


class Shared(NamedTuple):
    """Trials of a dev set that stand in a tested set.

    Attributes:
        dev: The dev set, as the recipe spells it.
        tested: The tested set, as the recipe spells it.
        trials: How many trials they share; 0 where the names tell already.
        example: One of them.
    """

    dev: str
    tested: str
    trials: int
    example: str

    def __str__(self) -> str:
        if not self.trials:
            return f"{self.dev} is {self.tested}"
        return f"{self.trials} trials of {self.dev} stand in {self.tested} (for example {self.example})"


class _Named(NamedTuple):
    """What a set's name says without a disk: corpus or file, and its parts."""

    place: str
    parts: frozenset[str]


def same_sets(dev: Sequence[str], tested: Sequence[str]) -> list[str]:
    """Return the dev sets that are tested sets under any of their names.

    Args:
        dev: Sets as ``--sets`` takes them.
        tested: Sets as ``--sets`` takes them.

    Returns:
        Those of ``dev`` that share corpus and part, or file, with one of ``tested``.

    Example:
        >>> same_sets(["in_the_wild", "19la@dev"], ["itw", "asvspoof2019_la"])
        ['in_the_wild']
    """
    there = [(_named(one), one) for one in tested]
    return sorted(
        {one for one in dev if any(_overlap(_named(one), other, one, text) for other, text in there)}
    )


def _overlap(one: _Named | None, other: _Named | None, text: str, other_text: str) -> bool:
    """Tell whether two sets have a trial in common as far as their names say; without parts they are whole."""
    if text == other_text:
        return True
    if one is None or other is None or one.place != other.place:
        return False
    return not one.parts or not other.parts or bool(one.parts & other.parts)


def _named(spec: str) -> _Named | None:
    """Resolve a set's name; None where only the disk can tell, as for pools and unknown names."""
    head, equals, where = spec.partition("=")
    name, _, part = head.partition("@")
    if equals and not Path(where).is_dir():
        return _Named(os.path.realpath(where), frozenset(part.lower().split("+")) if part else frozenset())
    try:
        key = resolve_key(name)
    except UsageError:
        return None
    corpus = CORPORA[key]
    implied = {alias.lower(): part for alias, part in corpus.aliases.items()}.get(name.lower(), "")
    known = {one.lower(): one for one in corpus.parts} | {a.lower(): b for a, b in corpus.synonyms.items()}
    words = (part or implied or corpus.default).split("+")
    # A part that the corpus does not have may be any of its trials.
    parts = [known.get(word.lower(), word if corpus.any_part else "") for word in words]
    return _Named(key, frozenset(parts) if all(parts) else frozenset())


def shared_trials(
    dev: Sequence[str], tested: Sequence[str], root: str | None = None, *, by_audio: bool | None = None
) -> list[Shared]:
    """Find trials of the dev sets that will be tested: by name of set, by id, by file, and by what is heard.

    A tested set that is not on this disk is compared by its name alone.

    Args:
        dev: Sets as ``--sets`` takes them.
        tested: Sets as ``--sets`` takes them.
        root: Folder that holds the corpora; None takes the variable SHARPSCOPE_DATA.
        by_audio: Compare what is heard; None does where the sets have at most 20,000 trials.

    Returns:
        What they share, a dev set and a tested one at a time.
    """
    found: list[Shared] = []
    read: dict[str, TrialSet | None] = {}
    for one in dev:
        for other in tested:
            if same_sets([one], [other]):
                found.append(Shared(one, other, 0, ""))
                continue
            mine, theirs = (read.setdefault(spec, _read(spec, root)) for spec in (one, other))
            if mine is not None and theirs is not None:
                trials = _shared(mine, theirs, by_audio)
                found += [Shared(one, other, len(trials), trials[0])] if trials else []
    return found


def _read(spec: str, root: str | None) -> TrialSet | None:
    try:
        return read_set(spec, data=root, skip_missing=True)
    except UsageError:
        return None


def _shared(dev: TrialSet, tested: TrialSet, by_audio: bool | None) -> list[str]:
    few = len(dev.table) + len(tested.table) <= FEW
    same = leaks(dev, tested, by_audio=few if by_audio is None else by_audio).trials
    return [trial for trial in dev.table["trial"] if trial in same]
