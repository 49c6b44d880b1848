"""A thousand damaged lists a reader, seeded: each ends in trials that account for every line, or in a report.

``python -m benchmarks.mutated_lists [NUMBER [WORD ...]]``: that many a reader, of the readers whose name holds a word.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from mutated_lists import (
    KEYS,
    OWN_LISTS,
    PARSERS,
    Case,
    corpus_case,
    key_case,
    outcome,
    own_case,
)

NUMBER = 1000
SEED = 20


def mutate(case: Case, number: int) -> tuple[int, int, int]:
    """Damage one list many times.

    Args:
        case: Reader and list.
        number: Of damaged copies, with one to four edits each.

    Returns:
        How many were read with every line accounted for, how many refused by a report that names the file, and how
        many ended otherwise: a crash or a lost line.
    """
    rng = np.random.default_rng([SEED, *case.name.encode()])
    read = refused = lost = 0
    for _ in range(number):
        edits = rng.bytes(3 * int(rng.integers(1, 5)))
        try:
            if outcome(case, edits):
                refused += 1
            else:
                read += 1
        except Exception as error:  # what must not happen, whatever it is
            lost += 1
            print(f"mutated_lists: {case.name}: {edits!r}: {type(error).__name__}: {error}", flush=True)
    return read, refused, lost


def run(number: int = NUMBER, *words: str) -> None:
    """Print a line a reader and the sums.

    Args:
        number: Of damaged lists for each reader.
        *words: Readers whose name holds one of them; all where none is given.
    """
    sums = np.zeros(3, dtype=int)
    readers = 0
    makers = [(parser[1], lambda root, parser=parser: corpus_case(parser, root)) for parser in PARSERS]
    makers += [(name, lambda root, name=name: own_case(name, root)) for name in OWN_LISTS]
    makers += [(f"key {name}", lambda root, name=name: key_case(name, root)) for name in KEYS]
    for name, make in makers:
        if words and not any(word in name for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            counts = mutate(make(Path(folder)), number)
        sums += counts
        readers += 1
        read, refused, lost = counts
        print(f"mutated_lists: {name}: {read} read, {refused} reported, {lost} lost or crashed", flush=True)
    print(
        f"mutated_lists: {readers} readers x {number}: {sums[0]} read, {sums[1]} reported, {sums[2]} lost or crashed"
    )


if __name__ == "__main__":
    run(*(map(int, sys.argv[1:2])), *sys.argv[2:])
