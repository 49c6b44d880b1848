"""Clips embedded in parquet against the same clips as FLAC files: seconds, and that memory does not grow.

The order is that of groups, at random over the whole set, once only loaded and once measured with the smallest
detector. Short clips, since they cost parquet the most beside what their decoding costs.
``python -m benchmarks.embedded_audio [CLIPS ...]``; 2,000 and 20,000 unless said otherwise.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from benchmarks.shared_pass import random_detector
from sharpscope.audio.batches import load_groups
from sharpscope.cli import main
from sharpscope.corpora import read_set
from sharpscope.measurement.groups import make_groups

SIZES = (2_000, 20_000)
# Of a clip, in samples at 16 kHz.
SHORTEST, LONGEST = 16_000, 48_000
# What `datasets` writes for audio, and what pandas writes for anything.
ROW_GROUPS = {"row groups of 100": 100, "one row group": 1 << 20}
COPIES = 200


def _load(spec: str) -> None:
    """Decode every clip, in the order of groups."""
    table = read_set(spec).table
    groups = make_groups((table["label"] == "bonafide").to_numpy().astype(int), 32)
    for _ in load_groups(table["path"].tolist(), groups, sample_rate=16_000, n_samples=64_600):
        pass


def _measure(spec: str, checkpoint: str, out: str) -> None:
    """Measure with one radius, as a user does."""
    words = ["measure", checkpoint, "--sets", spec, "--out", out, "--quiet"]
    done = CliRunner().invoke(main, [*words, "--measures", "sam", "--rho", "0.05", "--device", "cpu"])
    if done.exit_code:
        raise RuntimeError(done.output)


def _timed(what: str, *words: str) -> None:
    """Run one of the two and print seconds, seconds of CPU and the peak of memory in MiB."""
    begin, busy = time.perf_counter(), sum(os.times()[:4])
    if what == "loaded":
        _load(*words)
    else:
        _measure(*words)
    seconds, busy = time.perf_counter() - begin, sum(os.times()[:4]) - busy
    # Not getrusage: its peak is inherited from the process that started this one.
    with open("/proc/self/status", encoding="utf-8") as file:
        peak = next(line for line in file if line.startswith("VmHWM"))
    print(seconds, busy, int(peak.split()[1]) / 1024)


def _clips(n: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and FLAC of 1 to 3 s; the samples repeat every few hundred clips, their length does not."""
    rng = np.random.default_rng(0)
    noise = [
        (0.1 * np.cumsum(rng.standard_normal(LONGEST)) / 60).astype(np.float32).clip(-0.9, 0.9)
        for _ in range(COPIES)
    ]
    for index in range(n):
        buffer = io.BytesIO()
        wave = noise[index % COPIES][: int(rng.integers(SHORTEST, LONGEST))]
        soundfile.write(buffer, wave + 0.01 * rng.standard_normal(len(wave)), 16_000, format="FLAC")
        yield f"{index}.flac", "bonafide" if index % 2 else "spoof", buffer.getvalue()


def _write(folder: Path, n: int) -> dict[str, str]:
    """Write a list of FLAC files, and parquet with each size of row groups: name -> the set."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sound = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("path", pa.string()), ("audio", sound), ("label", pa.string())])
    writers = {
        name: pq.ParquetWriter(folder / f"{size}.parquet", schema) for name, size in ROW_GROUPS.items()
    }
    rows: list[dict[str, object]] = []
    with (folder / "list.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["file", "label"])
        for name, label, data in _clips(n):
            (folder / name).write_bytes(data)
            lines.writerow([name, label])
            rows.append({"path": name, "audio": {"bytes": data, "path": name}, "label": label})
            if len(rows) == 100:
                writers["row groups of 100"].write_table(pa.Table.from_pylist(rows, schema))
                rows = []
    if rows:
        writers["row groups of 100"].write_table(pa.Table.from_pylist(rows, schema))
    writers["row groups of 100"].close()
    if "one row group" in writers:
        with pq.ParquetFile(folder / "100.parquet") as small:
            writers["one row group"].write_table(small.read(), row_group_size=1 << 20)
        writers["one row group"].close()
    return {
        "FLAC files": f"a={folder / 'list.csv'}",
        **{name: f"a={folder / f'{size}.parquet'}" for name, size in ROW_GROUPS.items()},
    }


def _run(*words: str) -> tuple[float, float, float]:
    """Run `_timed` in a process of its own, so that the peak is its own."""
    program = [sys.executable, "-m", "benchmarks.embedded_audio", "--timed", *words]
    environment = {**os.environ, "SHARPSCOPE_CACHE_GIB": "0"}
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds, busy, memory = done.stdout.split()
    return float(seconds), float(busy), float(memory)


def run(*sizes: int) -> None:
    """Print seconds, their ratio to those of the FLAC files, peak memory, and how much more the largest size needs.

    Args:
        *sizes: Clips, smallest first; `SIZES` where none is given.
    """
    peaks: dict[str, list[float]] = {}
    for n in sizes or SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            random_detector(folder, "tiny")
            sets = _write(folder, n)
            for what in ("loaded", "measured"):
                base = base_busy = 0.0
                for kind, spec in sets.items():
                    out = (str(folder / "tiny.pt"), str(folder / f"{kind}.csv")) if what == "measured" else ()
                    seconds, busy, memory = _run(what, spec, *out)
                    base, base_busy = base or seconds, base_busy or busy
                    ratios = f"{seconds / base:.2f} and {busy / base_busy:.2f} times FLAC files"
                    cost = f"{seconds:.1f} s, {busy:.1f} s of CPU, {ratios}, peak {memory:.0f} MiB"
                    print(f"embedded_audio: {n} clips {what}, {kind}: {cost}", flush=True)
                    peaks.setdefault(f"{what}, {kind}", []).append(memory)
    for case, (first, *others) in peaks.items():
        if others:
            print(f"embedded_audio: {case}: {others[-1] - first:.0f} MiB more for the largest size")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--timed"]:
        _timed(*sys.argv[2:])
    else:
        run(*map(int, sys.argv[1:]))
