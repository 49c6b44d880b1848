"""Trials to groups, and groups to waves: which trials share a perturbation, and loading them ahead.

A *group* is the m of m-sharpness; the physical batch is something else and decided later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sharpscope.audio.cache import WaveCache
from sharpscope.audio.decode import fit_length, read_audio
from sharpscope.errors import SharpscopeError, UsageError

Composition = Literal["file_order", "balanced"]


def make_groups(
    labels: np.ndarray, m: int, *, composition: Composition = "balanced", seed: int = 0
) -> list[np.ndarray]:
    """Split trials into the groups of m that share one perturbation.

    ``file_order`` (Huang et al., 2025): consecutive trials, the ragged tail kept as a smaller group.
    ``balanced``: both classes shuffled with ``seed``, drawn without replacement, each group half bona fide
    and half spoof; what is left over belongs to no group. With m = 1 the groups alternate in class.

    Args:
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        m: Trials in a group.
        composition: One of the two rules above.
        seed: Seeds the draw.

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
        raise UsageError(f"m is {m}; a group holds at least one trial")
    if composition == "file_order":
        return [np.arange(start, min(start + m, len(labels))) for start in range(0, len(labels), m)]
    rng = np.random.default_rng(seed)
    bonafide = rng.permutation(np.flatnonzero(labels == 1))
    spoof = rng.permutation(np.flatnonzero(labels == 0))
    smaller = min(len(bonafide), len(spoof))
    if m == 1:
        pairs = np.stack([bonafide[:smaller], spoof[:smaller]], axis=1).reshape(-1, 1)
        return list(pairs)
    if m % 2:
        raise UsageError(f"m is {m}; a group is half bona fide and half spoof, so m must be even (or 1)")
    half = m // 2
    if smaller < half:
        raise UsageError(
            f"the set has {len(bonafide)} bona fide and {len(spoof)} spoof trials, a group of m = {m} needs "
            f"{half} of each; lower --m or use --preset huang2025"
        )
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


class _Waves(Dataset[tuple[Tensor | None, str]]):
    """Decodes one trial: the wave, or the reason why there is none (an exception would lose its type)."""

    def __init__(
        self,
        paths: Sequence[str],
        sample_rate: int | None,
        n_samples: int | None,
        padding: str,
        cache: WaveCache | None,
    ) -> None:
        self.paths = list(paths)
        self.sample_rate = sample_rate
        self.n_samples = n_samples
        self.padding = padding
        self.cache = cache

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor | None, str]:
        kept = self.cache.read(index) if self.cache else None
        if kept is not None:
            return torch.from_numpy(kept), ""
        try:
            wave = read_audio(self.paths[index], self.sample_rate, n_samples=self.n_samples)
            if self.n_samples is not None:
                wave = fit_length(wave, self.n_samples, self.padding)
        except SharpscopeError as error:
            return None, str(error)
        if self.cache:
            self.cache.write(index, wave)
        return torch.from_numpy(wave), ""


def _stack(items: list[tuple[Tensor | None, str]]) -> Tensor | str:
    problems = [problem for _, problem in items if problem]
    if problems:
        return "; ".join(problems[:3])
    waves = [wave for wave, _ in items if wave is not None]
    longest = max(len(wave) for wave in waves)
    # Networks that take any length still need one length per batch: repeat, as the field does.
    waves = [
        wave if len(wave) == longest else wave.repeat(-(-longest // len(wave)))[:longest] for wave in waves
    ]
    return torch.stack(waves)  # (m, T)


def load_groups(
    paths: Sequence[str],
    groups: Sequence[np.ndarray],
    *,
    sample_rate: int | None,
    n_samples: int | None,
    padding: str = "tile",
    workers: int = 0,
    pin_memory: bool = False,
    cache: WaveCache | None = None,
) -> Iterator[Tensor]:
    """Decode groups of trials in order, ahead of the detector, in worker processes.

    The waves do not depend on the number of workers.

    Args:
        paths: One audio file per trial.
        groups: Arrays of indices into ``paths``.
        sample_rate: Hz to resample to; None keeps each file's own.
        n_samples: Length that every wave gets; None makes a group as long as its longest trial.
        padding: How a short wave is lengthened ("tile" or "zero").
        workers: Processes that decode; 0 decodes here.
        pin_memory: Page-locked memory, for copies to a GPU.
        cache: What was decoded before; waves of one length only.

    Yields:
        One float32 tensor of shape (m, T) per group.

    Raises:
        SharpscopeError: If a file cannot be decoded; the message names it.
    """
    if not groups:
        return
    extra: dict[str, Any] = {"prefetch_factor": 2} if workers else {}
    loader: DataLoader[Any] = DataLoader(
        _Waves(paths, sample_rate, n_samples, padding, cache if n_samples else None),
        batch_sampler=[group.tolist() for group in groups],
        collate_fn=_stack,
        num_workers=workers,
        pin_memory=pin_memory,
        **extra,
    )
    for waves in loader:
        if isinstance(waves, str):
            raise SharpscopeError(waves)
        yield waves
