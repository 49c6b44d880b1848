"""Checkpoints x sets -> rows of the results table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock

import sharpscope
from sharpscope.allocation import keep_freed_memory
from sharpscope.corpora import read_set
from sharpscope.detectors import Detector, load_detector
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.journal import Journal
from sharpscope.measures import MEASURES, select_measures
from sharpscope.presets import Preset, get_preset
from sharpscope.progress import Meter, progress
from sharpscope.records import checkpoint_folder, record_name, write_group_values, write_scores
from sharpscope.results import append_results, key_of, measured_keys
from sharpscope.rows import group_rows, measurement_rows, shared_cells
from sharpscope.set_measurement import Settings, identity_of, measure_set
from sharpscope.tasks import Task, make_task, plan_line


class MeasureReport(NamedTuple):
    """What a call of `measure` did.

    Attributes:
        out: The results file.
        rows: Rows written.
        skipped: Rows that were there already.
        failures: One line per checkpoint or set that could not be measured.
        plan: One line per checkpoint and set: what is measured and what it costs.
    """

    out: Path
    rows: int
    skipped: int
    failures: tuple[str, ...]
    plan: tuple[str, ...]


def measure(
    checkpoints: Sequence[str | Path],
    sets: Sequence[str],
    *,
    data: str | Path | None = None,
    out: str | Path = "results.csv",
    preset: str = "rigorous",
    measures: Sequence[str] | None = None,
    rho: Sequence[float] | None = None,
    m: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    limit: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    arch: str | None = None,
    model: str | None = None,
    model_args: dict[str, Any] | None = None,
    bonafide_index: int | None = None,
    recipe: str | None = None,
    trained_on: Sequence[str] = (),
    device: str = "auto",
    dtype: str = "float32",
    allow_pickle: bool = False,
    skip_missing: bool = False,
    workers: int = 0,
    force: bool = False,
    dry_run: bool = False,
    show_progress: bool = True,
) -> MeasureReport:
    """Measure detectors on sets and add one row per checkpoint, set, measure and radius to a table.

    Every measure shares one forward and backward per group with the scoring. What is in the table already
    is skipped; what was half finished goes on at the next group. A checkpoint or set that fails is reported
    at the end, after the others.

    Args:
        checkpoints: Files to measure.
        sets: Registered keys, ``name=DIR`` or ``name=protocol.csv``.
        data: Folder that holds the corpora; None takes the variable SHARPSCOPE_DATA.
        out: The results file; scores and per-group values go beside it.
        preset: "rigorous" or "huang2025".
        measures: Names and families; None takes the preset's.
        rho: Radii; None takes the preset's.
        m: Trials in a group, or several for an m-curve; None takes the preset's.
        batch_size: Physical batch; None fits it to memory.
        limit: Trials per set, drawn class-balanced.
        tolerance: Stop a set once every measure's 95 % interval has a relative half-width of this; the error
            rate is then of the trials scored so far.
        seed: Of the draw of trials and groups, and of random directions.
        arch: Architecture, where the file does not tell.
        model: ``package.module:factory`` or ``file.py:Class``.
        model_args: Arguments of the model.
        bonafide_index: Which output is bona fide, where it is not the architecture's usual one.
        recipe: How the checkpoints were trained; None takes the file's record.
        trained_on: Sets that the checkpoints were trained on; they count as in-domain.
        device: "auto", "cpu" or "cuda:N".
        dtype: "float32" or "float64".
        allow_pickle: Load files that run code.
        skip_missing: Go on without trials whose audio is missing, and count them.
        workers: Processes that decode audio.
        force: Measure again what is in the table.
        dry_run: Return the plan and run nothing.
        show_progress: Show a bar or lines on standard error.

    Returns:
        What was done.

    Raises:
        UsageError: If an option, a set or the only checkpoint is bad; nothing is measured then.
    """
    chosen = get_preset(preset)
    names = tuple(select_measures(measures or chosen.measures))
    radii = tuple(dict.fromkeys(rho or chosen.rho))
    if bad := [r for r in radii if not (r > 0 and np.isfinite(r))]:
        raise UsageError(f"rho is {bad[0]}; a radius is a positive number")
    if limit is not None and limit < 2:
        raise UsageError(f"--limit is {limit}; a set needs a trial of each class, so 2 or more")
    if tolerance is not None and not 0 < tolerance < 1:
        raise UsageError(f"--tolerance is {tolerance}; it is a fraction of the value, such as 0.02")
    if batch_size is not None and batch_size < 1:
        raise UsageError(f"--batch-size is {batch_size}; it is at least 1")
    sizes = (m,) if isinstance(m, int) else tuple(m or (chosen.m,))
    label = preset if seed == 0 else f"{preset}+seed={seed}"
    tasks = [
        make_task(
            read_set(spec, data=data, skip_missing=skip_missing, preset=preset),
            chosen,
            size,
            limit,
            seed,
            label,
        )
        for spec in sets
        for size in sizes
    ]
    plan = tuple(plan_line(path, task, names, radii) for path in checkpoints for task in tasks)
    if dry_run:
        return MeasureReport(Path(out), 0, 0, (), plan)
    settings = Settings(names, radii, chosen.class_weights, None, batch_size, seed, workers, tolerance)
    facts = {"recipe": recipe, "trained_on": tuple(trained_on)}
    opened: dict[str, Any] = {
        "arch": arch,
        "model": model,
        "model_args": model_args,
        "bonafide_index": bonafide_index,
        "allow_pickle": allow_pickle,
        "device": _device(device),
        "dtype": dtype,
    }
    keep_freed_memory()
    run = _Run(Path(out), chosen, settings, facts, force)
    problems: list[tuple[str, SharpscopeError]] = []
    total = len(checkpoints) * sum(len(task.labels) for task in tasks)
    with progress(total, show=show_progress) as meter:
        for path in checkpoints:
            try:
                detector = load_detector(path, **opened)
            except SharpscopeError as error:
                problems.append((str(path), error))
                meter.advance(sum(len(task.labels) for task in tasks))
                continue
            problems += list(run.checkpoint(detector, tasks, meter))
    if not run.rows and not run.skipped:
        _raise_for(problems)
    failures = tuple(f"{where}: {error}" for where, error in problems)
    return MeasureReport(Path(out), run.rows, run.skipped, failures, plan)


def _raise_for(problems: Sequence[tuple[str, SharpscopeError]]) -> None:
    """Raise where nothing at all could be measured: the only problem as it is, several bad files as misuse."""
    if len(problems) == 1:
        raise problems[0][1]
    if problems and all(isinstance(error, UsageError) for _, error in problems):
        raise UsageError("; ".join(str(error) for _, error in problems))


def _device(name: str) -> str:
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"device '{name}' is not auto, cpu or cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device '{name}' was asked for and torch finds no GPU; use --device cpu")
    return name


class _Run:
    """The state of one call: where rows go, and how many were written or found."""

    def __init__(
        self, out: Path, preset: Preset, settings: Settings, facts: dict[str, Any], force: bool
    ) -> None:
        self.out = out
        self.preset = preset
        self.settings = settings
        self.facts = facts
        self.force = force
        self.rows = 0
        self.skipped = 0

    def checkpoint(
        self, detector: Detector, tasks: Sequence[Task], meter: Meter
    ) -> Iterator[tuple[str, SharpscopeError]]:
        """Measure one detector on every set; yield what failed."""
        for task in tasks:
            where = f"{detector.checkpoint_path.name} on {task.trials.name}"
            meter.describe(where)
            before = meter.done
            try:
                self._set(detector, task, meter)
            except SharpscopeError as error:
                yield where, error
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
                # The network is the user's: whatever it raises is about their file, not about this program.
                yield where, SharpscopeError(f"the detector failed ({type(error).__name__}: {error})")
            meter.advance(len(task.labels) - (meter.done - before))

    def _set(self, detector: Detector, task: Task, meter: Meter) -> None:
        name = detector.checkpoint_path.stem
        folder = checkpoint_folder(name, detector.sha256)
        stem = record_name(task.trials.name, task.trials.subset)
        groups_file = self.out.parent / "groups" / folder / f"{stem}.csv"
        groups_file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{groups_file}.run.lock"):
            template = shared_cells(detector, task, self.preset, **self.facts)
            wanted = [{**template, "measure": n, "rho": r} for n, r in self._keys()]
            known = set() if self.force else measured_keys(self.out)
            missing = [row for row in wanted if key_of(row) not in known]
            self.skipped += len(wanted) - len(missing)
            if not missing:
                return
            names = tuple(dict.fromkeys(row["measure"] for row in missing))
            settings = self.settings._replace(
                measures=names,
                sample_rate=detector.spec.sample_rate if self.preset.resample else None,
            )
            facts = (
                detector.sha256,
                detector.spec.hash(),
                task.hash,
                task.preset,
                str(task.m),
                template["dtype"],
            )
            journal = Journal(
                groups_file.with_name(f"{stem}.{task.preset}.m{task.m}.journal"),
                identity_of(settings, *facts, template["device"], sharpscope.__version__),
            )
            measured = measure_set(
                detector,
                task.trials.table["path"].tolist(),
                task.labels,
                task.groups,
                settings,
                journal=journal,
                meter=meter,
            )
            rows = measurement_rows(detector, task, measured, missing, self.preset)
            scores_file = self.out.parent / "scores" / folder / f"{stem}.txt"
            scored = measured.scored
            names_of_trials = task.trials.table["trial"][scored].tolist()
            write_scores(scores_file, names_of_trials, task.labels[scored], measured.logits[scored])
            write_group_values(groups_file, group_rows(task, measured))
            append_results(self.out, rows, force=self.force)
            self.rows += len(rows)
            journal.discard()

    def _keys(self) -> list[tuple[str, float | None]]:
        keys: list[tuple[str, float | None]] = []
        for name in self.settings.measures:
            keys += [(name, r) for r in self.settings.radii] if MEASURES[name].radius else [(name, None)]
        return keys
