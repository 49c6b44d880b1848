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
from sharpscope.measurement.first_look import Look, first_look, fitted_batch, still_the_same
from sharpscope.measurement.groups import GROUPING
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.one_set import OneSet, block_names, load_pieces, put_together, value_keys, work
from sharpscope.measurement.options import Options
from sharpscope.measurement.rows import group_rows, measurement_rows, score_rows, shared_cells
from sharpscope.measurement.sets import Draw
from sharpscope.progress import Meter
from sharpscope.results.records import Place
from sharpscope.results.store import Store
from sharpscope.results.table import measure_and_block


class Problem(NamedTuple):
    """What could not be measured, and why."""

    where: str
    error: SharpscopeError


class Run:
    """What one call has done so far.

    Args:
        options: How checkpoints are measured.
        store: Where rows go.
        share: This process.

    Attributes:
        rows: Rows written.
        skipped: Rows that were there already.
        problems: What could not be measured.
        pieces: Pieces of work of the sets so far, which decide who owns the next.
        sets: Sets so far.
    """

    def __init__(self, options: Options, store: Store, share: Share) -> None:
        self.options = options
        self.store = store
        self.share = share
        self.rows = self.skipped = self.pieces = self.sets = 0
        self.problems: list[Problem] = []


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
            yield Problem(where, error)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SharpscopeError(
                    f"{where}: no space left ({error}). What was finished is kept; make room and give the "
                    "same command again"
                ) from error
            yield Problem(where, SharpscopeError(f"{type(error).__name__}: {error}"))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            # The network is the user's: whatever its own loss raises is about their file, not about this program.
            yield Problem(where, SharpscopeError(f"the detector failed ({type(error).__name__}: {error})"))
        meter.skip(-(-len(draw.labels) // run.share.world) - (meter.done - before))
        run.pieces += len(draw.pieces)
        run.sets += 1


def _measure_set(
    detector: Detector, draw: Draw, look: Look | None, run: Run, meter: Meter, notes: Sequence[str]
) -> Look | None:
    """Ask what is missing, look at the detector, measure the pieces, write the rows when all are there."""
    options, store, share = run.options, run.store, run.share
    place, wanted = rows_wanted(detector, draw, options)
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
            return look
        if whole and not share.owns(run.sets):
            return look
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
    return look


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
    waves = next(load_pieces(detector, draw, [trials], options, cache=cache)).to(
        detector.device, detector.dtype
    )
    labels = torch.as_tensor(draw.labels[trials], device=waves.device)
    return first_look(detector, waves, labels, m, options.batch_size)


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
