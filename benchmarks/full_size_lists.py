"""Every corpus with a published count, laid out at full size and read: trials of each class and part against it.

``python -m benchmarks.full_size_lists [WORD ...]`` takes the corpora whose name holds a word; all unless said.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.full_size_folders import FOLDERS
from benchmarks.full_size_layouts import LISTS, Layout
from benchmarks.full_size_tree import Tree
from sharpscope.corpora import read_set

LAYOUTS: dict[str, Layout] = {**LISTS, **FOLDERS}
# Of spoof-only corpora, how the partner is read; their published counts are of the fakes.
ALONE = ("timit_tts", "mlaad")


class Read(NamedTuple):
    """One set of a corpus at full size.

    Attributes:
        corpus: Its name.
        spec: The set.
        expected: (bona fide, spoof) that were laid out, as published.
        found: (bona fide, spoof) that were read.
        notes: Notes of the reader that speak of published counts.
        busy: Seconds of CPU.
    """

    corpus: str
    spec: str
    expected: tuple[int, int]
    found: tuple[int, int]
    notes: tuple[str, ...]
    busy: float

    @property
    def right(self) -> bool:
        """Whether the counts are those laid out, and the registry's."""
        return self.expected == self.found and not self.notes


def read_full_size(corpus: str, root: Path) -> Iterator[Read]:
    """Lay one corpus out and read its sets.

    Args:
        corpus: Key of `LAYOUTS`.
        root: An empty folder.

    Yields:
        What was read, set by set.
    """
    write, expected = LAYOUTS[corpus]
    tree = Tree(root)
    write(tree)
    with tree.listed():
        for spec, counts in expected.items():
            begin = time.process_time()
            alone = "none" if spec.partition("@")[0] in ALONE else None
            done = read_set(spec.removesuffix("@none"), data=root, pairing=alone)
            busy = time.process_time() - begin
            bonafide = int((done.table["label"] == "bonafide").sum())
            notes = tuple(note for note in done.notes if "published" in note)
            yield Read(corpus, spec, counts, (bonafide, len(done.table) - bonafide), notes, busy)


def run(*words: str) -> None:
    """Print a line a set, and at the end how many were right.

    Args:
        *words: Corpora whose name holds one of them; all where none is given.
    """
    sets: list[Read] = []
    for corpus in LAYOUTS:
        if words and not any(word.lower() in corpus.lower() for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for one in read_full_size(corpus, Path(folder)):
                sets.append(one)
                verdict = "equal" if one.right else f"WRONG, laid out {one.expected} {'; '.join(one.notes)}"
                found = f"{one.found[0]:,}/{one.found[1]:,}"
                spec = one.spec if len(one.spec) < 44 else f"{one.spec[:40]} ..."
                print(
                    f"full_size_lists: {corpus}: {spec}: {found} {verdict} ({one.busy:.1f} s of CPU)",
                    flush=True,
                )
    right = sum(one.right for one in sets)
    trials = sum(sum(one.found) for one in sets)
    print(f"full_size_lists: {right} of {len(sets)} sets equal, {trials:,} trials", flush=True)


if __name__ == "__main__":
    run(*sys.argv[1:])
