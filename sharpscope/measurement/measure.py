"""Checkpoints x sets -> rows of the results table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from sharpscope.corpora import read_set
from sharpscope.corpora.seen import Audit
from sharpscope.detectors import load_detector
from sharpscope.devices import Share, gather, keep_freed_memory, this_share
from sharpscope.errors import UsageError
from sharpscope.measurement.measure_run import Job, Problem, Run
from sharpscope.measurement.presets import get_preset
from sharpscope.measurement.rows import Facts
from sharpscope.measurement.set_measurement import Settings
from sharpscope.measurement.tasks import Design
from sharpscope.measures import select_measures
from sharpscope.progress import progress


class MeasureReport(NamedTuple):
    """What a call of `measure` did.

    Attributes:
        out: The results file.
        rows: Rows written.
        skipped: Rows that were there already.
        failures: One line per checkpoint or set that could not be measured.
        plan: With ``dry_run``, one line per checkpoint and set: what is measured and what it costs.
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
    selected_on: Sequence[str] = (),
    leaks: str = "ids",
    anchor: str | None = None,
    by: str | None = None,
    grow: str | None = None,
    orders: int = 5,
    per_class: int | None = None,
    device: str = "auto",
    dtype: str = "float32",
    fast: bool = False,
    allow_pickle: bool = False,
    skip_missing: bool = False,
    workers: int = 0,
    cache: bool = True,
    force: bool = False,
    dry_run: bool = False,
    show_progress: bool = True,
    log_json: str | Path | None = None,
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
        selected_on: Sets on which their best epoch or setting was chosen.
        leaks: Trials under test that stand in the sets above: "ids" finds them by name within a corpus, "audio"
            by what is heard too, "exclude" leaves them out, "off" does not look.
        anchor: In-domain set; a checkpoint whose EER on it lies above chance is refused before it is measured.
        by: Measure every attack, codec, language or speaker as a set of its own.
        grow: Measure more and more attacks, codecs, languages or speakers, class counts held fixed.
        orders: Random orders of growth.
        per_class: Trials of each class in every step of growth; None takes as many as all have.
        device: "auto", "cpu" or "cuda:N".
        dtype: "float32" or "float64".
        fast: Take gradients, and so directions, in bfloat16; losses and their differences stay in float32. The rows
            say "+fast" behind their preset and are never compared with others.
        allow_pickle: Load files that run code.
        skip_missing: Go on without trials whose audio is missing, and count them.
        workers: Processes that decode audio.
        cache: Use decoded audio that is kept on disk, and keep it when several checkpoints are measured.
        force: Measure again what is in the table.
        dry_run: Return the plan and run nothing.
        show_progress: Show a bar or lines on standard error.
        log_json: File that gets a line of JSON on progress every 15 s.

    Returns:
        What was done.

    Raises:
        UsageError: If an option, a set or the only checkpoint is bad; nothing is measured then.
    """
    share = this_share()
    chosen = get_preset(preset)
    names = tuple(select_measures(measures or chosen.measures))
    radii = tuple(dict.fromkeys(rho or chosen.rho))
    _check(radii, limit, tolerance, batch_size)
    if fast and dtype != "float32":
        raise UsageError(f"--fast was given with --dtype {dtype}; directions in bfloat16 are for float32")
    job = Job(
        out=Path(out),
        preset=chosen,
        label=preset + (f"+seed={seed}" if seed else "") + ("+fast" if fast else ""),
        settings=Settings(
            names, radii, chosen.class_weights, None, batch_size, seed, workers, tolerance, fast
        ),
        sets=tuple(read_set(spec, data=data, skip_missing=skip_missing, preset=preset) for spec in sets),
        sizes=(m,) if isinstance(m, int) else tuple(m or (chosen.m,)),
        design=Design(by, grow, orders, per_class),
        limit=limit,
        anchor=None if anchor is None else read_set(anchor, data=data, skip_missing=True, preset=preset),
        facts=Facts(recipe, tuple(trained_on), tuple(selected_on)),
        force=force,
        cache=cache,
        keep=len(checkpoints) > 1,
        share=share,
    )
    run = Run(job, Audit(leaks, data, preset))
    tasks = run.tasks()
    opened: dict[str, Any] = {
        "arch": arch,
        "model": model,
        "model_args": model_args,
        "bonafide_index": bonafide_index,
        "allow_pickle": allow_pickle,
        "device": _device(device, share),
        "dtype": dtype,
    }
    keep_freed_memory()
    if dry_run:
        plan = tuple(line for path in checkpoints for line in run.plan(load_detector(path, **opened)))
        return MeasureReport(job.out, 0, 0, (), plan)
    problems: list[Problem] = []
    each = sum(run.trials_of(task) for task in tasks)
    log = None if log_json is None else Path(log_json)
    if log is not None and not share.alone:
        log = log.with_name(f"{log.name}.{share.rank}")
    with progress(len(checkpoints) * each, show=show_progress and share.rank == 0, log=log) as meter:
        if opened["device"] != "cpu":
            meter.memory = torch.cuda.memory_allocated
        for path in checkpoints:
            try:
                detector = load_detector(path, **opened)
                problems.extend(run.checkpoint(detector, meter))
            except UsageError as error:
                problems.append(Problem(str(path), error))
                meter.advance(each)
    return _joined(run, problems)


def _check(
    radii: Sequence[float], limit: int | None, tolerance: float | None, batch_size: int | None
) -> None:
    if bad := [r for r in radii if not (r > 0 and np.isfinite(r))]:
        raise UsageError(f"rho is {bad[0]}; a radius is a positive number")
    if limit is not None and limit < 2:
        raise UsageError(f"--limit is {limit}; a set needs a trial of each class, so 2 or more")
    if tolerance is not None and not 0 < tolerance < 1:
        raise UsageError(f"--tolerance is {tolerance}; it is a fraction of the value, such as 0.02")
    if batch_size is not None and batch_size < 1:
        raise UsageError(f"--batch-size is {batch_size}; it is at least 1")


def _joined(run: Run, problems: list[Problem]) -> MeasureReport:
    """Put together what every process did; the first one answers for all."""
    everyone = gather(run.job.share, (run.rows, run.skipped, problems))
    if everyone is None:
        return MeasureReport(run.job.out, run.rows, run.skipped, (), ())
    rows, skipped = (sum(part[i] for part in everyone) for i in (0, 1))
    problems = list({str(p): p for part in everyone for p in part[2]}.values())
    if not rows and not skipped:
        _raise_for(problems)
    return MeasureReport(
        run.job.out, rows, skipped, tuple(f"{problem.where}: {problem.error}" for problem in problems), ()
    )


def _raise_for(problems: Sequence[Problem]) -> None:
    """Raise where nothing at all could be measured: the only problem as it is, several bad files as misuse."""
    if len(problems) == 1:
        raise problems[0].error
    if problems and all(isinstance(problem.error, UsageError) for problem in problems):
        raise UsageError("; ".join(str(problem.error) for problem in problems))


def _device(name: str, share: Share) -> str:
    if name == "auto":
        # One GPU for each process of a machine, as torchrun counts them.
        return f"cuda:{share.local % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"device '{name}' is not auto, cpu or cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device '{name}' was asked for and torch finds no GPU; use --device cpu")
    return name
