"""Labels without audio: official keys and anybody's list, read by the same readers as the corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sharpscope.corpora import asvspoof5, asvspoof2021, asvspoof2021_pa
from sharpscope.corpora.asvspoof import five_column_rows
from sharpscope.corpora.label_words import BONAFIDE, SPOOF
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.own_list import read_own_list
from sharpscope.corpora.place import Place
from sharpscope.corpora.protocols import Tally, read_lines
from sharpscope.corpora.trials import Trial
from sharpscope.errors import UsageError

PHASES = asvspoof2021.PHASES


class Key(NamedTuple):
    """Trials that are to be judged.

    Attributes:
        trials: With labels; their paths mean nothing.
        taken: Trials by phase; empty for a key without phases.
        left: Trials of the phases that were not asked for.
        notes: What else to know of how it was read, such as what 0 and 1 were taken to mean.
    """

    trials: tuple[Trial, ...]
    taken: Counter[str]
    left: Counter[str]
    notes: tuple[str, ...] = ()


def read_labels(path: Path, part: str = "") -> Key:
    """Read a key: an official one of ASVspoof 2019, 2021 (LA, DF, PA) or 5, or any list of `own_list`.

    Args:
        path: The key.
        part: Phases of a key of 2021 joined by "+", or "all"; for other keys as in `read_own_list`. "" is eval.

    Returns:
        Its trials, and what was taken and left of its phases.

    Raises:
        UsageError: If it cannot be read, or no trial is of that part.
    """
    tally = Tally()
    phased = _phased(path, tally)
    if phased is None:
        trials_read = tuple(_plain(path, tally, part))
        return Key(trials_read, Counter(), Counter(), tuple(tally.notes))
    asked = set(part.split("+")) if part else {"eval"}
    if asked - {*PHASES, "all"}:
        raise UsageError(f"{path}: no phase '{part}'; it is one of {', '.join(PHASES)} or all")
    taken: Counter[str] = Counter()
    left: Counter[str] = Counter()
    trials = []
    for phase, trial in phased:
        if phase in asked or "all" in asked:
            taken[phase] += 1
            trials.append(trial)
        else:
            left[phase] += 1
    if not trials:
        there = ", ".join(f"{number} {phase}" for phase, number in left.items())
        raise UsageError(f"{path}: no trial of phase {part or 'eval'}; it has {there or 'none'}")
    return Key(tuple(trials), taken, left)


def _first(path: Path) -> list[str]:
    return next((line.split() for line in read_lines(path) if line.strip()), [])


def _phased(path: Path, tally: Tally) -> Iterator[tuple[str, Trial]] | None:
    """Return the rows of a key that holds several phases, None for any other."""
    cells = _first(path)
    words = (*BONAFIDE, *SPOOF)
    replayed = len(cells) == 12 and cells[9].lower() in words and cells[11] in PHASES
    if replayed or (asvspoof2021_pa.is_stage_1(cells) and cells[4].lower() in words):
        return asvspoof2021_pa.key_rows(path, tally)
    if len(cells) >= 8 and cells[5].lower() in words and cells[7] in PHASES:
        return asvspoof2021.key_rows(path, tally)
    return None


def _plain(path: Path, tally: Tally, part: str) -> Iterable[Trial]:
    """Read a key without phases; the layout of the first line tells which."""
    cells = _first(path)
    words = (*BONAFIDE, *SPOOF)
    if not any("," in cell or ";" in cell for cell in cells):
        if len(cells) == 10 and (cells[8].lower() in words or cells[1] == "FLAC_FILE_NAME"):
            return asvspoof5.list_rows(path, tally)
        if len(cells) == 5 and cells[4].lower() in words:
            return five_column_rows(path, tally)
    place = Place(path.absolute().parent, (), _Nowhere(), tally, "none", _no_partner)
    return read_own_list(place, path, tuple(part.split("+")))


class _Nowhere(Listing):
    """A listing that finds nothing and looks nowhere: a key needs no audio."""

    def files(self, folder: str | Path) -> frozenset[str]:
        return frozenset()

    def folders(self, folder: str | Path) -> tuple[str, ...]:
        return ()


def _no_partner(key: str) -> tuple[Path, Callable[[], Iterable[Trial]]]:
    raise UsageError(f"a key has no partner {key}")
