"""`sharpscope report`: one self-contained page about a results file, or several."""

from __future__ import annotations

import click

from sharpscope.cli.group import main


@main.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False),
    default="report.html",
    show_default=True,
    help="File to write.",
)
@click.option("--landscape", type=click.Path(dir_okay=False), help="Points written by sharpscope landscape.")
@click.option(
    "--correlation",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="correlations.csv; once for each of RESULTS, in their order. [default: computed]",
)
@click.option("--title", default="Sharpness and equal error rate", show_default=True, help="Of the page.")
def report(
    results: tuple[str, ...], out: str, landscape: str | None, correlation: tuple[str, ...], title: str
) -> None:
    r"""Write one HTML page about RESULTS: the answer, a leaderboard, figures to hover, every trial and its source.

    Several tables (before and after, two labs) stand on one page. It needs no network and opens from disk. A cell of
    the leaderboard opens the trials behind it, and plays them where the audio lies beside the page.

    \b
    Example:
        sharpscope report results.csv -o report.html
        sharpscope report before.csv after.csv -o report.html
    """
    from pathlib import Path

    from sharpscope.reports import report as write

    given = list(correlation) if len(results) > 1 else (correlation[0] if correlation else None)
    path = write(list(results), out, landscape=landscape, correlation=given, title=title)
    click.echo(
        f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB). Next: open {Path(path).resolve().as_uri()}",
        err=True,
    )
