"""Codecs that a training trial may go through: those of libsndfile, and those of ffmpeg where it is there."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from sharpscope.errors import SharpscopeError, UsageError, unknown_name
from sharpscope.training.rawboost import Waves


class Codec(NamedTuple):
    """How a wave is sent.

    Attributes:
        container: Format of libsndfile; "" for a codec of ffmpeg.
        encoder: Encoding of libsndfile, or encoder of ffmpeg.
        sample_rate: Hz that the codec hears.
        bit_rates: Bits a second, one of which is drawn; () leaves it to the encoder.
    """

    container: str
    encoder: str
    sample_rate: int = 16_000
    bit_rates: tuple[int, ...] = ()


LIBSNDFILE = {
    "ulaw": Codec("WAV", "ULAW"),
    "alaw": Codec("WAV", "ALAW"),
    "vorbis": Codec("OGG", "VORBIS"),
    "opus": Codec("OGG", "OPUS"),
    "mp3": Codec("MP3", "MPEG_LAYER_III"),
    "ima_adpcm": Codec("WAV", "IMA_ADPCM"),
    "gsm": Codec("WAV", "GSM610", 8000),
    "g721": Codec("WAV", "G721_32", 8000),
}
FFMPEG = {
    "aac": Codec("", "aac", bit_rates=(16_000, 32_000, 64_000)),
    "wma": Codec("", "wmav2", bit_rates=(24_000, 48_000)),
    "g722": Codec("", "g722"),
    "speex": Codec("", "libspeex"),
    "amr_nb": Codec("", "libopencore_amrnb", 8000, (4750, 7950, 12_200)),
    "amr_wb": Codec("", "libvo_amrwbenc", 16_000, (6600, 12_650, 23_850)),
}
CODECS = LIBSNDFILE | FFMPEG


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the codecs that a recipe names, all of which this machine has.

    Args:
        names: Keys of ``CODECS``; empty takes the eight of libsndfile, which every machine has.

    Returns:
        The names.

    Raises:
        UsageError: If there is no such codec, or it needs ffmpeg and there is none, or one without that encoder.

    Example:
        >>> chosen(["gsm", "mp3"]), len(chosen([]))
        (('gsm', 'mp3'), 8)
    """
    for name in names:
        if name not in CODECS:
            raise unknown_name("codec", name, CODECS)
        if name in FFMPEG and FFMPEG[name].encoder not in _encoders():
            lack = "has no such encoder" if shutil.which("ffmpeg") else "is not on the PATH"
            raise UsageError(
                f"augment.codecs names {name}, which takes {FFMPEG[name].encoder} of ffmpeg, and ffmpeg {lack}; "
                f"install it, or choose among {', '.join(LIBSNDFILE)}"
            )
    return tuple(names) or tuple(LIBSNDFILE)


@functools.cache
def _encoders() -> frozenset[str]:
    """Return the audio encoders of this machine's ffmpeg; none where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return frozenset()
    listed = subprocess.run(
        ["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    )
    words = (line.split() for line in listed.stdout.splitlines())
    return frozenset(line[1] for line in words if len(line) > 1 and line[0].startswith("A"))


def through_codec(wave: Waves, name: str, sample_rate: int = 16_000, bit_rate: int = 0) -> Waves:
    """Encode a wave at the rate that a codec hears, and decode it again.

    Args:
        wave: Shape (T,), in [-1, 1].
        name: A key of ``CODECS``.
        sample_rate: Hz of the wave.
        bit_rate: Bits a second of a codec that has a choice; 0 leaves it to the encoder.

    Returns:
        Shape (T,), what the codec left of it.

    Raises:
        SharpscopeError: If ffmpeg fails.
    """
    codec = CODECS[name]
    sent = np.asarray(wave, float)
    if codec.sample_rate != sample_rate:
        sent = soxr.resample(sent, sample_rate, codec.sample_rate)
    sent = np.clip(sent, -1, 1)
    heard = through_libsndfile(sent, codec) if codec.container else _ffmpeg(sent, codec, bit_rate)
    if codec.sample_rate != sample_rate:
        heard = soxr.resample(heard, codec.sample_rate, sample_rate)
    # Codecs work in frames: the end may be longer or shorter than it was.
    return np.pad(heard, (0, max(len(wave) - len(heard), 0)))[: len(wave)]


def through_libsndfile(wave: np.ndarray, codec: Codec) -> np.ndarray:
    """Encode a wave in memory and decode it again.

    Args:
        wave: Shape (T,), in [-1, 1], at the rate of the codec.
        codec: Of libsndfile.

    Returns:
        About the same length.

    Example:
        >>> heard = through_libsndfile(np.full(8, 0.5), LIBSNDFILE["ulaw"])
        >>> bool(np.abs(heard - 0.5).max() <= 1 / 64)  # half a step of mu-law there
        True
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, codec.sample_rate, format=codec.container, subtype=codec.encoder)
    buffer.seek(0)
    return np.asarray(soundfile.read(buffer, dtype="float64")[0])


def _ffmpeg(wave: np.ndarray, codec: Codec, bit_rate: int) -> np.ndarray:
    """Send a wave through ffmpeg twice, in memory; Matroska holds any codec and needs no seeking."""
    raw = ["-f", "f32le", "-ar", str(codec.sample_rate), "-ac", "1"]
    rate = ["-b:a", str(bit_rate)] if bit_rate else []
    encoded = _run([*raw, "-i", "pipe:0", "-c:a", codec.encoder, *rate, "-f", "matroska", "pipe:1"],
                   wave.astype("<f4").tobytes())  # fmt: skip
    decoded = _run(["-i", "pipe:0", *raw, "pipe:1"], encoded)
    return np.frombuffer(decoded, dtype="<f4").astype(float)


def _run(arguments: list[str], given: bytes) -> bytes:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-threads", "1", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise SharpscopeError(
            f"ffmpeg failed on an augmented trial ({said[-1][:160]}); take its codecs out of augment.codecs"
        )
    return done.stdout
