"""Which trials share a perturbation, and which trials of a large set are drawn.

A *group* is the m of m-sharpness; the physical batch is something else and decided later.
"""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np

from sharpscope.errors import UsageError

Composition = Literal["file_order", "balanced"]
# Which rule draws the groups: a half-finished measurement by another one is not gone on with.
GROUPING = "inside halves"


def make_groups(
    labels: np.ndarray,
    m: int,
    *,
    composition: Composition = "balanced",
    seed: int = 0,
    halves: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Split trials into the groups of m that share one perturbation.

    ``file_order`` (Huang et al., 2025): consecutive trials, the ragged tail kept as a smaller group.
    ``balanced``: both classes shuffled with ``seed``, drawn without replacement, each group half bona fide
    and half spoof; what is left over belongs to no group. With m = 1 the groups alternate in class. Inside
    ``halves`` no group holds trials of both; the groups of either half take turns, so that the first K are of both.

    Args:
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        m: Trials in a group.
        composition: One of the two rules above.
        seed: Seeds the draw.
        halves: Shape (n,), 0 or 1, of `draw_trial_halves`; None draws from the whole set. File order has none.

    Returns:
        One array of trial indices per group.

    Raises:
        UsageError: If m is below 1, odd where a group holds half of each class, or more than a class allows.

    Example:
        >>> [g.tolist() for g in make_groups(np.array([1, 0, 1, 0, 1]), 2, composition="file_order")]
        [[0, 1], [2, 3], [4]]
        >>> groups = make_groups(np.array([1, 0, 1, 0, 1]), 2)
        >>> len(groups), sorted(np.concatenate(groups) % 2 == 0)
        (2, [np.False_, np.False_, np.True_, np.True_])
    """
    if m < 1:
        raise UsageError(f"--m is {m}; a group holds at least one trial")
    if composition == "file_order":
        return [np.arange(start, min(start + m, len(labels))) for start in range(0, len(labels), m)]
    rng = np.random.default_rng(seed)
    classes = [rng.permutation(np.flatnonzero(labels == value)) for value in (1, 0)]
    if m > 1 and m % 2:
        raise UsageError(f"--m is {m}; a group is half bona fide and half spoof, so m must be even (or 1)")
    half = max(1, m // 2)
    if m > 1 and min(map(len, classes)) < half:
        raise UsageError(
            f"the set has {len(classes[0])} bona fide and {len(classes[1])} spoof trials, a group of m = {m} needs "
            f"{half} of each; lower --m or use --preset huang2025"
        )
    if halves is None:
        drawn = _of_both_classes(classes, half)
    else:
        sides = [_of_both_classes([own[halves[own] == side] for own in classes], half) for side in (0, 1)]
        drawn = [group for turn in itertools.zip_longest(*sides) for group in turn if group is not None]
    return [one for group in drawn for one in (group.reshape(-1, 1) if m == 1 else [group])]


def _of_both_classes(classes: list[np.ndarray], half: int) -> list[np.ndarray]:
    """Return groups of so many trials of each class, in their order, bona fide first."""
    bonafide, spoof = classes
    smaller = min(len(bonafide), len(spoof))
    return [
        np.concatenate([bonafide[i : i + half], spoof[i : i + half]])
        for i in range(0, smaller - half + 1, half)
    ]


def balanced_subset(labels: np.ndarray, limit: int, *, seed: int = 0) -> np.ndarray:
    """Draw a seeded subset with as many bona fide as spoof trials, in the original order.

    Args:
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        limit: Trials to keep; half of each class, or all of a class that has fewer.
        seed: Seeds the draw.

    Returns:
        Sorted indices of the kept trials.

    Raises:
        UsageError: If ``limit`` is below 2.

    Example:
        >>> kept = balanced_subset(np.array([1, 0, 0, 0, 1]), 2)
        >>> len(kept)
        2
    """
    if limit < 2:
        raise UsageError(f"limit is {limit}; at least one trial of each class is needed, so 2 or more")
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(np.flatnonzero(labels == value))[: limit // 2] for value in (1, 0)]
    return np.sort(np.concatenate(parts))
