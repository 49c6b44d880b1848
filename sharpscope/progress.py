"""One progress display for long runs: a bar with an ETA on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

    def describe(self, text: str) -> None:
        """Say what is being done now.

        Args:
            text: A few words.
        """
        self.text = text
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
            "seconds_waited_for_data": self.waited,
            "device_memory_bytes": self.memory() if self.memory else None,
        }

    def line(self, *, short: bool = False) -> str:
        """Return where the run stands in words.

        Args:
            short: Only what a bar does not show.
        """
        state = self.state()
        left, memory = state["seconds_left"], state["device_memory_bytes"]
        parts = [f"{state['per_second']:.1f}/s"]
        parts += [f"{self.waited / state['seconds']:.0%} waiting for data"] if self.waited else []
        parts += [f"{memory / 1024**3:.1f} GiB on the device"] if memory else []
        parts += [f"{in_words(left)} left"] if left is not None else []
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
        with Progress(*columns, console=console) as bar:
            meter = Meter(total, unit, bar, log=file)
            yield meter
    else:
        meter = Meter(total, unit, None, quiet=not show, log=file)
        yield meter
    if file is not None:
        meter.report()
