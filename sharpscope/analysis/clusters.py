"""What is one piece of evidence: copies of a network, epochs of a run, seeds of a recipe are found and counted once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.errors import unknown_name
from sharpscope.results.copies import copies

LEVELS = ("checkpoint", "copy", "run", "recipe", "arch")
# What stands at the end of a name for one of several states of one run.
_MARK = r"(?:(?:epoch|ep|step|iter|iteration|checkpoint|ckpt)[-_.=]?\d+|best|last|final|latest|swa|ema)"
_FILE_ENDING = re.compile(r"\.(?:pt|pth|ckpt|bin|safetensors)$", re.IGNORECASE)
_STATE = re.compile(rf"(?:^|[-_.=/ ]+){_MARK}(?:[-_.]{_MARK})*$", re.IGNORECASE)


class Clusters(NamedTuple):
    """Which checkpoints are one piece of evidence.

    Attributes:
        labels: One row per checkpoint, indexed by sha256; a number per cluster in the columns ``LEVELS``, each level
            made of whole clusters of the one before, "arch" apart.
        sentence: What was found, in words; "" where every checkpoint stands alone.
    """

    labels: pd.DataFrame
    sentence: str


def find_clusters(results: pd.DataFrame) -> Clusters:
    """Find which checkpoints are copies, epochs of one run, or seeds of one recipe.

    Copies agree in every number that both have to a relative 1e-6. Epochs of a run have names that differ in an epoch
    or a step only ("lcnn3_epoch_10", "lcnn3_best"), or the same architecture, recipe and seed. Numbered epochs that
    name neither run nor seed are taken as one run of their recipe, which may be too careful and never too bold. A
    recipe is an architecture with a recipe's name; checkpoints without one stand alone.

    Args:
        results: Rows of a results table.

    Returns:
        Numbers per checkpoint and the sentence.

    Example:
        >>> table = pd.DataFrame({"sha256": list("abc"), "checkpoint": ["r1_epoch_1", "r1_epoch_2", "r2_best"],
        ...     "arch": "tiny", "recipe": "adam", "seed": float("nan"), "set": "s", "subset": "", "measure": "sam",
        ...     "rho": 0.05, "m": 32.0, "preset": "rigorous", "eer": [0.1, 0.2, 0.3], "value": [1.0, 2.0, 3.0]})
        >>> found = find_clusters(table)
        >>> found.labels["run"].tolist()
        [0, 0, 1]
        >>> found.sentence.split("; ")[0]
        '3 checkpoints are 2 runs of 1 recipe: epochs of a run are counted once'
    """
    facts = results.drop_duplicates("sha256").set_index("sha256")
    n = len(facts)
    group = _Merged(n)
    for first, second in copies(results):
        group.join(*facts.index.get_indexer(pd.Index([first, second])))
    labels = pd.DataFrame({"checkpoint": np.arange(n), "copy": group.labels()}, index=facts.index)
    for level, keys in (("run", _run_keys(facts)), ("recipe", _recipe_keys(facts))):
        first_with: dict[tuple[str, ...], int] = {}
        for place, key in enumerate(keys):
            if key is not None:
                group.join(first_with.setdefault(key, place), place)
        labels[level] = group.labels()
    labels["arch"] = pd.factorize(facts["arch"])[0]
    return Clusters(labels, _sentence(labels))


def cluster_labels(clusters: Clusters, checkpoints: pd.Index, level: str) -> np.ndarray:
    """Return the cluster number of some checkpoints, from 0 without gaps.

    Args:
        clusters: Of `find_clusters`.
        checkpoints: Their sha256.
        level: One of ``LEVELS``.

    Returns:
        Shape (checkpoints,).

    Raises:
        UsageError: If the level is unknown.
    """
    if level not in LEVELS:
        raise unknown_name("level of clusters", level, LEVELS)
    numbers: np.ndarray = pd.factorize(clusters.labels.loc[checkpoints, level])[0]
    return numbers


class _Merged:
    """Sets of places that are joined pair by pair."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, place: int) -> int:
        while self.parent[place] != place:
            self.parent[place] = self.parent[self.parent[place]]
            place = self.parent[place]
        return place

    def join(self, first: int, second: int) -> None:
        a, b = sorted((self.find(first), self.find(second)))
        self.parent[b] = a

    def labels(self) -> np.ndarray:
        numbers: np.ndarray = pd.factorize(np.array([self.find(i) for i in range(len(self.parent))]))[0]
        return numbers


def run_of_name(checkpoint: str) -> tuple[str, bool]:
    """Split a checkpoint's name into that of its run and whether it names a state of it.

    Args:
        checkpoint: As in the results table.

    Returns:
        The name without an epoch, step or "best" at its end, and whether there was one.

    Example:
        >>> run_of_name("lcnn3_epoch_10.pt"), run_of_name("best"), run_of_name("tiny-sam-2")
        (('lcnn3', True), ('', True), ('tiny-sam-2', False))
    """
    bare = _FILE_ENDING.sub("", checkpoint)
    stem = _STATE.sub("", bare)
    return stem, stem != bare


def _run_keys(facts: pd.DataFrame) -> Iterator[tuple[str, ...] | None]:
    """Yield what the checkpoints of one run share, None where nothing tells."""
    columns = (facts[name] for name in ("checkpoint", "arch", "recipe", "seed"))
    for checkpoint, arch, recipe, seed in zip(*columns, strict=True):
        made = (str(arch), _text(recipe))
        stem, is_state = run_of_name(str(checkpoint))
        if made[1] and pd.notna(seed):
            yield ("seed", *made, repr(float(seed)))
        elif is_state and stem:
            yield ("name", *made, stem)
        elif is_state and made[1] and any(c.isdigit() for c in str(checkpoint)):
            yield ("epochs", *made)
        else:
            yield None


def _recipe_keys(facts: pd.DataFrame) -> Iterator[tuple[str, ...] | None]:
    """Yield architecture and recipe, None where the recipe has no name."""
    for arch, recipe in zip(facts["arch"], facts["recipe"], strict=True):
        yield (str(arch), _text(recipe)) if _text(recipe) else None


def _text(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _sentence(labels: pd.DataFrame) -> str:
    """Say how many checkpoints, networks, runs and recipes there are, and what is therefore counted once."""
    counts = {level: int(labels[level].nunique()) for level in LEVELS}
    n = counts["checkpoint"]
    if counts["recipe"] == n:
        return ""
    found, once = [], []
    seeds = counts["recipe"] < counts["run"]
    for level, one, what in (
        ("copy", "different network", "copies of a network"),
        ("run", "run", "epochs of a run"),
        ("recipe", "recipe", "seeds of a recipe"),
    ):
        before = counts[LEVELS[LEVELS.index(level) - 1]]
        if counts[level] < before:
            found.append(f"{counts[level]} {one}{'' if counts[level] == 1 else 's'}")
            once += [what] if level != "recipe" else []
    said = [f"{' and '.join(once)} are counted once"] if once else []
    said += ["a claim must hold with the seeds of a recipe as one, too"] if seeds else []
    return f"{n} checkpoints are {' of '.join(found)}: {'; '.join(said)}."
