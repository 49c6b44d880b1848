"""`sharpscope landscape`: slices of loss surfaces, several checkpoints on one scale."""

from __future__ import annotations

from typing import Any

import click

from sharpscope.cli import shared
from sharpscope.cli.completion import (
    complete_axes,
    complete_sets,
)
from sharpscope.cli.group import main
from sharpscope.cli.values import VENUES
from sharpscope.errors import SharpscopeError


@main.command()
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path())
@click.option(
    "--sets", required=True, shell_complete=complete_sets, help="Test sets, by commas; as for measure."
)
@click.option("--data", type=click.Path(), help="Folder that holds the corpora. [default: $SHARPSCOPE_DATA]")
@click.option("--out-dir", default="landscape", show_default=True, help="Folder of the points and figures.")
@click.option(
    "--axes",
    default="random,random",
    shell_complete=complete_axes,
    show_default=True,
    help="random, sam, or two of them.",
)
@click.option("--steps", default=21, show_default=True, help="Points along an axis, odd.")
@click.option("--span", default=1.0, show_default=True, help="Reach of a random axis, in filter norms.")
@click.option("--rho", default=0.5, show_default=True, help="Reach of the axis sam, a radius.")
@click.option("--directions", default=1, show_default=True, help="Draws of a one-dimensional random slice.")
@click.option("--seed", default=0, show_default=True, help="Of directions and trials.")
@click.option("--limit", default=64, show_default=True, help="Trials per set; 0 takes all.")
@shared.preset
@click.option("--m", type=int, help="Trials per group. [default: the preset's]")
@click.option("--batch-size", type=int, help="Physical batch. [default: fitted to memory]")
@shared.opening
@shared.device
@shared.dtype
@click.option("--venue", type=click.Choice(VENUES), default="interspeech", show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
def landscape(
    checkpoints: tuple[str, ...],
    sets: str,
    axes: str,
    limit: int,
    venue: str,
    quiet: bool,
    **options: Any,
) -> None:
    r"""Draw the loss around CHECKPOINTS: lines or contours, the trained network at the centre.

    \b
    Example:
        sharpscope landscape adam.pt sam.pt --sets itw --axes sam,random --limit 32
    """
    from pathlib import Path

    from sharpscope.figures import style
    from sharpscope.figures.surface import plot_landscape
    from sharpscope.landscapes.landscape import landscape as run

    done = run(
        checkpoints,
        [name.strip() for name in sets.split(",") if name.strip()],
        axes=[name.strip() for name in axes.split(",") if name.strip()],
        limit=limit or None,
        show_progress=not quiet,
        **options,
    )
    kinds = ["contour", "surface"] if "," in axes else ["slices"]
    written = []
    for kind in kinds:
        drawn = plot_landscape(done.out, kind=kind, venue=venue)
        for ending in (".pdf", ".png"):
            path = Path(done.out).with_name(f"{kind}{ending}")
            written.append(str(style.save(drawn.figure, path, caption=drawn.caption, venue=venue)))
    click.echo(drawn.caption)
    click.echo(
        f"wrote {done.out} ({done.points} points, {done.evaluated} new), {', '.join(written)}", err=True
    )
    click.echo("Next: sharpscope report results.csv --landscape " + str(done.out), err=True)
    if done.failures:
        raise SharpscopeError("; ".join(done.failures))
