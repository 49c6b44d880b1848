"""What a measurement will cost: forward passes, time from a short trial run, memory, and what is there already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from sharpscope.detectors import Detector
from sharpscope.measurement.set_measurement import SetRun
from sharpscope.measurement.tasks import Task
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.precision import exact_arithmetic


class Pace(NamedTuple):
    """How fast a detector is on this device, per trial.

    Attributes:
        forward: Seconds of a forward without a graph.
        gradient: Seconds of a forward with one and its backward.
        load: Seconds to decode.
        memory: Bytes for activations, weights and their copies.
    """

    forward: float
    gradient: float
    load: float
    memory: int


def pace(detector: Detector, task: Task, run: SetRun, *, trials: int = 4) -> Pace:
    """Time a detector on the first trials of a set.

    Args:
        detector: In eval mode.
        task: The set.
        run: Its measurement, whose first look is taken over.
        trials: How many, at most.

    Returns:
        Its pace.
    """
    chosen = task.groups[0][:trials]
    start = time.perf_counter()
    waves = run.waves(chosen)  # (B, T)
    load = time.perf_counter() - start
    labels = torch.as_tensor(task.labels[chosen], device=waves.device)
    weights = torch.full((len(chosen),), 1 / len(chosen), dtype=torch.float64, device=waves.device)
    size = min(run.found.batch_size, len(chosen))

    def clock() -> float:
        if waves.is_cuda:
            torch.cuda.synchronize(waves.device)
        return time.perf_counter()

    with exact_arithmetic(), run.found.live.guarded():
        prepared = detector.prepare(waves, size)
        for _ in range(2):  # the first run also pays for what is set up once
            start = clock()
            group = Group(detector.score, run.found.live, prepared, labels, weights, batch_size=size)
            middle = clock()
            group.evaluate()
            end = clock()
    weights_bytes = sum(p.numel() * p.element_size() for p in detector.module.parameters())
    memory = run.found.saved_bytes * run.found.batch_size + 4 * weights_bytes
    n = len(chosen)
    return Pace((end - middle) / n, (middle - start) / n, load / n, memory)


def evaluations(cost: str, n_radii: int) -> int:
    """Read the registered cost of a measure: forward passes of a trial beside the shared gradients.

    Args:
        cost: As `sharpscope measures` lists it.
        n_radii: How many radii, R.

    Returns:
        The number; of "up to" so many, all.

    Raises:
        ValueError: If the text says none of what is known.

    Example:
        >>> [evaluations(cost, 3) for cost in ("2 shared + R", "R x 20", "2 for matched", "with trace", "up to 180")]
        [3, 60, 0, 0, 180]
    """
    if cost.startswith(("2 shared", "2 for", "with ")):
        extra = cost.partition(" + ")[2] or "0"
    else:
        extra = cost.removeprefix("up to ").partition(",")[0]
    each, _, times = extra.partition(" x ")
    return (n_radii if each == "R" else int(each)) * int(times or 1)


def plan_line(
    detector: Detector, task: Task, names: Sequence[str], radii: Sequence[float], found: Pace, known: int
) -> str:
    """Say what measuring a checkpoint on a set will cost.

    Args:
        detector: The checkpoint.
        task: The set.
        names: Measures that are not in the results yet.
        radii: rho.
        found: How fast the detector is.
        known: Rows that are in the results already.

    Returns:
        One line.
    """
    where = f"{detector.name} on {task.trials.name}"
    where += f" {task.trials.subset}" if task.trials.subset else ""
    there = f", {known} rows are there already" if known else ""
    if not names:
        return f"{where}: nothing to do{there}"
    grouped = sum(len(group) for group in task.groups)
    shared = {MEASURES[name].cost for name in names if "shared by" in MEASURES[name].cost}
    own = [MEASURES[name].cost for name in names if MEASURES[name].cost not in shared]
    steps = sum(evaluations(cost, len(radii)) for cost in [*own, *shared])
    backwards = len({o for name in names for o in MEASURES[name].objectives})
    passes = grouped * (1 + 2 * backwards + steps) + len(task.labels) - grouped
    gradients = grouped * found.gradient * max(backwards, 1)
    seconds = gradients + (grouped * steps + len(task.labels) - grouped) * found.forward
    return (
        f"{where}: {len(task.labels)} trials, {len(task.groups)} groups of m = {task.m}, about {passes} forward "
        f"passes of one trial, {duration(max(seconds, len(task.labels) * found.load))}, "
        f"{found.memory / 1024**3:.1f} GiB{there}"
    )


def duration(seconds: float) -> str:
    """Say how long something takes, as precisely as a guess deserves.

    Args:
        seconds: How long.

    Returns:
        A few words.

    Example:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{np.ceil(seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
