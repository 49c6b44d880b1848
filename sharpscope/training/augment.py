"""What a training trial goes through before the network hears it, every draw by seed, epoch and trial.

The whole utterance is changed, then cut to length; only masking and mixing see what is left of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import soxr
from scipy import signal

from sharpscope.training.codecs import CODECS, LIBSNDFILE, through_codec
from sharpscope.training.rawboost import (
    RAWBOOST,
    Waves,
    at_ratio,
    convolutive,
    impulsive,
    notch_filter,
    stationary,
)

__all__ = [
    "at_ratio", "augmented", "convolutive", "faster", "impulsive", "in_a_room", "masked", "notch_filter", "stationary",
]  # fmt: skip


def faster(wave: Waves, factor: float, sample_rate: int = 16_000) -> Waves:
    """Play a wave faster or slower, pitch and all (Ko et al., 2015).

    Args:
        wave: Shape (T,).
        factor: How many times as fast.
        sample_rate: Hz.

    Returns:
        Shape (about T / factor,).

    Example:
        >>> len(faster(np.ones(1000), 1.25))
        800
    """
    changed = soxr.resample(np.asarray(wave, float), sample_rate * factor, sample_rate)
    return np.asarray(changed) if len(changed) else wave


def impulse_response(
    rng: np.random.Generator, decay: float, direct: float, sample_rate: int = 16_000
) -> np.ndarray:
    r"""Make the impulse response of a room from noise: :math:`h_t = \delta_t + a\, n_t\, 10^{-3 t / T_{60}}`.

    Statistical reverberation after Moorer (1979, "About this reverberation business"): behind the direct sound lies
    white noise whose energy falls by 60 dB in ``decay`` seconds.

    Args:
        rng: Draws n.
        decay: :math:`T_{60}` in seconds.
        direct: Energy of the direct sound over that of the rest, in dB; fixes a.
        sample_rate: Hz.

    Returns:
        Taps for ``decay`` seconds, the first one 1.

    Example:
        >>> taps = impulse_response(np.random.default_rng(0), 0.3, 6.0)
        >>> round(float(-10 * np.log10((taps[1:] ** 2).sum())), 6)
        6.0
    """
    count = max(int(decay * sample_rate), 2)
    tail = rng.standard_normal(count - 1) * 10 ** (-3 * np.arange(1, count) / count)
    tail *= 10 ** (-direct / 20) / np.linalg.norm(tail)
    return np.append(1.0, tail)


def in_a_room(wave: Waves, rng: np.random.Generator, sample_rate: int = 16_000) -> Waves:
    """Reverberate a wave in a room of 0.1 to 0.8 s, direct sound 0 to 15 dB above the rest, as loud as before.

    Args:
        wave: Shape (T,).
        rng: Draws the room.
        sample_rate: Hz.

    Returns:
        Shape (T,), with the energy of the wave.
    """
    taps = impulse_response(rng, rng.uniform(0.1, 0.8), rng.uniform(0, 15), sample_rate)
    heard = signal.fftconvolve(np.asarray(wave, float), taps)[: len(wave)]
    return np.asarray(heard * (np.linalg.norm(wave) / max(float(np.linalg.norm(heard)), 1e-12)))


def masked(wave: Waves, rng: np.random.Generator) -> Waves:
    """Take out a band of up to a fifth of all frequencies, then a stretch of up to a fifth of the time.

    SpecAugment (Park et al., 2019) on the wave itself, so that every front-end sees it.

    Args:
        wave: Shape (T,).
        rng: Draws widths, then places, evenly.

    Returns:
        Shape (T,).
    """
    spectrum = np.fft.rfft(np.asarray(wave, float))
    low, high = _stretch(len(spectrum), rng)
    spectrum[low:high] = 0
    out = np.fft.irfft(spectrum, len(wave))
    start, end = _stretch(len(wave), rng)
    out[start:end] = 0
    return np.asarray(out)


def _stretch(length: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw where a stretch of up to a fifth of a length begins and ends."""
    width = int(rng.integers(length // 5 + 1))
    start = int(rng.integers(length - width + 1))
    return start, start + width


def augmented(
    wave: Waves,
    rng: np.random.Generator,
    *,
    rawboost: int = 0,
    noise: float = 0.0,
    codec: float = 0.0,
    codecs: Sequence[str] = (),
    speed: float = 0.0,
    room: float = 0.0,
    sample_rate: int = 16_000,
) -> Waves:
    """Put a whole utterance through what a recipe asks for: speed, room, RawBoost, noise, codec, in this order.

    Args:
        wave: Shape (T,).
        rng: Of this trial and epoch.
        rawboost: Algorithm 0 to 8.
        noise: Share of trials that get white noise of 10 to 40 dB.
        codec: Share of trials that go through a codec.
        codecs: Names of the codecs, one of which is drawn; empty takes the eight of libsndfile.
        speed: Share of trials played 0.9 to 1.1 times as fast.
        room: Share of trials heard in a room.
        sample_rate: Hz.

    Returns:
        Shape (T,), or about that where the speed changed; float32; silence stays as it is.
    """
    if not np.any(wave):
        return wave
    if speed and rng.random() < speed:
        wave = faster(wave, rng.uniform(0.9, 1.1), sample_rate)
    if room and rng.random() < room:
        wave = in_a_room(wave, rng, sample_rate)
    for step in RAWBOOST[rawboost]:
        wave = step(wave, rng, sample_rate)
    if noise and rng.random() < noise:
        wave = at_ratio(wave, rng.standard_normal(len(wave)), rng.uniform(10, 40))
    if codec and rng.random() < codec:
        name = (codecs or tuple(LIBSNDFILE))[int(rng.integers(len(codecs or LIBSNDFILE)))]
        rates = CODECS[name].bit_rates
        wave = through_codec(wave, name, sample_rate, rates[int(rng.integers(len(rates)))] if rates else 0)
    return np.asarray(wave, dtype=np.float32)


def options(augment: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a recipe's section that `augmented` takes.

    Args:
        augment: The section ``[augment]``.

    Returns:
        Keyword arguments.
    """
    return {name: augment[name] for name in ("rawboost", "noise", "codec", "codecs", "speed", "room")}
