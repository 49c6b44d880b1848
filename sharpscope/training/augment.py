"""What a training trial goes through before the network hears it: RawBoost, noise and codecs, all seeded by trial.

RawBoost is written from its paper (Tak et al., 2022, "RawBoost: a raw data boosting and augmentation method applied to
automatic speaker verification anti-spoofing"); the ranges below are the paper's.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import soundfile
from scipy import signal

Waves = np.ndarray
CODECS = (("WAV", "ULAW"), ("WAV", "ALAW"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"))


def notch_filter(rng: np.random.Generator, sample_rate: int = 16_000) -> np.ndarray:
    """Draw the taps of a filter with five random notches: centres 20 to 8,000 Hz, widths 100 to 1,000 Hz.

    Args:
        rng: Draws.
        sample_rate: Hz.

    Returns:
        Taps of a linear-phase filter, largest gain one over frequency.
    """
    nyquist = sample_rate / 2
    taps = np.ones(1)
    for _ in range(5):
        centre, width = rng.uniform(20, nyquist), rng.uniform(100, 1000)
        count = 2 * int(rng.integers(5, 51)) + 1
        low = np.clip(centre - width / 2, 1, nyquist - 3)
        high = np.clip(centre + width / 2, low + 1, nyquist - 1)
        taps = np.convolve(taps, signal.firwin(count, [low, high], window="hamming", fs=sample_rate))
    _, response = signal.freqz(taps, worN=512)
    return np.asarray(taps / np.abs(response).max())


def normalised(wave: Waves) -> Waves:
    """Return a wave with its largest sample at one; silence stays silence."""
    peak = float(np.abs(wave).max())
    return wave / peak if peak > 0 else wave


def convolutive(wave: Waves, rng: np.random.Generator, sample_rate: int = 16_000) -> Waves:
    r"""Linear and non-linear convolutive noise: :math:`y = \sum_{j=1}^{5} g_j\, (h_j * x^j)`.

    The first gain is 0 dB, each further one lies 5 to 20 dB lower than a draw of 5 to 20 dB below.

    Args:
        wave: Shape (T,).
        rng: Draws filters and gains.
        sample_rate: Hz.

    Returns:
        Shape (T,), without its mean, largest sample one.
    """
    total = np.zeros_like(wave, dtype=float)
    for power in range(1, 6):
        gain = 1.0 if power == 1 else 10 ** (-(rng.uniform(5, 20) + rng.uniform(5, 20)) / 20)
        total += gain * signal.fftconvolve(
            wave.astype(float) ** power, notch_filter(rng, sample_rate), mode="same"
        )
    return normalised(total - total.mean())


def impulsive(wave: Waves, rng: np.random.Generator, share: float = 0.1, gain: float = 2.0) -> Waves:
    r"""Impulsive noise that depends on the signal: :math:`x_p + g\, r_p\, x_p` at a random share of samples.

    Args:
        wave: Shape (T,).
        rng: Draws how many samples (uniformly up to ``share``), which, and r, a product of two numbers in [-1, 1].
        share: Largest share of samples.
        gain: g.

    Returns:
        Shape (T,), largest sample at most one.
    """
    out = wave.astype(float).copy()
    count = int(len(wave) * rng.uniform(0, share))
    where = rng.permutation(len(wave))[:count]
    out[where] += gain * out[where] * rng.uniform(-1, 1, count) * rng.uniform(-1, 1, count)
    peak = float(np.abs(out).max())
    return out / peak if peak > 1 else out


def at_ratio(wave: Waves, noise: Waves, decibels: float) -> Waves:
    r"""Add noise at a signal-to-noise ratio: :math:`x + n \,\|x\| / (\|n\|\, 10^{s/20})`.

    Args:
        wave: Shape (T,).
        noise: Shape (T,), not silent.
        decibels: s.

    Returns:
        Shape (T,).

    Example:
        >>> noisy = at_ratio(np.array([3.0, 4.0]), np.array([0.0, 1.0]), 20.0)
        >>> (noisy - np.array([3.0, 4.0])).round(6).tolist()
        [0.0, 0.5]
    """
    scale = float(np.linalg.norm(wave)) / (float(np.linalg.norm(noise)) * 10 ** (decibels / 20))
    return np.asarray(wave + noise * scale)


def stationary(wave: Waves, rng: np.random.Generator, sample_rate: int = 16_000) -> Waves:
    """Coloured stationary noise, independent of the signal, at 10 to 40 dB.

    Args:
        wave: Shape (T,).
        rng: Draws noise, its colour and its level.
        sample_rate: Hz.

    Returns:
        Shape (T,).
    """
    noise = signal.fftconvolve(rng.standard_normal(len(wave)), notch_filter(rng, sample_rate), mode="same")
    return at_ratio(wave.astype(float), noise, rng.uniform(10, 40))


RAWBOOST: dict[int, tuple[Callable[[Waves, np.random.Generator], Waves], ...]] = {
    0: (),
    1: (convolutive,),
    2: (impulsive,),
    3: (stationary,),
    4: (convolutive, impulsive, stationary),
    5: (convolutive, impulsive),
}


def through_codec(wave: Waves, container: str, subtype: str, sample_rate: int = 16_000) -> Waves:
    """Encode a wave and decode it again.

    Args:
        wave: Shape (T,), in [-1, 1].
        container: Format of libsndfile.
        subtype: Encoding of libsndfile.
        sample_rate: Hz.

    Returns:
        Shape (T,), what the codec left of it.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(wave, -1, 1), sample_rate, format=container, subtype=subtype)
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float64")
    # Codecs work in frames: the end may be longer or shorter than it was.
    return np.pad(decoded, (0, max(len(wave) - len(decoded), 0)))[: len(wave)]


def augmented(
    wave: Waves, rng: np.random.Generator, *, rawboost: int = 0, noise: float = 0.0, codec: float = 0.0
) -> Waves:
    """Put a wave through what a recipe asks for, in the order of its keys.

    Args:
        wave: Shape (T,).
        rng: Of this trial and epoch.
        rawboost: Algorithm 0 to 5.
        noise: Share of trials that get white noise of 10 to 40 dB.
        codec: Share of trials that go through a codec.

    Returns:
        Shape (T,), float32; silence stays as it is.
    """
    if not np.any(wave):
        return wave
    for step in RAWBOOST[rawboost]:
        wave = step(wave, rng)
    if noise and rng.random() < noise:
        wave = at_ratio(wave, rng.standard_normal(len(wave)), rng.uniform(10, 40))
    if codec and rng.random() < codec:
        wave = through_codec(wave, *CODECS[int(rng.integers(len(CODECS)))])
    return np.asarray(wave, dtype=np.float32)
