"""`sharpscope inspect`."""

from __future__ import annotations

import json
from typing import Any

import click

from sharpscope.cli.group import main
from sharpscope.errors import UsageError


def read_arguments(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, Any] | None:
    """Read a JSON object of keyword arguments, or a file that holds one.

    Args:
        text: What was given on the command line.

    Returns:
        The object; None when nothing was given.

    Raises:
        UsageError: If it is no JSON object.
    """
    if text is None:
        return None
    try:
        if not text.lstrip().startswith("{"):
            with open(text, encoding="utf-8") as file:
                text = file.read()
        value = json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--model-args is neither JSON nor a JSON file ({error}); write for example '{{\"width\": 64}}'"
        ) from None
    if not isinstance(value, dict):
        raise UsageError(f"--model-args holds a JSON {type(value).__name__}; it must be an object")
    return value


@main.command()
@click.argument("checkpoint", type=click.Path())
@click.option("--arch", help="Architecture, where the file does not tell.")
@click.option("--model", help="package.module:factory or file.py:Class.")
@click.option("--model-args", callback=read_arguments, help="JSON object of keyword arguments, or a file.")
@click.option("--bonafide-index", type=click.Choice(["0", "1"]), help="Which output is bona fide.")
@click.option("--allow-pickle", is_flag=True, help="Open files that can run code. Only your own.")
@click.option(
    "--check/--no-check", default=True, help="Run the network on noise: live parameters, preflight."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(checkpoint: str, bonafide_index: str | None, check: bool, as_json: bool, **options: Any) -> None:
    """Say what a checkpoint is: its architecture, what was assumed, its polarity, its live parameters."""
    from sharpscope.detectors.description import describe

    index = None if bonafide_index is None else int(bonafide_index)
    facts = describe(checkpoint, check=check, bonafide_index=index, **options)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if name == "conventions" or value == {}:
            continue  # said in words above
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines or ["-"]):
            click.echo(f"{name if number == 0 else '':<18}{line}")
    click.echo(f"next: sharpscope measure {checkpoint} --sets ...", err=True)
