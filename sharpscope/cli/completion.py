"""What the shell offers after an option: sets, measures, recipes, columns of a table; only --arch loads torch.

Each function is click's ``shell_complete``: it gets what is typed so far and returns what it may become. A list with
commas is completed at its last part. A completion must never fail, so an unreadable table offers nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

Completion = Callable[[click.Context, click.Parameter, str], list[str]]
# The words of `measurement.presets`, whose module loads torch; a test holds them equal.
PRESETS = ("rigorous", "huang2025")


def _one_of(words: Callable[[], Iterable[str]]) -> Completion:
    """Offer one word of a list."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        return [word for word in words() if word.startswith(typed)]

    return complete


def _last(words: Iterable[str], typed: str) -> list[str]:
    """Offer words for the last part of a list with commas; those that stand in it already are left out."""
    before, comma, last = typed.rpartition(",")
    there = set(before.split(","))
    return [f"{before}{comma}{word}" for word in words if word.startswith(last) and word not in there]


def _several_of(words: Callable[[], Iterable[str]]) -> Completion:
    """Offer words for the last part of a list with commas."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        return _last(words(), typed)

    return complete


def _measures() -> list[str]:
    from sharpscope.results.measure_facts import FACTS

    return sorted({family for facts in FACTS.values() for family in facts.families} | set(FACTS))


def _recipes() -> Iterable[str]:
    from sharpscope.training.shelf import shipped

    return shipped()


def _architectures() -> Iterable[str]:
    from sharpscope.detectors import ARCHITECTURES

    return sorted(ARCHITECTURES)


def _examples() -> Iterable[str]:
    from sharpscope.demo.examples import examples

    return examples()


def complete_sets(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """Offer keys of corpora, and files behind ``name=``.

    Args:
        typed: The list so far.

    Returns:
        What it may become.
    """
    before, comma, last = typed.rpartition(",")
    name, equals, path = last.partition("=")
    if not equals:
        from sharpscope.corpora import CORPORA

        return _last(sorted(CORPORA), typed)
    folder, start = (Path(path), "") if path.endswith("/") else (Path(path).parent, Path(path).name)
    try:
        found = sorted(file for file in folder.iterdir() if file.name.startswith(start))
    except OSError:
        return []
    lists = [file for file in found if file.is_dir() or file.suffix in (".csv", ".txt", ".tsv")]
    return [f"{before}{comma}{name}={file}{'/' if file.is_dir() else ''}" for file in lists]


def _cells(context: click.Context, column: str) -> list[str]:
    """Return what a column of the results table on the command line holds."""
    given = context.params.get("results")
    # An option that still lacks its value stops the parser before it has given the arguments their names.
    paths: Sequence[str] = [given] if isinstance(given, str) else given or context.args
    found: set[str] = set()
    for path in paths:
        try:
            with open(path, encoding="utf-8", newline="") as file:
                found |= {row[column] for row in csv.DictReader(file)}
        except (OSError, ValueError, KeyError, csv.Error):
            continue
    return sorted(found - {""})


def in_table(column: str, *, several: bool = False) -> Completion:
    """Offer what a column of the results table holds that stands on the command line already.

    Args:
        column: Of results.csv.
        several: Whether the option takes a list with commas.

    Returns:
        The completion.
    """

    def complete(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
        cells = _cells(context, column)
        return _last(cells, typed) if several else [cell for cell in cells if cell.startswith(typed)]

    return complete


complete_measures = _several_of(_measures)
complete_preset = _one_of(lambda: PRESETS)
complete_recipe = _one_of(_recipes)
complete_architecture = _one_of(_architectures)
complete_examples = _one_of(_examples)
complete_condition = _one_of(lambda: ("attack", "codec", "language", "speaker"))
complete_device = _one_of(lambda: ("auto", "cpu", "cuda:0"))
complete_axes = _several_of(lambda: ("random", "sam"))
