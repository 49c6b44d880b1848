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
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.groups import balanced_subset
from sharpscope.training.augment import augmented, masked, options
from sharpscope.training.codecs import chosen
from sharpscope.training.recipe import Recipe

# Which numbers a trial's generators are seeded with beside seed, epoch and trial: none share a draw.
CROP, AUGMENT, MASK, MIX = range(4)


class Listed(NamedTuple):
    """The trials of one or several sets.

    Attributes:
        paths: One file per trial.
        labels: Shape (n,), 1 = bona fide.
        sets: Shape (n,), which of the sets a trial is from, counted from 0.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    sets: np.ndarray


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
        table = _table(spec, which, data["root"])
        own = (table["label"] == "bonafide").to_numpy().astype(np.int64)
        kept = np.arange(len(own))
        if data["limit"] and data["limit"] < len(own):
            kept = balanced_subset(own, data["limit"], seed=recipe.seed)
        paths += table["path"].iloc[kept].tolist()
        labels.append(own[kept])
    joined = np.concatenate(labels) if labels else np.zeros(0, dtype=np.int64)
    sets = np.repeat(np.arange(len(labels)), [len(own) for own in labels])
    if not 0 < joined.sum() < len(joined):
        raise UsageError(
            f"data.{which} is {data[which]}: {int(joined.sum())} bona fide and {int((1 - joined).sum())} spoof trials; "
            "both classes are needed"
        )
    return Listed(tuple(paths), joined, sets)


def _table(spec: str, which: str, root: str) -> Any:
    try:
        return read_set(spec, data=root or None, skip_missing=False).table
    except UsageError as error:
        # The reader's advice is for `measure`; a trainer that leaves out trials would not say what it trained on.
        text = str(error).replace("--skip-missing", "a protocol of your own that leaves them out")
        text = text.replace("no --data and no SHARPSCOPE_DATA", "no data.root and no SHARPSCOPE_DATA")
        raise UsageError(f"data.{which}: {text.replace('--data is', 'data.root is')}") from error


class TrainingTrials(Dataset[tuple[Tensor, float]]):
    """Trials augmented, cropped and mixed by seed, epoch and index.

    Args:
        trials: What to read.
        recipe: Crop, augmentation and memory.
        sample_rate: Hz.
        n_samples: Length of every trial.
        padding: How a short one is lengthened.

    Raises:
        UsageError: If this machine lacks a codec that the recipe names.
    """

    def __init__(
        self, trials: Listed, recipe: Recipe, sample_rate: int, n_samples: int, padding: str = "tile"
    ) -> None:
        chosen(recipe["augment"]["codecs"])
        self.trials = trials
        self.recipe = recipe
        self.sample_rate = sample_rate
        self.n_samples = n_samples
        self.padding = padding
        self.epoch = 0
        self._room = int(recipe["data"]["memory_gib"] * 1024**3)
        self._kept: dict[int, np.ndarray] = {}

    @classmethod
    def of(cls, trials: Listed, recipe: Recipe, spec: DetectorSpec) -> TrainingTrials:
        """Return trials as a detector takes them.

        Args:
            trials: What to read.
            recipe: Crop, augmentation and memory.
            spec: Rate, length (not None) and padding.

        Returns:
            The trials.
        """
        return cls(trials, recipe, spec.sample_rate, spec.n_samples or 0, spec.padding)

    def __len__(self) -> int:
        return len(self.trials.paths)

    def _draws(self, index: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.recipe.seed, self.epoch, index, purpose))

    def _wave(self, index: int) -> np.ndarray:
        wave = self._kept.get(index)
        if wave is None:
            wave = read_audio(self.trials.paths[index], self.sample_rate)
            if wave.nbytes <= self._room:
                self._room -= wave.nbytes
                self._kept[index] = wave
        return wave

    def _heard(self, index: int) -> np.ndarray:
        """Return a trial as it is heard in this epoch, shape (n_samples,), before it is mixed with another."""
        augment = self.recipe["augment"]
        wave = augmented(
            self._wave(index), self._draws(index, AUGMENT), sample_rate=self.sample_rate, **options(augment)
        )
        if augment["crop"] == "random" and len(wave) > self.n_samples:
            start = int(self._draws(index, CROP).integers(len(wave) - self.n_samples + 1))
            wave = wave[start : start + self.n_samples]
        wave = fit_length(wave, self.n_samples, self.padding)
        if augment["mask"]:
            rng = self._draws(index, MASK)
            wave = masked(wave, rng) if rng.random() < augment["mask"] else wave
        return np.asarray(wave, dtype=np.float32)

    def _partner(self, index: int) -> tuple[int, float]:
        """Draw with whom a trial is mixed, and its own share, from Beta(a, a)."""
        rng, alpha = self._draws(index, MIX), self.recipe["augment"]["mixup"]
        return int(rng.integers(len(self))), float(rng.beta(alpha, alpha))

    def targets(self, indices: np.ndarray) -> np.ndarray:
        """Return how bona fide trials are in this epoch: their labels, or the mixture of two.

        Args:
            indices: Shape (n,).

        Returns:
            Shape (n,), from 0 to 1.
        """
        labels = self.trials.labels[indices].astype(float)
        if not self.recipe["augment"]["mixup"]:
            return np.asarray(labels)
        pairs = [self._partner(int(index)) for index in indices]
        others = np.array([self.trials.labels[other] for other, _ in pairs], dtype=float)
        own = np.array([share for _, share in pairs])
        return np.asarray(own * labels + (1 - own) * others)

    def share_room(self, processes: int) -> None:
        """Give each of several processes its part of the memory for decoded audio.

        Args:
            processes: How many decode.
        """
        self._room = int(self.recipe["data"]["memory_gib"] * 1024**3 / processes)

    def __getitem__(self, at: tuple[int, int]) -> tuple[Tensor, float]:
        # The epoch comes with the trial: a process that decodes outlives it.
        self.epoch, index = at
        wave = self._heard(index)
        if self.recipe["augment"]["mixup"]:
            other, own = self._partner(index)
            wave = (own * wave + (1 - own) * self._heard(other)).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(wave)), float(self.targets(np.array([index]))[0])


def order_of(n: int, batch_size: int, seed: int, epoch: int, last: str = "drop") -> list[np.ndarray]:
    """Return the batches of an epoch; the last, smaller one is dropped unless it is the only one or is to be kept.

    Args:
        n: Trials.
        batch_size: Trials in a batch.
        seed: Of the run.
        epoch: Which one.
        last: "drop" or "keep".

    Returns:
        Arrays of indices.

    Example:
        >>> [len(batch) for batch in order_of(7, 3, 0, 0)], [len(batch) for batch in order_of(2, 3, 0, 0)]
        ([3, 3], [2])
        >>> [len(batch) for batch in order_of(7, 3, 0, 0, "keep")]
        [3, 3, 1]
    """
    order = np.random.default_rng((seed, epoch)).permutation(n)
    batches = [order[start : start + batch_size] for start in range(0, n, batch_size)]
    dropped = last == "drop" and len(batches) > 1 and len(batches[-1]) < batch_size
    return batches[:-1] if dropped else batches


class Loader:
    """Decodes and augments batches, with processes that live as long as it does.

    Args:
        trials: What is decoded; each process keeps its part of the decoded audio.
        workers: Processes; 0 works here.
        pin_memory: Page-locked memory, for copies to a GPU.
    """

    def __init__(self, trials: TrainingTrials, workers: int = 0, *, pin_memory: bool = False) -> None:
        self.trials = trials
        self._plan: list[list[tuple[int, int]]] = []
        trials.share_room(max(workers, 1))
        self._loader: DataLoader[Any] = DataLoader(
            trials, batch_sampler=_Planned(self), num_workers=workers, pin_memory=pin_memory,
            persistent_workers=workers > 0,
        )  # fmt: skip

    def batches(self, epoch: int, batches: Sequence[np.ndarray]) -> Iterator[Tensor]:
        """Decode batches of an epoch in order.

        Args:
            epoch: Which one.
            batches: Indices; a batch may be empty.

        Yields:
            Waves (B, T).

        Raises:
            SharpscopeError: If a file cannot be decoded.
        """
        self.trials.epoch = epoch
        self._plan = [[(epoch, index) for index in batch.tolist()] for batch in batches if len(batch)]
        try:
            stream = iter(self._loader)
            for batch in batches:
                yield next(stream)[0] if len(batch) else torch.zeros(0, self.trials.n_samples)
        except SharpscopeError as error:
            # A worker's error comes with its traceback in the text; the last line is the message.
            line = str(error).strip().splitlines()[-1]
            raise SharpscopeError(
                line.removeprefix(f"{SharpscopeError.__module__}.SharpscopeError: ")
            ) from error
        except RuntimeError as error:
            if "DataLoader worker" in str(error):
                raise SharpscopeError(f"a process that decodes audio failed: {error}") from error
            raise


class _Planned:
    """The batches that a loader is to decode next: torch asks anew in every epoch."""

    def __init__(self, loader: Loader) -> None:
        self._of = loader

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self._of._plan)
