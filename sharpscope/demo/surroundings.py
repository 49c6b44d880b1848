"""What is around a voice when it is recorded: noise, other voices, walls, a narrow line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
from scipy import signal

from sharpscope.demo.channels import CHANNELS
from sharpscope.training.rawboost import at_ratio

RATE = 16_000
# Decibels of the voice over what is around it.
QUIETEST, LOUDEST = 12.0, 30.0
VOICES = 6


def white(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White noise, 12 to 30 dB below the voice.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws noise and level.

    Returns:
        Shape (T,).
    """
    return at_ratio(wave, rng.standard_normal(len(wave)), rng.uniform(QUIETEST, LOUDEST))


def pink(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency, as that of streets and engines; 12 to 30 dB below the voice.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws noise and level.

    Returns:
        Shape (T,).
    """
    spectrum = np.fft.rfft(rng.standard_normal(len(wave)))
    frequency = np.maximum(np.fft.rfftfreq(len(wave), 1 / RATE), 40.0)
    return at_ratio(
        wave, np.fft.irfft(spectrum / np.sqrt(frequency), len(wave)), rng.uniform(QUIETEST, LOUDEST)
    )


def chatter(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Six voices that nobody understands: the voice itself, backwards and shifted; 12 to 30 dB below it.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws shifts, loudness and level.

    Returns:
        Shape (T,).
    """
    backwards = wave[::-1]
    voices = [rng.uniform(0.3, 1) * np.roll(backwards, rng.integers(len(wave))) for _ in range(VOICES)]
    return at_ratio(wave, np.sum(voices, axis=0), rng.uniform(QUIETEST, LOUDEST))


def room(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A room of noise that decays by 60 dB in 0.2 to 0.7 s behind the direct sound (Moorer, 1979).

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Draws the room and how far away the voice is.

    Returns:
        Shape (T,).
    """
    seconds = rng.uniform(0.2, 0.7)
    time = np.arange(int(seconds * RATE)) / RATE
    answer = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    answer /= np.sqrt(np.sum(answer**2))
    # The direct sound is 0 to 6 dB above all echoes together.
    answer[0] += 10 ** (rng.uniform(0, 6) / 20)
    heard: np.ndarray = signal.fftconvolve(wave, answer)[: len(wave)]
    return heard


def narrow(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line of 4 kHz and nothing else.

    Args:
        wave: Shape (T,), 16 kHz.
        rng: Not used.

    Returns:
        About the same length.
    """
    heard: np.ndarray = soxr.resample(soxr.resample(wave, RATE, RATE // 2), RATE // 2, RATE)
    return heard


Surrounding = Callable[[np.ndarray, np.random.Generator], np.ndarray]
SURROUNDINGS: dict[str, Surrounding] = {
    "white": white,
    "pink": pink,
    "chatter": chatter,
    "room": room,
    "narrow": narrow,
}


def heard_through(way: str, wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Send a wave through surroundings and codecs, one after the other.

    Args:
        way: Their names with plus signs, such as ``room+gsm``; empty leaves the wave as it is.
        wave: Shape (T,), 16 kHz.
        rng: Of every draw.

    Returns:
        About the same length.

    Raises:
        KeyError: If a name is none of `SURROUNDINGS` and `CHANNELS`.

    Example:
        >>> heard_through("", np.ones(2), np.random.default_rng(0)).tolist()
        [1.0, 1.0]
    """
    for name in way.split("+") if way else []:
        wave = SURROUNDINGS[name](wave, rng) if name in SURROUNDINGS else CHANNELS[name](wave)
    return wave
