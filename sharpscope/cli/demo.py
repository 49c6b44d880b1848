"""`sharpscope demo`."""

from __future__ import annotations

import click

from sharpscope.cli.group import main


@main.command()
@click.option("--speech", type=click.Path(), help="Folder of recordings.  [default: fetched from Debian]")
@click.option("--out", default="demo", show_default=True, type=click.Path(), help="Folder for everything.")
@click.option("--seed", default=0, show_default=True, help="Of the segments, the sets and the detectors.")
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(speech: str | None, out: str, seed: int, quiet: bool) -> None:
    r"""Run the whole pipeline on real speech in two to three minutes.

    \b
    sharpscope demo
    sharpscope demo --speech ~/recordings --out mine
    """
    from sharpscope.demo.report import conclusion, table
    from sharpscope.demo.run import run_demo
    from sharpscope.figures import plot, write_correlation_figures

    def say(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    done = run_demo(speech, out=out, seed=seed, show_progress=not quiet, say=say)
    write_correlation_figures(done.correlation.results, done.correlation, done.out / "correlation")
    plot(
        "glance",
        done.correlation.results,
        out=done.out / "demo.png",
        venue="web",
        measure="sam",
        correlation=done.correlation,
    )
    click.echo(table(done.correlation, done.sets))
    click.echo(f"\n{conclusion(done)}")
