"""`sharpscope report`: one self-contained page about a results file."""

from __future__ import annotations

import click

from sharpscope.cli.group import main


@main.command()
@click.argument("results", type=click.Path(dir_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False),
    default="report.html",
    show_default=True,
    help="File to write.",
)
@click.option("--landscape", type=click.Path(dir_okay=False), help="Points written by sharpscope landscape.")
@click.option("--correlation", type=click.Path(dir_okay=False), help="correlations.csv. [default: computed]")
@click.option("--title", default="Sharpness and equal error rate", show_default=True, help="Of the page.")
def report(results: str, out: str, landscape: str | None, correlation: str | None, title: str) -> None:
    r"""Write one HTML page about RESULTS: figures to hover, tables to sort, provenance of every row.

    The page needs no network and opens from disk.

    \b
    Example:
        sharpscope report results.csv -o report.html
    """
    from pathlib import Path

    from sharpscope.reports import report as write

    path = write(results, out, landscape=landscape, correlation=correlation, title=title)
    click.echo(
        f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB). Next: open {Path(path).resolve().as_uri()}",
        err=True,
    )
