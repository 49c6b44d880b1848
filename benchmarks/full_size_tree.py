"""A corpus of full size without its audio: lists on disk, and folders whose files are remembered instead of written.

Ten million empty files take longer to write than to find. A folder is listed once and no file is looked at, so that a
listing from memory is all that the readers see of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from sharpscope.corpora.listing import Listing, _Entries


class Tree:
    """Where a layout is laid out.

    Args:
        root: An empty folder.
        real: Write the audio files, empty, where they are not remembered.
    """

    def __init__(self, root: Path, real: bool = False) -> None:
        self.root = root
        self.real = real
        self.files: dict[str, frozenset[str]] = {}

    def text(self, path: str, lines: Iterable[str], end: str = "\n") -> None:
        """Write a list.

        Args:
            path: Below the root.
            lines: Without their ends.
            end: Of each line.
        """
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8", newline="") as file:
            file.writelines(line + end for line in lines)

    def audio(self, folder: str, names: Iterable[str], *, size: int = 0) -> None:
        """Lay files into a folder.

        Args:
            folder: Below the root.
            names: Of the files.
            size: Bytes that each must have; those are written.
        """
        target = self.root / folder
        target.mkdir(parents=True, exist_ok=True)
        if not (self.real or size):
            self.files[str(target)] = self.files.get(str(target), frozenset()) | frozenset(names)
            return
        for name in names:
            file = os.open(target / name, os.O_CREAT | os.O_WRONLY)
            if size:
                os.truncate(file, size)
            os.close(file)

    @contextmanager
    def listed(self) -> Iterator[None]:
        """Let the readers see the files that are remembered."""
        files = self.files
        written = Listing._entries

        def entries(listing: Listing, folder: str | Path) -> _Entries:
            found = written(listing, folder)
            if str(folder) in files and not files[str(folder)] <= found.files:
                found = _Entries(found.folders, found.files | files[str(folder)])
                listing._seen[str(folder)] = found
            return found

        with patch.object(Listing, "_entries", entries):
            yield
