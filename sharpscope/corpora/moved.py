"""Audio that lies in other folders of a corpus than its authors' tree has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sharpscope.audio.containers import is_there
from sharpscope.corpora.listing import AUDIO_ENDINGS, Listing
from sharpscope.corpora.registry import CORPORA
from sharpscope.corpora.trials import Trial

# A folder of lists, whose audio lies beside it and not in it.
_LISTS = re.compile(r"protocol|list|key|label|meta|(^|_)cm($|_)", re.IGNORECASE)
# Of the audio in a folder, how much the lists must name before it is taken for theirs. Utterances of 2019 and 2021
# are called alike, and about one name in forty is in both.
MOST_STRANGE = 0.5
# Files that are only numbered could be anybody's: nearly all must be there.
LEAST_NUMBERED = 0.9
DEPTH = 5


def find_moved(
    trials: Sequence[Trial], folder: Path, listing: Listing, key: str
) -> tuple[tuple[Trial, ...], list[str]]:
    """Give trials whose audio is not where it should be the file of that name elsewhere in the corpus.

    A name that several trials share stays as it is, and so does one that only folders hold whose other files are not
    in the lists, or that are another corpus'. Corpora of spoofed speech are left alone: vocoders keep the names of the
    originals, and a fake would be taken for one.

    Args:
        trials: All of a copy's.
        folder: The copy; the folder above it is searched too where it is one of lists.
        listing: Folders that were listed already.
        key: Of the corpus.

    Returns:
        (the trials, notes that say where the audio was found).
    """
    lost = {_stem(trial.path) for trial in trials if not is_there(trial.path, listing.has_file)}
    names = Counter(_stem(trial.path) for trial in trials)
    wanted = {stem for stem in lost if names[stem] == 1}
    if not wanted or CORPORA[key].classes == "spoof":
        return tuple(trials), []
    others = _names_of_others(key)
    for base in (folder, folder.parent) if _LISTS.search(folder.name) else (folder,):
        places = (
            at for at in _folders(base, listing, others) if not _foreign(at, base, listing, key, wanted)
        )
        found, holders = _search(wanted, names, places, listing)
        if found and _enough(wanted, found):
            moved = tuple(trial._replace(path=found.get(_stem(trial.path), trial.path)) for trial in trials)
            shown = ", ".join(holders[:3]) + (" ..." if len(holders) > 3 else "")
            return moved, [f"{len(found)} audio files found by their names in {shown}"]
    return tuple(trials), []


def _stem(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in AUDIO_ENDINGS else name


def _folders(base: Path, listing: Listing, others: Collection[str]) -> Iterator[Path]:
    """Yield the folders of a corpus, nearest first, and none that is called like another one."""
    level = [base]
    for _ in range(DEPTH + 1):
        yield from level
        level = [at / name for at in level for name in listing.folders(at) if name.lower() not in others]


def _names_of_others(key: str) -> set[str]:
    """Return how folders of other corpora are called, in small letters."""
    own = {key, *(alias.lower() for alias in CORPORA[key].aliases)}
    names = {name.lower() for other, one in CORPORA.items() for name in (other, *one.aliases)}
    return names - own


def _foreign(at: Path, base: Path, listing: Listing, key: str, wanted: Collection[str]) -> bool:
    """Tell whether a folder that holds wanted names is another corpus', or lies in one, by what marks it."""
    if not any(_stem(name) in wanted for name in listing.files(at)):
        return False
    above = [at, *at.parents]
    for folder in above[: above.index(base) + 1]:
        for marker in (marker for other, one in CORPORA.items() if other != key for marker in one.markers):
            found = [list(listing.match(folder, part)) for part in marker.split(" & ")]
            # What marks the copy's own folder concerns only the folders that it names.
            if all(found) and (folder != base or any(path in above for paths in found for path in paths)):
                return True
    return False


def _search(
    wanted: Collection[str], names: Counter[str], folders: Iterator[Path], listing: Listing
) -> tuple[dict[str, str], list[str]]:
    """Return where the wanted names are, the nearest folder first, and the folders that hold some."""
    found: dict[str, str] = {}
    holders = []
    for at in folders:
        audio = {_stem(name): name for name in listing.files(at) if name.lower().endswith(AUDIO_ENDINGS)}
        here = [stem for stem in audio if stem in wanted]
        if here and sum(stem in names for stem in audio) >= MOST_STRANGE * len(audio):
            holders.append(str(at))
            for stem in here:
                found.setdefault(stem, f"{at}/{audio[stem]}")
    return found, holders


def _enough(wanted: Collection[str], found: Collection[str]) -> bool:
    numbered = all(stem.isdecimal() for stem in found)
    return not numbered or len(found) >= LEAST_NUMBERED * len(wanted)
