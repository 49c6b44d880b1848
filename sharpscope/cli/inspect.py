"""`sharpscope inspect`."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from sharpscope.cli import shared
from sharpscope.cli.group import main


@main.command()
@click.argument("checkpoint", type=click.Path())
@shared.opening
@click.option(
    "--check/--no-check", default=True, help="Run the network on noise: live parameters, preflight."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(checkpoint: str, bonafide_index: int | None, check: bool, as_json: bool, **options: Any) -> None:
    """Say what a checkpoint is: its architecture, what was assumed, its polarity, its live parameters."""
    from sharpscope.measurement.inspection import inspect as run
    from sharpscope.progress import patiently

    with patiently(f"reading {checkpoint}" + (" and running it on noise" if check else "")):
        facts = run(checkpoint, check=check, bonafide_index=bonafide_index, **options)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if name == "conventions" or value == {}:
            continue  # said in words above
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines or ["-"]):
            click.echo(f"{name if number == 0 else '':<18}{line}")
    words = ["sharpscope", "measure", checkpoint, *_given(**options, bonafide_index=bonafide_index)]
    click.echo(f"next: {shlex.join(words)} --sets ...", err=True)


def _given(**options: Any) -> list[str]:
    """Return the options of this call that measuring needs as well."""
    words = []
    for name, value in options.items():
        if value is not None and value is not False:  # 0 is an index
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [json.dumps(value) if isinstance(value, dict) else str(value)]
    return words
