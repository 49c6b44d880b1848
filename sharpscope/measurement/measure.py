"""Checkpoints x sets -> rows of the results table: one straight line from the file to its rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sharpscope.corpora.in_memory import read_sets
from sharpscope.corpora.seen import SeenTrials
from sharpscope.corpora.unlabelled import read_unlabelled_sets
from sharpscope.detectors import Detector
from sharpscope.detectors.naming import distinct_names, settle_name
from sharpscope.detectors.opening import open_detector
from sharpscope.devices import choose_device, gather, keep_freed_memory, this_share
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.one_checkpoint import Problem, Run, measure_checkpoint, never_written
from sharpscope.measurement.options import Design, Facts, checked_options
from sharpscope.measurement.outcome import Measurement
from sharpscope.measurement.plan import Plan
from sharpscope.measurement.polarity import check_polarity, read_anchor
from sharpscope.measurement.sets import Draws
from sharpscope.progress import progress
from sharpscope.results.diary import Diary
from sharpscope.results.store import Store


def measure(
    detectors: str | Path | nn.Module | Detector | Sequence[str | Path | nn.Module | Detector],
    sets: str | Sequence[str] | Mapping[str, Any],
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    preset: str = "rigorous",
    measures: Sequence[str] | None = None,
    rho: Sequence[float] | None = None,
    m: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    limit: int | None = None,
    groups: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    arch: str | None = None,
    model: str | None = None,
    model_args: dict[str, Any] | None = None,
    weights: str | None = None,
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
    direction: str = "fp32",
    fast: bool = False,
    allow_pickle: bool = False,
    skip_missing: bool = False,
    unlabelled: bool = False,
    workers: int = 1,
    cache: bool = True,
    force: bool = False,
    dry_run: bool = False,
    show_progress: bool = True,
    log_json: str | Path | None = None,
) -> Measurement:
    """Measure detectors on sets: one row per checkpoint, set, measure and radius.

    Every measure shares one forward and backward per group with the scoring. What is in the table already
    is skipped; what was half finished goes on at the next group. A checkpoint or set that fails is reported
    at the end, after the others.

    Args:
        detectors: Files, networks in memory, or what `load_detector` returns; one of them or several.
        sets: Registered keys, ``name=DIR`` or ``name=protocol.csv``; or a mapping of names to sources: such a text,
            ``(waves, labels)`` with label 1 for bona fide and, as a third, the rate in Hz, a DataFrame of paths and
            labels, a torch ``Dataset`` or a Hugging Face dataset.
        data: Folder that holds the corpora; None takes the variable SHARPSCOPE_DATA.
        out: The results file, with scores and per-group values beside it; None keeps everything in memory.
        preset: "rigorous" or "huang2025".
        measures: Names and families; None takes the preset's.
        rho: Radii; None takes the preset's.
        m: Trials in a group, or several for an m-curve; None takes the preset's.
        batch_size: Physical batch; None fits it to memory.
        limit: Trials per set, drawn class-balanced.
        groups: Groups measured of a set, a seeded random sample; the error rate rests on every trial all the same.
        tolerance: Measure no further group of a set once every measure's 95 % interval has a relative half-width of
            this; the error rate rests on every trial all the same.
        seed: Of the draw of trials and groups, and of random directions.
        arch: Architecture, where the file does not tell.
        model: ``package.module:factory`` or ``file.py:Class``.
        model_args: Arguments of the model.
        weights: Key of the weights to take, where a file holds several.
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
        direction: How gradients, and so directions, are taken: "fp32", "tf32" (a GPU's products with factors of 10
            bits) or "bf16" (bfloat16); losses and their differences stay in float32. The rows say "+tf32" or "+fast"
            behind their preset and are never compared with others.
        fast: The same as ``direction="bf16"``.
        allow_pickle: Load files that run code.
        skip_missing: Go on without trials whose audio is missing, and count them.
        unlabelled: The sets are folders of audio without labels, ``name=FOLDER``: label-free measures and scores are
            taken, and the error rate stays blank until `forecast` says what it may be.
        workers: Processes that decode audio; 0 decodes in this one.
        cache: Use decoded audio that is kept on disk, and keep it when several checkpoints are measured.
        force: Measure again what is in the table.
        dry_run: Return the plan and run nothing.
        show_progress: Show a bar or lines on standard error.
        log_json: File that gets a line of JSON on progress every 15 s.

    Returns:
        The table, its records, and what could not be measured.

    Raises:
        UsageError: If an option, a set or the only checkpoint is bad; nothing is measured then.
        SharpscopeError: If nothing at all could be measured.
    """
    share = this_share()
    several = [detectors] if isinstance(detectors, str | Path | nn.Module | Detector) else list(detectors)
    if not several:
        raise UsageError("no detector was given; name a checkpoint file, or pass a network")
    options = checked_options(
        preset=preset,
        measures=measures,
        rho=rho,
        m=m,
        batch_size=batch_size,
        limit=limit,
        groups=groups,
        tolerance=tolerance,
        seed=seed,
        dtype=dtype,
        direction=direction,
        fast=fast,
        design=Design(by, grow, orders, per_class),
        facts=Facts(recipe, tuple(trained_on), tuple(selected_on)),
        workers=workers,
        cache=cache,
        keep=len(several) > 1,
        force=force,
        unlabelled=unlabelled,
    )
    store = Store(None if out is None else Path(out), force=force)
    if out is None and not share.alone:
        raise UsageError("several processes (torchrun) need a results file to meet in; give --out")
    chosen = choose_device(device, share)
    if options.direction == "tf32" and chosen == "cpu":
        raise UsageError("--direction tf32 was given without a GPU, where there is no TF32; leave it out")
    draws = Draws(
        read_unlabelled_sets(sets)
        if unlabelled
        else read_sets(sets, data=data, skip_missing=skip_missing, preset=preset),
        options,
        SeenTrials(leaks, data, preset),
    )
    in_domain = read_anchor(anchor, data, preset)
    names = distinct_names(several)
    opening: dict[str, Any] = {
        "arch": arch,
        "model": model,
        "model_args": model_args,
        "weights": weights,
        "bonafide_index": bonafide_index,
        "allow_pickle": allow_pickle,
        "device": chosen,
        "dtype": dtype,
    }
    keep_freed_memory()
    each = sum(-(-len(draw.labels) // share.world) for draw in draws.of())
    # A share of a run cannot tell how much of the whole is left.
    asked = len(several) * sum(len(draw.labels) for draw in draws.of()) if share.alone else 0
    if not dry_run:
        store.make_room()
    diary = Diary(None if dry_run else store.path, len(several), len(draws.of()), asked)
    run = Run(options, store, share, diary)
    log = None if log_json is None else Path(log_json)
    if log is not None and not share.alone:
        log = log.with_name(f"{log.name}.{share.rank}")
    shown = show_progress and share.rank == 0
    plan = Plan(options, store, share) if dry_run else None
    unit = "checkpoints" if plan else "trials"
    with (
        diary,
        progress(len(several) * (1 if plan else each), unit, show=shown, log=log) as meter,
    ):
        if chosen != "cpu":
            meter.memory = torch.cuda.memory_allocated
        for given, name in zip(several, names, strict=True):
            where = name or str(given)
            meter.describe(where)
            try:
                start = time.perf_counter()
                detector = settle_name(open_detector(given, name, **opening), store.names())
                diary.opened(where)
                if plan is not None:
                    plan.add(detector, draws.of(detector.seen), time.perf_counter() - start)
                    meter.advance(1)
                    continue
                notes = check_polarity(detector, in_domain, options)
                run.problems.extend(measure_checkpoint(detector, draws.of(detector.seen), run, meter, notes))
            except UsageError as error:
                run.problems.append(Problem(where, error))
                diary.failed(where, str(error), asked // len(several))
                meter.skip(1 if plan else each)
    return _joined(run, plan)


def _joined(run: Run, plan: Plan | None) -> Measurement:
    """Put together what every process did; the first one answers for all."""
    if plan is not None:
        return Measurement(
            run.store, 0, 0, tuple(str(p.error) for p in run.problems), plan.lines(), plan.rows()
        )
    everyone = gather(run.share, (run.rows, run.skipped, run.problems, run.unwritten))
    if everyone is None:
        return Measurement(run.store, run.rows, run.skipped, (), ())
    rows, skipped = (sum(part[i] for part in everyone) for i in (0, 1))
    unwritten = [left for part in everyone for left in part[3]]
    found = [*(p for part in everyone for p in part[2]), *never_written(run.store, unwritten)]
    problems = list({str(p): p for p in found}.values())
    if not rows and not skipped:
        _raise_for(problems)
    failures = tuple(problem.line for problem in problems)
    return Measurement(run.store, rows, skipped, failures, ())


def _raise_for(problems: Sequence[Problem]) -> None:
    """Raise where nothing at all could be measured: the only problem as it is, several bad files as misuse."""
    if len(problems) == 1:
        raise problems[0].error
    if problems and all(isinstance(problem.error, UsageError) for problem in problems):
        raise UsageError("; ".join(str(problem.error) for problem in problems))
    if not problems:
        raise SharpscopeError(
            "no row was written and none was there: other processes hold the rest of the work, or their journals are "
            "not visible here yet. Run the same command again, with one process"
        )
