"""Where a corpus lies under a root."""

from __future__ import annotations

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
        Its folder, None when it is not there.
    """
    there = listing or Listing()

    def marked(folder: Path, marker: str) -> bool:
        return all(next(there.match(folder, part), None) is not None for part in marker.split(" & "))

    for folder in there.under(root, 4):
        if any(marked(folder, marker) for marker in CORPORA[key].markers):
            return folder
    # The root may be the folder that a marker begins with.
    inside = [marker for marker in CORPORA[key].markers if marker.split("/")[0] == root.name]
    return root.parent if any(marked(root.parent, marker) for marker in inside) else None
