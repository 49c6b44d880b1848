"""Folders, each listed once: a look at every file in turn takes hours on the slow disks that hold corpora."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sharpscope.audio.archives import ENDINGS as ARCHIVES
from sharpscope.audio.archives import SQUEEZED
from sharpscope.audio.archives import entries as archive_entries
from sharpscope.audio.containers import SEPARATOR, archive_folder
from sharpscope.errors import UsageError

# Folders that hold nothing but audio: no corpus begins below them.
_AUDIO_ONLY = {"flac", "wav", "wavs", "wav48", "con_wav", "audio-data", "mp3"}
AUDIO_ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4")


@functools.cache
def _pattern(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part).replace(re.escape("#"), "[0-9]+"))


def _fits(name: str, part: str) -> bool:
    """Tell whether a name is what a part of a pattern asks for."""
    return _pattern(part).match(name) is not None


def below(name: str, folders: Sequence[Path], listing: Listing) -> str:
    """Return where a file of a list lies, also where the list has an absolute path of another machine.

    Args:
        name: As the list has it, relative to the first folder or absolute.
        folders: In which the tree may lie now.
        listing: Folders that were listed already.

    Returns:
        A path: as it is written where that exists, else the longest end of it that exists below one of the folders,
        else as it is written.
    """
    written = str(folders[0] / name)
    if not name.startswith("/") or listing.has_file(written):
        return written
    parts = name.strip("/").split("/")
    for at in range(1, len(parts)):
        for folder in folders:
            path = f"{folder}/{'/'.join(parts[at:])}"
            if listing.has_file(path):
                return path
    return written


class _Entries(NamedTuple):
    folders: tuple[str, ...]
    files: frozenset[str]


class Listing:
    """What lies in folders, remembered from the first look.

    Args:
        archives: Look into tars and zips as well: ``LA.zip`` is also the folder ``LA.zip::``.

    Attributes:
        unreadable: Archives that could not be looked into, and why.
    """

    def __init__(self, archives: bool = False) -> None:
        self._seen: dict[str, _Entries] = {}
        self.archives = archives
        self.unreadable: dict[str, str] = {}

    def _entries(self, folder: str | Path) -> _Entries:
        key = str(folder)
        if key not in self._seen and (inside := archive_folder(key)):
            try:
                self._seen[key] = _Entries(*archive_entries(*inside))
            except UsageError as error:
                self.unreadable[inside[0]] = str(error)
                self._seen[key] = _Entries((), frozenset())
        if key not in self._seen:
            folders: list[str] = []
            files: list[str] = []
            try:
                with os.scandir(key) as entries:
                    for entry in entries:
                        (folders if entry.is_dir() else files).append(entry.name)
            except OSError:
                # A folder that is not there holds nothing; whoever needs a file from it names the file.
                pass
            if self.archives:
                self.unreadable |= {
                    f"{key}/{name}": f"{key}/{name} has to be unpacked first: it is compressed as a whole"
                    for name in files
                    if name.lower().endswith(SQUEEZED)
                }
                folders += [name + SEPARATOR for name in files if name.lower().endswith(ARCHIVES)]
            self._seen[key] = _Entries(tuple(sorted(folders)), frozenset(files))
        return self._seen[key]

    def folders(self, folder: str | Path) -> tuple[str, ...]:
        """Return the names of the folders in a folder, sorted, without what macOS and archives leave behind.

        Args:
            folder: Where to look.

        Returns:
            Names; none where the folder does not exist.
        """
        return tuple(n for n in self._entries(folder).folders if not n.startswith((".", "__MACOSX")))

    def files(self, folder: str | Path) -> frozenset[str]:
        """Return the names of the files in a folder.

        Args:
            folder: Where to look.

        Returns:
            Names; none where the folder does not exist.
        """
        return (self._seen.get(str(folder)) or self._entries(folder)).files

    def has_file(self, path: str | Path) -> bool:
        """Tell whether a file exists.

        Args:
            path: The file.

        Returns:
            True if it is there.
        """
        text = str(path)
        folder, _, name = (os.path.normpath(text) if ".." in text else text).rpartition("/")
        known = self._seen.get(folder) or self._entries(folder)
        return name in known.files

    def has_folder(self, path: str | Path) -> bool:
        """Tell whether a folder exists.

        Args:
            path: The folder.

        Returns:
            True if it is there.
        """
        return os.path.basename(str(path)) in self._entries(os.path.dirname(str(path))).folders

    def _unpacked(self, folder: Path) -> tuple[Path, ...]:
        """Return a folder, and the one of its own name inside: archives are unpacked into folders of their name."""
        inside = folder.name in self.folders(folder)
        return (folder, folder / folder.name) if inside else (folder,)

    def match(self, folder: str | Path, pattern: str) -> Iterator[Path]:
        """Yield what a pattern names under a folder.

        Args:
            folder: Where the pattern starts.
            pattern: Parts joined by "/", with the wildcards *, ? and # (a whole number); a last "/" asks for a folder.

        Yields:
            Paths in the order of their names.
        """
        *above, last = pattern.rstrip("/").split("/")
        level = [Path(folder)]
        for part in above:
            level = [
                place
                for at in level
                for name in self.folders(at)
                if _fits(name, part)
                for place in self._unpacked(at / name)
            ]
        for at in level:
            names = self.folders(at) if pattern.endswith("/") else self.files(at)
            if last in names:
                yield at / last
            elif any(sign in last for sign in "*?[#"):
                yield from (at / name for name in sorted(names) if _fits(name, last))

    def under(self, root: str | Path, depth: int) -> Iterator[Path]:
        """Yield a folder and those below it, nearest first; not those that can only hold audio.

        Args:
            root: The first one.
            depth: How far down.

        Yields:
            Folders.
        """
        level = [Path(root)]
        for left in range(depth, -1, -1):
            yield from level
            if left:
                below = ((at, self.folders(at)) for at in level if at.name not in _AUDIO_ONLY)
                # A folder of many folders sorts audio by speaker.
                level = [at / name for at, names in below if len(names) <= 300 for name in names]

    def find(self, roots: Sequence[Path], pattern: str, *, depth: int = 4) -> Iterator[Path]:
        """Yield what a pattern names anywhere under some folders.

        Args:
            roots: Where to look, in order.
            pattern: As for `match`.
            depth: How far down.

        Yields:
            Paths, each once.
        """
        seen = set()
        for root in roots:
            for folder in self.under(root, depth):
                for path in self.match(folder, pattern):
                    if path not in seen:
                        seen.add(path)
                        yield path

    def walk(self, folder: Path, endings: Sequence[str] = AUDIO_ENDINGS) -> Iterator[Path]:
        """Yield every audio file under a folder in the order of the names, none of macOS' sidecars among them.

        Args:
            folder: Where to start.
            endings: Of the names, lower case.

        Yields:
            Files.
        """
        ends = tuple(endings)
        for name in sorted(self.files(folder)):
            if name.lower().endswith(ends) and not name.startswith("._"):
                yield folder / name
        for name in self.folders(folder):
            yield from self.walk(folder / name, endings)
