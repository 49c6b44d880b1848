"""`sharpscope watch`: how far runs are, from what they write."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from sharpscope.cli.group import main

if TYPE_CHECKING:
    from sharpscope.watching.runs import Watched


@main.command()
@click.argument("folder", type=click.Path())
@click.option("--page", type=click.Path(dir_okay=False), help="Write a page here that loads itself anew.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=10, show_default=True, help="Seconds between looks."
)
@click.option("--once", is_flag=True, help="Look once and end.")
def watch(folder: str, page: str | None, every: float, once: bool) -> None:
    r"""Show how far the runs under FOLDER are: what runs, what failed and why, the rows so far.

    Only what the runs write is read (the table, and the journals beside it), so it works from any machine that sees the
    folder, also after a run was killed. FOLDER may be the results table itself.

    \b
    sharpscope watch .
    sharpscope watch results.csv --once
    sharpscope watch /shared/study --page status.html
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from sharpscope.watching.runs import look

    def seen() -> str:
        tables = look(folder)
        if page is not None:
            _write(page, tables, folder, every)
        from sharpscope.watching.shown import lines

        return "\n".join(lines(tables))

    console = Console()
    text = seen()
    if once or not console.is_terminal:
        click.echo(text)
    if once:
        return
    if page is not None:
        click.echo(f"{page}: open it in a browser; Ctrl-C ends", err=True)
    try:
        with Live(Text(text), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                fresh = seen()
                if console.is_terminal:
                    live.update(Text(fresh), refresh=True)
                elif fresh != text:
                    click.echo(fresh)
                text = fresh
    except KeyboardInterrupt:
        click.echo("sharpscope: no longer watching; the runs go on", err=True)


def _write(page: str, tables: list[Watched], folder: str, every: float) -> None:
    """Replace the page in one step, so that no browser loads a half of it."""
    from pathlib import Path

    from sharpscope.files import replace_file
    from sharpscope.watching.shown import page as drawn

    replace_file(Path(page), drawn(tables, folder, every=every))
