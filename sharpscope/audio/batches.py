"""Groups of trials to waves, decoded ahead of the detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sharpscope.audio.cache import WaveCache
from sharpscope.audio.decode import Reader, finish_wave, fit_length, read_audio
from sharpscope.errors import SharpscopeError


class _Waves(Dataset[tuple[Tensor | None, str]]):
    """Decodes one trial: the wave, or the reason why there is none (an exception would lose its type)."""

    def __init__(
        self,
        paths: Sequence[str],
        sample_rate: int | None,
        n_samples: int | None,
        padding: str,
        cache: WaveCache | None,
        reader: Reader | None,
    ) -> None:
        self.paths = list(paths)
        self.sample_rate = sample_rate
        self.n_samples = n_samples
        self.padding = padding
        self.cache = cache
        self.reader = reader

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor | None, str]:
        kept = self.cache.read(index) if self.cache else None
        if kept is not None:
            return torch.from_numpy(kept), ""
        try:
            if self.reader is None:
                wave = read_audio(self.paths[index], self.sample_rate, n_samples=self.n_samples)
            else:
                samples, rate = self.reader(self.paths[index])
                wave = finish_wave(
                    samples, rate, self.sample_rate, self.paths[index], n_samples=self.n_samples
                )
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
    reader: Reader | None = None,
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
        reader: Returns samples (T,) or (T, channels) and their rate for a path; None reads files.

    Yields:
        One float32 tensor of shape (m, T) per group.

    Raises:
        SharpscopeError: If a file cannot be decoded; the message names it.
    """
    if not groups:
        return
    extra: dict[str, Any] = {"prefetch_factor": 2} if workers else {}
    loader: DataLoader[Any] = DataLoader(
        _Waves(paths, sample_rate, n_samples, padding, cache if n_samples else None, reader),
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
