"""Does the test of what sharpness adds to the loss reject as often as it says, and does its interval cover?

    python -m benchmarks.given_loss_calibration [RUNS]

The audit's designs: sharpness and error rate follow the loss and nothing else, and all three are noisy. Noise of one
half of the trials moves all that is measured on it. Beside the answer stands the partial correlation that takes the
measured loss for the true one, of all trials.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from sharpscope.analysis.confounding import partial_correlation
from sharpscope.analysis.cross_half import halves_of_errors
from sharpscope.analysis.instrumented import given_noisy
from sharpscope.analysis.rank_correlation import standardised_ranks

MANY = 20_000


class Study(NamedTuple):
    """Measure, loss and error rate on both halves, checkpoints x sets each."""

    x: tuple[np.ndarray, np.ndarray]
    z: tuple[np.ndarray, np.ndarray]
    y: tuple[np.ndarray, np.ndarray]


def _true(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Return one quantity over checkpoints x sets, four fifths of its variance shared by all sets."""
    return np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, k))


def through_the_loss(
    rng: np.random.Generator,
    n: int,
    k: int,
    reliability: float,
    *,
    adds: float = 0.0,
    loading: float = 0.9,
    only: bool = False,
) -> Study:
    """Sharpness and error follow the loss; ``adds`` is what their remainders have in common.

    Args:
        rng: Source of chance.
        n: Checkpoints.
        k: Sets.
        reliability: Of every quantity over all trials; the noise of a half is twice as large.
        adds: Correlation of the remainders.
        loading: Of both on the loss.
        only: Whether the loss alone is noisy.
    """
    loss, of_x, of_y = _true(rng, n, k), _true(rng, n, k), _true(rng, n, k)
    of_y = adds * of_x + np.sqrt(1 - adds**2) * of_y
    rest = np.sqrt(1 - loading**2)
    both = []
    for _ in range(2):
        shared = rng.normal(size=(n, k))
        noise = [np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=(n, k)) for _ in range(3)]
        scale = np.sqrt(2 * (1 - reliability) / reliability)
        clean = (loading * loss + rest * of_x, loss, loading * loss + rest * of_y)
        scales = (0 if only else scale, scale, 0 if only else scale)
        both.append([value + times * own for value, own, times in zip(clean, noise, scales, strict=True)])
    return Study(*zip(*both, strict=True))


def skewed(rng: np.random.Generator, n: int, k: int, reliability: float) -> Study:
    """The same, sharpness and loss over three decades, error rates in fortieths with a floor."""
    study = through_the_loss(rng, n, k, reliability)
    x, z = (tuple(np.exp(1.5 * half) for half in side) for side in (study.x, study.z))
    y = tuple(np.clip(np.round(norm.cdf(half - 1.5) * 40) / 40, 0, 0.5) for half in study.y)
    return Study(x, z, y)  # type: ignore[arg-type]


def other_loadings(rng: np.random.Generator, n: int, k: int, reliability: float) -> Study:
    """The same, each set with a loading of its own from .3 to .95."""
    loadings = np.linspace(0.3, 0.95, k)
    parts = [through_the_loss(rng, n, 1, reliability, loading=float(one)) for one in loadings]
    return Study(
        *(
            tuple(np.hstack([getattr(part, name)[half] for part in parts]) for half in range(2))
            for name in Study._fields
        )  # type: ignore[arg-type]
    )


def one_margin(rng: np.random.Generator, n: int, k: int, trials: int) -> Study:
    """Detectors differ in their mean margin alone, and sharpness is another function of it than the loss."""
    mean = 1.6 + 0.3 * rng.normal(size=(n, 1))
    x, z, y = ([], []), ([], []), ([], [])  # type: tuple[list[np.ndarray], list[np.ndarray]], ...
    for _ in range(k):
        for half in range(2):
            s = mean + rng.normal(size=(1, trials)) + rng.normal(size=(n, trials))
            truth = np.arange(trials) % 2 == 0
            chance = 1 / (1 + np.exp(s))
            x[half].append((chance * (1 - chance)).mean(axis=1))
            z[half].append(np.log1p(np.exp(-s)).mean(axis=1))
            everything = np.ones((1, trials), dtype=bool)
            y[half].append(halves_of_errors(np.where(truth, s, -s), truth, everything)[:, 0])
    return Study(*(tuple(np.column_stack(half) for half in side) for side in (x, z, y)))  # type: ignore[arg-type]


DESIGNS: dict[str, tuple[Callable[..., Study], tuple[tuple[int, int, float], ...]]] = {
    "through the loss": (
        through_the_loss,
        (
            (8, 1, 0.95),
            (8, 5, 0.95),
            *((n, k, r) for n, k in ((12, 1), (24, 1), (12, 5), (24, 5)) for r in (1.0, 0.95, 0.9, 0.8)),
        ),
    ),
    "through the loss, which alone is noisy": (
        partial(through_the_loss, only=True),
        tuple((n, k, r) for n, k in ((12, 1), (24, 1), (12, 5)) for r in (0.95, 0.8)),
    ),
    "skewed, errors in fortieths": (skewed, ((12, 1, 0.9), (24, 1, 0.9), (12, 5, 0.9), (24, 5, 0.9))),
    "loadings .3 to .95": (other_loadings, ((12, 5, 0.95), (12, 5, 0.8), (24, 5, 0.95), (24, 5, 0.8))),
}


def _row(
    rng: np.random.Generator, runs: int, make: Callable[[np.random.Generator], Study], truth: float
) -> str:
    """Return rejection rate, coverage of both intervals, how often an answer is given, and the usual rejection rate."""
    rejects, covers, usual, given = [], [], [], 0
    for _ in range(runs):
        study = make(rng)
        found = given_noisy(study.x[0], study.z[0], study.y[1], study.z[1])
        given += np.isfinite(found.estimate)
        rejects.append(found.p <= 0.05)
        if np.isfinite(found.estimate):
            ends = (found.interval(0.9), found.interval(0.95))
            covers.append([low <= truth <= high for low, high in ends])
        whole = [(side[0] + side[1])[:, 0] / 2 for side in study]
        usual.append(partial_correlation(whole[0], whole[2], whole[1][:, None]).p <= 0.05)
    inside = 100 * np.mean(covers, axis=0)
    return (
        f"{100 * np.mean(rejects):.1f} % | {inside[0]:.1f} % | {inside[1]:.1f} % | {100 * given / runs:.0f} % | "
        f"{100 * np.mean(usual):.1f} %"
    )


def _truth(adds: float, reliability: float) -> float:
    """Return the partial correlation that many checkpoints give."""
    study = through_the_loss(np.random.default_rng(9), MANY, 1, reliability, adds=adds)
    x, z, y, w = (standardised_ranks(v)[:, 0] for v in (study.x[0], study.z[0], study.y[1], study.z[1]))
    tau = (z @ w) * (x @ y) - (x @ w) * (z @ y)
    return float(tau / np.sqrt(((z @ w) - (x @ w) ** 2) * ((z @ w) - (z @ y) ** 2)))


def run(runs: int = 2_000) -> None:
    """Print the table as Markdown."""
    head = "| design | checkpoints x sets, reliability | rejects | 90 % covers | 95 % covers | given "
    print(f"{head}| loss taken as true |\n|---|---|---|---|---|---|---|")
    for name, (design, cases) in DESIGNS.items():
        for n, k, reliability in cases:
            rng = np.random.default_rng([n, k, int(1000 * reliability)])
            row = _row(rng, runs, lambda r: design(r, n, k, reliability), 0.0)  # noqa: B023
            print(f"| {name} | {n} x {k}, {reliability:g} | {row} |", flush=True)
    for n, k, trials in ((12, 1, 200), (12, 5, 200), (24, 5, 200)):
        rng = np.random.default_rng([n, k, trials])
        row = _row(rng, runs // 4, lambda r: one_margin(r, n, k, trials), 0.0)  # noqa: B023
        print(f"| one margin, {trials} trials a half | {n} x {k} | {row} |", flush=True)
    for n, k, reliability in ((12, 1, 0.9), (24, 1, 0.9), (12, 5, 0.9), (24, 5, 0.9)):
        rng = np.random.default_rng([n, k, 7])
        truth = _truth(0.6, reliability)
        row = _row(rng, runs, lambda r: through_the_loss(r, n, k, reliability, adds=0.6), truth)  # noqa: B023
        print(f"| adds .6 (measured {truth:.2f}) | {n} x {k}, {reliability:g} | {row} |", flush=True)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
