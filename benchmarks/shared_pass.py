"""EER and sharpness at several radii: our one pass against what the published scripts do.

The slow reference is written here in plain torch: one scoring pass over the trials, then for every radius
and both norms a full forward, backward and forward, each decoding its audio again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import soundfile
import torch

from sharpscope.audio.decode import fit_length, read_audio
from sharpscope.detectors import ARCHITECTURES, Detector, load_detector
from sharpscope.detectors.layout import channels_last
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.devices import keep_freed_memory
from sharpscope.measurement import measure as measuring
from sharpscope.measurement.groups import make_groups

RADII = (0.05, 0.02, 0.01, 0.005, 0.001, 0.0005, 0.0002, 0.0001, 0.00005, 0.00002)
M = 4


def trials_on_disk(folder: Path, n: int) -> tuple[list[str], np.ndarray]:
    """Write n noisy tones of 4 s, half of each class."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(n):
        tone = np.sin(2 * np.pi * rng.uniform(100, 400) * np.arange(64_600) / 16_000)
        wave = 0.2 * tone + rng.uniform(0.01, 0.1) * rng.standard_normal(64_600)
        paths.append(str(folder / f"{index}.flac"))
        soundfile.write(paths[-1], wave, 16_000)
    return paths, np.arange(n) % 2


def random_detector(folder: Path, arch: str) -> Detector:
    """An architecture with seeded random weights, written to a file and loaded as a user's would be."""
    torch.manual_seed(0)
    module = ARCHITECTURES[arch].build()
    path = folder / f"{arch}.pt"
    write_checkpoint(path, module.state_dict(), {"arch": arch, "arch_args": {}})
    return load_detector(path)


def slow_reference(
    detector: Detector, paths: list[str], labels: np.ndarray, radii: tuple[float, ...]
) -> dict[Any, float]:
    """Score all trials, then run the full procedure once per radius and norm, as separate scripts do."""

    def load(trials: np.ndarray) -> torch.Tensor:
        return torch.stack(
            [torch.from_numpy(fit_length(read_audio(paths[i], 16_000), 64_600, "tile")) for i in trials]
        )

    groups = make_groups(labels, M)
    weights = torch.tensor([1.0, 1.0])
    parameters = [p for p in detector.module.parameters() if p.requires_grad]
    with torch.no_grad():
        for group in groups:
            detector(load(group))
    values: dict[Any, float] = {}
    for adaptive in (False, True):
        for rho in radii:
            total = 0.0
            for group in groups:
                waves, targets = load(group), torch.as_tensor(labels[group])
                loss = torch.nn.functional.cross_entropy(detector(waves), targets, weight=weights)
                detector.module.zero_grad()
                loss.backward()
                moved = [(p, p.detach().clone()) for p in parameters if p.grad is not None]
                scales = [old.abs() if adaptive else torch.ones_like(old) for _, old in moved]
                norm = torch.stack(
                    [(t * p.grad).norm() for (p, _), t in zip(moved, scales, strict=True)]
                ).norm()
                with torch.no_grad():
                    for (p, _), t in zip(moved, scales, strict=True):
                        p.add_(rho / norm * t * t * p.grad)
                    total += (
                        torch.nn.functional.cross_entropy(detector(waves), targets, weight=weights).item()
                        - loss.item()
                    )
                    for p, old in moved:
                        p.copy_(old)
            values[("asam" if adaptive else "sam", rho)] = total / len(groups)
    return values


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Add up the time that is spent inside the detector's forward and backward, by the clock and of the CPU."""
    inside = {"seconds": 0.0, "cpu": 0.0}

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                inside["seconds"] += time.perf_counter() - start
                inside["cpu"] += time.process_time() - cpu

        return run

    with (
        mock.patch.object(Detector, "raw", timed(Detector.raw)),
        mock.patch.object(Detector, "prepare", timed(Detector.prepare)),
        mock.patch.object(torch.autograd, "grad", timed(torch.autograd.grad)),
        mock.patch.object(torch.autograd, "backward", timed(torch.autograd.backward)),
    ):
        yield inside


def timed_pass(
    detector: Detector, paths: list[str], labels: np.ndarray, radii: tuple[float, ...], keep: bool
) -> tuple[dict[Any, Any], float, float]:
    """Our one pass: values per group, seconds of CPU, and the share of them outside the detector."""
    words = np.where(labels == 1, "bonafide", "spoof")
    table = pd.DataFrame({"path": paths, "label": words})
    keeping = nullcontext() if keep else mock.patch.object(measuring, "keep_freed_memory", return_value=False)
    with clocked() as inside, keeping:
        start = time.process_time()
        ours = measuring.measure(
            detector, {"set": table}, m=M, rho=radii, measures=["sam", "asam", "loss", "grad_norm"],
            workers=0, cache=False, show_progress=False,
        )  # fmt: skip
        seconds = time.process_time() - start
    values = {}
    groups = ours.records.groups(ours.table.iloc[0])
    assert groups is not None
    for (name, rho), part in groups.groupby(["measure", "rho"], dropna=False):
        values[name, None if np.isnan(rho) else float(rho)] = part["value"].tolist()
    return values, seconds, 1 - inside["cpu"] / seconds


def difference(ours: dict[Any, Any], slow: dict[Any, float]) -> float:
    """Largest relative difference between our values and the reference's."""
    return max(abs(np.mean(ours[key]) - value) / max(abs(value), 1e-12) for key, value in slow.items())


def contiguous(detector: Detector) -> None:
    """Lay the filters as torch does by itself, for the reference."""
    for layer in detector.module.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous()


def run(arch: str = "aasist-l", n: int = 4, counts: tuple[int, ...] = (1, 3, 10), last: bool = False) -> None:
    """Print the ratio for each number of radii, what each step adds, and the share of time outside the detector.

    Seconds are of the CPU, so that other work on the machine counts as little as it can. With ``last`` only the last
    step is taken: the package as it is.
    """
    print(f"shared pass: {arch}, {n} trials of 4 s, m = {M}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths, labels = trials_on_disk(folder, n)
        detector = random_detector(folder, arch)
        contiguous(detector)
        slow: dict[int, tuple[dict[Any, float], float]] = {}
        for count in counts:
            start = time.process_time()
            values = slow_reference(detector, paths, labels, RADII[:count])
            slow[count] = values, time.process_time() - start

        def compare(step: str, keep: bool = True) -> None:
            for count in counts:
                ours, seconds, outside = timed_pass(detector, paths, labels, RADII[:count], keep)
                values, reference = slow[count]
                print(
                    f"  {step:28s} R = {count:2d}: slow {reference:6.1f} s, ours {seconds:6.1f} s, ratio "
                    f"{reference / seconds:5.2f}, outside the detector {outside:.1%}, largest relative difference "
                    f"{difference(ours, values):.1e}"
                )

        if not last:
            compare("sharing", keep=False)
        if keep_freed_memory() and not last:
            compare("and freed memory kept")
            start = time.process_time()
            slow_reference(detector, paths, labels, RADII[:1])
            print(f"  (the reference with freed memory kept, R = 1: {time.process_time() - start:.1f} s)")
        channels_last(detector.module)
        compare("and filters channels-last")


if __name__ == "__main__":
    run()
