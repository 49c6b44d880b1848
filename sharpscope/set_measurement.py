"""One detector on one set: scores for every trial, measures for every group."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sharpscope.batches import load_groups
from sharpscope.detectors import Detector
from sharpscope.errors import SharpscopeError
from sharpscope.journal import Journal
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.parameters import LiveParameters
from sharpscope.presets import trial_weights
from sharpscope.progress import Meter
from sharpscope.stopping import StoppingRule

# Activations that may be saved for one backward. Fixed on a CPU, so that a machine's free memory does not
# change the physical batch and with it the last digits.
CPU_ACTIVATION_BYTES = 2 * 1024**3


Columns = dict[tuple[str, float | None], list[float]]


class Settings(NamedTuple):
    """How one set is measured: everything but the detector and the trials."""

    measures: tuple[str, ...]
    radii: tuple[float, ...]
    class_weights: tuple[float, float] | None
    sample_rate: int | None
    batch_size: int | None
    seed: int
    workers: int
    tolerance: float | None = None


class SetMeasurement(NamedTuple):
    """What was measured on one set.

    Attributes:
        logits: Shape (n, 2), columns spoof and bona fide, one row per trial of the set; NaN where a run that
            stopped early did not score.
        values: Per (measure, radius), one value per group in group order.
        sizes: Trials per measured group.
        n_groups_in_all: Groups of the set; more than were measured when the run stopped early.
        noise_floor: Largest rise found where nothing was moved, in nats.
        notes: What a reader of the row should know.
    """

    logits: np.ndarray
    values: Columns
    sizes: list[int]
    n_groups_in_all: int
    noise_floor: float
    notes: tuple[str, ...]

    @property
    def scored(self) -> np.ndarray:
        """Which trials have logits: all of them, but for a run that stopped early. Shape (n,), bool."""
        found: np.ndarray = np.isfinite(self.logits).all(axis=1)
        return found


class Probe(NamedTuple):
    """What a first look at a detector found.

    Attributes:
        live: Its live parameters.
        batch_size: Trials that fit through a backward at once.
        shared_baseline: Whether L(w) of the forward with a graph serves for differences too.
        noise_floor: Rise at rho = 0.
    """

    live: LiveParameters
    batch_size: int
    shared_baseline: bool
    noise_floor: float


@contextmanager
def _counting_saved_bytes() -> Iterator[dict[int, int]]:
    """Count the distinct storages that forwards inside keep for their backward, as bytes by address."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield storages


def _activation_budget(device: torch.device) -> int:
    if device.type != "cuda":
        return CPU_ACTIVATION_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * 0.6)


def probe(detector: Detector, waves: Tensor, labels: Tensor, m: int, batch_size: int | None) -> Probe:
    """Look at a detector once: live parameters, physical batch, noise floor, and whether it repeats itself.

    Args:
        detector: In eval mode.
        waves: Shape (B, T): a few trials, both classes if possible.
        labels: Shape (B,).
        m: Trials in a group; the physical batch is never larger.
        batch_size: What the user asked for, or None to fit it to memory.

    Returns:
        What was found.

    Raises:
        SharpscopeError: If two forwards differ, a logit is not finite, or nothing receives a gradient.
    """
    seen: list[Tensor] = []

    def loss() -> Tensor:
        with _counting_saved_bytes() as storages:
            seen.append(detector(waves))
        saved.append(sum(storages.values()) // len(waves))
        return cross_entropy(seen[0], labels).sum()

    saved: list[int] = []
    live = LiveParameters(detector.module, loss)
    if batch_size is None:
        batch_size = max(1, min(m, _activation_budget(waves.device) // max(saved[0], 1)))
    live.restore()
    with torch.no_grad():
        again = detector(waves)
        shared = bool(torch.equal(again, seen[0]))
        if not shared and not bool(torch.equal(again, detector(waves))):
            raise SharpscopeError(
                "the detector gives other logits when it is run again on the same trials (a random crop, "
                "dropout left on, or noise in its forward): a difference of losses would measure that. Make "
                "its forward deterministic in eval mode"
            )
        floor = float((cross_entropy(again, labels) - cross_entropy(seen[0].detach(), labels)).abs().max())
    return Probe(live, batch_size, shared, floor if shared else 0.0)


def identity_of(settings: Settings, *facts: str) -> str:
    """Return what makes a half-finished measurement the same one as before: all but the loading workers.

    Args:
        settings: How the set is measured.
        facts: Whatever else must be equal (hashes of the checkpoint, its conventions and the trials, device).

    Returns:
        A text for `Journal`.
    """
    return json.dumps([settings._replace(workers=0), *facts])


def _leftover(n: int, groups: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """Return chunks of the trials that no group holds: they are scored and nothing else."""
    grouped = np.zeros(n, dtype=bool)
    for group in groups:
        grouped[group] = True
    rest = np.flatnonzero(~grouped)
    return [rest[i : i + size] for i in range(0, len(rest), size)]


def _in_memory(run: Callable[[int], Any], batch_size: int, notes: list[str]) -> tuple[Any, int]:
    """Run with the physical batch, halved as often as the device has no memory for it."""
    while True:
        try:
            return run(batch_size), batch_size
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise SharpscopeError(
                    "out of memory with one trial at a time; use a device with more memory or --device cpu"
                ) from None
        batch_size = max(1, batch_size // 2)
        torch.cuda.empty_cache()
        notes.append(f"physical batch halved to {batch_size} for lack of memory")


def measure_set(
    detector: Detector,
    paths: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[np.ndarray],
    settings: Settings,
    *,
    journal: Journal | None = None,
    meter: Meter | None = None,
) -> SetMeasurement:
    """Score every trial of a set and take every measure on every group, in one pass.

    Trials that belong to a group are scored by the forward that the measures share; the others are scored
    alone. Finished groups are recorded in the journal and not run again.

    Args:
        detector: In eval mode, on its device. Its weights are restored whatever happens.
        paths: One audio file per trial.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        groups: Indices into the trials; see `make_groups`.
        settings: How to measure.
        journal: Progress of an earlier, interrupted run.
        meter: Advanced by one per trial.

    Returns:
        Logits per trial and values per group.

    Raises:
        SharpscopeError: If a file cannot be decoded, the detector does not repeat itself, or a value is not
            finite.
    """
    if not groups:
        raise SharpscopeError("the set has no group to measure")
    notes: list[str] = []
    with exact_arithmetic():
        found = _first_look(detector, paths, labels, groups, settings)
        if not found.shared_baseline:
            notes.append("L(w) evaluated separately: kernels with and without a graph differ")
        work = [*groups, *_leftover(len(labels), groups, found.batch_size)]
        rule = None if settings.tolerance is None else StoppingRule(len(groups), settings.tolerance)
        columns: Columns = {}
        done: list[dict[str, Any]] = []
        with found.live.guarded():
            for entry in _entries(
                detector, found, paths, labels, work, len(groups), settings, journal, notes
            ):
                done.append(entry)
                if meter is not None:
                    meter.advance(len(entry["logits"]))
                for name, rho, value in entry["values"]:
                    columns.setdefault((name, rho), []).append(value)
                if rule is not None and len(done) <= len(groups) and rule.enough(columns):
                    break
    logits = np.full((len(labels), 2), np.nan)
    for trials, entry in zip(work, done, strict=False):
        logits[trials] = entry["logits"]
    sizes = [len(group) for group in groups[: len(done)]]
    if len(sizes) < len(groups):
        notes.append(
            f"stopped after {len(sizes)} of {len(groups)} groups at a tolerance of {settings.tolerance}"
        )
    return SetMeasurement(logits, columns, sizes, len(groups), found.noise_floor, tuple(notes))


def _loading(detector: Detector, settings: Settings) -> dict[str, Any]:
    spec = detector.spec
    return {"sample_rate": settings.sample_rate, "n_samples": spec.n_samples, "padding": spec.padding}


def _first_look(
    detector: Detector,
    paths: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[np.ndarray],
    settings: Settings,
) -> Probe:
    """Probe a detector with a trial of each class from the first group (of one, when it has only one)."""
    group = groups[0]
    trials = np.concatenate([group[labels[group] == label][:1] for label in (1, 0)])
    waves = next(load_groups(paths, [trials], **_loading(detector, settings)))
    waves = waves.to(detector.device, detector.dtype)  # (B, T)
    m = max(len(group) for group in groups)
    return probe(
        detector, waves, torch.as_tensor(labels[trials], device=waves.device), m, settings.batch_size
    )


def _entries(
    detector: Detector,
    found: Probe,
    paths: Sequence[str],
    labels: np.ndarray,
    work: Sequence[np.ndarray],
    n_groups: int,
    settings: Settings,
    journal: Journal | None,
    notes: list[str],
) -> Iterator[dict[str, Any]]:
    """Yield what was measured for each piece of work, in order: from the journal where it is there."""
    finished = dict(journal.finished) if journal else {}
    todo = [index for index in range(len(work)) if str(index) not in finished]
    stream = load_groups(
        paths,
        [work[index] for index in todo],
        workers=settings.workers,
        pin_memory=detector.device.type == "cuda",
        **_loading(detector, settings),
    )
    batch_size = found.batch_size
    for index, trials in enumerate(work):
        if str(index) in finished:
            yield finished[str(index)]
            continue
        waves = next(stream).to(detector.device, detector.dtype, non_blocking=True)  # (m, T)
        run = _group_runner(detector, found, waves, labels[trials], settings, index < n_groups)
        entry, batch_size = _in_memory(run, batch_size, notes)
        if journal is not None:
            journal.record(str(index), entry)
        yield entry


def _group_runner(
    detector: Detector, found: Probe, waves: Tensor, labels: np.ndarray, settings: Settings, measured: bool
) -> Callable[[int], dict[str, Any]]:
    """Return a function of the physical batch that measures, or only scores, the trials of one group."""
    objectives = list(dict.fromkeys(o for name in settings.measures for o in MEASURES[name].objectives))

    def run(batch_size: int) -> dict[str, Any]:
        weights = trial_weights(labels, settings.class_weights)
        group = Group(
            detector.score,
            found.live,
            detector.prepare(waves, batch_size),
            torch.as_tensor(labels, device=waves.device),
            torch.as_tensor(weights, device=waves.device),
            batch_size=batch_size,
            objectives=objectives if measured else (),
            shared_baseline=found.shared_baseline,
            seed=settings.seed,
        )
        values: list[list[Any]] = []
        for name in settings.measures if measured else ():
            radii = settings.radii if MEASURES[name].radius else ()
            for rho, value in MEASURES[name].function(group, radii).items():
                if not np.isfinite(value):
                    raise SharpscopeError(f"{name} is {value} on a group")
                values.append([name, rho, value])
        return {"logits": group.logits.tolist(), "values": values}

    return run
