"""Everything there is to know about a GPU in one command of under 8 minutes, printed and written as JSON.

``python -m benchmarks.gpu [--device cuda:0] [--out gpu.json] [--reduced]``. It downloads nothing: weights are random,
audio is made. Without a GPU it runs in reduced form, which shows that it works and says nothing about a GPU.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

import sharpscope
from benchmarks.__main__ import machine
from benchmarks.sam_cost import stepper
from benchmarks.shared_pass import random_detector, trials_on_disk
from sharpscope.detectors import ARCHITECTURES, Detector
from sharpscope.devices import choose_device
from sharpscope.measurement.first_look import first_look
from sharpscope.measurement.memory import of_weights
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Arithmetic, Group
from sharpscope.measures.precision import exact_arithmetic

# No part starts later than this, and none of those takes a minute, so that the whole ends within 8 minutes.
BUDGET = 400.0
SAMPLES = 64_600
# Of a layer of the network that is nearly all weights.
WIDE = 2048
# What a program of its own may take; there are two of them.
OWN_PROGRAM = 60.0
XLSR = {
    "kind": "wav2vec2",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "conv_dim": [512] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
}
NAMES = ("sam", "asam", "sam_matched", "loss", "grad_norm")


def clock(device: str) -> float:
    """Seconds, when everything that was asked of the device is done."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@functools.lru_cache(maxsize=1)
def network(arch: str, device: str) -> Detector:
    """An architecture with seeded random weights on a device; drawing those of XLS-R takes longer than a part may."""
    torch.manual_seed(0)
    arguments = XLSR if arch == "ssl-aasist" else {}
    module = ARCHITECTURES[arch].build(**arguments)
    return sharpscope.as_detector(module, name=arch, spec={"n_samples": SAMPLES}, device=device)


def noise(n: int, samples: int | None = None) -> tuple[np.ndarray, list[int]]:
    """Trials and labels, half of each class."""
    waves = 0.05 * np.random.default_rng(0).standard_normal((n, samples or SAMPLES))
    return waves.astype(np.float32), [1, 0] * (n // 2)


def group_of_noise(detector: Detector, m: int, **how: Any) -> Callable[..., Group]:
    """Look at a detector once; return what makes a group of m trials on its device."""
    waves, labels = noise(m, detector.spec.n_samples)
    there = torch.from_numpy(waves).to(detector.device)
    target = torch.tensor(labels, device=detector.device)
    look = first_look(detector, there[:2], target[:2], m)
    weights = torch.full((m,), 1 / m, dtype=torch.float64, device=detector.device)
    options: dict[str, Any] = {"batch_size": look.batch_size, "objectives": ("label", "matched"), **how}

    def make(**more: Any) -> Group:
        with exact_arithmetic():
            prepared = look.detector.prepare(there, look.batch_size)
            return Group(look.detector.score, look.live, prepared, target, weights, **{**options, **more})

    return make


def values(group: Group) -> dict[str, float]:
    """The default measures of a group at two radii."""
    with exact_arithmetic():
        found = {name: MEASURES[name].function(group, (0.05, 0.01)) for name in NAMES}
    return {
        f"{name} {rho or ''}".strip(): value for name, part in found.items() for rho, value in part.items()
    }


def throughput(arch: str, device: str, m: int, groups: int) -> dict[str, Any]:
    """Trials per second of a whole measurement, and the share of it that the network alone takes."""
    detector = network(arch, device)
    data = noise(m * groups)

    def measure(**more: Any) -> Any:
        return sharpscope.measure(
            detector, {"noise": data}, m=m, measures=list(NAMES), rho=[0.05, 0.01], device=device,
            show_progress=False, **more,
        )  # fmt: skip

    planned = measure(dry_run=True).costs[0]
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    start = clock(device)
    batch = int(measure().table["batch_size"].iloc[0])
    seconds = clock(device) - start
    held = peak(device)
    make = group_of_noise(detector, m)
    make()
    start = clock(device)
    group = make()
    shared = clock(device) - start
    start = clock(device)
    group.evaluate()
    forward = clock(device) - start
    alone = groups * (shared + forward * 2 * 3)  # sam, asam and sam_matched at two radii
    weights = of_weights(detector.module)
    return {
        "m": m,
        "groups": groups,
        "physical_batch": batch,
        "seconds": seconds,
        "trials_per_second": m * groups / seconds,
        "busy_share": min(1.0, alone / seconds),
        "peak_bytes": held,
        "peak_over_plan": held / planned["bytes"],
        "weights_bytes": weights,
        "plan": {"seconds": planned["seconds"], "bytes": planned["bytes"]},
    }


def kernels(arch: str, device: str, m: int, groups: int) -> dict[str, Any]:
    """The share of a measurement in which a kernel runs, as torch's profiler counts it, and which take most."""
    detector, data = network(arch, device), noise(m * groups)
    there = ProfilerActivity.CPU if device == "cpu" else ProfilerActivity.CUDA

    def measure() -> None:
        sharpscope.measure(
            detector,
            {"noise": data},
            m=m,
            measures=list(NAMES),
            rho=[0.05, 0.01],
            device=device,
            show_progress=False,
        )

    measure()
    with profile(activities=[there]) as seen:
        start = clock(device)
        measure()
        seconds = clock(device) - start
    spent = {
        event.key: (event.self_cpu_time_total if device == "cpu" else event.self_device_time_total) / 1e6
        for event in seen.key_averages()
    }
    most = sorted(spent, key=lambda name: -spent[name])[:5]
    return {
        "seconds": seconds,
        "kernel_share": sum(spent.values()) / seconds,
        "most": {name[:60]: spent[name] / seconds for name in most},
    }


def peak(device: str) -> int:
    """Most bytes that the device held; of a CPU the most that the process ever had."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def largest(ours: dict[str, float], exact: dict[str, float]) -> dict[str, float]:
    """Relative difference of each value."""
    return {name: abs(ours[name] - exact[name]) / max(abs(exact[name]), 1e-30) for name in exact}


def arithmetic(arch: str, device: str, m: int) -> dict[str, Any]:
    """What a direction in TF32 and bfloat16 changes in each value, and what it saves."""
    make = group_of_noise(network(arch, device), m)
    found: dict[str, Any] = {}
    exact = values(make())
    kinds: tuple[Arithmetic, ...] = ("fp32", "bf16") if device == "cpu" else ("fp32", "tf32", "bf16")
    for kind in kinds:
        make(direction=kind)
        start = clock(device)
        group = make(direction=kind)
        found[kind] = {"gradient_seconds": clock(device) - start, "off": largest(values(group), exact)}
    return found


def batches(arch: str, device: str, m: int) -> dict[str, Any]:
    """How far values move with the physical batch alone."""
    make = group_of_noise(network(arch, device), m)
    sizes = [size for size in (m, m // 2, m // 4) if size]
    whole = values(make(batch_size=sizes[0]))
    return {str(size): max(largest(values(make(batch_size=size)), whole).values()) for size in sizes}


def copies(device: str, m: int, layers: int) -> dict[str, Any]:
    """Peak memory of the default measures in copies of the weights, on a network that is nearly all weights."""
    module = torch.nn.Sequential(
        *(torch.nn.Linear(WIDE, WIDE) for _ in range(layers)), torch.nn.Linear(WIDE, 2)
    )
    detector = sharpscope.as_detector(module, name="wide", spec={"n_samples": WIDE}, device=device)
    weights = of_weights(module)
    with watched(device) as memory:
        make = group_of_noise(detector, m)
        for size in (m, m // 2):
            values(make(batch_size=size))
    return {"weights_bytes": weights, "copies": 1 + memory["rise"] / weights}


@contextmanager
def watched(device: str) -> Iterator[dict[str, int]]:
    """Find by how many bytes memory rises inside at most; of a CPU by looking every millisecond."""
    found = {"rise": 0}
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield found
        found["rise"] = torch.cuda.max_memory_allocated(device) - before
        return
    before = resident()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.001):
            found["rise"] = max(found["rise"], resident() - before)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


def resident() -> int:
    """Bytes that this process holds now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def processes(arch: str, device: str, n: int) -> dict[str, Any]:
    """Seconds and digits of one process and of several on the same trials."""
    several = max(2, torch.cuda.device_count()) if device != "cpu" else 2
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths, labels = trials_on_disk(folder, n)
        random_detector(folder, arch)
        lines = [f"{p},{'bonafide' if y else 'spoof'}" for p, y in zip(paths, labels, strict=True)]
        (folder / "set.csv").write_text("\n".join(["file,label", *lines]) + "\n")
        tables = {}
        for world in (1, several):
            out = folder / f"{world}.csv"
            command = [
                sys.executable,
                "-m",
                "torch.distributed.run",
                f"--nproc-per-node={world}",
                "--standalone",
            ]
            command += ["-m", "sharpscope", "measure", str(folder / f"{arch}.pt"), "--no-cache", "--quiet"]
            command += [
                f"--sets=noise={folder / 'set.csv'}",
                f"--out={out}",
                "--group-size=2",
                "--measures=sam,loss",
            ]
            command += ["--device", "cpu" if device == "cpu" else "auto", "--rho=0.05"]
            start = time.perf_counter()
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=OWN_PROGRAM, check=False
                )
            except subprocess.TimeoutExpired:
                return {**found, "failed": f"{world} processes took more than {OWN_PROGRAM:.0f} s"}
            if done.returncode:
                return {"failed": done.stderr[-400:]}
            found[f"{world} processes"] = time.perf_counter() - start
            tables[world] = sharpscope.read_results(out)["value"].tolist()
    found["equal"] = tables[1] == tables[several]
    return found


def training(arch: str, device: str, n: int, steps: int) -> dict[str, Any]:
    """Steps per second of AdamW and of SAM around it."""
    generator = torch.Generator().manual_seed(0)
    waves = (0.05 * torch.randn(n, SAMPLES, generator=generator)).to(device)
    labels = (torch.arange(n) % 2).to(device)
    found = {}
    methods = {name: stepper(name, arch, waves, labels) for name in ("adamw", "sam")}
    for name, step in methods.items():
        step()
        start = clock(device)
        for _ in range(steps):
            step()
        found[f"{name}_steps_per_second"] = steps / (clock(device) - start)
    return found


def parts(device: str, reduced: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is run, by name; in reduced form on networks that a CPU manages."""
    if reduced:
        return {
            "copies of the weights": lambda: copies(device, 4, 12),
            "throughput tiny": lambda: throughput("tiny", device, 4, 16),
            "kernels tiny": lambda: kernels("tiny", device, 4, 4),
            "arithmetic tiny": lambda: arithmetic("tiny", device, 4),
            "batches tiny": lambda: batches("tiny", device, 4),
            "processes tiny": lambda: processes("tiny", device, 8),
            "training tiny": lambda: training("tiny", device, 4, 2),
        }
    return {
        "throughput aasist": lambda: throughput("aasist", device, 32, 8),
        "kernels aasist": lambda: kernels("aasist", device, 32, 2),
        "arithmetic aasist": lambda: arithmetic("aasist", device, 32),
        "batches aasist": lambda: batches("aasist", device, 32),
        "throughput rawnet2": lambda: throughput("rawnet2", device, 32, 8),
        "throughput ssl-aasist": lambda: throughput("ssl-aasist", device, 32, 2),
        "arithmetic ssl-aasist": lambda: arithmetic("ssl-aasist", device, 8),
        "copies of the weights": lambda: copies(device, 4, 64),
        "training aasist": lambda: training("aasist", device, 24, 10),
        "processes aasist": lambda: processes("aasist", device, 64),
    }


def run(device: str = "auto", out: Path = Path("gpu.json"), reduced: bool = False) -> dict[str, Any]:
    """Run every part, print each as it ends, and write all to a file; what fails is said and the rest goes on."""
    device = choose_device(device)
    reduced = reduced or device == "cpu"
    name = "no GPU: reduced, these figures say nothing about one" if device == "cpu" else ""
    name = name or torch.cuda.get_device_name(device)
    found: dict[str, Any] = {"machine": machine(), "device": name, "reduced": reduced}
    print(f"{found['machine']}\n{name}")
    started = time.perf_counter()
    for part, function in parts(device, reduced).items():
        begun = time.perf_counter()
        if begun - started > BUDGET:
            found[part] = {"left out": f"more than {BUDGET:.0f} s were used up"}
        else:
            try:
                found[part] = function()
            except Exception as error:  # a card too small for one part must not cost the others
                found[part] = {"failed": f"{type(error).__name__}: {error}"}
            if device != "cpu":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)
        print(f"{part} ({time.perf_counter() - begun:.0f} s): {json.dumps(found[part])}", flush=True)
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{out}: written after {time.perf_counter() - started:.0f} s")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--reduced", action="store_true")
    given = parser.parse_args()
    run(given.device, given.out, given.reduced)
