"""One progress display for long runs: a bar with an ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Seconds between two lines when there is no terminal.
LINE_EVERY = 15.0


class Meter:
    """Counts what is done and shows it.

    Args:
        total: How much there is to do.
        unit: What is counted ("trials").
        bar: The terminal's display, or None for plain lines.
    """

    def __init__(self, total: int, unit: str, bar: Progress | None) -> None:
        self.total = total
        self.unit = unit
        self.done = 0
        self.text = ""
        self._bar = bar
        self._task = bar.add_task("", total=total) if bar else None
        self._start = self._last = time.monotonic()

    def describe(self, text: str) -> None:
        """Say what is being done now.

        Args:
            text: A few words.
        """
        self.text = text
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)

    def advance(self, amount: int = 1) -> None:
        """Count some of it as done.

        Args:
            amount: How much.
        """
        self.done += amount
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)
            return
        now = time.monotonic()
        if now - self._last >= LINE_EVERY:
            self._last = now
            rate = self.done / (now - self._start)
            left = (self.total - self.done) / rate if rate else float("inf")
            print(
                f"{self.text}: {self.done}/{self.total} {self.unit}, {rate:.1f}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )


@contextmanager
def progress(total: int, unit: str = "trials", *, show: bool = True) -> Iterator[Meter]:
    """Show progress on standard error while something runs.

    Args:
        total: How much there is to do.
        unit: What is counted.
        show: False counts in silence.

    Yields:
        The meter to advance.
    """
    console = Console(stderr=True)
    if show and console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            yield Meter(total, unit, bar)
        return
    meter = Meter(total, unit, None)
    if not show:
        meter._last = float("inf")
    yield meter
