"""Recordings to a shifted benchmark: one half of each stays human, the other half is said by a vocoder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from scipy import signal

from sharpscope.demo.division import DEMO_PLANS, SetPlan
from sharpscope.demo.speech import Recording
from sharpscope.demo.surroundings import heard_through
from sharpscope.demo.synthesis import METHODS
from sharpscope.errors import UsageError
from sharpscope.files import replace_file
from sharpscope.progress import Meter

RATE = 16_000
SHORTEST, LONGEST = 0.7, 1.0
LEVEL = 0.05
COLUMNS = ("file", "label", "attack", "speaker", "language", "codec")


class Job(NamedTuple):
    """One recording to be turned into a pair of trials."""

    recording: Recording
    set_name: str
    method: str
    way: str
    seed: tuple[int, int, int]
    folder: Path
    number: int
    swapped: bool = False


def build_benchmark(
    division: Mapping[str, Sequence[Recording]],
    out: Path,
    pool: Executor,
    *,
    plans: Sequence[SetPlan] = DEMO_PLANS,
    seed: int = 0,
    meter: Meter | None = None,
) -> dict[str, Path]:
    """Write the sets as FLAC and CSV protocols; a set whose protocol is there already is left as it is.

    Both halves of a recording get the same duration, band, loudness, silence at the ends and dither, so that
    nothing but the voice tells the classes apart.

    Args:
        division: Recordings by set, each with a reserve.
        out: Folder of ``<set>.csv`` and ``audio/<set>/``.
        pool: Where recordings are worked on.
        plans: What each set is to be.
        seed: Of every draw.
        meter: Advanced by one per pair.

    Returns:
        Protocol by set.

    Raises:
        UsageError: If too few recordings have enough speech in them.
    """
    protocols = {}
    by_name = {plan.name: plan for plan in plans}
    for index, (name, pieces) in enumerate(division.items()):
        plan = by_name[name]
        protocols[name] = out / f"{name}.csv"
        if protocols[name].is_file():
            continue
        (out / "audio" / name).mkdir(parents=True, exist_ok=True)
        jobs = _jobs(plan, pieces, out, (seed, index))
        rows: list[list[str]] = []
        position = 0
        # Recordings with too little speech are replaced by the next ones, in a fixed order.
        while len(rows) < 2 * plan.pairs and position < len(jobs):
            batch = jobs[position : position + plan.pairs - len(rows) // 2]
            position += len(batch)
            for made in pool.map(make_pair, batch, chunksize=4):
                rows += made
                if made and meter is not None:
                    meter.advance()
        if len(rows) < 2 * plan.fewest:
            raise UsageError(
                f"only {len(rows) // 2} recordings for the set '{name}' hold {2 * SHORTEST:.1f} s of speech between "
                f"their silences; it needs {plan.fewest}: give more or longer recordings"
            )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
        replace_file(protocols[name], text.getvalue())
    return protocols


def _jobs(plan: SetPlan, pieces: Sequence[Recording], out: Path, seed: tuple[int, int]) -> list[Job]:
    methods, ways = list(plan.methods), list(plan.ways)
    folder = out / "audio" / plan.name
    # Every vocoder meets every codec.
    return [
        Job(
            piece,
            plan.name,
            methods[(i % len(pieces) + i // len(pieces)) % len(methods)],
            ways[(i // len(methods)) % len(ways)],
            (*seed, i % len(pieces)),
            folder,
            i,
            bool(i // len(pieces) % 2),
        )
        for i, piece in enumerate(list(pieces) * plan.repeats)
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
    human, source = halves if (rng.random() < 0.5) != job.swapped else halves[::-1]
    finished = []
    for half in (human, METHODS[job.method](source, rng)):
        # Codecs clip and noise covers: both have to meet the two classes at one loudness.
        finished.append(finish(heard_through(job.way, levelled(half), rng), length, rng))
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
                job.way or "none",
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


def levelled(wave: np.ndarray) -> np.ndarray:
    """Give a wave the loudness that all have, -26 dB.

    Args:
        wave: Shape (T,).

    Returns:
        Shape (T,), of mean square .05 squared; silence stays silent.

    Example:
        >>> levelled(np.array([1.0, -1.0])).tolist()
        [0.05, -0.05]
    """
    return wave * (LEVEL / max(float(np.sqrt(np.mean(wave**2))), 1e-9))


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
    wave = levelled(wave)
    triangular = (rng.random(length) - rng.random(length)) / 32_768
    return np.clip(wave + triangular, -1, 1)
