"""One call of `measure` at work: checkpoints on sets, rows into the table, problems noted and passed by."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sharpscope
from sharpscope.audio.cache import WaveCache, open_cache
from sharpscope.corpora import TrialSet
from sharpscope.corpora.seen import Audit
from sharpscope.detectors import Detector
from sharpscope.devices import Share
from sharpscope.errors import SharpscopeError
from sharpscope.files import locked
from sharpscope.measurement.first_look import Probe
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.plan import pace, plan_line
from sharpscope.measurement.polarity import check_anchor
from sharpscope.measurement.presets import Preset
from sharpscope.measurement.rows import Facts, group_rows, measurement_rows, score_rows, shared_cells
from sharpscope.measurement.set_measurement import (
    SetMeasurement,
    SetRun,
    Settings,
    block_names,
    identity_of,
    value_keys,
)
from sharpscope.measurement.tasks import Design, Task, make_task
from sharpscope.progress import Meter
from sharpscope.results.records import Place, folders, write_group_values, write_scores
from sharpscope.results.table import append_results, key_of, measure_and_block, measured_keys


class Problem(NamedTuple):
    """What could not be measured, and why."""

    where: str
    error: SharpscopeError


class Job(NamedTuple):
    """What one call measures, the same for every checkpoint.

    Attributes:
        out: The results file.
        preset: How groups are made and scored.
        label: The preset's name for the table.
        settings: How groups are measured.
        sets: The sets under test.
        sizes: Trials in a group, one measurement each.
        design: Which parts of a set are measured.
        limit: Trials per set.
        anchor: In-domain set on which polarity is verified first, or None.
        facts: What the user says of the checkpoints' training.
        force: Measure again what is in the table.
        cache: Use decoded audio that is kept.
        keep: Keep decoded audio.
        share: This process.
    """

    out: Path
    preset: Preset
    label: str
    settings: Settings
    sets: tuple[TrialSet, ...]
    sizes: tuple[int, ...]
    design: Design
    limit: int | None
    anchor: TrialSet | None
    facts: Facts
    force: bool
    cache: bool
    keep: bool
    share: Share


class Run:
    """The state of one call: where rows go, and how many were written or found.

    Args:
        job: What is measured.
        audit: Finds what checkpoints have seen.

    Attributes:
        rows: Rows written.
        skipped: Rows that were there already.
    """

    def __init__(self, job: Job, audit: Audit) -> None:
        self.job = job
        self.audit = audit
        self.rows = 0
        self.skipped = 0
        self._offset = 0
        self._sets = 0
        self._looks: dict[int, Probe] = {}
        self._tasks: dict[tuple[str, ...], list[Task]] = {}

    def tasks(self, used: Sequence[str] = ()) -> list[Task]:
        """Return what is measured with a checkpoint that has seen certain sets.

        Args:
            used: Sets it was trained or selected on.

        Returns:
            One task per set, part of it, and size of groups.

        Raises:
            UsageError: If a set cannot be measured so.
        """
        job = self.job
        used = (*used, *job.facts.trained_on, *job.facts.selected_on)
        key = tuple(dict.fromkeys(used))
        if key not in self._tasks:
            self._tasks[key] = [
                make_task(part, job.preset, size, job.limit, job.settings.seed, job.label)
                for trials in job.sets
                for part in job.design.parts(self.audit.apply(trials, key), job.settings.seed)
                for size in job.sizes
            ]
        return self._tasks[key]

    def checkpoint(self, detector: Detector, meter: Meter) -> Iterator[Problem]:
        """Measure one detector on every set.

        Args:
            detector: The checkpoint.
            meter: Advanced by one per trial.

        Yields:
            What failed.

        Raises:
            SharpscopeError: If the disk is full: nothing further could be kept.
        """
        self._looks = {}
        notes = tuple(self._anchor(detector))
        for task in self.tasks(seen_by(detector)):
            where = f"{detector.name} on {place(task)}"
            meter.describe(where)
            before = meter.done
            try:
                self._set(detector, task, meter, notes)
            except SharpscopeError as error:
                yield Problem(where, error)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise SharpscopeError(
                        f"{self.job.out}: no space left ({error}). What was finished is kept; make room and give the "
                        "same command again"
                    ) from error
                yield Problem(where, SharpscopeError(f"{type(error).__name__}: {error}"))
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
                # The network is the user's: whatever it raises is about their file, not about this program.
                yield Problem(
                    where, SharpscopeError(f"the detector failed ({type(error).__name__}: {error})")
                )
            meter.advance(self.trials_of(task) - (meter.done - before))
            self._offset += len(task.groups) + len(task.rest)
            self._sets += 1

    def trials_of(self, task: Task) -> int:
        """Return about how many trials of a task are this process' share."""
        return -(-len(task.labels) // self.job.share.world)

    def plan(self, detector: Detector) -> Iterator[str]:
        """Yield what measuring a detector will cost, a line a set; measures a few trials to find out.

        Args:
            detector: The checkpoint.

        Yields:
            One line per set.
        """
        self._looks = {}
        found = None
        for task in self.tasks(seen_by(detector)):
            cells = shared_cells(detector, task, self.job.preset, self.job.facts)
            missing = self._missing(detector, cells)
            names = _measures(missing)
            if found is None and names:
                found = pace(
                    detector, task, self._set_run(detector, task, self._settings(detector, names), None)
                )
            known = len(self._wanted(detector, cells)) - len(missing)
            if found is None:
                yield f"{detector.name} on {place(task)}: all {known} rows are there already"
                continue
            yield plan_line(detector, task, names, self.job.settings.radii, found, known)

    def _wanted(self, detector: Detector, cells: dict[str, Any]) -> list[dict[str, Any]]:
        settings = self.job.settings
        keys = value_keys(settings.measures, settings.radii, block_names(detector.module))
        return [{**cells, "measure": name, "rho": rho} for name, rho in keys]

    def _missing(self, detector: Detector, cells: dict[str, Any]) -> list[dict[str, Any]]:
        known = set() if self.job.force else measured_keys(self.job.out)
        return [row for row in self._wanted(detector, cells) if key_of(row) not in known]

    def _settings(self, detector: Detector, names: tuple[str, ...]) -> Settings:
        rate = detector.spec.sample_rate if self.job.preset.resample else None
        return self.job.settings._replace(measures=names, sample_rate=rate)

    def _set_run(self, detector: Detector, task: Task, settings: Settings, journal: Journal | None) -> SetRun:
        # What was found out about a detector holds for every set whose groups are as large and trials as long.
        run = SetRun(
            detector,
            task.trials.table["path"].tolist(),
            task.labels,
            task.groups,
            settings,
            rest=task.rest,
            journal=journal,
            first_look=self._looks.get(task.m) if detector.spec.n_samples else None,
            cache=self._cache(detector, task, settings),
        )
        self._looks[task.m] = run.found
        return run

    def _cache(self, detector: Detector, task: Task, settings: Settings) -> WaveCache | None:
        if detector.spec.n_samples is None or not self.job.cache:
            return None
        return open_cache(
            task.trials.table["path"].tolist(),
            sample_rate=settings.sample_rate,
            n_samples=detector.spec.n_samples,
            padding=detector.spec.padding,
            make=self.job.keep,
        )

    def _anchor(self, detector: Detector) -> Iterator[str]:
        if self.job.anchor is not None:
            rate = detector.spec.sample_rate if self.job.preset.resample else None
            yield check_anchor(detector, self.job.anchor, rate, self.job.settings.batch_size)

    def _set(self, detector: Detector, task: Task, meter: Meter, notes: tuple[str, ...]) -> None:
        files = _Files(self.job.out, detector, task)
        files.groups.parent.mkdir(parents=True, exist_ok=True)
        cells = shared_cells(detector, task, self.job.preset, self.job.facts)
        wanted = len(self._wanted(detector, cells))
        share = self.job.share
        if share.alone:
            # Whoever comes later waits here and then finds the rows.
            with locked(files.lock, patience=None):
                missing = self._missing(detector, cells)
                self.skipped += wanted - len(missing)
                if missing:
                    run, journal = self._prepared(detector, task, cells, missing, files)
                    run.work(share, meter=meter)
                    self._write(detector, task, run.result(), missing, files, journal, notes)
                elif files.journal.parent.is_dir():
                    # A run that was killed after its rows were written could not take its journal away.
                    self._journal(detector, task, cells, self._wanted(detector, cells), files).discard()
            return
        missing = self._missing(detector, cells)
        self.skipped += wanted - len(missing) if share.rank == 0 else 0
        whole = self.job.settings.tolerance is not None
        if not missing or (whole and not share.owns(self._sets)):
            return
        run, journal = self._prepared(detector, task, cells, missing, files)
        run.work(share if not whole else Share(), self._offset, meter)
        with locked(files.lock, patience=None):
            # The last to finish writes; who finished before it has found something missing.
            missing = self._missing(detector, cells)
            journal.reload()
            self._write(detector, task, run.result() if missing else None, missing, files, journal, notes)

    def _prepared(
        self,
        detector: Detector,
        task: Task,
        cells: dict[str, Any],
        missing: Sequence[dict[str, Any]],
        files: _Files,
    ) -> tuple[SetRun, Journal]:
        journal = self._journal(detector, task, cells, missing, files)
        settings = self._settings(detector, _measures(missing))
        return self._set_run(detector, task, settings, journal), journal

    def _journal(
        self,
        detector: Detector,
        task: Task,
        cells: dict[str, Any],
        rows: Sequence[dict[str, Any]],
        files: _Files,
    ) -> Journal:
        settings = self._settings(detector, _measures(rows))
        facts = (detector.sha256, detector.spec.hash(), task.hash, task.preset, str(task.m), cells["dtype"])
        identity = identity_of(settings, *facts, cells["device"], sharpscope.__version__)
        return Journal(files.journal, identity)

    def _write(
        self,
        detector: Detector,
        task: Task,
        measured: SetMeasurement | None,
        missing: Sequence[dict[str, Any]],
        files: _Files,
        journal: Journal,
        notes: tuple[str, ...],
    ) -> None:
        if measured is None:
            return
        rows = measurement_rows(detector, task, measured, missing, self.job.preset, notes)
        write_scores(self.job.out, files.place, score_rows(task, measured))
        write_group_values(self.job.out, files.place, group_rows(measured))
        append_results(self.job.out, rows, force=self.job.force)
        self.rows += len(rows)
        journal.discard()


class _Files:
    """Where the records of one checkpoint on one set lie."""

    def __init__(self, out: Path, detector: Detector, task: Task) -> None:
        self.place = Place(
            detector.name,
            detector.sha256,
            task.trials.name,
            task.trials.subset,
            task.hash,
            task.m,
            task.preset,
            detector.spec.hash(),
        )
        groups = folders(out)[1]
        self.groups = groups / f"{self.place.file}.csv"
        self.journal = groups / f"{self.place.file}.journal"
        self.lock = self.groups.parent / ".locks" / f"{self.groups.name}.run.lock"


def _measures(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the registered measures that rows are of, in their order."""
    return tuple(dict.fromkeys(measure_and_block(row["measure"])[0] for row in rows))


def seen_by(detector: Detector) -> list[str]:
    """Return the sets that a checkpoint's record says it was trained or selected on."""
    record = detector.record or {}
    return [*record.get("trained_on", []), *record.get("selected_on", [])]


def place(task: Task) -> str:
    """Return the name of what is measured, for people."""
    return f"{task.trials.name} {task.trials.subset}".strip()
