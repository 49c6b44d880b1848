"""What is known about a corpus, and what its reader is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sharpscope.corpora.listing import Listing
from sharpscope.corpora.protocols import Tally
from sharpscope.corpora.trials import Trial
from sharpscope.errors import UsageError

# What copies are converted to, tried after the corpus' own endings.
CONVERSIONS = (".flac", ".wav")
Counts = tuple[int | None, int | None, int]


class Place(NamedTuple):
    """Where a corpus lies and how it is to be read.

    Attributes:
        folder: The corpus.
        roots: Further folders in which keys and protocols may lie: the data root.
        listing: Folders, listed once.
        tally: Counts what becomes of the lines.
        pairing: "paired", "balanced" or "all"; "none" reads a spoof-only corpus alone.
        partner: Reads a partner corpus: key -> (its place, all its trials).
        partial: Nobody named the parts: those that are not there are left out and said.
    """

    folder: Path
    roots: tuple[Path, ...]
    listing: Listing
    tally: Tally
    pairing: str
    partner: Callable[[str], tuple[Path, Callable[[], Iterable[Trial]]]]
    partial: bool = False

    def parts_there(self, parts: tuple[str, ...], *patterns: str) -> tuple[str, ...]:
        """Return the parts whose list is there; nobody asked for the others, which are named in a note.

        Args:
            parts: Those that are meant.
            *patterns: Of their lists, as for `protocol`; {} stands for the part.

        Returns:
            Some of the parts, in order; all where the user named them, or where none is there.
        """
        if not self.partial or len(parts) < 2:
            return parts
        there = [
            part
            for part in parts
            if any(
                next(self.listing.find((self.folder,), pattern.format(part)), None) is not None
                for pattern in patterns
            )
        ]
        lacking = [part for part in parts if part not in there]
        if not there or not lacking:
            return parts
        self.tally.notes.append(f"only {'+'.join(there)}: the lists of {', '.join(lacking)} are not there")
        return tuple(there)

    def protocol(self, *patterns: str) -> Path:
        """Return the first file that a pattern names in the corpus.

        Args:
            *patterns: As for `Listing.match`, in order of preference.

        Returns:
            Its path.

        Raises:
            UsageError: If there is none.
        """
        for pattern in patterns:
            for path in self.listing.find((self.folder,), pattern):
                return path
        raise UsageError(f"{self.folder}: none of its protocols {' or '.join(patterns)} is there")

    def audio_folders(self, *patterns: str) -> list[str]:
        """Return the folders that patterns name, in the corpus before elsewhere.

        Args:
            *patterns: As for `Listing.match`.

        Returns:
            Paths.
        """
        found = []
        for pattern in patterns:
            found += [str(path) for path in self.listing.find((self.folder,), pattern)]
        if not found:
            for pattern in patterns:
                found += [str(path) for path in self.listing.find(self.roots, pattern)]
        return list(dict.fromkeys(found))

    def locate(self, folders: Sequence[str], stem: str, endings: Sequence[str] = (".flac", ".wav")) -> str:
        """Return where the audio of an utterance is, or where it should be.

        Args:
            folders: In which it may lie.
            stem: Its name without ending.
            endings: That it may have.

        Returns:
            A path; the first possible one if none exists.
        """
        wanted = list(dict.fromkeys((*endings, *CONVERSIONS)))
        # Nearly every file lies in the folder itself; only for the others is it asked what lies inside.
        for inner in (False, True):
            for at in (
                at for folder in folders for at in (self._unpacked(folder)[1:] if inner else (folder,))
            ):
                files = self.listing.files(at)
                for ending in wanted:
                    if stem + ending in files:
                        return f"{at}/{stem}{ending}"
        return f"{folders[0] if folders else self.folder}/{stem}{endings[0]}"

    def _unpacked(self, folder: str) -> tuple[str, ...]:
        """Return a folder, and the one of its own name inside, into which its archive was unpacked."""
        name = folder.rsplit("/", 1)[-1]
        inside = name in self.listing.folders(folder)
        return (folder, f"{folder}/{name}") if inside else (folder,)


Reader = Callable[[Place, tuple[str, ...]], Iterator[Trial]]


class Corpus(NamedTuple):
    """A registered corpus.

    Attributes:
        title: Official name, with its authors.
        read: (place, parts) to its trials.
        markers: What its folder holds, any one of them; "a & b" asks for both. Patterns of `Listing.match`.
        licence: Of the audio.
        source: Where it is published.
        layout: The expected tree.
        aliases: Other names that `--sets` takes, and the part each means ("" = default).
        parts: Every part; "+" joins several.
        any_part: What a part may be where the corpus itself tells, such as a language.
        default: What is meant without a part.
        paper: What `--preset huang2025` means without a part, "" where it is the default.
        synonyms: Other words for a part.
        counts: Published (bona fide, spoof, total) by part, None where a class is not known.
        evidence: How well the counts are known.
        slack: By how much a total may differ without a note.
        classes: "both", "spoof" or "bonafide".
        partners: Keys of the corpora that hold the other class.
        traps: What readers of it got wrong.
        shared_bonafide: Every part holds the same bona fide files.
    """

    title: str
    read: Reader
    markers: tuple[str, ...]
    licence: str
    source: str
    layout: str
    aliases: Mapping[str, str] = {}
    parts: tuple[str, ...] = ()
    any_part: str = ""
    default: str = ""
    paper: str = ""
    synonyms: Mapping[str, str] = {}
    counts: Mapping[str, Counts] = {}
    evidence: str = "verified"
    slack: int = 0
    classes: str = "both"
    partners: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    shared_bonafide: bool = False


def counts(bonafide: int, spoof: int) -> Counts:
    """Return published counts with their total.

    Args:
        bonafide: Trials.
        spoof: Trials.

    Returns:
        (bona fide, spoof, total).

    Example:
        >>> counts(2580, 22800)
        (2580, 22800, 25380)
    """
    return bonafide, spoof, bonafide + spoof


def total(number: int) -> Counts:
    """Return a published total whose classes are not known.

    Args:
        number: Trials.

    Returns:
        (None, None, total).

    Example:
        >>> total(1980)
        (None, None, 1980)
    """
    return None, None, number
