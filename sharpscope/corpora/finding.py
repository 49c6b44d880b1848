"""Where a corpus lies under a root: one place, or several copies of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.listing import Listing
from sharpscope.corpora.registry import CORPORA


def find_corpus(key: str, root: Path, listing: Listing | None = None) -> Path | None:
    """Return where a corpus lies under a root, up to four folders deep.

    Args:
        key: Of ``CORPORA``.
        root: Folder that holds corpora, or the corpus itself.
        listing: Folders that were listed already.

    Returns:
        Its folder, the nearest of several, None when it is not there.
    """
    return next(find_copies(key, root, listing), None)


def find_copies(key: str, root: Path, listing: Listing | None = None) -> Iterator[Path]:
    """Yield every copy of a corpus under a root, nearest first, looking no further than is asked.

    Args:
        key: Of ``CORPORA``.
        root: Folder that holds corpora, or the corpus itself.
        listing: Folders that were listed already.

    Yields:
        Their folders.
    """
    there = listing or Listing()

    def marked(folder: Path, marker: str) -> bool:
        return all(next(there.match(folder, part), None) is not None for part in marker.split(" & "))

    found = False
    for folder in there.under(root, 4):
        if any(marked(folder, marker) for marker in CORPORA[key].markers):
            found = True
            yield folder
    # The root may be the folder that a marker begins with.
    inside = [marker for marker in CORPORA[key].markers if marker.split("/")[0] == root.name]
    if not found and any(marked(root.parent, marker) for marker in inside):
        yield root.parent
