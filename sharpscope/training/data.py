"""Batches of training trials that depend on seed, epoch and trial alone, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sharpscope.audio.decode import fit_length, read_audio
from sharpscope.corpora import read_set
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.groups import balanced_subset
from sharpscope.training.augment import augmented
from sharpscope.training.recipe import Recipe


class Listed(NamedTuple):
    """The trials of one or several sets.

    Attributes:
        paths: One file per trial.
        labels: Shape (n,), 1 = bona fide.
    """

    paths: tuple[str, ...]
    labels: np.ndarray


def listed(recipe: Recipe, which: str) -> Listed:
    """Read the sets of a recipe.

    Args:
        recipe: The recipe.
        which: "train" or "dev".

    Returns:
        Their trials, in order.

    Raises:
        UsageError: If a set cannot be read or they hold one class only.
    """
    data = recipe["data"]
    paths: list[str] = []
    labels: list[np.ndarray] = []
    for spec in data[which]:
        table = read_set(spec, data=data["root"] or None, skip_missing=False).table
        own = (table["label"] == "bonafide").to_numpy().astype(np.int64)
        kept = np.arange(len(own))
        if data["limit"] and data["limit"] < len(own):
            kept = balanced_subset(own, data["limit"], seed=recipe.seed)
        paths += table["path"].iloc[kept].tolist()
        labels.append(own[kept])
    joined = np.concatenate(labels) if labels else np.zeros(0, dtype=np.int64)
    if not 0 < joined.sum() < len(joined):
        raise UsageError(
            f"data.{which} is {data[which]}: {int(joined.sum())} bona fide and {int((1 - joined).sum())} spoof trials; "
            "both classes are needed"
        )
    return Listed(tuple(paths), joined)


class TrainingTrials(Dataset[tuple[Tensor, int]]):
    """Trials cropped and augmented by seed, epoch and index.

    Args:
        trials: What to read.
        recipe: Crop, augmentation and memory.
        sample_rate: Hz.
        n_samples: Length of every trial.
    """

    def __init__(self, trials: Listed, recipe: Recipe, sample_rate: int, n_samples: int) -> None:
        self.trials = trials
        self.recipe = recipe
        self.sample_rate = sample_rate
        self.n_samples = n_samples
        self.epoch = 0
        self._room = int(recipe["data"]["memory_gib"] * 1024**3)
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.trials.paths)

    def _wave(self, index: int) -> np.ndarray:
        wave = self._kept.get(index)
        if wave is None:
            wave = read_audio(self.trials.paths[index], self.sample_rate)
            if wave.nbytes <= self._room:
                self._room -= wave.nbytes
                self._kept[index] = wave
        return wave

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        augment = self.recipe["augment"]
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        wave = self._wave(index)
        if augment["crop"] == "random" and len(wave) > self.n_samples:
            start = int(rng.integers(len(wave) - self.n_samples + 1))
            wave = wave[start : start + self.n_samples]
        wave = fit_length(wave, self.n_samples)
        wave = augmented(
            wave, rng, rawboost=augment["rawboost"], noise=augment["noise"], codec=augment["codec"]
        )
        return torch.from_numpy(np.ascontiguousarray(wave, dtype=np.float32)), int(self.trials.labels[index])


def order_of(n: int, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of an epoch; the last, smaller one is dropped unless it is the only one.

    Args:
        n: Trials.
        batch_size: Trials in a batch.
        seed: Of the run.
        epoch: Which one.

    Returns:
        Arrays of indices.

    Example:
        >>> [len(batch) for batch in order_of(7, 3, 0, 0)], [len(batch) for batch in order_of(2, 3, 0, 0)]
        ([3, 3], [2])
    """
    order = np.random.default_rng((seed, epoch)).permutation(n)
    full = len(order) // batch_size
    return [order] if not full else list(order[: full * batch_size].reshape(full, batch_size))


def load(trials: TrainingTrials, batches: Sequence[np.ndarray], workers: int) -> Iterator[Tensor]:
    """Decode and augment batches in order.

    Args:
        trials: At their epoch.
        batches: Indices.
        workers: Processes; 0 works here.

    Yields:
        Waves (B, T).

    Raises:
        SharpscopeError: If a file cannot be decoded.
    """
    loader: DataLoader[Any] = DataLoader(
        trials, batch_sampler=[batch.tolist() for batch in batches], num_workers=workers
    )
    try:
        for waves, _ in loader:
            yield waves
    except RuntimeError as error:
        if "DataLoader worker" in str(error):
            raise SharpscopeError(f"a process that decodes audio failed: {error}") from error
        raise
