"""RawBoost: noise made from the signal and the channel alone, without recordings of either.

Written from its paper (Tak et al., 2022, "RawBoost: a raw data boosting and augmentation method applied to automatic
speaker verification anti-spoofing") and equal to the code its authors published in levels, peaks, lengths of filters
and order. Where later copies of that code differ, the function says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal

Waves = np.ndarray
Step = Callable[[Waves, np.random.Generator, int], Waves]


def notch_filter(rng: np.random.Generator, sample_rate: int = 16_000) -> np.ndarray:
    """Draw the taps of a filter with five random notches: centres 20 to 8,000 Hz, widths 100 to 1,000 Hz.

    Each notch has an odd number of taps, 11 to 99, every one as likely as the next.

    Args:
        rng: Draws centres, widths and numbers of taps.
        sample_rate: Hz; centres end at half of it.

    Returns:
        Taps of a linear-phase filter, largest gain one over frequency; their number is odd.
    """
    nyquist = sample_rate / 2
    taps = np.ones(1)
    for _ in range(5):
        centre, width = rng.uniform(20, min(8000.0, nyquist)), rng.uniform(100, 1000)
        count = 2 * int(rng.integers(5, 50)) + 1
        low = max(centre - width / 2, 1e-3)
        high = min(centre + width / 2, nyquist - 1e-3)
        taps = np.convolve(taps, signal.firwin(count, [low, high], window="hamming", fs=sample_rate))
    _, response = signal.freqz(taps, worN=512)
    return np.asarray(taps / np.abs(response).max())


def filtered(wave: Waves, taps: np.ndarray) -> Waves:
    """Filter a wave and keep its length; as in the published code the result comes one sample early.

    Args:
        wave: Shape (T,).
        taps: Shape (L,), L odd.

    Returns:
        Shape (T,): sample t is the full convolution at t + (L + 1) / 2.

    Example:
        >>> filtered(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0])).tolist()
        [2.0, 3.0, 0.0]
    """
    start = (len(taps) + 1) // 2
    full = np.append(signal.fftconvolve(wave, taps, mode="full"), 0.0)
    whole = full[start : start + len(wave)]
    # A wave shorter than its filter ends where the convolution does.
    return np.pad(whole, (0, len(wave) - len(whole)))


def held_below_one(wave: Waves) -> Waves:
    """Return a wave scaled down where its largest sample is above one; loudness below that stays.

    Args:
        wave: Shape (T,).

    Returns:
        Shape (T,), largest sample at most one.

    Example:
        >>> held_below_one(np.array([0.5, -2.0])).tolist(), held_below_one(np.array([0.5])).tolist()
        ([0.25, -1.0], [0.5])
    """
    peak = float(np.abs(wave).max())
    return wave / peak if peak > 1 else wave


def convolutive(wave: Waves, rng: np.random.Generator, sample_rate: int = 16_000) -> Waves:
    r"""Linear and non-linear convolutive noise: :math:`y = \sum_{j=1}^{5} g_j\, (h_j * x^j)`.

    The gain of the first term is 0 dB, of each further one a single draw of -20 to -5 dB.

    Args:
        wave: Shape (T,).
        rng: Draws filters and gains.
        sample_rate: Hz.

    Returns:
        Shape (T,), without its mean, largest sample at most one.
    """
    total = np.zeros(len(wave))
    for power in range(1, 6):
        taps = notch_filter(rng, sample_rate)
        gain = 1.0 if power == 1 else 10 ** (rng.uniform(-20, -5) / 20)
        total += gain * filtered(wave.astype(float) ** power, taps)
    return held_below_one(total - total.mean())


def impulsive(
    wave: Waves, rng: np.random.Generator, sample_rate: int = 16_000, share: float = 0.1, gain: float = 2.0
) -> Waves:
    r"""Impulsive noise that depends on the signal: :math:`x_p + g\, r_p\, x_p` at a random share of samples.

    Args:
        wave: Shape (T,).
        rng: Draws how many samples (uniformly up to ``share``), which, and r, a product of two numbers in [-1, 1].
        sample_rate: Not used.
        share: Largest share of samples.
        gain: g.

    Returns:
        Shape (T,), largest sample at most one.
    """
    out = wave.astype(float).copy()
    count = int(len(wave) * rng.uniform(0, share))
    where = rng.permutation(len(wave))[:count]
    out[where] += gain * out[where] * rng.uniform(-1, 1, count) * rng.uniform(-1, 1, count)
    return held_below_one(out)


def at_ratio(wave: Waves, noise: Waves, decibels: float) -> Waves:
    r"""Add noise at a signal-to-noise ratio: :math:`x + n \,\|x\| / (\|n\|\, 10^{s/20})`.

    Args:
        wave: Shape (T,).
        noise: Shape (T,); silence adds nothing.
        decibels: s.

    Returns:
        Shape (T,).

    Example:
        >>> noisy = at_ratio(np.array([3.0, 4.0]), np.array([0.0, 1.0]), 20.0)
        >>> (noisy - np.array([3.0, 4.0])).round(6).tolist()
        [0.0, 0.5]
    """
    scale = float(np.linalg.norm(wave)) / (max(float(np.linalg.norm(noise)), 1e-12) * 10 ** (decibels / 20))
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
    noise = filtered(rng.standard_normal(len(wave)), notch_filter(rng, sample_rate))
    return at_ratio(wave.astype(float), noise, rng.uniform(10, 40))


def beside(wave: Waves, rng: np.random.Generator, sample_rate: int = 16_000) -> Waves:
    """Convolutive and impulsive noise in parallel: the sum of both, each made from the wave itself.

    The copy of the code in SAM-AntiSpoofing takes the impulsive part of the convolutive one; here it is as the authors
    of RawBoost have it.

    Args:
        wave: Shape (T,).
        rng: Draws both.
        sample_rate: Hz.

    Returns:
        Shape (T,), largest sample at most one.
    """
    return held_below_one(convolutive(wave, rng, sample_rate) + impulsive(wave, rng))


RAWBOOST: dict[int, tuple[Step, ...]] = {
    0: (),
    1: (convolutive,),
    2: (impulsive,),
    3: (stationary,),
    4: (convolutive, impulsive, stationary),
    5: (convolutive, impulsive),
    6: (convolutive, stationary),
    7: (impulsive, stationary),
    8: (beside,),
}
