"""The state of runs, read from what they write: journals, locks and the table. Nothing is asked of the runs themselves.

So it works from any machine that sees the folder, while a run is going on, after it was killed, and without torch.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sharpscope.errors import UsageError
from sharpscope.results.diary import Failure, RunSeen, alive, read_diaries
from sharpscope.results.lines import entry_of
from sharpscope.results.records import record_name
from sharpscope.results.table import read_rows

# Seconds without a new group after which a run that holds no lock is taken for stopped, at least.
SILENCE = 120.0
# How much longer than its usual group a run may be silent.
PATIENCE = 5.0
# How far below a folder its tables may lie.
DEPTH = 4

_JOURNAL = re.compile(
    r"(?P<set>.+)\.(?P<trials>[^.]+)\.m(?P<m>\d+)\.(?P<preset>.+)\.(?P<spec>[^.]+)\.journal"
    r"\.(?P<host>.+)-(?P<pid>\d+)-(?P<started>[0-9a-f]+)"
)


class Unfinished(NamedTuple):
    """One checkpoint on one set that is not in the table yet.

    Attributes:
        table: The results table that it will stand in.
        checkpoint: Name of its folder: the checkpoint's name and the start of its hash.
        set: The set, with its subset behind a point.
        m: Trials in a group.
        preset: How it is measured.
        groups: Finished groups.
        trials: Finished trials.
        total: Trials of the set; None where no finished row tells.
        per_second: Trials per second, all processes together; 0 before the first group.
        silent: Seconds since the last finished group.
        processes: Who works on it, as "process on machine".
        running: Whether somebody still does, as far as can be told.
        why: Why it is taken for stopped, or what is wrong with its journal; "" where nothing is.
    """

    table: Path
    checkpoint: str
    set: str
    m: int
    preset: str
    groups: int
    trials: int
    total: int | None
    per_second: float
    silent: float
    processes: tuple[str, ...]
    running: bool
    why: str

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the set is done; None where it is not known."""
        if self.total is None or not self.running or self.per_second <= 0:
            return None
        return max(self.total - self.trials, 0) / self.per_second


class Watched(NamedTuple):
    """A results table with the runs that add to it.

    Attributes:
        table: Its path.
        rows: Its rows so far, cells as text, newest last.
        unfinished: What is not in it yet.
        problem: Why the table cannot be read; "" where it can.
        runs: The runs that have not ended, oldest first.
        failures: What could not be measured and was not since, newest last, but for what ``unfinished`` holds.
    """

    table: Path
    rows: tuple[Mapping[str, str], ...]
    unfinished: tuple[Unfinished, ...]
    problem: str
    runs: tuple[RunSeen, ...] = ()
    failures: tuple[Failure, ...] = ()


def look(folder: str | Path, *, now: float | None = None) -> list[Watched]:
    """Return the results tables under a folder and the runs that add to them.

    Args:
        folder: Where `measure` writes: the folder of a table or one above it, or the table itself.
        now: Seconds since 1970; None takes the clock.

    Returns:
        One entry per table, by path; tables that no run has begun on are not listed.

    Raises:
        UsageError: If the folder is not there.
    """
    root = Path(folder)
    if not root.exists():
        raise UsageError(
            f"{root}: not there; name the folder in which `sharpscope measure --out` writes its table"
        )
    clock = time.time() if now is None else now
    if root.is_file():
        return [_watched(root, clock)]
    return [_watched(table, clock) for table in sorted(set(_tables(root, DEPTH)))]


def _tables(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the tables with records under a folder; the records themselves are not searched."""
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # taken away meanwhile, or not ours to read
        return
    for path in below:
        if path.name == "groups":
            yield from (folder / f"{own.name}.csv" for own in path.iterdir() if own.is_dir())
        elif depth and path.name != "scores":
            yield from _tables(path, depth - 1)


def _watched(table: Path, now: float) -> Watched:
    problem = ""
    rows: list[dict[str, str]] = []
    if table.is_file():
        try:
            rows = read_rows(table)
        except UsageError as error:
            problem = str(error)
    journals: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((table.parent / "groups" / table.stem).glob("*/*.journal.*")):
        journals.setdefault((path.parent.name, path.name.partition(".journal.")[0]), []).append(path)
    diaries = read_diaries(table)
    failures = _open_failures(diaries)
    totals = _totals(rows) | {place: trials for run in diaries for place, trials in run.trials.items()}
    found = (_unfinished(table, files, totals, failures, now) for files in journals.values())
    unfinished = tuple(one for one in found if one is not None)
    shown = {f"{folder}/{name}" for folder, name in journals}
    return Watched(
        table,
        tuple(rows),
        unfinished,
        problem,
        tuple(run for run in diaries if _goes_on(run, unfinished)),
        tuple(failure for failure in failures.values() if failure.place not in shown),
    )


def _open_failures(diaries: Sequence[RunSeen]) -> dict[str, Failure]:
    """Return the failures, by what failed, that no run has tried again or made good."""
    newest = {}
    for failure in sorted((f for run in diaries for f in run.failures), key=lambda failure: failure.at):
        newest[failure.where] = failure
    later: dict[str, float] = {}
    for run in diaries:
        for where, at in run.began.items():
            later[where] = max(at, later.get(where, 0.0))
    return {where: failure for where, failure in newest.items() if later.get(where, 0.0) <= failure.at}


def _goes_on(run: RunSeen, unfinished: Sequence[Unfinished]) -> bool:
    """Tell whether a run is still there, as far as can be told from here."""
    if run.ended is not None:
        return False
    if run.host == socket.gethostname():
        return alive(run.process)
    return any(one.running and f"{run.process} on {run.host}" in one.processes for one in unfinished)


def _totals(rows: Iterable[Mapping[str, str]]) -> dict[str | tuple[str, str], int]:
    """Return how many trials a set has, from rows of other checkpoints on the same draw of it."""
    found: dict[str | tuple[str, str], int] = {}
    for row in rows:
        try:
            count = int(float(row["n_bonafide"])) + int(float(row["n_spoof"]))
        except ValueError:
            continue
        found[record_name(row["set"], row["subset"]), row["trials_hash"][:8]] = count
    return found


class _File(NamedTuple):
    """One process's part of a journal.

    Attributes:
        words: What its name says.
        entries: Its whole lines.
        damaged: Lines whose checksum is wrong.
        touched: When the last one was written, in seconds since 1970.
    """

    words: re.Match[str]
    entries: list[dict[str, Any]]
    damaged: int
    touched: float

    @property
    def per_second(self) -> float:
        """Trials per second from the first start to the last group."""
        seconds = self.touched - int(self.words["started"], 16) / 1e9
        return sum(map(_trials_of, self.entries)) / max(seconds, 1e-3)


def _read(path: Path) -> _File | None:
    """Read a journal of one process; None where it is gone, is no journal, or holds nothing yet."""
    words = _JOURNAL.fullmatch(path.name)
    entries, damaged = [], 0
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.endswith("\n"):
                    continue  # being written just now
                entry = entry_of(line)
                if entry is not None:
                    entries.append(entry)
                else:
                    damaged += 1
        touched = path.stat().st_mtime
    except FileNotFoundError:  # its measurement was finished while we looked
        return None
    return None if words is None or not entries else _File(words, entries, damaged, touched)


def _unfinished(
    table: Path,
    files: list[Path],
    totals: Mapping[str | tuple[str, str], int],
    failures: Mapping[str, Failure],
    now: float,
) -> Unfinished | None:
    """Put together the journals of all processes that work on one checkpoint and set."""
    parts = [part for part in map(_read, files) if part is not None]
    if not parts:
        return None
    newest = max(parts, key=lambda part: part.touched)
    # Groups of other options than the newest ones are not part of what will be finished.
    identity = newest.entries[-1]["identity"]
    done = {
        entry["group"]: _trials_of(entry)
        for part in parts
        for entry in part.entries
        if entry["identity"] == identity
    }
    silent = max(now - newest.touched, 0.0)
    slowest = min(part.per_second for part in parts)
    usual = sum(done.values()) / len(done) / slowest if slowest else 0.0
    allowed = max(SILENCE, PATIENCE * usual)
    active = [part for part in parts if now - part.touched <= allowed]
    place = f"{files[0].parent.name}/{files[0].name.partition('.journal.')[0]}"
    failed = next((failure for failure in failures.values() if failure.place == place), None)
    running, why = _running(files[0], silent, allowed) if failed is None else (False, failed.why)
    if damaged := sum(part.damaged for part in parts):
        note = f"damaged lines in its journal: {damaged}; those groups are measured again"
        why = f"{why}; {note}" if why else note
    return Unfinished(
        table=table,
        checkpoint=files[0].parent.name,
        set=newest.words["set"],
        m=int(newest.words["m"]),
        preset=newest.words["preset"],
        groups=len(done),
        trials=sum(done.values()),
        total=totals.get(place) or totals.get((newest.words["set"], newest.words["trials"])),
        per_second=sum(part.per_second for part in active) if running else 0.0,
        silent=silent,
        processes=tuple(f"{part.words['pid']} on {part.words['host']}" for part in active),
        running=running,
        why=why,
    )


def _trials_of(entry: Mapping[str, Any]) -> int:
    """Return how many trials a finished group has: two logits of eight bytes each, in base64."""
    text = str(entry["values"].get("logits", ""))
    return (len(text) // 4 * 3 - text.count("=")) // 16


def _running(journal: Path, silent: float, allowed: float) -> tuple[bool, str]:
    """Tell whether somebody works on it: who holds its lock, else how long ago its last group was."""
    name = journal.name.partition(".journal.")[0]
    holder = journal.parent / ".locks" / f"{name}.csv.run.lock.holder"
    try:
        words = re.fullmatch(r"process (\d+) on (.+)", holder.read_text().strip())
    except OSError:
        words = None
    if words is not None and words[2] == socket.gethostname():
        if alive(int(words[1])):
            return True, ""
        return False, f"its process {words[1]} is gone (killed?); the same command goes on from here"
    if silent <= allowed:
        return True, ""
    if words is not None:
        return False, f"silent although process {words[1]} on {words[2]} holds it; look there"
    return (
        False,
        "nobody works on it (failed or stopped; its message says why); the same command goes on from here",
    )
