"""Files that are one network: no two training runs agree in every number that was measured of both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

# Numbers of one network measured twice differ by rounding; those of two epochs do not come this close everywhere.
COPY = 1e-6
# One number may agree by chance, as where all are zero.
FEWEST_NUMBERS = 3
_CELL = ["set", "subset", "measure", "rho", "m", "preset"]


def copies(results: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield pairs of checkpoints that agree in every number both have, to a relative 1e-6 and in at least three.

    Args:
        results: Rows of a results table.

    Yields:
        Two sha256, each checkpoint with every later one that is a copy of it.

    Example:
        >>> table = pd.DataFrame({"sha256": list("aabb"), "set": "s", "subset": "", "measure": ["sam", "asam"] * 2,
        ...     "rho": 0.05, "m": 32.0, "preset": "rigorous", "value": [1.0, 2.0] * 2, "eer": 0.1})
        >>> list(copies(table))
        [('a', 'b')]
    """
    cells = results[results["value"].notna()].fillna({"rho": -1.0, "m": -1.0})
    if cells.empty:
        return
    wide = cells.pivot_table(index="sha256", columns=_CELL, values=["value", "eer"], aggfunc="first")
    names = list(dict.fromkeys(cells["sha256"]))
    numbers = wide.reindex(names).to_numpy(float)  # (checkpoints, cells)
    for i in range(len(numbers) - 1):
        left = np.arange(i + 1, len(numbers))
        for j in range(numbers.shape[1]):
            if not len(left):
                break
            a, b = numbers[i, j], numbers[left, j]
            if np.isfinite(a):
                left = left[~np.isfinite(b) | (np.abs(a - b) <= COPY * np.maximum(abs(a), np.abs(b)))]
        for other in left:
            both = np.isfinite(numbers[i]) & np.isfinite(numbers[other])
            if len(np.unique(numbers[i, both])) >= FEWEST_NUMBERS:
                yield str(names[i]), str(names[other])


def say_copies(results: pd.DataFrame) -> list[str]:
    """Say which files are one network.

    Args:
        results: Rows of a results table.

    Returns:
        One line for each network that stands under several names.
    """
    facts = results.drop_duplicates("sha256").set_index("sha256")["checkpoint"]
    first: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for one, other in copies(results):
        root = first.get(one, one)
        first[other] = root
        if other not in groups.setdefault(root, [root]):
            groups[root].append(other)
    return [
        f"{' and '.join(f'{facts[sha]} ({sha[:8]})' for sha in same)} have the same numbers everywhere: copies of one "
        "network count as one piece of evidence"
        for same in groups.values()
    ]
