"""One detector on one set: scores for every trial, measures for every group."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sharpscope.audio.batches import load_groups
from sharpscope.audio.cache import WaveCache
from sharpscope.detectors import Detector
from sharpscope.devices import ALONE, Share
from sharpscope.errors import SharpscopeError
from sharpscope.measurement.first_look import Probe, probe
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.presets import trial_weights
from sharpscope.measurement.stopping import StoppingRule
from sharpscope.measurement.tasks import leftover
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import block_of
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.progress import Meter
from sharpscope.results.table import measure_and_block

Key = tuple[str, float | None]
Columns = dict[Key, list[float]]


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
    fast: bool = False


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


def value_keys(measures: Iterable[str], radii: Sequence[float], blocks: Sequence[str] = ()) -> list[Key]:
    """Return what is measured on a group, in order: each measure, once per radius or block where it has one.

    Args:
        measures: Names of registered measures.
        radii: rho.
        blocks: Blocks of the network; see `block_names`.

    Returns:
        Pairs of measure and radius.

    Example:
        >>> value_keys(["sam", "loss", "sam_layers"], [0.05, 0.01], ["out"])
        [('sam', 0.05), ('sam', 0.01), ('loss', None), ('sam_layers[out]', None)]
    """
    keys: list[Key] = []
    for name in measures:
        if MEASURES[name].blocks:
            keys += [(f"{name}[{block}]", None) for block in blocks]
        else:
            keys += [(name, rho) for rho in radii] if MEASURES[name].radius else [(name, None)]
    return keys


def block_names(module: nn.Module) -> list[str]:
    """Return the blocks of a network that have parameters, in its order.

    Args:
        module: The network.

    Returns:
        Names; see `sharpscope.measures.parameters.block_of`.
    """
    return list(dict.fromkeys(block_of(name) for name, _ in module.named_parameters()))


def identity_of(settings: Settings, *facts: str) -> str:
    """Return what makes a half-finished measurement the same one as before: all but the loading workers.

    Args:
        settings: How the set is measured.
        facts: Whatever else must be equal (hashes of the checkpoint, its conventions and the trials, device).

    Returns:
        A text for `Journal`.
    """
    return json.dumps([settings._replace(workers=0), *facts])


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
    run = SetRun(detector, paths, labels, groups, settings, journal=journal)
    run.work(meter=meter)
    measured = run.result()
    assert measured is not None
    return measured


class SetRun:
    """One detector on one set, piece by piece, by one process or several.

    Args:
        detector: In eval mode, on its device.
        paths: One audio file per trial.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        groups: Indices into the trials.
        settings: How to measure.
        rest: Chunks of the trials in no group; None cuts them.
        journal: What is finished, on disk.
        first_look: What an earlier set found out about this detector with groups as large and trials as long.
        cache: Decoded audio of this set.

    Attributes:
        found: The first look, to pass on.

    Raises:
        SharpscopeError: If there is no group, or the detector fails a check of `probe`.
    """

    def __init__(
        self,
        detector: Detector,
        paths: Sequence[str],
        labels: np.ndarray,
        groups: Sequence[np.ndarray],
        settings: Settings,
        *,
        rest: Sequence[np.ndarray] | None = None,
        journal: Journal | None = None,
        first_look: Probe | None = None,
        cache: WaveCache | None = None,
    ) -> None:
        if not groups:
            raise SharpscopeError("the set has no group to measure")
        self.detector = detector
        self.paths = paths
        self.labels = labels
        self.groups = groups
        self.settings = settings
        self.journal = journal or Journal()
        self.cache = cache
        self.pieces = [*groups, *(leftover(len(labels), groups) if rest is None else rest)]
        self.blocks = block_names(detector.module)
        self.keys = value_keys(settings.measures, settings.radii, self.blocks)
        self.objectives = list(
            dict.fromkeys(o for name in settings.measures for o in MEASURES[name].objectives)
        )
        self.found = first_look or self._first_look()
        self.batch_size = self.found.batch_size
        self._stopped: int | None = None

    def _load(self, pieces: Sequence[np.ndarray], workers: int = 0) -> Iterable[Tensor]:
        spec = self.detector.spec
        return load_groups(
            self.paths,
            pieces,
            workers=workers,
            pin_memory=self.detector.device.type == "cuda",
            sample_rate=self.settings.sample_rate,
            n_samples=spec.n_samples,
            padding=spec.padding,
            cache=self.cache,
        )

    def waves(self, trials: np.ndarray) -> Tensor:
        """Return some trials, where the detector wants them.

        Args:
            trials: Indices.

        Returns:
            Shape (B, T).
        """
        return next(iter(self._load([trials]))).to(self.detector.device, self.detector.dtype)

    def _first_look(self) -> Probe:
        """Check and probe with a trial of each class from the first group (of one, when it has only one)."""
        group = self.groups[0]
        trials = np.concatenate([group[self.labels[group] == label][:1] for label in (1, 0)])
        waves = self.waves(trials)  # (B, T)
        labels = torch.as_tensor(self.labels[trials], device=waves.device)
        m = max(len(group) for group in self.groups)
        with exact_arithmetic():
            return probe(self.detector, waves, labels, m, self.settings.batch_size)

    def work(self, share: Share = ALONE, offset: int = 0, meter: Meter | None = None) -> None:
        """Measure the pieces that this process owns and that nobody has finished.

        Args:
            share: This process.
            offset: Added to the number of a piece before asking who owns it, so that small sets spread.
            meter: Advanced by one per trial.

        Raises:
            SharpscopeError: If a file cannot be decoded or a value is not finite.
        """
        mine = [index for index in range(len(self.pieces)) if share.owns(index + offset)]
        finished = self.journal.finished
        todo = [index for index in mine if str(index) not in finished]
        stream = iter(self._load([self.pieces[index] for index in todo], self.settings.workers))
        tolerance = self.settings.tolerance
        rule = None if tolerance is None else StoppingRule(len(self.groups), tolerance)
        # What share a block has needs no precision of its own beside what is measured.
        judged = [key for key in self.keys if not measure_and_block(key[0])[1]] or self.keys
        columns: Columns = {key: [] for key in judged}
        meter = meter or Meter(0, "trials", None, quiet=True)
        with exact_arithmetic(), self.found.live.guarded():
            for done, index in enumerate(mine, start=1):
                if str(index) not in finished:
                    with meter.waiting():
                        waves = next(stream)
                    self._measure(index, waves)
                meter.advance(len(self.pieces[index]))
                if rule is not None and index < len(self.groups):
                    for key, value in zip(self.keys, _floats(finished[str(index)]["values"]), strict=True):
                        if key in columns:
                            columns[key].append(float(value))
                    if rule.enough(columns):
                        self._stopped = done
                        break

    def _measure(self, index: int, waves: Tensor) -> None:
        """Measure, or only score, one piece and record it."""
        waves = waves.to(self.detector.device, self.detector.dtype, non_blocking=True)  # (m, T)
        notes: list[str] = []
        run = self._runner(waves, self.labels[self.pieces[index]], index < len(self.groups))
        (logits, values), self.batch_size = _in_memory(run, self.batch_size, notes)
        entry = {"logits": _text(logits), "values": _text(values)}
        self.journal.record(str(index), {**entry, "notes": notes} if notes else entry)

    def _runner(
        self, waves: Tensor, labels: np.ndarray, measured: bool
    ) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
        """Return a function of the physical batch that gives logits (m, 2) and values in order of the keys."""

        def run(batch_size: int) -> tuple[np.ndarray, np.ndarray]:
            group = Group(
                self.detector.score,
                self.found.live,
                self.detector.prepare(waves, batch_size),
                torch.as_tensor(labels, device=waves.device),
                torch.as_tensor(trial_weights(labels, self.settings.class_weights), device=waves.device),
                batch_size=batch_size,
                objectives=self.objectives if measured else (),
                shared_baseline=self.found.shared_baseline,
                seed=self.settings.seed,
                own_loss=self.detector.own_loss,
                fast=self.settings.fast,
            )
            values: list[float] = []
            for name in self.settings.measures if measured else ():
                radii = self.settings.radii if MEASURES[name].radius else ()
                found = MEASURES[name].function(group, radii)
                for key, rho in value_keys([name], radii, self.blocks):
                    block = measure_and_block(key)[1]
                    value = found.get(block, 0.0) if block else found[rho]  # a dead block takes no step
                    if not np.isfinite(value):
                        raise SharpscopeError(f"{key} is {value} on a group")
                    values.append(float(value))
            return group.logits.cpu().numpy(), np.array(values)

        return run

    def result(self) -> SetMeasurement | None:
        """Put together what all processes have finished.

        Returns:
            Logits per trial and values per group; None while pieces are missing.
        """
        last = len(self.pieces) if self._stopped is None else self._stopped
        finished = self.journal.finished
        if any(str(index) not in finished for index in range(last)):
            return None
        notes = (
            ["direction in bfloat16 (--fast)"]
            if self.settings.fast
            else []
            if self.found.shared_baseline
            else ["L(w) evaluated separately: kernels with and without a graph differ"]
        )
        logits = np.full((len(self.labels), 2), np.nan)
        columns: Columns = {key: [] for key in self.keys}
        for index, trials in enumerate(self.pieces[:last]):
            entry = finished[str(index)]
            logits[trials] = _floats(entry["logits"]).reshape(-1, 2)
            notes += [note for note in entry.get("notes", []) if note not in notes]
            if index < len(self.groups):
                for key, value in zip(self.keys, _floats(entry["values"]), strict=True):
                    columns[key].append(float(value))
        sizes = [len(group) for group in self.groups[:last]]
        if len(sizes) < len(self.groups):
            notes.append(
                f"stopped after {len(sizes)} of {len(self.groups)} groups at a tolerance of {self.settings.tolerance}"
            )
        return SetMeasurement(logits, columns, sizes, len(self.groups), self.found.noise_floor, tuple(notes))


def _text(numbers: np.ndarray) -> str:
    """Float64 as text that gives every bit back and takes little room."""
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f8").tobytes()).decode("ascii")


def _floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f8")
