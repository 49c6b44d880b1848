"""Clips embedded in parquet against the same clips as FLAC files: seconds, and that memory does not grow.

The order is that of groups, at random over the whole set, once only loaded and once measured with the smallest
detector.
``python -m benchmarks.embedded_audio [CLIPS]``; 20,000 unless said otherwise.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.shared_pass import random_detector

N_CLIPS = 20_000
# What `datasets` writes for audio, and what pandas writes for anything.
ROW_GROUPS = {"row groups of 100": 100, "one row group": 1 << 20}
COPIES = 200

# In processes of their own, so that the peak is theirs.
_LOAD = """
import sys, time
from sharpscope.audio.batches import load_groups, make_groups
from sharpscope.corpora import read_set
begin = time.perf_counter()
table = read_set(sys.argv[1]).table
groups = make_groups((table["label"] == "bonafide").to_numpy().astype(int), 32)
for waves in load_groups(table["path"].tolist(), groups, sample_rate=16_000, n_samples=64_600):
    pass
seconds = time.perf_counter() - begin
# Not getrusage: its peak is inherited from the process that started this one.
peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))
print(seconds, int(peak.split()[1]) / 1024)
"""
_MEASURE = """
import sys, time
from click.testing import CliRunner
from sharpscope.cli import main
begin = time.perf_counter()
done = CliRunner().invoke(main, ["measure", sys.argv[2], "--sets", sys.argv[1], "--out", sys.argv[3], "--quiet",
                                 "--measures", "sam", "--rho", "0.05", "--device", "cpu"])
assert done.exit_code == 0, done.output
seconds = time.perf_counter() - begin
# Not getrusage: its peak is inherited from the process that started this one.
peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))
print(seconds, int(peak.split()[1]) / 1024)
"""


def _clips(n: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and FLAC of 2 to 6 s; the samples repeat every few hundred clips, their length does not."""
    rng = np.random.default_rng(0)
    noise = [
        (0.1 * np.cumsum(rng.standard_normal(96_000)) / 60).astype(np.float32).clip(-0.9, 0.9)
        for _ in range(COPIES)
    ]
    for index in range(n):
        buffer = io.BytesIO()
        wave = noise[index % COPIES][: int(rng.integers(32_000, 96_000))]
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
    with pq.ParquetFile(folder / "100.parquet") as small:
        writers["one row group"].write_table(small.read(), row_group_size=1 << 20)
    writers["one row group"].close()
    return {
        "FLAC files": f"a={folder / 'list.csv'}",
        **{name: f"a={folder / f'{size}.parquet'}" for name, size in ROW_GROUPS.items()},
    }


def _run(code: str, *words: str) -> tuple[float, float]:
    environment = {**os.environ, "SHARPSCOPE_CACHE_GIB": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def run(n: int = N_CLIPS) -> None:
    """Print seconds, their ratio to those of the FLAC files, and peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random_detector(folder, "tiny")
        sets = _write(folder, n)
        for what, code in (("loaded", _LOAD), ("measured", _MEASURE)):
            base = 0.0
            for kind, spec in sets.items():
                seconds, memory = _run(code, spec, str(folder / "tiny.pt"), str(folder / f"{kind}.csv"))
                base = base or seconds
                cost = f"{seconds:.1f} s, {seconds / base:.2f} times FLAC files, peak {memory:.0f} MiB"
                print(f"embedded_audio: {n} clips {what}, {kind}: {cost}", flush=True)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else N_CLIPS)
