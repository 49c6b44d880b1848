"""What the commands read from their options: lists, and JSON objects."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

import click

from sharpscope.errors import UsageError

# Where figures are printed: the keys of sharpscope.figures.style.VENUES, which loads matplotlib.
VENUES = ("interspeech", "ieee", "web")


def _named(parameter: click.Parameter) -> str:
    """Return what a user calls an option: its longest spelling begins the message about it."""
    return parameter.opts[0] if parameter.opts else str(parameter.name)


def read_numbers(_: click.Context, parameter: click.Parameter, text: str | None) -> list[float] | None:
    """Read numbers with commas between them."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(
            f"{_named(parameter)} is '{text}'; it takes numbers with commas between them, such as 0.05,0.01"
        ) from None
    if not numbers:
        raise UsageError(f"{_named(parameter)} is empty; it takes numbers with commas between them")
    return numbers


def read_integers(context: click.Context, parameter: click.Parameter, text: str | None) -> list[int] | None:
    """Read whole numbers with commas between them."""
    numbers = read_numbers(context, parameter, text)
    # Neither NaN nor infinity is a whole number.
    if numbers is not None and not all(number.is_integer() for number in numbers):
        raise UsageError(
            f"{_named(parameter)} is '{text}'; it takes whole numbers with commas between them, such as 8,32"
        )
    return None if numbers is None else [int(number) for number in numbers]


def read_words(_: click.Context, parameter: click.Parameter, text: str | None) -> list[str]:
    """Read words with commas between them."""
    words = [part.strip() for part in (text or "").split(",") if part.strip()]
    for word in words:
        # No name that these options take holds one of these, but a list with the wrong separator does.
        if any(separator in word for separator in (";", "\t", "\n")):
            raise UsageError(
                f"{_named(parameter)} is '{' '.join(word.split())}'; its parts stand apart by commas, such as itw,mlaad"
            )
    return words


def read_index(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Read the number of an output, where one was given."""
    return None if text is None else int(text)


def read_arguments(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, Any] | None:
    """Read a JSON object of keyword arguments, or a configuration file that holds one (JSON, YAML or TOML).

    Args:
        text: What was given on the command line.

    Returns:
        The object; None when nothing was given.

    Raises:
        UsageError: If it is no object of arguments.
    """
    if text is None:
        return None
    suffix = ""
    try:
        if not text.lstrip().startswith(("{", "[")):
            suffix = Path(text).suffix.lower()
            text = Path(text).read_text(encoding="utf-8")
        value = _parse(text, suffix)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--model-args is neither JSON nor a file of JSON, YAML or TOML ({' '.join(str(error).split())[:200]}); "
            "write for example '{\"width\": 64}'"
        ) from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(
            f"--model-args holds a {type(value).__name__}; it must be an object of named arguments"
        )
    return value


def _parse(text: str, suffix: str) -> Any:
    """Read a configuration as data: a tag that asks for code is an error, never run."""
    if suffix == ".toml":
        return tomllib.loads(text)
    if suffix not in (".yaml", ".yml"):
        return json.loads(text)
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise ValueError("reading YAML needs PyYAML: pip install pyyaml, or write it as JSON") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
