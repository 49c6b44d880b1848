"""Null designs: how often each printed p-value lies at or below 5 % where nothing goes with error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.calibration import levels
from benchmarks.calibration import populations as pop
from benchmarks.calibration.design import Design, Drawn

TRIALS = "Detectors equal in truth"
EVERY = "Every test, nothing goes with error"
MANY = "The best of many"
EVIDENCE = "What is one piece of evidence"
FURTHER = "Comparisons, shift and covariates"
SCORES = "Scores and tables of error rates"


def level(
    section: str, name: str, function: Callable[..., Drawn], *rest: Any, runs: int = 2_000, **options: Any
) -> Design:
    """Return the design that calls a function with a generator and some arguments."""
    return Design(name, section, lambda rng: function(rng, *rest, **options), runs)


def of_trials() -> Iterator[Design]:
    """Detectors equal in truth, or unequal in sharpness alone."""
    for n, per_class in ((12, 40), (12, 100), (12, 400), (24, 100)):
        name = f"equal detectors, n = {n}, {per_class} trials a class"
        yield level(TRIALS, name, levels.from_trials, n, per_class)
    for n in (12, 24):
        name = f"equal detectors, n = {n}, 100 trials a class, 5 sets"
        yield level(TRIALS, name, levels.from_trials, n, 100, sets=5)
    name = "equal detectors, n = 12, 100 trials a class, eleven splits"
    yield level(TRIALS, name, levels.from_trials, 12, 100, splits=11, runs=1_000)
    for n in (12, 24):
        name = f"sharpness differs by 5 %, n = {n}, 400 trials a class, 5 sets"
        yield level(TRIALS, name, levels.from_trials, n, 400, sets=5, sharper=0.05, runs=1_000)
    for speakers in (6, 20):
        name = f"equal detectors, {speakers} speakers hard for some, n = 12, 100 trials a class"
        yield level(TRIALS, name, levels.with_speakers, 12, 100, speakers)
    name = "sharpness differs by 20 %, n = 12, 100 trials a class"
    yield level(TRIALS, name, levels.from_trials, 12, 100, sharper=0.2)


POPULATIONS = (
    ("checkpoints and sets have effects", pop.unrelated, (6, 12, 24)),
    ("equal detectors, halves of 40 + 40 trials", pop.equal_detectors, (12,)),
    ("sharpness over three decades, error on a grid of 20", pop.coarse, (6, 12)),
    ("three of five checkpoints without an error", pop.on_the_floor, (12,)),
    ("Cauchy", pop.heavy_tails, (16,)),
    ("half of the checkpoints with ten times the spread", pop.unequal_spreads, (12, 24)),
)


def every_test() -> Iterator[Design]:
    """All tests of a table of cells, on populations of every shape."""
    for name, draw, sizes in POPULATIONS:
        for n in sizes:
            yield level(EVERY, f"{name}, n = {n}", levels.tests_of_record, draw, n)
    for name, draw in (("checkpoints and sets have effects", pop.unrelated), ("grid of 20", pop.coarse)):
        yield level(EVERY, f"information of pairs: {name}, n = 12", levels.information, draw, 12, runs=500)
        yield level(EVERY, f"set to set: {name}, n = 12", levels.from_set_to_set, draw, 12, runs=500)


def best_of_many() -> Iterator[Design]:
    """The largest of several means, and one that was chosen elsewhere."""
    for n in (8, 12, 24):
        name = f"largest of 4 measures x 3 radii, n = {n}"
        yield level(MANY, name, levels.best_of_ways, n, 4, 3, runs=500 if n == 8 else 2_000)
    yield level(MANY, "largest of 3 radii, n = 12", levels.best_of_ways, 12, 1, 3)
    yield level(MANY, "--freeze, 6 ways, n = 12", levels.frozen, 12)


def evidence() -> Iterator[Design]:
    """Clusters, strata and missing cells."""
    unequal = np.where(np.arange(10) % 2, 10, 1)
    for name, sizes, options in (
        ("6 runs x 4 epochs", np.full(6, 4), {}),
        ("12 runs x 2 epochs", np.full(12, 2), {}),
        ("8 networks, each copied twice", np.full(8, 3), {"apart": 0.0, "runs": 500}),
        ("10 recipes x 3 seeds", np.full(10, 3), {"apart": 0.6}),
        ("10 recipes of 1 or 10 seeds, as far apart as recipes", unequal, {"apart": 2.0}),
        (
            "--by arch: 6 architectures, 2 recipes x 3 seeds",
            np.full(12, 3),
            {"strata": np.repeat(np.arange(6), 2)},
        ),
        (
            "--by arch: 3 architectures, 4 recipes x 2 seeds",
            np.full(12, 2),
            {"strata": np.repeat(np.arange(3), 4)},
        ),
        ("2 recipes x 6 runs of each", np.full(12, 1), {"strata": np.repeat(np.arange(2), 6)}),
    ):
        yield level(EVIDENCE, name, levels.clusters, sizes, **options)
    for n in (12, 24):
        yield level(EVIDENCE, f"3 architectures move sharpness and error, n = {n}", levels.confounded, n)
    yield level(EVIDENCE, "one architecture of 10 checkpoints, six of one", levels.few_of_most)
    yield level(EVIDENCE, "cells missing at random, n = 24", levels.missing, 24, by_quality=False)
    yield level(EVIDENCE, "cells of bad checkpoints missing, n = 24", levels.missing, 24, by_quality=True)
    name = "mixed model, 4 architectures x 3 recipes x 2 seeds"
    yield level(EVIDENCE, name, levels.mixed, 4, 3, 2, runs=500)


def further() -> Iterator[Design]:
    """Two measures, corpora and their subsets, covariates."""
    for n in (8, 12, 24):
        yield level(
            FURTHER, f"two measures equally good, n = {n}", levels.equally_correlated, n, unlike=False
        )
        name = f"two measures equally good, noise unlike, n = {n}"
        yield level(FURTHER, name, levels.equally_correlated, n, unlike=True)
    for count, each in ((12, 1), (6, 2), (5, 3), (4, 2), (3, 4)):
        runs = 500 if count * each in (8, 15) else 2_000
        yield level(
            FURTHER, f"{count} corpora x {each} subsets, n = 12", levels.corpora, 12, (count, each), runs=runs
        )
    for n in (12, 24):
        for known in (1.0, 0.95, 0.9, 0.8):
            name = f"only through the loss, which alone is noisy, reliability {known:g}, n = {n}"
            yield level(FURTHER, name, levels.given_the_loss, n, 1, known, True)
        for k in (1, 5):
            name = f"only through the loss, all noisy, reliability 0.8, {k} {'set' if k == 1 else 'sets'}, n = {n}"
            yield level(FURTHER, name, levels.given_the_loss, n, k, 0.8, False)
        yield level(FURTHER, f"gradient norm from loss and sharpness, n = {n}", levels.collider, n)


def scores() -> Iterator[Design]:
    """Paired systems and paired recipes."""
    yield level(SCORES, "two systems, 200 trials a class", levels.two_systems, 200, 0, runs=1_000)
    for speakers in (5, 10, 20, 40):
        name = f"two systems, 200 trials a class of {speakers} speakers"
        yield level(SCORES, name, levels.two_systems, 200, speakers, runs=1_000)
    for pairs in (6, 10, 12):
        yield level(SCORES, f"{pairs} pairs of recipes on a grid", levels.signs, pairs, runs=500)


DESIGNS = (*of_trials(), *every_test(), *best_of_many(), *evidence(), *further(), *scores())
