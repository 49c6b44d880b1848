"""Audio files to mono float32 waves of one rate and length, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from sharpscope.audio.containers import open_audio
from sharpscope.audio.cut_off import broken_off
from sharpscope.errors import SharpscopeError, UsageError

# Stands for a sample that a short file does not have, where the network itself lengthens its features. No sound
# holds it, and unlike NaN it equals itself, so that what compares waves goes on working.
ABSENT = 2.0**100
# What gives the samples of a trial that lies in no file, with their rate in Hz.
Reader = Callable[[str], tuple[np.ndarray, int]]


def read_audio(
    path: str | Path, sample_rate: int | None = None, *, n_samples: int | None = None
) -> np.ndarray:
    """Decode a file to a mono wave.

    Channels are averaged; float, 24-bit and compressed files are read as float32 in [-1, 1]. With
    ``n_samples`` only the start of the file is decoded, so that an hour of audio costs no more than a crop.

    Args:
        path: Any file that libsndfile opens, or a locator of one inside a container (`audio.containers`).
        sample_rate: Hz to resample to (soxr, its high quality); None keeps the file's own rate.
        n_samples: Samples wanted after resampling; None reads the whole file.

    Returns:
        Shape (T,), float32.

    Raises:
        SharpscopeError: If the file is missing, cannot be decoded, or holds no or not finite samples.
    """
    try:
        source = open_audio(path)
        with soundfile.SoundFile(source) as file:
            own = file.samplerate
            frames = -1
            if n_samples is not None:
                ratio = 1.0 if sample_rate is None else own / sample_rate
                # A little more than the crop: the resampler looks ahead, and its end must not be heard.
                frames = math.ceil((n_samples + 2000) * ratio)
            samples = file.read(frames, dtype="float32", always_2d=True)  # (T, channels)
            # Only a crop that reaches the end of the file can miss what was cut off.
            ended = file.format in {"WAV", "WAVEX"} and (frames < 0 or len(samples) < frames)
        missing = _broken_off(source) if ended else ""
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise SharpscopeError(f"{path}: cannot be decoded ({error})") from error
    if missing:
        raise SharpscopeError(
            f"{path}: cut off, {missing} are there; fetch the file anew, or leave it out with a list of your own"
        )
    return finish_wave(samples, own, sample_rate, str(path), n_samples=n_samples)


def _broken_off(source: str | BinaryIO) -> str:
    """Return how much of a WAV file is missing, wherever its bytes lie."""
    if isinstance(source, str):
        with open(source, "rb") as file:
            return broken_off(file)
    return broken_off(source)


def finish_wave(
    samples: np.ndarray, own: int, sample_rate: int | None, where: str, *, n_samples: int | None = None
) -> np.ndarray:
    """Bring decoded samples to one channel, one rate and a largest length.

    Args:
        samples: Shape (T,) or (T, channels).
        own: Their rate in Hz.
        sample_rate: Hz to resample to (soxr, its high quality); None keeps the samples' own rate.
        where: What they are of, for messages.
        n_samples: Samples wanted after resampling; None keeps all.

    Returns:
        Shape (T,), float32.

    Raises:
        SharpscopeError: If there are no samples, or some are not finite.

    Example:
        >>> finish_wave(np.array([[0.0, 1.0], [0.5, 0.5]]), 8000, None, "x").tolist()
        [0.5, 0.5]
    """
    path = where
    samples = np.asarray(samples, dtype=np.float32)
    samples = samples[:, None] if samples.ndim == 1 else samples
    if not len(samples):
        raise SharpscopeError(f"{path}: holds no samples")
    wave = np.ascontiguousarray(
        samples.mean(axis=1, dtype=np.float32) if samples.shape[1] > 1 else samples[:, 0]
    )
    if not np.isfinite(wave).all():
        raise SharpscopeError(f"{path}: holds samples that are not finite")
    if sample_rate is not None and own != sample_rate:
        wave = soxr.resample(wave, own, sample_rate).astype(np.float32)
        if not len(wave):
            raise SharpscopeError(f"{path}: too short to resample from {own} to {sample_rate} Hz")
    return wave if n_samples is None else wave[:n_samples]


def fit_length(wave: np.ndarray, n_samples: int, padding: str = "tile") -> np.ndarray:
    """Cut a wave to its first samples, or lengthen it.

    Args:
        wave: Shape (T,), at least one sample.
        n_samples: Length of the result.
        padding: "tile" repeats the wave, as AASIST and its descendants do; "zero" appends silence; "frames" appends
            ``ABSENT`` for a network that repeats its own frames.

    Returns:
        Shape (n_samples,).

    Raises:
        UsageError: If the padding is none of these.

    Example:
        >>> fit_length(np.array([1.0, 2.0]), 5).tolist()
        [1.0, 2.0, 1.0, 2.0, 1.0]
        >>> fit_length(np.array([1.0, 2.0]), 3, "zero").tolist()
        [1.0, 2.0, 0.0]
    """
    if len(wave) >= n_samples:
        return wave[:n_samples]
    if padding == "tile":
        return np.resize(wave, n_samples)
    if padding == "zero":
        return np.pad(wave, (0, n_samples - len(wave)))
    if padding == "frames":
        return np.pad(wave, (0, n_samples - len(wave)), constant_values=ABSENT)
    raise UsageError(
        f"padding is '{padding}'; it is tile or zero, or frames where the network repeats its own"
    )
