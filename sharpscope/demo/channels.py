"""Telephone and internet codecs, through numpy and libsndfile alone."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import soundfile
import soxr

RATE = 16_000


def mu_law(wave: np.ndarray) -> np.ndarray:
    r"""Telephone band and 8-bit mu-law: :math:`F(x) = \mathrm{sgn}(x) \ln(1 + 255 |x|) / \ln 256` (ITU-T G.711).

    Args:
        wave: Shape (T,), 16 kHz, within [-1, 1].

    Returns:
        About the same length.

    Example:
        >>> tone = 0.5 * np.sin(np.arange(16_000) * 0.1)
        >>> error = mu_law(tone)[1000:-1000] - tone[1000:-1000]
        >>> bool(np.std(error) < 0.01 * np.std(tone) * 3)
        True
    """
    narrow = np.clip(soxr.resample(wave, RATE, 8000), -1, 1)
    coded = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    decoded = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255
    wide: np.ndarray = soxr.resample(decoded, 8000, RATE)
    return wide


def _through(wave: np.ndarray, rate: int, container: str, subtype: str) -> np.ndarray:
    """Encode and decode in memory."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer, np.clip(soxr.resample(wave, RATE, rate), -1, 1), rate, format=container, subtype=subtype
    )
    buffer.seek(0)
    decoded, rate = soundfile.read(buffer)
    back: np.ndarray = soxr.resample(decoded, rate, RATE)
    return back


def a_law(wave: np.ndarray) -> np.ndarray:
    """Telephone band and 8-bit A-law (ITU-T G.711).

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, 8000, "WAV", "ALAW")


def gsm(wave: np.ndarray) -> np.ndarray:
    """GSM 06.10 full rate at 8 kHz.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, 8000, "WAV", "GSM610")


def opus(wave: np.ndarray) -> np.ndarray:
    """Opus as an internet call sends it.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, 16_000, "OGG", "OPUS")


def mp3(wave: np.ndarray) -> np.ndarray:
    """MP3 as a download has it.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, 16_000, "MP3", "MPEG_LAYER_III")


def vorbis(wave: np.ndarray) -> np.ndarray:
    """Ogg Vorbis as games and players have it.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, 16_000, "OGG", "VORBIS")


TELEPHONE = ("mu_law", "a_law", "gsm")
INTERNET = ("opus", "mp3", "vorbis")
CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mu_law": mu_law,
    "a_law": a_law,
    "gsm": gsm,
    "opus": opus,
    "mp3": mp3,
    "vorbis": vorbis,
}
