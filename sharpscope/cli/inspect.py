"""`sharpscope inspect`."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from sharpscope.cli.completion import complete_architecture
from sharpscope.cli.group import main
from sharpscope.cli.values import read_arguments


@main.command()
@click.argument("checkpoint", type=click.Path())
@click.option(
    "--arch", shell_complete=complete_architecture, help="Architecture, where the file does not tell."
)
@click.option("--model", help="package.module:factory or file.py:Class.")
@click.option("--model-args", callback=read_arguments, help="JSON object of keyword arguments, or a file.")
@click.option("--bonafide-index", type=click.Choice(["0", "1"]), help="Which output is bona fide.")
@click.option("--weights", help="Which weights, where a file holds several: a key, or several with commas.")
@click.option(
    "--allow-pickle",
    is_flag=True,
    help="Run the code in a file that cannot be read otherwise. Only your own.",
)
@click.option(
    "--check/--no-check", default=True, help="Run the network on noise: live parameters, preflight."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(checkpoint: str, bonafide_index: str | None, check: bool, as_json: bool, **options: Any) -> None:
    """Say what a checkpoint is: its architecture, what was assumed, its polarity, its live parameters."""
    from sharpscope.measurement.inspection import inspect as run
    from sharpscope.progress import patiently

    index = None if bonafide_index is None else int(bonafide_index)
    with patiently(f"reading {checkpoint}" + (" and running it on noise" if check else "")):
        facts = run(checkpoint, check=check, bonafide_index=index, **options)
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
        if value not in (None, False):
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [json.dumps(value) if isinstance(value, dict) else str(value)]
    return words
