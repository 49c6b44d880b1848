"""Designs of intervals: how often one of 95 % holds the true value, and how often one is given."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import forecast_coverage
from benchmarks.calibration import intervals
from benchmarks.calibration.design import Design, Drawn

SINGLE = "Correlation on one set"
MEAN = "Means, differences and partial correlations"
RATES = "Equal error rates"
VALUES = "Values of measures"
FORECASTS = "Forecasts"


def covers(section: str, name: str, function: Callable[..., Drawn], *rest: Any, runs: int = 2_000) -> Design:
    """Return the design that calls a function with a generator and some arguments."""
    return Design(name, section, lambda rng: function(rng, *rest), runs, "interval")


def single() -> Iterator[Design]:
    """One correlation."""
    for r in (0.0, 0.6, 0.95):
        for n in (5, 8, 12, 24):
            yield covers(SINGLE, f"correlation {r:g}, n = {n}", intervals.one_set, n, r)
    for r in (0.0, 0.8):
        for n in (8, 12, 24):
            name = f"correlation {r:g}, 60 % on the floor, n = {n}"
            yield covers(SINGLE, name, intervals.one_set_hard, n, r, 0.6)


def mean() -> Iterator[Design]:
    """The mean of five correlations, and the difference of two such means."""
    for r, floor, spreads in (
        (0.95, 0.0, False),
        (0.6, 0.0, False),
        (0.0, 0.0, False),
        (0.8, 0.6, False),
        (0.0, 0.6, False),
        (0.6, 0.0, True),
    ):
        what = f"correlation {r:g}" + (", 60 % on the floor" if floor else "")
        what += ", half with ten times the spread" if spreads else ""
        for n in (8, 10, 12, 20) if r == 0.95 else (8, 12, 20):
            yield covers(MEAN, f"mean over sets: {what}, n = {n}", intervals.over_sets, n, r, floor, spreads)
    for kind in ("alike", "noise unlike", ".95 and .6"):
        for n in (8, 12, 24):
            name = f"two measures, {kind}, n = {n}"
            yield covers(MEAN, name, intervals.difference_of_means, n, kind, runs=1_000)


def given() -> Iterator[Design]:
    """What sharpness adds to the loss."""
    for adds in (0.0, 0.6):
        for n, k in ((12, 1), (24, 1), (12, 5)):
            name = f"adds {adds:g} to the loss, n = {n}, {k} {'set' if k == 1 else 'sets'}"
            yield covers(MEAN, name, intervals.given_the_loss, n, k, adds)


def error_rates() -> Iterator[Design]:
    """Equal error rates over trials and speakers, and differences of two."""
    for true in (0.005, 0.02, 0.05, 0.1, 0.2):
        for n in (40, 100, 400):
            name = f"EER {100 * true:g} %, {n} trials a class"
            yield covers(RATES, name, intervals.of_trials, true, n, runs=500)
    for true, speakers, each in (
        (0.129, 5, 20),
        (0.129, 10, 20),
        (0.129, 20, 20),
        (0.129, 50, 20),
        (0.039, 5, 20),
        (0.039, 10, 20),
        (0.039, 20, 10),
    ):
        for alike in (0.2, 0.5):
            name = f"EER {100 * true:g} %, {speakers} speakers x {each} trials a class, correlated {alike:g}"
            yield covers(RATES, name, intervals.of_speakers, true, speakers, each, alike, runs=1_000)
    for speakers in (0, 5, 10, 20, 40):
        name = "EERs 10 and 15 %, 200 trials a class" + (f" of {speakers} speakers" if speakers else "")
        yield covers(RATES, name, intervals.difference, 200, speakers, runs=500)


SHAPES: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("normal", intervals.normal_groups),
    ("log-normal .5", functools.partial(intervals.skewed, sigma=0.5)),
    ("log-normal 1", functools.partial(intervals.skewed, sigma=1.0)),
    ("log-normal 1.5", functools.partial(intervals.skewed, sigma=1.5)),
    ("2 % carry the value, the rest zero", functools.partial(intervals.sparse, share=0.02, rest=0.0)),
    ("5 % carry the value beside others alike", functools.partial(intervals.sparse, share=0.05, rest=0.05)),
    ("20 % carry the value, the rest zero", functools.partial(intervals.sparse, share=0.2, rest=0.0)),
    ("following one another in the file", intervals.following),
)


def values() -> Iterator[Design]:
    """Values of measures, stopped early or of a whole set."""
    for name, draw in SHAPES:
        for tolerance in (0.2, 0.1):
            yield covers(VALUES, f"--tolerance {tolerance:g}: {name}", intervals.stopped, draw, tolerance)
        # What follows one another is no independent sample of speech.
        for size in (12, 100) if draw is not intervals.following else ():
            yield covers(VALUES, f"a set of {size} groups: {name}", intervals.of_a_set, draw, size)


def forecasts() -> Iterator[Design]:
    """Populations of forecasts."""
    for name, population in forecast_coverage.POPULATIONS.items():
        yield covers(FORECASTS, f"forecast: {name}", intervals.forecast, population, runs=500)


DESIGNS = (*single(), *mean(), *given(), *error_rates(), *values(), *forecasts())
