"""What a simulated design is, and the file in which its counts are kept, so that a stopped run goes on."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sharpscope.analysis import confounding, over_sets, permutation, rank_correlation
from sharpscope.files import replace_file

RATES = Path(__file__).with_name("rates.json")
# Orders and swaps of a test: with the observed one counted 5 % is reached exactly by 199 as by the program's 9,999, as
# long as every simulated study draws its own; only power is a little lower.
ORDERS = 199
LEVEL = 0.05
# Runs between two writes of the file.
CHUNK = 100
Drawn = dict[str, float]


class Design(NamedTuple):
    """One kind of simulated study.

    Attributes:
        name: Unique, as it stands in the tables.
        section: Of the tables.
        draw: One study: from a generator to p-values, or to whether intervals hold (NaN where none is given), by test.
            A name that starts with "field: " is what the field usually does on the same study.
        runs: How many studies it is worth.
        kind: "level", "power" or "interval".
    """

    name: str
    section: str
    draw: Callable[[np.random.Generator], Drawn]
    runs: int = 2_000
    kind: str = "level"


class Rate(NamedTuple):
    """How often a test rejected, or an interval held.

    Attributes:
        hits: Times it did.
        given: Studies in which there was an answer.
        runs: Studies.
    """

    hits: int
    given: int
    runs: int

    @property
    def share(self) -> float:
        """The share of answers; NaN without one."""
        return self.hits / self.given if self.given else math.nan

    @property
    def error(self) -> float:
        """Monte Carlo standard error of the share, one run more of either kind so that it is never 0."""
        p = (self.hits + 1) / (self.given + 2)
        return math.sqrt(p * (1 - p) / (self.given + 2))


@contextmanager
def few_orders(count: int = ORDERS) -> Iterator[None]:
    """Let the package draw fewer random orders; every order still counts up to nine checkpoints."""
    default = rank_correlation.orders.__kwdefaults__
    kept = default["n_permutations"]
    default["n_permutations"] = count
    for module in (confounding, over_sets, permutation):
        module.N_PERMUTATIONS = count
    try:
        yield
    finally:
        default["n_permutations"] = kept
        for module in (confounding, over_sets, permutation):
            module.N_PERMUTATIONS = kept


def simulate(design: Design, start: int, stop: int) -> dict[str, Rate]:
    """Draw the studies from one number up to another; study i is the same whatever was drawn before it.

    Args:
        design: What to draw.
        start: First study.
        stop: One past the last.

    Returns:
        Rates by test.
    """
    hits: dict[str, int] = {}
    given: dict[str, int] = {}
    with few_orders(999 if design.kind == "power" else ORDERS):
        for number in range(start, stop):
            rng = np.random.default_rng([zlib.crc32(design.name.encode()), number])
            for test, value in design.draw(rng).items():
                known = math.isfinite(value)
                hit = known and (value > 0.5 if design.kind == "interval" else value <= LEVEL)
                hits[test] = hits.get(test, 0) + int(hit)
                given[test] = given.get(test, 0) + int(known)
    return {test: Rate(hits[test], given[test], stop - start) for test in hits}


def read_rates(path: Path = RATES) -> dict[str, Any]:
    """Return what was counted so far, by design."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def rates_of(known: dict[str, Any], design: Design) -> dict[str, Rate]:
    """Return the rates of a design in a file of counts; empty where it was not drawn."""
    tests = known.get(design.name, {}).get("tests", {})
    return {test: Rate(*counts) for test, counts in tests.items()}


def draw_until(design: Design, runs: int, path: Path = RATES) -> dict[str, Rate]:
    """Draw a design until it has so many studies, writing the counts now and then.

    Args:
        design: What to draw.
        runs: Studies in all.
        path: The file of counts; those in it are not drawn again.

    Returns:
        Rates by test.
    """
    found = rates_of(read_rates(path), design)
    done = max((rate.runs for rate in found.values()), default=0)
    while done < runs:
        began, stop = time.process_time(), min(runs, done + CHUNK)
        for test, rate in simulate(design, done, stop).items():
            before = found.get(test, Rate(0, 0, 0))
            found[test] = Rate(*(a + b for a, b in zip(before, rate, strict=True)))
        done, known = stop, read_rates(path)
        seconds = known.get(design.name, {}).get("seconds", 0.0) + time.process_time() - began
        known[design.name] = {
            "seconds": round(seconds, 1),
            "tests": {test: list(rate) for test, rate in found.items()},
        }
        replace_file(path, json.dumps(dict(sorted(known.items())), indent=0) + "\n")
    return found
