"""One checkpoint on every set: what is missing, one look, each piece into the journal, rows, and they are appended."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import torch

import sharpscope
from sharpscope.audio.cache import WaveCache, open_cache
from sharpscope.detectors import Detector
from sharpscope.devices import ALONE, Share
from sharpscope.errors import SharpscopeError
from sharpscope.measurement.first_look import (
    Look,
    first_look,
    fitted_batch,
    look_before_group,
    still_the_same,
)
from sharpscope.measurement.groups import GROUPING
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.one_set import OneSet, block_names, load_pieces, put_together, value_keys, work
from sharpscope.measurement.options import Options
from sharpscope.measurement.rows import group_rows, measurement_rows, score_rows, shared_cells
from sharpscope.measurement.sets import Draw
from sharpscope.progress import Meter
from sharpscope.results.diary import Diary
from sharpscope.results.records import Place
from sharpscope.results.store import Store
from sharpscope.results.table import measure_and_block


class Problem(NamedTuple):
    """What could not be measured, and why."""

    where: str
    error: SharpscopeError

    @property
    def line(self) -> str:
        """Where and why; a message that begins with where is not given it twice."""
        why = str(self.error)
        return why if why.startswith(self.where) else f"{self.where}: {why}"


class Run:
    """What one call has done so far.

    Args:
        options: How checkpoints are measured.
        store: Where rows go.
        share: This process.
        diary: Told what begins and what is done; None keeps none.

    Attributes:
        rows: Rows written.
        skipped: Rows that were there already.
        problems: What could not be measured.
        pieces: Pieces of work of the sets so far, which decide who owns the next.
        sets: Sets so far.
        unwritten: Rows that this process left to another one to write, with where they belong.
    """

    def __init__(self, options: Options, store: Store, share: Share, diary: Diary | None = None) -> None:
        self.options = options
        self.store = store
        self.share = share
        self.diary = diary or Diary(None)
        self.rows = self.skipped = self.pieces = self.sets = 0
        self.problems: list[Problem] = []
        self.unwritten: list[tuple[str, list[dict[str, Any]]]] = []

    def failed(self, where: str, draw: Draw, error: SharpscopeError) -> Problem:
        """Note in the diary that a checkpoint could not be measured on a set.

        Args:
            where: What they are called.
            draw: The set.
            error: Why.

        Returns:
            The problem, for the end of the call.
        """
        self.diary.failed(where, str(error), len(draw.labels))
        return Problem(where, error)


def never_written(store: Store, unwritten: Sequence[tuple[str, list[dict[str, Any]]]]) -> Iterator[Problem]:
    """Tell, when every process is done, what each of them has left to the others.

    Args:
        store: Where rows go.
        unwritten: What processes left, with where it belongs.

    Yields:
        One problem for each checkpoint and set without all of its rows.
    """
    for where, rows in dict(unwritten).items():
        if absent := store.absent(rows):
            yield Problem(
                where,
                SharpscopeError(
                    f"{len(absent)} of {len(rows)} rows were not written: every process has finished its part and none "
                    "saw the others' journals, as on a network disk that shows new files late. What was measured is "
                    "kept; give the same command again, with one process"
                ),
            )


def measure_checkpoint(
    detector: Detector, draws: Sequence[Draw], run: Run, meter: Meter, notes: Sequence[str] = ()
) -> Iterator[Problem]:
    """Measure one detector on every set, one after the other.

    Args:
        detector: The checkpoint.
        draws: The sets.
        run: Where rows go, and what the call has done.
        meter: Advanced by one per trial.
        notes: What is known of the detector.

    Yields:
        What failed.

    Raises:
        SharpscopeError: If the disk is full: nothing further could be kept.
    """
    look: Look | None = None
    for draw in draws:
        where = f"{detector.name} on {draw.name}"
        meter.describe(where, -(-len(draw.labels) // run.share.world))
        before = meter.done
        try:
            look = _measure_set(detector, draw, look, run, meter, notes)
        except SharpscopeError as error:
            yield run.failed(where, draw, error)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SharpscopeError(
                    f"{where}: no space left ({error}). What was finished is kept; make room and give the "
                    "same command again"
                ) from error
            yield run.failed(where, draw, SharpscopeError(f"{type(error).__name__}: {error}"))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            # The network is the user's: whatever its own loss raises is about their file, not about this program.
            failure = SharpscopeError(f"the detector failed ({type(error).__name__}: {error})")
            yield run.failed(where, draw, failure)
        meter.skip(-(-len(draw.labels) // run.share.world) - (meter.done - before))
        run.pieces += len(draw.pieces)
        run.sets += 1


def _measure_set(
    detector: Detector, draw: Draw, look: Look | None, run: Run, meter: Meter, notes: Sequence[str]
) -> Look | None:
    """Ask what is missing, look at the detector, measure the pieces, write the rows when all are there."""
    options, store, share = run.options, run.store, run.share
    place, wanted = rows_wanted(detector, draw, options)
    where = f"{detector.name} on {draw.name}"
    # With a tolerance one process must see every group of a set in order.
    whole = options.tolerance is not None
    with ExitStack() as held:
        if share.alone:
            held.enter_context(store.alone(place))
        missing = store.missing(wanted)
        run.skipped += len(wanted) - len(missing) if share.rank == 0 else 0
        if not missing:
            # A run that was killed after its rows were written could not take its journal away.
            open_journal(store, place, wanted, options).discard()
            run.diary.done(where, len(draw.labels))
            return look
        if whole and not share.owns(run.sets):
            return look
        run.diary.begins(where, place.file, len(draw.labels))
        cache = open_waves(detector, draw, options)
        look = look_at(detector, draw, options, look, cache)
        one = OneSet(look, draw, options, measures_of(missing), cache)
        journal = open_journal(store, place, missing, options)
        work(one, journal, share=ALONE if whole else share, offset=run.pieces, meter=meter)
        still_the_same(look)
        if not share.alone:
            # The last to finish writes; who finished before it has found something missing.
            held.enter_context(store.alone(place))
            missing = store.missing(wanted)
            journal.reload()
        measured = put_together(one, journal)
        if missing and measured is not None:
            rows = measurement_rows(one, measured, missing, notes)
            store.add(place, rows, score_rows(draw, measured), group_rows(measured))
            run.rows += len(rows)
            journal.discard()
        # Only who wrote the rows, or finds them written, knows that all are there.
        if measured is not None:
            run.diary.done(where, len(draw.labels))
        elif missing:
            run.unwritten.append((where, wanted))
    # What the first group showed holds for the next set.
    return look._replace(place=None)


def rows_wanted(detector: Detector, draw: Draw, options: Options) -> tuple[Place, list[dict[str, Any]]]:
    """Return what a checkpoint on a set is called, and the rows that measuring it gives, values still missing.

    Args:
        detector: The checkpoint.
        draw: The set.
        options: How it is measured.

    Returns:
        The place of its records, and one row per measure and radius.
    """
    cells = shared_cells(detector, draw, options)
    keys = value_keys(options.measures, options.radii, block_names(detector.module))
    return Place.of(cells), [{**cells, "measure": name, "rho": rho} for name, rho in keys]


def measures_of(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the registered measures that rows are of, in their order.

    Args:
        rows: With the column ``measure``.

    Returns:
        Names.
    """
    return tuple(dict.fromkeys(measure_and_block(row["measure"])[0] for row in rows))


def look_at(
    detector: Detector, draw: Draw, options: Options, known: Look | None, cache: WaveCache | None = None
) -> Look:
    """Look at a detector with a trial of each class; a look at trials as long holds for every set.

    Args:
        detector: The checkpoint.
        draw: The set.
        options: The physical batch asked for, and whether audio is resampled.
        known: An earlier look at the same detector.
        cache: Decoded audio of the set.

    Returns:
        The look, with the physical batch for groups of this size.
    """
    m = max(len(group) for group in draw.groups)
    if known is not None and detector.spec.n_samples is not None:
        fitted = fitted_batch(detector.module, known.saved_bytes, m, detector.device)
        return known._replace(batch_size=options.batch_size or fitted)
    group = draw.groups[0]
    trials = np.concatenate([group[draw.labels[group] == label][:1] for label in (1, 0)])
    if len(trials) < 2:  # a group of one class, or of one trial
        trials = np.array([np.argmax(draw.labels), np.argmin(draw.labels)])
    waves = next(load_pieces(detector, draw, [trials], options, cache=cache))
    place = np.flatnonzero(group == trials[0])
    try:
        there = waves.to(detector.device, detector.dtype)
        labels = torch.as_tensor(draw.labels[trials], device=there.device)
        if detector.spec.n_samples is None or not len(place):
            # Elsewhere a trial may get another length, which changes its scores.
            return first_look(detector, there, labels, m, options.batch_size)
        return look_before_group(detector, there, labels, m, options.batch_size, place=int(place[0]))
    except torch.OutOfMemoryError:
        raise SharpscopeError(
            "out of memory with two trials at the first look; use a device with more memory or --device cpu"
        ) from None


def open_waves(detector: Detector, draw: Draw, options: Options) -> WaveCache | None:
    """Return the decoded audio of a set that is kept on disk, or None.

    Args:
        detector: Whose rate, length and padding are wanted.
        draw: The set.
        options: Whether audio is kept.

    Returns:
        The pack.
    """
    spec = detector.spec
    if spec.n_samples is None or not options.cache or draw.trials.reader is not None:
        return None
    return open_cache(
        draw.trials.table["path"].tolist(),
        sample_rate=options.sample_rate(spec.sample_rate),
        n_samples=spec.n_samples,
        padding=spec.padding,
        make=options.keep,
    )


def open_journal(store: Store, place: Place, rows: Sequence[dict[str, Any]], options: Options) -> Journal:
    """Return what is finished of a measurement: of the same checkpoint, trials, options, device and version.

    Args:
        store: Where rows go.
        place: Whose it is.
        rows: Those that are measured.
        options: How.

    Returns:
        The journal.
    """
    how = (
        measures_of(rows),
        options.radii,
        options.batch_size,
        options.seed,
        options.groups,
        options.tolerance,
        GROUPING,
    )
    identity = repr(
        (place, how, options.direction, rows[0]["dtype"], rows[0]["device"], sharpscope.__version__)
    )
    return Journal(store.journal(place), identity)
