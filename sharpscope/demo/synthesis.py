"""Copy synthesis: the same words by the same speaker, said again by a vocoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import signal
from scipy.linalg import solve_toeplitz

from sharpscope.errors import UsageError

RATE = 16_000
FFT = 512
HOP = 128


def world(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """WORLD: pitch (DIO), spectral envelope coded to 40 coefficients, band aperiodicity (Morise et al., 2016).

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Not used; WORLD has its own fixed noise.

    Returns:
        About the same length.
    """
    pyworld = load_pyworld()
    pitch, envelope, noise = _analysed(pyworld, wave)
    size = (envelope.shape[1] - 1) * 2
    coded = pyworld.code_spectral_envelope(envelope, RATE, 40)
    envelope = pyworld.decode_spectral_envelope(coded, RATE, size)
    out: np.ndarray = pyworld.synthesize(pitch, envelope, noise, RATE)
    return out


def converted(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another voice through WORLD: pitch a fifth off, formants 12 % off, the envelope not coded.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws whether the voice gets higher or lower.

    Returns:
        About the same length.
    """
    pyworld = load_pyworld()
    pitch, envelope, noise = _analysed(pyworld, wave)
    higher = bool(rng.random() < 0.5)
    bins = np.arange(envelope.shape[1])
    read_at = bins / 1.12 if higher else bins * 1.12
    warped = np.array([np.interp(read_at, bins, frame) for frame in envelope])
    out: np.ndarray = pyworld.synthesize(pitch * (1.5 if higher else 1 / 1.5), warped, noise, RATE)
    return out


def _analysed(pyworld: Any, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what WORLD hears in a wave: pitch, spectral envelope and band aperiodicity, frame by frame."""
    samples = wave.astype(np.float64)
    pitch, times = pyworld.dio(samples, RATE)
    pitch = pyworld.stonemask(samples, pitch, times, RATE)
    envelope = pyworld.cheaptrick(samples, pitch, times, RATE)
    return pitch, envelope, pyworld.d4c(samples, pitch, times, RATE)


def load_pyworld() -> Any:
    """Return the package of the WORLD vocoder.

    Returns:
        The module ``pyworld``.

    Raises:
        UsageError: If it is not installed; says how it is.
    """
    with warnings.catch_warnings():
        # pyworld reads its own version through a module that setuptools is about to drop.
        warnings.simplefilter("ignore")
        try:
            import pyworld
        except ImportError as error:
            raise UsageError(
                f"the demo's WORLD vocoder needs pyworld ({error}); pip install 'sharpscope[demo]'"
            ) from error
    return pyworld


def _stft(wave: np.ndarray) -> np.ndarray:
    spectrum: np.ndarray = signal.stft(wave, RATE, nperseg=FFT, noverlap=FFT - HOP)[2]
    return spectrum


def _istft(spectrum: np.ndarray, length: int) -> np.ndarray:
    wave: np.ndarray = signal.istft(spectrum, RATE, nperseg=FFT, noverlap=FFT - HOP)[1]
    return np.pad(wave, (0, max(0, length - len(wave))))[:length]


def mel_filters(bands: int = 80) -> np.ndarray:
    """Triangular filters equally spaced on the mel scale.

    Args:
        bands: Number of filters.

    Returns:
        Shape (bands, FFT / 2 + 1).

    Example:
        >>> mel_filters(20).shape
        (20, 257)
    """
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), bands + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))


def griffin_lim(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mel spectrogram of 80 bands, inverted, phase by 32 iterations (Griffin and Lim, 1984).

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws the first phase.

    Returns:
        The same length.
    """
    return _inverted(wave, rng, 80, 32)


def inverted(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same from 60 bands by 8 iterations: another front-end, less time.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws the first phase.

    Returns:
        The same length.
    """
    return _inverted(wave, rng, 60, 8)


def _inverted(wave: np.ndarray, rng: np.random.Generator, bands: int, iterations: int) -> np.ndarray:
    filters = mel_filters(bands)
    magnitude = np.maximum(np.linalg.pinv(filters) @ (filters @ np.abs(_stft(wave))), 1e-8)
    phase = np.exp(2j * np.pi * rng.random(magnitude.shape))
    for _ in range(iterations):
        again = _stft(_istft(magnitude * phase, len(wave)))[:, : magnitude.shape[1]]
        phase = np.exp(1j * np.angle(again))
    return _istft(magnitude * phase, len(wave))


def linear_prediction(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear prediction of order 18 per frame, excited by pulses where it is voiced and by noise elsewhere.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws the noise.

    Returns:
        The same length.
    """
    frame, step, order = 480, 240, 18
    window = np.hanning(frame)
    out = np.zeros(len(wave) + frame)
    next_pulse = 0.0
    for start in range(0, len(wave) - frame, step):
        part = wave[start : start + frame] * window
        correlation = signal.correlate(part, part, method="fft")[frame - 1 :]
        if correlation[0] < 1e-6:
            continue
        coefficients = solve_toeplitz(
            correlation[:order] * (1 + 1e-4 * (np.arange(order) == 0)), correlation[1 : order + 1]
        )
        lags = correlation[40:267] / correlation[0]
        lag = int(np.argmax(lags)) + 40
        excitation = rng.standard_normal(frame)
        if lags[lag - 40] > 0.35:
            excitation = np.zeros(frame)
            next_pulse = max(next_pulse, start)
            while next_pulse < start + frame:
                excitation[int(next_pulse) - start] = np.sqrt(lag)
                next_pulse += lag
        voice = signal.lfilter([1.0], np.append(1.0, -coefficients), excitation) * window
        level = np.sqrt(np.mean(part**2) / max(float(np.mean(voice**2)), 1e-12))
        out[start : start + frame] += level * voice
    return out[: len(wave)]


Method = Callable[[np.ndarray, np.random.Generator], np.ndarray]
SEEN: dict[str, Method] = {
    "world": world,
    "griffin_lim": griffin_lim,
    "linear_prediction": linear_prediction,
}
# What training never hears: the same kinds of vocoders made otherwise, as those of other makers are.
UNSEEN: dict[str, Method] = {"converted": converted, "inverted": inverted}
METHODS = {**SEEN, **UNSEEN}
