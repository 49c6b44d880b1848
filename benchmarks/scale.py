"""Large sets: memory and cost per trial as a set grows tenfold, stopping early, decoding once for five checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from sharpscope.audio.batches import load_groups
from sharpscope.audio.cache import open_cache
from sharpscope.detectors import build
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.results.table import read_results

SAMPLES = 4_000
DISTINCT = 200

# One measurement in a process of its own, whose peak is then its own.
CHILD = """
import json, resource, sys, time
from sharpscope.measurement.measure import measure
start = time.perf_counter()
measure([sys.argv[1]], [sys.argv[2]], out=sys.argv[3], show_progress=False, m=32, rho=[0.05],
    measures=["sam", "loss"], tolerance=float(sys.argv[4]) or None, skip_missing=False, cache=False, workers=0)
print(json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))
"""


def make_set(folder: Path, n: int, samples: int = SAMPLES, spread: float = 0.8) -> Path:
    """Write n trials: links to 200 sounds, tones (bona fide) and noises, how much of each varies by ``spread``."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(DISTINCT):
        tone = np.sin(2 * np.pi * rng.uniform(400, 400 + 3000 * spread) * np.arange(samples) / 16_000)
        share = 1 - rng.uniform(0, spread) if index % 2 == 0 else rng.uniform(0, spread)
        wave = 0.2 * (share * tone + (1 - share) * rng.standard_normal(samples))
        soundfile.write(folder / f"source{index}.wav", wave, 16_000)
    lines = ["file,label"]
    for index in range(n):
        os.link(folder / f"source{index % DISTINCT}.wav", folder / f"{index}.wav")
        lines.append(f"{index}.wav,{'bonafide' if index % 2 == 0 else 'spoof'}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


def make_checkpoint(path: Path, seed: int = 0, samples: int = SAMPLES) -> Path:
    """A tiny detector with random weights, declared for quarter-second trials."""
    torch.manual_seed(seed)
    arguments = {"width": 8, "depth": 2, "bands": 16}
    state = build("tiny", arguments).state_dict()
    record = {"arch": "tiny", "arch_args": arguments, "spec": {"n_samples": samples}}
    write_checkpoint(path, state, record)
    return path


def measured(
    checkpoint: Path, protocol: Path, out: Path, tolerance: float = 0.0
) -> tuple[float, float, float, float]:
    """Seconds, peak in GiB, value of sam and its stderr, of one measurement in a process of its own."""
    command = [sys.executable, "-c", CHILD, str(checkpoint), f"set={protocol}", str(out), str(tolerance)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    table = read_results(out)
    row = table[table["measure"] == "sam"].iloc[0]
    return seconds, peak, float(row["value"]), float(row["n_groups"])


def growth(small: int = 2_000, large: int = 20_000) -> None:
    """Print peak memory and cost per trial of a set and one ten times as large."""
    print(f"scale: tiny detector, trials of {SAMPLES / 16_000} s, m = 32, one radius, one process")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = make_checkpoint(folder / "tiny.pt")
        sets = {n: make_set(folder / f"set{n}", n) for n in (small, large)}
        found = {}
        for n, protocol in sets.items():
            found[n] = measured(checkpoint, protocol, folder / f"{n}.csv")
            seconds, peak, _, _ = found[n]
            print(
                f"  {n:7d} trials: {seconds:6.1f} s, {1e3 * seconds / n:.2f} ms a trial, peak {peak:.3f} GiB"
            )


def stopping(n: int = 20_000, samples: int = 64_000) -> None:
    """Print what `--tolerance 0.02` saves on sets whose groups differ little and much; the gain is theirs."""
    for spread in (0.02, 0.8):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            checkpoint = make_checkpoint(folder / "tiny.pt", samples=samples)
            protocol = make_set(folder / "set", n, samples, spread)
            full, _, value, groups = measured(checkpoint, protocol, folder / "full.csv")
            seconds, _, early, used = measured(checkpoint, protocol, folder / "early.csv", 0.02)
        print(
            f"--tolerance 0.02, {n} trials, mix of classes up to {spread}: {full:.1f} s for all {groups:.0f} groups, "
            f"{seconds:.1f} s for {used:.0f}, ratio {full / seconds:.1f}; sam {early:.6g} against {value:.6g} "
            f"({early / value - 1:+.2%})"
        )


def decoding(n: int = 300, checkpoints: int = 5) -> None:
    """Print how long decoding n trials takes for several checkpoints, each time and once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        paths = []
        for index in range(n):
            paths.append(str(folder / f"{index}.flac"))
            soundfile.write(paths[-1], 0.1 * rng.standard_normal(44_100 * 5), 44_100)
        groups = [np.arange(i, min(i + 32, n)) for i in range(0, n, 32)]
        options = {"sample_rate": 16_000, "n_samples": 64_600, "padding": "tile"}

        def pass_over(cache: object) -> torch.Tensor:
            return torch.cat(list(load_groups(paths, groups, cache=cache, **options)))  # type: ignore[arg-type]

        start = time.perf_counter()
        for _ in range(checkpoints):
            plain = pass_over(None)
        each = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(checkpoints):
            kept = pass_over(open_cache(paths, folder=folder / "cache", **options))  # type: ignore[arg-type]
        once = time.perf_counter() - start
        print(
            f"decoding {n} trials (44.1 kHz FLAC to 16 kHz) for {checkpoints} checkpoints: each time {each:.1f} s, "
            f"once {once:.1f} s, ratio {each / once:.1f}, equal: {torch.equal(plain, kept)}"
        )


def run() -> None:
    """Run the reduced form."""
    growth()
    stopping()
    decoding()


if __name__ == "__main__":
    growth(*(int(text) for text in sys.argv[1:3]))
    decoding()
