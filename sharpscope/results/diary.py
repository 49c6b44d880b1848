"""What a run was asked for, what it has finished and what failed: a file per process beside the records.

Whoever watches from another machine reads it; `measure` itself never does. A run in which nothing failed takes its
diary away, and those of earlier runs whose failures it has made good.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from sharpscope.results.lines import entry_of, line_of
from sharpscope.results.records import folders

_FOLDER = ".runs"


class Failure(NamedTuple):
    """What could not be measured.

    Attributes:
        where: The checkpoint, and the set where one had begun.
        why: The message.
        place: Whose records it is about, the path of a `Place` without an ending; "" before a set had begun.
        at: When, in seconds since 1970.
    """

    where: str
    why: str
    place: str
    at: float

    @property
    def line(self) -> str:
        """Where and why; a message that begins with where is not given it twice."""
        return self.why if self.why.startswith(self.where) else f"{self.where}: {self.why}"


class RunSeen(NamedTuple):
    """One process of a run, as its diary tells it.

    Attributes:
        process: Its number.
        host: Its machine.
        checkpoints: Checkpoints that it was asked for.
        sets: Sets that it was asked for.
        asked: Trials of all of them together.
        settled: Trials of what is finished, failed or was there already.
        done: Checkpoints x sets that are finished or were there already.
        failures: What failed and was not done since.
        began: When each checkpoint on a set was last begun, finished or opened, by what it is called.
        trials: Trials of each set that was begun, by the path of its `Place`.
        started: When, in seconds since 1970.
        touched: When it last wrote.
        ended: Why it ended: "" for well, None while it goes on or was killed.
    """

    process: int
    host: str
    checkpoints: int
    sets: int
    asked: int
    settled: int
    done: int
    failures: tuple[Failure, ...]
    began: dict[str, float]
    trials: dict[str, int]
    started: float
    touched: float
    ended: str | None


class Diary:
    """The diary of one process of a run; use it as a context.

    Args:
        results: The results table; None keeps no diary.
        checkpoints: Checkpoints asked for.
        sets: Sets asked for.
        asked: Trials of all of them together.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> with Diary(Path(folder.name) / "r.csv", 2, 1, 16) as diary:
        ...     diary.failed("a.pt", "no such file", 8)
        >>> [run.failures[0].why for run in read_diaries(Path(folder.name) / "r.csv")]
        ['no such file']
        >>> folder.cleanup()
    """

    def __init__(self, results: Path | None, checkpoints: int = 0, sets: int = 0, asked: int = 0) -> None:
        self._path: Path | None = None
        if results is not None:
            name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns():x}.diary"
            self._path = folders(results)[1] / _FOLDER / name
        self._results = results
        self._asked = {"checkpoints": checkpoints, "sets": sets, "asked": asked}
        self._places: dict[str, str] = {}
        self._settled: set[str] = set()

    def __enter__(self) -> Self:
        self._write(asked=self._asked)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        why = "" if error is None else "interrupted" if kind is KeyboardInterrupt else str(error)
        self._write(ended=why)
        if self._path is None or self._results is None:
            return
        for path, run in _diaries(self._results):
            over = run.ended is not None or (run.host == socket.gethostname() and not alive(run.process))
            good = [failure.where for failure in run.failures if failure.where in self._settled]
            if over and len(good) == len(run.failures):
                path.unlink(missing_ok=True)
            elif over:
                for where in good:
                    _append(path, opened=where)

    def begins(self, where: str, place: str, trials: int) -> None:
        """Note that a checkpoint is being measured on a set.

        Args:
            where: What it is called in messages.
            place: Whose records it will give.
            trials: Trials of the set.
        """
        self._places[where] = place
        self._write(begins=where, place=place, trials=trials)

    def opened(self, where: str) -> None:
        """Note that a checkpoint was opened, so that an earlier failure to do so is past.

        Args:
            where: What it is called in messages.
        """
        self._settled.add(where)
        self._write(opened=where)

    def done(self, where: str, trials: int) -> None:
        """Note that all rows of a checkpoint on a set are there.

        Args:
            where: What it is called in messages.
            trials: Trials of the set.
        """
        self._settled.add(where)
        self._write(done=where, trials=trials)

    def failed(self, where: str, why: str, trials: int) -> None:
        """Note what could not be measured.

        Args:
            where: What it is called in messages.
            why: The message of the error.
            trials: Trials that will not be measured for it.
        """
        self._write(failed=where, why=why, place=self._places.get(where, ""), trials=trials)

    def _write(self, **entry: Any) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _append(self._path, **entry)
        except OSError:
            # A full disk or a folder that may not be written to is the measurement's to report, in its own words.
            self._path = None


def _append(path: Path, **entry: Any) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line_of({"at": time.time(), **entry}))


def alive(process: int) -> bool:
    """Tell whether a process of this machine is there.

    Args:
        process: Its number.

    Returns:
        Whether it is; somebody else's counts.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def read_diaries(results: Path) -> list[RunSeen]:
    """Return the runs that have left a diary beside a results table.

    Args:
        results: The table.

    Returns:
        One entry per process, oldest first.
    """
    return sorted((run for _, run in _diaries(results)), key=lambda run: run.started)


def _diaries(results: Path) -> list[tuple[Path, RunSeen]]:
    found = []
    for path in sorted((folders(results)[1] / _FOLDER).glob("*.diary")):
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                entries = [entry for entry in map(entry_of, lines) if entry is not None]
        except FileNotFoundError:  # its run has ended meanwhile
            continue
        run = _run(path, entries)
        if run is not None:
            found.append((path, run))
    return found


def _run(path: Path, entries: Iterable[dict[str, Any]]) -> RunSeen | None:
    """Put the lines of a diary together; None where it is none, or has no first line yet."""
    first, *rest = entries if isinstance(entries, list) and entries else [{}]
    host, _, numbers = path.stem.rpartition("-")[0].rpartition("-")
    if "asked" not in first or not numbers.isdigit():
        return None
    settled = done = 0
    touched, ended = float(first["at"]), None
    failures: dict[str, Failure] = {}
    began: dict[str, float] = {}
    trials: dict[str, int] = {}
    for entry in rest:
        touched = float(entry["at"])
        if "failed" in entry:
            where = str(entry["failed"])
            failures[where] = Failure(where, str(entry["why"]), str(entry["place"]), touched)
        elif "ended" in entry:
            ended = str(entry["ended"])
        else:
            where = str(entry.get("begins") or entry.get("opened") or entry.get("done"))
            began[where] = touched
            failures.pop(where, None)
        if "begins" in entry:
            trials[str(entry["place"])] = int(entry["trials"])
        elif "done" in entry or "failed" in entry:
            settled += int(entry["trials"])
            done += "done" in entry
    asked = {name: int(value) for name, value in first["asked"].items()}
    return RunSeen(
        int(numbers), host, **asked, settled=settled, done=done, failures=tuple(failures.values()), began=began,
        trials=trials, started=float(first["at"]), touched=touched, ended=ended,
    )  # fmt: skip
