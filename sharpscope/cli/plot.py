"""`sharpscope plot`: one figure of a results table."""

from __future__ import annotations

from typing import Any

import click

from sharpscope.cli.completion import in_table
from sharpscope.cli.group import main
from sharpscope.cli.values import VENUES

KINDS = (
    *("glance", "scatter", "shift", "grow", "rho-curve", "m-curve", "heatmap"),
    *("forest", "layers", "det", "transfer", "pairs"),
)


@main.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("results", type=click.Path(dir_okay=False))
@click.option(
    "--out", type=click.Path(dir_okay=False), help="File to write: .pdf, .png or .svg. [default: KIND.pdf]"
)
@click.option("--venue", type=click.Choice(VENUES), default="interspeech", show_default=True)
@click.option("--measure", shell_complete=in_table("measure"), help="Measure shown. [default: sam]")
@click.option(
    "--rho",
    type=float,
    shell_complete=in_table("rho"),
    help="Its radius. [default: 0.05 where the table has it]",
)
@click.option(
    "--m", type=float, shell_complete=in_table("m"), help="Trials per group, where the table has several."
)
@click.option("--preset", shell_complete=in_table("preset"), help="Preset, where the table has several.")
@click.option(
    "--baseline",
    default="",
    shell_complete=in_table("recipe"),
    help="Recipe that pairs start from. [default: adam or base...]",
)
@click.option("--correlation", type=click.Path(dir_okay=False), help="correlations.csv. [default: computed]")
@click.option(
    "--sets", shell_complete=in_table("set", several=True), help="Sets shown, by commas. [default: all]"
)
def plot(kind: str, results: str, out: str | None, sets: str | None, **options: Any) -> None:
    r"""Draw one figure of RESULTS, with its caption.

    \b
    glance     how wrong detectors are per set, and whether the sharper ones are worse
    scatter    EER against a measure, a panel per set
    shift      a measure per set, from in-domain to most shifted
    grow       a measure as attacks, channels or speakers are added
    rho-curve  a measure along its radius
    m-curve    a measure along the trials per group
    heatmap    correlations, sets x measures
    forest     correlation per set with intervals, and the joint answer
    layers     which blocks of the network carry the sharpness (measure sam_layers)
    det        detection error trade-off per set, from the score files
    transfer   sharpness on one set against EER on another
    pairs      baseline to another recipe, an arrow per seed

    \b
    Example:
        sharpscope plot scatter results.csv --correlation correlation/correlations.csv --out figure1.pdf
    """
    from sharpscope.figures import plot as draw

    path = out or f"{kind}.pdf"
    chosen = [name.strip() for name in sets.split(",") if name.strip()] if sets else None
    done = draw(kind, results, out=path, sets=chosen, **options)
    click.echo(done.caption)
    width, height = done.figure.get_size_inches() * 25.4
    click.echo(
        f"wrote {path} ({width:.0f} x {height:.0f} mm; include it without scaling). "
        f"Next: sharpscope report {results}",
        err=True,
    )
