"""Recordings to a small shifted benchmark: one half of each stays human, the other half is said by a vocoder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from scipy import signal

from sharpscope.demo.channels import CHANNELS
from sharpscope.demo.division import FEWEST, FEWEST_ELSEWHERE, size_of
from sharpscope.demo.speech import Recording
from sharpscope.demo.synthesis import METHODS, SEEN, UNSEEN
from sharpscope.errors import UsageError
from sharpscope.progress import Meter

RATE = 16_000
SHORTEST, LONGEST = 1.0, 2.0
LEVEL = 0.05
COLUMNS = ("file", "label", "attack", "speaker", "language", "codec")


class Job(NamedTuple):
    """One recording to be turned into a pair of trials."""

    recording: Recording
    set_name: str
    method: str
    codec: str
    seed: tuple[int, int, int]
    folder: Path
    number: int


def build_benchmark(
    division: Mapping[str, Sequence[Recording]],
    out: Path,
    pool: Executor,
    *,
    seed: int = 0,
    meter: Meter | None = None,
) -> dict[str, Path]:
    """Write the sets as FLAC and CSV protocols.

    Both halves of a recording get the same duration, band, loudness, silence at the ends and dither, so that
    nothing but the voice tells the classes apart.

    Args:
        division: Recordings by set, each with a reserve.
        out: Folder of ``<set>.csv`` and ``audio/<set>/``.
        pool: Where recordings are worked on.
        seed: Of every draw.
        meter: Advanced by one per pair.

    Returns:
        Protocol by set.

    Raises:
        UsageError: If too few recordings have enough speech in them.
    """
    protocols = {}
    for index, (name, pieces) in enumerate(division.items()):
        (out / "audio" / name).mkdir(parents=True, exist_ok=True)
        jobs = _jobs(name, pieces, out, (seed, index))
        rows: list[list[str]] = []
        position, wanted = 0, size_of(name)
        # Recordings with too little speech are replaced by the next ones, in a fixed order.
        while len(rows) < 2 * wanted and position < len(jobs):
            batch = jobs[position : position + wanted - len(rows) // 2]
            position += len(batch)
            for made in pool.map(make_pair, batch, chunksize=4):
                rows += made
                if made and meter is not None:
                    meter.advance()
        if len(rows) < 2 * FEWEST.get(name, FEWEST_ELSEWHERE):
            raise UsageError(
                f"only {len(rows) // 2} recordings for the set '{name}' hold {2 * SHORTEST:.0f} s of speech between "
                f"their silences; it needs {FEWEST.get(name, FEWEST_ELSEWHERE)}: give more or longer recordings"
            )
        protocols[name] = out / f"{name}.csv"
        with open(protocols[name], "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
    return protocols


def _jobs(name: str, pieces: Sequence[Recording], out: Path, seed: tuple[int, int]) -> list[Job]:
    methods = list(UNSEEN if name in ("attacks", "compound") else SEEN)
    codecs = list(CHANNELS) if name in ("codecs", "compound") else [""]
    folder = out / "audio" / name
    # Every vocoder meets every codec.
    return [
        Job(
            piece,
            name,
            methods[i % len(methods)],
            codecs[(i // len(methods)) % len(codecs)],
            (*seed, i),
            folder,
            i,
        )
        for i, piece in enumerate(pieces)
    ]


def make_pair(job: Job) -> list[list[str]]:
    """Make a human and a spoofed trial of one recording.

    Args:
        job: What to make.

    Returns:
        Two protocol lines; none when the recording holds too little speech or cannot be decoded.
    """
    rng = np.random.default_rng(job.seed)
    wave = cut_silence(job.recording.read(RATE))
    length = min(int(rng.uniform(SHORTEST, LONGEST) * RATE), len(wave) // 2)
    if length < SHORTEST * RATE:
        return []
    halves = [wave[:length], wave[len(wave) - length :]]
    # Either half, or the classes would differ in what starts and what ends a sentence.
    human, source = halves if rng.random() < 0.5 else halves[::-1]
    finished = []
    for half in (human, METHODS[job.method](source, rng)):
        coded = CHANNELS[job.codec](half) if job.codec else half
        finished.append(finish(coded, length, rng))
    if not all(np.isfinite(half).all() for half in finished):
        return []
    lines = []
    for label, half in zip(("bonafide", "spoof"), finished, strict=True):
        path = job.folder / f"{job.set_name}_{job.number:04d}_{label}.flac"
        soundfile.write(path, half, RATE, subtype="PCM_16")
        lines.append(
            [
                f"audio/{job.set_name}/{path.name}",
                label,
                job.method if label == "spoof" else "-",
                job.recording.group,
                job.recording.language,
                job.codec or "none",
            ]
        )
    return lines


def cut_silence(wave: np.ndarray) -> np.ndarray:
    """Cut the silence at both ends: vocoders render it differently, and a detector would learn only that.

    Args:
        wave: Shape (T,), 16 kHz.

    Returns:
        From the first to the last 25 ms above 3 % (-30 dB) of the loudest; empty when all is quiet.

    Example:
        >>> len(cut_silence(np.concatenate([np.zeros(4000), np.ones(8000), np.zeros(4000)])))
        8000
    """
    size = RATE // 40
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    levels = np.sqrt(np.mean(frames**2, axis=1)) if len(frames) else np.zeros(0)
    if not len(levels) or levels.max() < 1e-3:
        return wave[:0]
    loud = np.flatnonzero(levels > 0.03 * levels.max())
    return wave[loud[0] * size : (loud[-1] + 1) * size]


_LOW_PASS = signal.firwin(129, 6800, fs=RATE)


def finish(wave: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    """Give a half the band (6.8 kHz), length, loudness (-26 dB) and dither that both classes have.

    Args:
        wave: Shape (T,), 16 kHz.
        length: Samples of the result.
        rng: Draws the dither, triangular over two steps of 16 bits.

    Returns:
        Shape (length,), within [-1, 1].
    """
    wave = np.pad(wave, (0, max(0, length - len(wave))), mode="wrap")[:length]
    wave = signal.fftconvolve(wave - wave.mean(), _LOW_PASS, mode="same")
    wave = wave * LEVEL / max(float(np.sqrt(np.mean(wave**2))), 1e-9)
    triangular = (rng.random(length) - rng.random(length)) / 32_768
    return np.clip(wave + triangular, -1, 1)
