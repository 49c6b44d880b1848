"""One progress display for long runs: a bar with an ETA on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import math
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from sharpscope.errors import SharpscopeError

# Seconds between two lines when there is no terminal, and between two JSON lines.
LINE_EVERY = 15.0


class _Part(NamedTuple):
    """Where a part of the work began.

    Attributes:
        done: How much of the whole was done then.
        found: How much of that was done before this run.
        start: When.
        total: How much there is of the part; None where that is not known.
    """

    done: int
    found: int
    start: float
    total: int | None


class Meter:
    """Counts what is done and shows it.

    Args:
        total: How much there is to do.
        unit: What is counted ("trials").
        bar: The terminal's display, or None for plain lines.
        quiet: Count in silence.
        log: File that gets a line of JSON now and then, and one at the end.

    Attributes:
        done: How much is done.
        found: How much of it was done before this run.
        waited: Seconds in which the work waited for its data.
        memory: Returns the bytes in use on the device, or None where nobody counts them.

    Example:
        >>> meter = Meter(10, "trials", None, quiet=True)
        >>> meter.advance(4)
        >>> meter.state()["done"], meter.state()["total"]
        (4, 10)
    """

    def __init__(
        self, total: int, unit: str, bar: Progress | None, *, quiet: bool = False, log: Path | None = None
    ) -> None:
        self.total = total
        self.unit = unit
        self.done = 0
        self.text = ""
        self.found = 0
        self.waited = 0.0
        self.memory: Callable[[], int] | None = None
        self._bar = bar
        self._quiet = quiet
        self._log = log
        self._task = bar.add_task("", total=total, state="") if bar else None
        self._start = self._last = time.monotonic()
        self._part = _Part(0, 0, self._start, None)

    def describe(self, text: str, total: int | None = None) -> None:
        """Say what is being done now: a part of the whole, whose own time left is shown beside the whole's.

        Args:
            text: A few words.
            total: How much of it there is; None where parts are not counted.
        """
        self.text = text
        self._part = _Part(self.done, self.found, time.monotonic(), total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as waiting for data."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.waited += time.monotonic() - start

    def advance(self, amount: int = 1) -> None:
        """Count some of it as done.

        Args:
            amount: How much.
        """
        self.done += amount
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=amount, state=self.line(short=True))
        if time.monotonic() - self._last >= LINE_EVERY:
            self._last = time.monotonic()
            self.report()

    def skip(self, amount: int) -> None:
        """Count some of it as done before this run: it says nothing about how fast this run is.

        Args:
            amount: How much.
        """
        self.found += amount
        self.advance(amount)

    def state(self) -> dict[str, Any]:
        """Return where the run stands, as the JSON log has it; speed and time left rest on this run alone."""
        passed = max(time.monotonic() - self._start, 1e-9)
        rate = (self.done - self.found) / passed
        return {
            "time": time.time(),
            "doing": self.text,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "per_second": rate,
            "seconds": passed,
            "seconds_left": (self.total - self.done) / rate if rate else None,
            "seconds_left_of_part": self._left_of_part(),
            "seconds_waited_for_data": self.waited,
            "device_memory_bytes": self.memory() if self.memory else None,
        }

    def _left_of_part(self) -> float | None:
        """Return the seconds until the part is done, at its own speed: detectors and sets differ in theirs."""
        done = self.done - self._part.done
        own = done - (self.found - self._part.found)
        if self._part.total is None or own <= 0:
            return None
        return max(self._part.total - done, 0) * (time.monotonic() - self._part.start) / own

    def line(self, *, short: bool = False) -> str:
        """Return where the run stands in words.

        Args:
            short: Only what a bar does not show.
        """
        state = self.state()
        left, memory = state["seconds_left"], state["device_memory_bytes"]
        share, part = self.waited / state["seconds"], state["seconds_left_of_part"]
        parts = [_speed(state["per_second"])]
        parts += [f"{share:.0%} of the time waiting for audio"] if share >= 0.005 else []
        parts += [f"{memory / 1024**3:.1f} GiB on the device"] if memory else []
        whole = "" if part is None else " in all"
        parts += [f"{in_words(part)} left here"] if part is not None else []
        parts += [f"{in_words(left)} left{whole}"] if left is not None else []
        if short:
            return ", ".join(parts)
        return f"{self.text}: {self.done}/{self.total} {self.unit}, {', '.join(parts)}"

    def report(self) -> None:
        """Write a line where there is no terminal, and one of JSON where it was asked for.

        Raises:
            SharpscopeError: If the JSON log cannot be written.
        """
        if self._bar is None and not self._quiet:
            print(self.line(), file=sys.stderr, flush=True)
        if self._log is not None:
            try:
                with open(self._log, "a", encoding="utf-8") as file:
                    file.write(json.dumps(self.state()) + "\n")
            except OSError as error:
                raise SharpscopeError(f"{self._log}: the log cannot be written ({error})") from error


def _speed(per_second: float) -> str:
    """Say how fast it goes; what takes longer than a second is said in seconds, so that it is never 0.0 a second."""
    if per_second <= 0:
        return "nothing finished yet"
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{_duration(1 / per_second)} each"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else in_words(seconds)


@contextmanager
def patiently(text: str, *, after: float = 2.0, every: float = 15.0) -> Iterator[None]:
    """Say what is being done when it takes longer than a moment, and again now and then.

    Args:
        text: What, in a few words.
        after: Seconds in which nothing is said.
        every: Seconds between two lines from then on.

    Yields:
        Nothing.
    """
    over = threading.Event()
    start = time.monotonic()

    def speak() -> None:
        wait = after
        while not over.wait(wait):
            print(f"{text} ... {in_words(time.monotonic() - start)}", file=sys.stderr, flush=True)
            wait = every

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join(timeout=1)


def in_words(seconds: float) -> str:
    """Say how long something takes, as precisely as a guess deserves.

    Args:
        seconds: How long.

    Returns:
        A few words.

    Example:
        >>> in_words(42), in_words(600), in_words(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _heard_at_once() -> Iterator[None]:
    """Answer Ctrl-C with a line at once: the interrupt itself waits until the network's current step returns.

    Python notes a signal by a byte on a socket the moment it comes, also while the main thread computes; a thread reads
    it. Only the main thread may ask for that, so elsewhere nothing is said.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) in (
        signal.SIG_DFL,
        signal.SIG_IGN,
        None,
    ):
        yield
        return
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        said = False
        while byte := reading.recv(1):
            if byte[0] == signal.SIGINT and not said:
                said = True  # a shell and its wrapper may both pass it on
                line = "interrupted: stopping after the current step, what is finished is kept"
                print(f"\n{line}", file=sys.stderr, flush=True)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writing.close()
        listener.join(timeout=1)
        reading.close()


@contextmanager
def progress(
    total: int, unit: str = "trials", *, show: bool = True, log: str | Path | None = None
) -> Iterator[Meter]:
    """Show progress on standard error while something runs.

    Args:
        total: How much there is to do.
        unit: What is counted.
        show: False counts in silence.
        log: File for lines of JSON; the last one is written at the end.

    Yields:
        The meter to advance.
    """
    console = Console(stderr=True)
    file = None if log is None else Path(log)
    if show and console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
        )
        with _heard_at_once(), Progress(*columns, console=console) as bar:
            meter = Meter(total, unit, bar, log=file)
            yield meter
    else:
        meter = Meter(total, unit, None, quiet=not show, log=file)
        with _heard_at_once() if show else nullcontext():
            yield meter
    if file is not None:
        meter.report()
