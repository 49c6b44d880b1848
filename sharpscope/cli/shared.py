"""Options that several commands share, each written once: how a checkpoint is opened, and how it is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from sharpscope.cli.completion import complete_architecture, complete_device, complete_preset
from sharpscope.cli.values import read_arguments, read_index

arch = click.option(
    "--arch", shell_complete=complete_architecture, help="Architecture, where the file does not tell."
)
model = click.option("--model", help="package.module:factory or file.py:Class.")
model_args = click.option(
    "--model-args", callback=read_arguments, help="JSON object of keyword arguments, or a file."
)
bonafide_index = click.option(
    "--bonafide-index", type=click.Choice(["0", "1"]), callback=read_index, help="Which output is bona fide."
)
weights = click.option(
    "--weights", help="Which weights, where a file holds several: a key, or several with commas."
)
allow_pickle = click.option(
    "--allow-pickle",
    is_flag=True,
    help="Run the code in a file that cannot be read otherwise. Only your own.",
)
preset = click.option(
    "--preset",
    default="rigorous",
    shell_complete=complete_preset,
    show_default=True,
    help="rigorous or huang2025.",
)
device = click.option(
    "--device", default="auto", shell_complete=complete_device, show_default=True, help="auto, cpu or cuda:N."
)
dtype = click.option(
    "--dtype",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "float64"]),
    help="Of the network.",
)


def opening(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every option that says how a checkpoint is opened.

    Args:
        command: What click decorates.

    Returns:
        The same with the options.
    """
    for option in (allow_pickle, weights, bonafide_index, model_args, model, arch):
        command = option(command)
    return command
