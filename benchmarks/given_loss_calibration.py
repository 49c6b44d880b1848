"""Does the test of what sharpness adds to the loss reject as often as it says, and does its interval cover?

    python -m benchmarks.given_loss_calibration [RUNS]

The audit's designs: sharpness and error rate follow the loss and nothing else, and what is measured is noisy. Noise of
one half of the trials moves all that is measured on it. Beside it stands the partial correlation on one set that takes
the measured loss of all trials for the true one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import stats

from sharpscope.analysis.cross_half import halves_of_errors
from sharpscope.analysis.instrumented import WEAKEST, score_of_many
from sharpscope.analysis.rank_correlation import standardised_ranks

MANY = 20_000
Both = tuple[np.ndarray, np.ndarray]


class Studies(NamedTuple):
    """Measure, loss and error rate on both halves, checkpoints x sets x studies each."""

    x: Both
    z: Both
    y: Both


def _true(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Return one quantity of checkpoints, four fifths of its variance shared by all sets."""
    n, _, runs = shape
    both: np.ndarray = np.sqrt(0.8) * rng.normal(size=(n, 1, runs)) + np.sqrt(0.2) * rng.normal(size=shape)
    return both


def through_the_loss(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    reliability: float,
    *,
    adds: float = 0.0,
    loading: float | np.ndarray = 0.9,
    only: bool = False,
) -> Studies:
    """Sharpness and error follow the loss; ``adds`` is what their remainders have in common.

    Args:
        rng: Source of chance.
        shape: Checkpoints, sets, studies.
        reliability: Of every quantity over all trials; the noise of a half is twice as large.
        adds: Correlation of the remainders.
        loading: Of both on the loss.
        only: Whether the loss alone is noisy.
    """
    loss, of_x, of_y = (_true(rng, shape) for _ in range(3))
    of_y = adds * of_x + np.sqrt(1 - adds**2) * of_y
    rest = np.sqrt(1 - np.asarray(loading) ** 2)
    clean = (loading * loss + rest * of_x, loss, loading * loss + rest * of_y)
    return _measured(rng, clean, reliability, only=only)


def _measured(
    rng: np.random.Generator,
    clean: tuple[np.ndarray, np.ndarray, np.ndarray],
    reliability: float,
    *,
    only: bool = False,
) -> Studies:
    """Measure sharpness, loss and error rate twice; noise of a half moves all three, or the loss only."""
    scale = np.sqrt(2 * (1 - reliability) / reliability)
    scales = (0 if only else scale, scale, 0 if only else scale)
    sides: list[list[np.ndarray]] = [[], [], []]
    for _ in range(2):
        shared = rng.normal(size=clean[1].shape)
        for side, value, times in zip(sides, clean, scales, strict=True):
            side.append(
                value + times * (np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=shared.shape))
            )
    return Studies(*((one, other) for one, other in sides))


def loss_alone_noisy(rng: np.random.Generator, shape: tuple[int, int, int], reliability: float) -> Studies:
    """Sharpness and error rate without noise."""
    return through_the_loss(rng, shape, reliability, only=True)


def skewed(rng: np.random.Generator, shape: tuple[int, int, int], reliability: float) -> Studies:
    """Sharpness and loss over three decades, error rates in fortieths with a floor."""
    x, z, y = through_the_loss(rng, shape, reliability)
    rates = [np.clip(np.round(stats.norm.cdf(half - 1.5) * 40) / 40, 0, 0.5) for half in y]
    return Studies(
        (np.exp(1.5 * x[0]), np.exp(1.5 * x[1])),
        (np.exp(1.5 * z[0]), np.exp(1.5 * z[1])),
        (rates[0], rates[1]),
    )


def other_loadings(rng: np.random.Generator, shape: tuple[int, int, int], reliability: float) -> Studies:
    """Each set has a loading of its own from .3 to .95."""
    return through_the_loss(rng, shape, reliability, loading=np.linspace(0.3, 0.95, shape[1])[None, :, None])


def cause_of_sharpness_and_error(
    rng: np.random.Generator, shape: tuple[int, int, int], reliability: float
) -> Studies:
    """A cause beside the loss, such as an architecture, moves sharpness and error: sharpness adds to the loss."""
    loss, cause, of_x, of_y = (_true(rng, shape) for _ in range(4))
    x, y = (0.6 * loss + 0.6 * cause + np.sqrt(0.28) * own for own in (of_x, of_y))
    return _measured(rng, (x, loss, y), reliability)


def cause_of_sharpness_and_loss(
    rng: np.random.Generator, shape: tuple[int, int, int], reliability: float, *, only_the_rest: bool = False
) -> Studies:
    """A cause moves sharpness and the loss, and error through the loss alone: sharpness adds nothing.

    With ``only_the_rest`` error follows what of the loss the cause did not move: a negative partial is true.
    """
    rest, cause, of_x, of_y = (_true(rng, shape) for _ in range(4))
    loss = np.sqrt(0.5) * (rest + cause)
    x = np.sqrt(0.7) * cause + np.sqrt(0.3) * of_x
    y = 0.9 * (rest if only_the_rest else loss) + np.sqrt(0.19) * of_y
    return _measured(rng, (x, loss, y), reliability)


def one_margin(rng: np.random.Generator, shape: tuple[int, int, int], trials: float) -> Studies:
    """Detectors differ in their mean margin alone, and sharpness is another function of it than the loss."""
    n, k, runs = shape
    values = np.empty((2, 3, n, k, runs))
    truth = np.arange(int(trials)) % 2 == 0
    for run in range(runs):
        mean = 1.6 + 0.3 * rng.normal(size=(n, 1))
        for j in range(k):
            for half in range(2):
                s = mean + rng.normal(size=(1, len(truth))) + rng.normal(size=(n, len(truth)))
                chance = 1 / (1 + np.exp(s))
                everything = np.ones((1, len(truth)), dtype=bool)
                rates = halves_of_errors(np.where(truth, s, -s), truth, everything)[:, 0]
                found = ((chance * (1 - chance)).mean(axis=1), np.log1p(np.exp(-s)).mean(axis=1), rates)
                values[half, :, :, j, run] = found
    return Studies(*((values[0, i], values[1, i]) for i in range(3)))


Design = Callable[[np.random.Generator, tuple[int, int, int], float], Studies]
SIZES = ((12, 1), (24, 1), (12, 5), (24, 5))
DESIGNS: tuple[tuple[str, Design, tuple[tuple[int, int, float], ...]], ...] = (
    ("through the loss", through_the_loss, ((8, 1, 0.95), (8, 5, 0.95))),
    (
        "through the loss",
        through_the_loss,
        tuple((*size, r) for r in (1.0, 0.95, 0.9, 0.8) for size in SIZES),
    ),
    ("the loss alone is noisy", loss_alone_noisy, tuple((*size, r) for r in (0.95, 0.8) for size in SIZES)),
    ("skewed, errors in fortieths", skewed, tuple((*size, 0.9) for size in SIZES)),
    ("loadings .3 to .95", other_loadings, ((12, 5, 0.95), (12, 5, 0.8), (24, 5, 0.95), (24, 5, 0.8))),
)


# Where the true partial correlation is not 0; only how often the test rejects says something there.
CONFOUNDED: tuple[tuple[str, Design], ...] = (
    ("cause of sharpness and error", cause_of_sharpness_and_error),
    ("cause of sharpness and loss, error through the loss", cause_of_sharpness_and_loss),
    (
        "cause of sharpness and loss, error without it",
        partial(cause_of_sharpness_and_loss, only_the_rest=True),
    ),
)


def confounded(runs: int) -> None:
    """Print how often the test rejects where a cause beside the loss is at work."""
    for name, draw in CONFOUNDED:
        for n, k in SIZES:
            rng = np.random.default_rng(0)
            print(f"| {name} | {n} x {k}, 0.9 | {_row(draw(rng, (n, k, runs), 0.9))} |", flush=True)


def _row(studies: Studies, truth: float = 0.0) -> str:
    """Return rejection rate, coverage of both intervals, how often an answer is given, and the usual rejection rate."""
    x, z, y, w = studies.x[0], studies.z[0], studies.y[1], studies.z[1]
    n = len(x)
    total, spread, left, agree = score_of_many(x, z, y, w)
    given = (agree >= WEAKEST) & (left > 0)
    total, spread, left = total[given], spread[given], left[given]
    rejects = 2 * stats.t.sf(np.abs(total) / spread, n - 3) <= 0.05
    off = np.abs(np.clip(total / left, -1, 1) - truth) / (spread / left)
    inside = [100 * np.mean(off <= stats.t.ppf((1 + level) / 2, n - 3)) for level in (0.9, 0.95)]
    whole = [standardised_ranks((side[0] + side[1])[:, 0]) for side in studies]
    r_xy, r_xz, r_yz = ((whole[a] * whole[b]).sum(axis=0) for a, b in ((0, 2), (0, 1), (2, 1)))
    partial = (r_xy - r_xz * r_yz) / np.sqrt((1 - r_xz**2) * (1 - r_yz**2))
    usual = 2 * stats.t.sf(np.abs(partial) * np.sqrt((n - 3) / (1 - partial**2)), n - 3) <= 0.05
    return (
        f"{100 * rejects.sum() / len(given):.1f} % | {inside[0]:.1f} % | {inside[1]:.1f} % | "
        f"{100 * given.mean():.0f} % | {100 * usual.mean():.1f} %"
    )


def _truth(adds: float, reliability: float) -> float:
    """Return the partial correlation that many checkpoints give."""
    studies = through_the_loss(np.random.default_rng(9), (MANY, 1, 1), reliability, adds=adds)
    total, _, left, _ = score_of_many(studies.x[0], studies.z[0], studies.y[1], studies.z[1])
    return float(total[0] / left[0])


def run(runs: int = 2_000) -> None:
    """Print the table as Markdown."""
    head = "| design | checkpoints x sets, reliability | rejects | 90 % covers | 95 % covers | given "
    print(f"{head}| loss taken as true |\n|---|---|---|---|---|---|---|")
    for name, design, cases in DESIGNS:
        for n, k, reliability in cases:
            rng = np.random.default_rng([n, k, int(1000 * reliability)])
            row = _row(design(rng, (n, k, runs), reliability))
            print(f"| {name} | {n} x {k}, {reliability:g} | {row} |", flush=True)
    for n, k in SIZES:
        truth = _truth(0.6, 0.9)
        row = _row(through_the_loss(np.random.default_rng([n, k, 7]), (n, k, runs), 0.9, adds=0.6), truth)
        print(f"| adds .6 (measured {truth:.2f}) | {n} x {k}, 0.9 | {row} |", flush=True)
    for n, k in SIZES:
        row = _row(one_margin(np.random.default_rng([n, k, 9]), (n, k, runs // 8), 200))
        print(f"| one margin, 200 trials a half, {runs // 8} runs | {n} x {k} | {row} |", flush=True)
    confounded(runs)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
