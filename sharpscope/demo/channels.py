"""Telephone and internet codecs, through numpy and libsndfile alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr

from sharpscope.training.codecs import LIBSNDFILE, Codec, through_libsndfile

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


def _through(wave: np.ndarray, codec: Codec) -> np.ndarray:
    sent = np.clip(soxr.resample(wave, RATE, codec.sample_rate), -1, 1)
    back: np.ndarray = soxr.resample(through_libsndfile(sent, codec), codec.sample_rate, RATE)
    return back


def a_law(wave: np.ndarray) -> np.ndarray:
    """Telephone band and 8-bit A-law (ITU-T G.711).

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, LIBSNDFILE["alaw"]._replace(sample_rate=8000))


def gsm(wave: np.ndarray) -> np.ndarray:
    """GSM 06.10 full rate at 8 kHz.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, LIBSNDFILE["gsm"])


def opus(wave: np.ndarray) -> np.ndarray:
    """Opus as an internet call sends it.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, LIBSNDFILE["opus"])


def mp3(wave: np.ndarray) -> np.ndarray:
    """MP3 as a download has it.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, LIBSNDFILE["mp3"])


def vorbis(wave: np.ndarray) -> np.ndarray:
    """Ogg Vorbis as games and players have it.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        About the same length.
    """
    return _through(wave, LIBSNDFILE["vorbis"])


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
