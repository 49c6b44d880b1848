"""What will be measured: the drawn trials of a set, their groups, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sharpscope.batches import balanced_subset, make_groups
from sharpscope.corpora import TrialSet, trials_hash
from sharpscope.errors import UsageError
from sharpscope.measures import MEASURES
from sharpscope.presets import Preset


class Task(NamedTuple):
    """One set as it will be measured.

    Attributes:
        trials: The drawn trials.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        groups: Trials that share a perturbation.
        m: Trials in a group.
        hash: Of the drawn trials.
        preset: As it stands in the table, with the options that have no column of their own.
    """

    trials: TrialSet
    labels: np.ndarray
    groups: list[np.ndarray]
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
    return Task(trials, labels, groups, m, trials_hash(trials.table), label)


def plan_line(path: str | Path, task: Task, names: Sequence[str], radii: Sequence[float]) -> str:
    """Say what measuring a checkpoint on a set will cost.

    Args:
        path: The checkpoint.
        task: The set.
        names: Measures.
        radii: rho.

    Returns:
        One line.
    """
    grouped = sum(len(group) for group in task.groups)
    steps = sum(len(radii) for name in names if MEASURES[name].radius)
    backwards = len({o for name in names for o in MEASURES[name].objectives})
    passes = grouped * (1 + 2 * backwards + steps) + len(task.labels) - grouped
    costly = [name for name in names if MEASURES[name].cost not in PLANNED_COSTS]
    more = f", and more for {', '.join(costly)}" if costly else ""
    return (
        f"{Path(path).name} on {task.trials.name}: {len(task.labels)} trials, {len(task.groups)} groups of "
        f"m = {task.m}, about {passes} forward passes of one trial{more}"
    )


PLANNED_COSTS = {MEASURES[name].cost for name in ("sam", "loss", "grad_norm")}
