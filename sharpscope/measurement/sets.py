"""What will be measured of a set: its parts, their drawn trials, and the groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sharpscope.corpora import TrialSet, trials_hash
from sharpscope.corpora.seen import SeenTrials
from sharpscope.corpora.subsets import grow, subsets
from sharpscope.errors import UsageError
from sharpscope.measurement.groups import balanced_subset, make_groups
from sharpscope.measurement.halves import draw_trial_halves
from sharpscope.measurement.options import Design, Options
from sharpscope.results.records import NO_HALF

SCORED_TOGETHER = 32


class Draw(NamedTuple):
    """One set as it will be measured.

    Attributes:
        trials: The drawn trials.
        labels: Shape (n,), 1 = bona fide, 0 = spoof; drawn at random where the set has none, so that groups are random
            and weigh their trials alike.
        groups: Trials that share a perturbation, in the order in which they are measured.
        rest: The other trials, in chunks: they are scored and nothing else.
        m: Trials in a group.
        hash: Of the drawn trials.
        n_groups: Groups that the trials give; more than ``groups`` where only some are measured.
        halves: Shape (n,), the half of every trial, 0 or 1, where groups were drawn inside halves; else -1.
    """

    trials: TrialSet
    labels: np.ndarray
    groups: list[np.ndarray]
    rest: list[np.ndarray]
    m: int
    hash: str
    n_groups: int
    halves: np.ndarray

    @property
    def name(self) -> str:
        """What is measured, for people: the set and its part."""
        return f"{self.trials.name} {self.trials.subset}".strip()

    @property
    def labelled(self) -> bool:
        """Whether anybody has said what is bona fide."""
        return not (self.trials.table["label"] == "").all()

    @property
    def pieces(self) -> list[np.ndarray]:
        """Indices of trials that go through the detector together: the groups, then the rest."""
        return [*self.groups, *self.rest]


def draw(trials: TrialSet, m: int, options: Options) -> Draw:
    """Draw the trials of a set and group them.

    Args:
        trials: The whole set.
        m: Trials in a group.
        options: The preset's rule of composition, the number of trials and groups, the seed.

    Returns:
        What will be measured.

    Raises:
        UsageError: If a class is missing or smaller than its half of a group.
    """
    labels = _labels(trials, m, options.seed)
    if options.limit is not None and options.limit < len(labels):
        kept = balanced_subset(labels, options.limit, seed=options.seed)
        trials = trials._replace(table=trials.table.iloc[kept].reset_index(drop=True))
        labels = labels[kept]
    if not 0 < labels.sum() < len(labels):
        raise UsageError(
            f"set {trials.name} has {int(labels.sum())} bona fide and {int((1 - labels).sum())} spoof "
            "trials; an equal error rate needs both"
        )
    composition = options.preset.composition
    halves = None
    if composition == "balanced":
        halves = draw_trial_halves(trials.table, labels, m, seed=options.seed)
    groups = make_groups(labels, m, composition=composition, seed=options.seed, halves=halves)
    total = len(groups)
    some = options.groups is not None or options.tolerance is not None
    if some and composition == "file_order":
        # File order goes through a corpus attack by attack: the first groups are no sample of all.
        groups = [groups[index] for index in np.random.default_rng(options.seed).permutation(total)]
    groups = groups[: options.groups]
    rest = leftover(len(labels), groups)
    halves = np.full(len(labels), NO_HALF) if halves is None else halves
    return Draw(trials, labels, groups, rest, m, trials_hash(trials.table), total, halves)


def _labels(trials: TrialSet, m: int, seed: int) -> np.ndarray:
    """Return the labels of a set, or halves drawn at random where it has none."""
    if not (trials.table["label"] == "").all():
        return (trials.table["label"] == "bonafide").to_numpy().astype(np.int64)
    n = len(trials.table)
    if n < max(m, 2):
        raise UsageError(
            f"set {trials.name} has {n} files, a group of m = {m} needs as many, and 2; lower --m"
        )
    return np.random.default_rng(seed).permutation(np.arange(n) % 2)


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


def parts(trials: TrialSet, design: Design, seed: int) -> list[TrialSet]:
    """Return the sets that are measured in place of a whole one.

    Args:
        trials: The whole set.
        design: Which parts.
        seed: Of orders and draws.

    Returns:
        The set itself where no condition is asked for.

    Raises:
        UsageError: If both conditions are given, or the set does not tell them.
    """
    if design.by and design.grow:
        raise UsageError(
            "--by and --grow were both given; measure each condition alone, or growing, not both"
        )
    if design.by:
        return subsets(trials, design.by)
    if design.grow:
        return grow(trials, design.grow, seed=seed, repeats=design.orders, per_class=design.per_class)
    return [trials]


class Draws:
    """What is measured with each checkpoint: the same for all that have seen the same sets.

    Args:
        sets: The sets under test.
        options: How they are measured.
        seen: Finds what checkpoints have seen.
    """

    def __init__(self, sets: Sequence[TrialSet], options: Options, seen: SeenTrials) -> None:
        self.sets = sets
        self.options = options
        self.seen = seen
        self._made: dict[tuple[str, ...], list[Draw]] = {}

    def of(self, used: Sequence[str] = ()) -> list[Draw]:
        """Return what is measured with a checkpoint that has seen certain sets.

        Args:
            used: Sets it was trained or selected on, as its record says.

        Returns:
            One for every set, part of it, and size of groups.

        Raises:
            UsageError: If a set cannot be measured so.
        """
        facts = self.options.facts
        key = tuple(dict.fromkeys((*used, *facts.trained_on, *facts.selected_on)))
        if key not in self._made:
            self._made[key] = list(self._make(key))
        return self._made[key]

    def _make(self, used: tuple[str, ...]) -> Iterator[Draw]:
        for trials in self.sets:
            for part in parts(self.seen.apply(trials, used), self.options.design, self.options.seed):
                for m in self.options.sizes:
                    yield draw(part, m, self.options)
