"""What is seen of runs: lines for a terminal, and a page that loads itself anew."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path

from sharpscope.progress import in_words
from sharpscope.results.diary import Failure, RunSeen
from sharpscope.watching.runs import Unfinished, Watched

# Cells of the table that are shown in a terminal, newest rows.
MOST_LINES = 20

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: #2a7ab8; --bad: #b3401e; }
@media (prefers-color-scheme: dark) { :root { --good: #6db3e8; --bad: #f0916f; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
progress { width: 9rem; accent-color: var(--good); } .bad { color: var(--bad); } .dim { opacity: .75; }
"""


def finished(watched: Watched) -> list[tuple[str, str, str, str, str]]:
    """Return what stands in a table: checkpoint, set, EER, sharpness and when, one entry per checkpoint and set.

    Args:
        watched: The table.

    Returns:
        Cells as text, newest first; the sharpness is the first measure with a radius, "" where there is none.
    """
    cells: dict[tuple[str, str], tuple[str, str, str, str, str]] = {}
    for row in watched.rows:
        where = f"{row['set']}@{row['subset']}" if row["subset"] else row["set"]
        key = (row["sha256"], where)
        sharp = f"{row['measure']}@{_short(row['rho'])} = {_short(row['value'])}" if row["rho"] else ""
        old = cells.get(key)
        if old is None or not old[3]:
            cells[key] = (row["checkpoint"], where, _percent(row["eer"]), sharp, row["created"])
    return sorted(cells.values(), key=lambda cell: cell[4], reverse=True)


def _short(text: str) -> str:
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text


def _percent(text: str) -> str:
    try:
        return f"{100 * float(text):.2f} %"
    except ValueError:
        return ""


def state(one: Unfinished) -> str:
    """Say where a measurement stands, in one line.

    Args:
        one: Which.

    Returns:
        Trials, speed and time left; or why it stands still.
    """
    of = f" of {one.total}" if one.total is not None else ""
    words = [f"{one.trials}{of} trials, {one.groups} groups"]
    if one.running:
        words += [f"{one.per_second:.2g} trials/s"] if one.per_second else []
        left = one.seconds_left
        words += [f"{in_words(left)} left"] if left is not None else []
        words += [f"{len(one.processes)} processes"] if len(one.processes) > 1 else []
    words.append(f"last group {in_words(one.silent)} ago")
    return ", ".join(words)


def run_state(run: RunSeen, unfinished: Sequence[Unfinished]) -> str:
    """Say how far a whole run is, in one line.

    Args:
        run: Which.
        unfinished: What of it is being measured.

    Returns:
        What was asked for, what is finished, what failed, and the time left where it can be told.
    """
    asked = run.checkpoints * run.sets
    words = [f"process {run.process} on {run.host}: {run.done} of {asked} checkpoints x sets finished"]
    words += [f"{len(run.failures)} failed"] if run.failures else []
    own = [one for one in unfinished if f"{run.process} on {run.host}" in one.processes]
    speed = sum(one.per_second for one in own)
    if run.asked and speed > 0:
        left = max(run.asked - run.settled - sum(one.trials for one in own), 0)
        words.append(f"{in_words(left / speed)} left for all of it")
    return ", ".join(words)


def failed(failure: Failure) -> str:
    """Say what could not be measured, why and when, in one line.

    Args:
        failure: Which.

    Returns:
        The line.
    """
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(failure.at))
    return f"{failure.line} ({when})"


def lines(tables: Sequence[Watched]) -> list[str]:
    """Return what a terminal shows.

    Args:
        tables: What was found.

    Returns:
        Lines.
    """
    shown = []
    for watched in tables:
        done = finished(watched)
        running = [one for one in watched.unfinished if one.running]
        still = [one for one in watched.unfinished if not one.running]
        shown.append(
            f"{watched.table}: {len(done)} checkpoints x sets finished, {len(watched.rows)} rows; "
            f"{len(running)} running, {len(still)} stopped, {len(watched.failures)} failed"
        )
        shown += [f"  run      {run_state(run, watched.unfinished)}" for run in watched.runs]
        shown += [f"  cannot be read: {watched.problem}"] if watched.problem else []
        shown += [f"  running  {one.checkpoint} on {one.set}: {state(one)}{_why(one)}" for one in running]
        shown += [f"  STOPPED  {one.checkpoint} on {one.set}: {state(one)}{_why(one)}" for one in still]
        shown += [f"  FAILED   {failed(failure)}" for failure in watched.failures[-MOST_LINES:]]
        for checkpoint, where, eer, sharp, _ in done[:MOST_LINES]:
            shown.append(f"  done     {checkpoint} on {where}: EER {eer}" + (f", {sharp}" if sharp else ""))
        shown += [f"  ... and {len(done) - MOST_LINES} more"] if len(done) > MOST_LINES else []
    return shown or ["no run has begun here yet"]


def _why(one: Unfinished) -> str:
    return f"; {one.why}" if one.why else ""


def page(tables: Sequence[Watched], folder: str | Path, *, every: float) -> str:
    """Return a page that shows runs and asks its browser to load it anew; it names no address.

    Args:
        tables: What was found.
        folder: Where.
        every: Seconds between two loads.

    Returns:
        HTML, complete in itself.
    """
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<meta http-equiv=refresh content={max(1, round(every))}>",
        f"<title>{_title(tables)}</title><style>{_STYLE}</style>",
        f"<h1>Runs in {html.escape(str(folder))}</h1>",
        f"<p class=dim>Written {time.strftime('%Y-%m-%d %H:%M:%S')}; loads itself every {every:g} s while "
        "<code>sharpscope watch</code> is on.</p>",
    ]
    for watched in tables:
        parts.append(f"<h2>{html.escape(str(watched.table))}</h2>")
        if watched.problem:
            parts.append(f"<p class=bad>{html.escape(watched.problem)}</p>")
        if watched.unfinished:
            rows = "".join(map(_row, sorted(watched.unfinished, key=lambda one: one.running)))
            parts.append(
                f"<div class=wide><table><tr><th>checkpoint<th>set<th>progress<th>state{rows}</table></div>"
            )
        parts += [f"<p>Run: {html.escape(run_state(run, watched.unfinished))}" for run in watched.runs]
        if watched.failures:
            listed = "".join(f"<li>{html.escape(failed(failure))}" for failure in watched.failures)
            parts.append(f"<h3>Failed</h3><ul class=bad>{listed}</ul>")
        parts.append(_done(finished(watched)))
    if not tables:
        parts.append("<p>No run has begun here yet.")
    return "\n".join(parts) + "\n"


def _title(tables: Sequence[Watched]) -> str:
    every = [one for watched in tables for one in watched.unfinished]
    failures = sum(len(watched.failures) for watched in tables)
    words = f"{sum(one.running for one in every)} running, {sum(not one.running for one in every)} stopped"
    return f"{words}, {failures} failed"


def _row(one: Unfinished) -> str:
    name, where = html.escape(one.checkpoint), html.escape(one.set)
    bar = f"<progress max={one.total} value={min(one.trials, one.total)}></progress>" if one.total else ""
    why = f"<br>{html.escape(one.why)}" if one.why else ""
    mark = "" if one.running else " class=bad"
    word = "running" if one.running else "stopped"
    return f"<tr><td>{name}<td>{where}<td>{bar}<td{mark}>{word}: {html.escape(state(one))}{why}"


def _done(cells: Sequence[tuple[str, ...]]) -> str:
    if not cells:
        return "<p>Nothing is finished yet."
    head = "<tr><th>checkpoint<th>set<th class=n>EER<th class=n>sharpness<th>finished"
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if i in (2, 3) else ''}>{html.escape(c)}" for i, c in enumerate(row))
        for row in cells
    )
    return f"<div class=wide><table>{head}{body}</table></div>"
