"""What a recipe will do, told before it does it: data, network, leaks, one step, memory and time."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from sharpscope.corpora import read_set
from sharpscope.corpora.leaks import leaks
from sharpscope.devices import this_share
from sharpscope.training.data import Loader
from sharpscope.training.guard import shared_trials
from sharpscope.training.recipe import Recipe
from sharpscope.training.run import Training


def check(recipe: Recipe) -> Iterator[str]:
    """Say what a recipe will do, and take one step of it; nothing is written.

    Args:
        recipe: The recipe.

    Yields:
        Lines, each as soon as it is known: network and conventions, trials, a step, memory and time, and last what
        takes longest, selection and leaks by what is heard. What is wrong begins with "problem:".

    Raises:
        UsageError: If the run could not begin.
        SharpscopeError: If audio cannot be decoded.
    """
    run = Training(recipe, Path(recipe.title), this_share())
    yield from _network(run)
    yield from _data(run)
    yield from _step(run)
    yield from _selection(recipe)


def _network(run: Training) -> Iterator[str]:
    parameters = list(run.network.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    spec = run.spec
    yield (
        f"network: {spec.arch}, {sum(p.numel() for p in parameters):,} parameters, {trained:,} of them trained, on "
        f"{run.device}"
    )
    seconds = (spec.n_samples or 0) / spec.sample_rate
    yield (
        f"audio: {spec.n_samples:,} samples at {spec.sample_rate:,} Hz ({seconds:.2f} s), {spec.padding}-padded, "
        f"normalisation {spec.normalisation}; training, dev and measure alike"
    )
    if run.frontend:
        yield "front-end: " + ", ".join(f"{name} {value:g}" for name, value in run.frontend.items())


def _data(run: Training) -> Iterator[str]:
    for what, trials in (("train", run.trials.trials), ("dev", run.dev.trials if run.dev else None)):
        if trials is not None:
            bonafide = int(trials.labels.sum())
            names = ", ".join(run.recipe["data"][what])
            yield f"{what}: {bonafide:,} bona fide and {len(trials.labels) - bonafide:,} spoof trials of {names}"
    if run.dev is None:
        yield "dev: none, the last epoch is the best one"


def _selection(recipe: Recipe) -> Iterator[str]:
    """Compare the dev sets with training and with what will be tested, by what is heard."""
    data = recipe["data"]
    root = data["root"] or None
    for shared in shared_trials(data["dev"], data["tested_on"], root, by_audio=True):
        yield f"problem: selection on a test set: {shared}"
    train = [read_set(spec, data=root) for spec in data["train"]]
    for spec in data["dev"]:
        found = leaks(read_set(spec, data=root), train, by_audio=True)
        if found.trials:
            yield f"problem: {len(found.trials)} of {found.compared} trials of {spec} are trained on"
    if not data["tested_on"]:
        yield "selection: data.tested_on is empty, so nothing says whether dev trials will be tested"


def _step(run: Training) -> Iterator[str]:
    """Take two steps, of which the second is timed, and one pass over the dev sets' first trials."""
    schedule = run.recipe["schedule"]
    batches = run._order(0)
    total = len(batches) * schedule["epochs"]
    batch = batches[0]
    began = time.perf_counter()
    waves = next(Loader(run.trials).batches(0, [batch]))
    decoding = time.perf_counter() - began
    loss, spent = 0.0, 0.0
    for _ in range(2):
        began = time.perf_counter()
        torch.manual_seed(run.recipe.seed)
        loss = run._step(waves.to(run.device), batch, batch, total)
        spent = time.perf_counter() - began
    yield f"one step: {len(batch)} trials, loss {loss:.3f}, {spent:.3g} s; {decoding:.3g} s to decode and augment"
    if not np.isfinite(loss):
        yield "problem: the loss of the second step is not finite; lower optimizer.lr or optimizer.rho"
    holder = "the GPU" if run.device.type == "cuda" else "the process"
    yield f"memory: {_peak(run.device) / 1024**3:.2f} GiB at the peak of {holder}"
    workers = max(run.recipe["data"]["workers"], 1)
    step = max(spent, decoding / workers) if run.recipe["data"]["workers"] else spent + decoding
    dev = _dev_seconds(run)
    whole = total * step + schedule["epochs"] * dev
    share = f", of it {_duration(schedule['epochs'] * dev)} on the dev sets" if dev else ""
    yield f"time: {total:,} steps in {schedule['epochs']} epochs, about {_duration(whole)} in all{share}"


def _dev_seconds(run: Training) -> float:
    """Seconds for one pass over the dev sets, from one batch."""
    if run.dev is None:
        return 0.0
    run.network.eval()
    began = time.perf_counter()
    waves = next(run.dev._waves())
    with torch.no_grad():
        float(run._logits(waves.to(run.device)).sum())
    return (time.perf_counter() - began) * len(run.dev.groups)


def _peak(device: torch.device) -> float:
    """Largest memory so far, in bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
