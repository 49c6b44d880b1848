"""`sharpscope convert`."""

from __future__ import annotations

import click

from sharpscope.cli import shared
from sharpscope.cli.group import main


@main.command()
@click.argument("checkpoint", type=click.Path())
@click.argument("out", type=click.Path())
@shared.weights
@shared.allow_pickle
@click.option("--bonafide-index", type=click.Choice(["0", "1"]), help="Record which output is bona fide.")
def convert(
    checkpoint: str, out: str, weights: str | None, allow_pickle: bool, bonafide_index: str | None
) -> None:
    """Write CHECKPOINT's weights to OUT, a .safetensors file that cannot hold code, with their record."""
    from sharpscope.detectors.conversion import convert as run

    index = None if bonafide_index is None else int(bonafide_index)
    count = run(checkpoint, out, allow_pickle=allow_pickle, weights=weights, bonafide_index=index)
    click.echo(f"{out}: {count} tensors", err=True)
    click.echo(f"next: sharpscope inspect {out}", err=True)
