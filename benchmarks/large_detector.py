"""A detector of 300 million parameters on one second of audio: loading, memory, time outside the network.

``python -m benchmarks.large_detector``. XLS-R-300M with an AASIST head and random weights, on a CPU, without a network.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sharpscope
from benchmarks.gpu import XLSR
from benchmarks.shared_pass import clocked
from sharpscope.detectors import ARCHITECTURES, load_detector
from sharpscope.detectors.architectures.ssl import import_transformers
from sharpscope.detectors.reading import sha256_of, write_checkpoint
from sharpscope.measurement import memory

SAMPLES = 16_000


def resident() -> int:
    """Bytes of this process in memory now."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) * 1024


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a function returns, its seconds and its seconds of CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    found = function()
    return found, time.perf_counter() - start, time.process_time() - cpu


def read(path: Path) -> None:
    """Read a file and throw it away."""
    block = bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(block):
            pass


def write(path: Path) -> None:
    """Write the detector with random weights, in a process of its own, whose memory does not count."""
    torch.manual_seed(0)
    module = ARCHITECTURES["ssl-aasist"].build(**XLSR)
    write_checkpoint(path, module.state_dict(), {"arch": "ssl-aasist", "arch_args": XLSR})


def run(n: int = 32, m: int = 32) -> None:
    """Print what loading takes, what measuring takes outside the network, and the peak in copies of the weights."""
    import multiprocessing

    print(
        f"large detector: {n} trials of 1 s, m = {m}, default measures and radii, {torch.get_num_threads()} threads"
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "large.pt"
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(path,))
        writer.start()
        writer.join()
        import_transformers().Wav2Vec2Model  # noqa: B018 - its import is not part of loading
        _, _, reading = timed(lambda: read(path))
        _, _, hashing = timed(lambda: sha256_of(path))
        before = resident()
        detector, seconds, cpu = timed(lambda: load_detector(path))
    weights = memory.of_weights(detector.module)
    print(
        f"  loading {seconds:.1f} s, {cpu:.1f} s of CPU; reading alone {reading:.1f}, hashing alone {hashing:.1f}, so "
        f"{cpu - reading - hashing:.1f} beside them; resident afterwards {(resident() - before) / weights:.2f} copies"
    )
    measure_it(detector, n, m, before, weights)


def measure_it(detector: Any, n: int, m: int, before: int, weights: int) -> None:
    """Print time outside the network and the peak of a measurement, beside what its plan said."""
    detector = sharpscope.as_detector(detector.module, name="large", spec={"n_samples": SAMPLES})
    waves = 0.05 * np.random.default_rng(0).standard_normal((n, SAMPLES))
    sets = {"noise": (waves.astype(np.float32), [1, 0] * (n // 2))}
    planned = sharpscope.measure(detector, sets, m=m, dry_run=True, show_progress=False).costs[0]
    with clocked() as inside:
        found, seconds, cpu = timed(lambda: sharpscope.measure(detector, sets, m=m, show_progress=False))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"  measuring {len(found.table)} rows {seconds:.1f} s, {cpu:.1f} s of CPU, of it outside the network "
        f"{1 - inside['cpu'] / cpu:.1%}; physical batch {found.table['batch_size'].iloc[0]}"
    )
    print(
        f"  peak {peak / 1024**3:.2f} GiB, {peak / weights:.2f} copies of its {weights / 1024**3:.2f} GiB of weights, "
        f"{(peak - before) / weights:.2f} without what was resident before loading ({before / 1024**3:.2f} GiB)"
    )
    print(
        f"  the plan said {planned['bytes'] / 1024**3:.2f} GiB ({planned['bytes'] / peak - 1:+.0%}) and "
        f"{planned['seconds']:.1f} s ({planned['seconds'] / seconds - 1:+.0%}; by CPU "
        f"{planned['seconds'] / cpu - 1:+.0%})"
    )


if __name__ == "__main__":
    run(*map(int, sys.argv[1:]))
