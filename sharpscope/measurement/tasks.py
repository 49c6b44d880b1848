"""What will be measured: the parts of a set, their drawn trials, and the groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sharpscope.audio.batches import balanced_subset, make_groups
from sharpscope.corpora import TrialSet, trials_hash
from sharpscope.corpora.subsets import grow, subsets
from sharpscope.errors import UsageError
from sharpscope.measurement.presets import Preset

SCORED_TOGETHER = 32


class Task(NamedTuple):
    """One set as it will be measured.

    Attributes:
        trials: The drawn trials.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        groups: Trials that share a perturbation.
        rest: The other trials, in chunks: they are scored and nothing else.
        m: Trials in a group.
        hash: Of the drawn trials.
        preset: As it stands in the table, with the options that have no column of their own.
    """

    trials: TrialSet
    labels: np.ndarray
    groups: list[np.ndarray]
    rest: list[np.ndarray]
    m: int
    hash: str
    preset: str


def make_task(trials: TrialSet, preset: Preset, m: int, limit: int | None, seed: int, label: str) -> Task:
    """Draw the trials of a set and group them.

    Args:
        trials: The whole set.
        preset: Rule of composition.
        m: Trials in a group.
        limit: Trials to draw, class-balanced; None keeps all.
        seed: Of both draws.
        label: The preset's name for the table.

    Returns:
        The task.

    Raises:
        UsageError: If a class is missing or smaller than its half of a group.
    """
    labels = (trials.table["label"] == "bonafide").to_numpy().astype(np.int64)
    if limit is not None and limit < len(labels):
        kept = balanced_subset(labels, limit, seed=seed)
        trials = trials._replace(table=trials.table.iloc[kept].reset_index(drop=True))
        labels = labels[kept]
    if not 0 < labels.sum() < len(labels):
        raise UsageError(
            f"set {trials.name} has {int(labels.sum())} bona fide and {int((1 - labels).sum())} spoof "
            "trials; an equal error rate needs both"
        )
    groups = make_groups(labels, m, composition=preset.composition, seed=seed)
    return Task(trials, labels, groups, leftover(len(labels), groups), m, trials_hash(trials.table), label)


def leftover(n: int, groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return chunks of the trials that no group holds.

    Their size depends on nothing that a machine decides, so that every process cuts them alike.

    Args:
        n: Trials of the set.
        groups: Arrays of indices.

    Returns:
        Arrays of indices, in order.

    Example:
        >>> [chunk.tolist() for chunk in leftover(5, [np.array([1, 3])])]
        [[0, 2, 4]]
    """
    grouped = np.zeros(n, dtype=bool)
    for group in groups:
        grouped[group] = True
    left = np.flatnonzero(~grouped)
    return [left[i : i + SCORED_TOGETHER] for i in range(0, len(left), SCORED_TOGETHER)]


class Design(NamedTuple):
    """Which parts of a set are measured, each as a set of its own.

    Attributes:
        by: Condition of which every value is measured alone ("attack", "codec", "language", "speaker"), or None.
        grow: Condition of which more and more values are measured, counts held fixed, or None.
        orders: Random orders of growth.
        per_class: Trials of each class in every step of growth; None takes the most that all values have.
    """

    by: str | None = None
    grow: str | None = None
    orders: int = 5
    per_class: int | None = None

    def parts(self, trials: TrialSet, seed: int) -> list[TrialSet]:
        """Return the sets that are measured in place of a whole one.

        Args:
            trials: The whole set.
            seed: Of orders and draws.

        Returns:
            The set itself where no condition is asked for.

        Raises:
            UsageError: If both conditions are given, or the set does not tell them.
        """
        if self.by and self.grow:
            raise UsageError(
                "--by and --grow were both given; measure each condition alone, or growing, not both"
            )
        if self.by:
            return subsets(trials, self.by)
        if self.grow:
            return grow(trials, self.grow, seed=seed, repeats=self.orders, per_class=self.per_class)
        return [trials]
