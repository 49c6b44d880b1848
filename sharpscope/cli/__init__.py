"""The command line: parse, call one public function, print. One file per command."""

from __future__ import annotations

from sharpscope.cli import (  # noqa: F401
    convert,
    correlate,
    demo,
    examples,
    forecast,
    inspect,
    landscape,
    measure,
    measures,
    plot,
    power,
    report,
    score,
    sets,
    table,
    train,
    watch,
)
from sharpscope.cli.group import main

__all__ = ["main"]
