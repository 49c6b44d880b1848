"""How often the test across halves rejects, beside the usual one from the same trials: no effect, and real signal.

Margins of detectors share the difficulty of each trial and have noise of their own; a spread in their means is signal.
"""

from __future__ import annotations

import sys

import numpy as np

from sharpscope.analysis.cross_half import (
    Halves,
    correlate_halves,
    draw_halves,
    halves_of_errors,
    halves_of_values,
)
from sharpscope.analysis.over_sets import correlate_over_sets, ranks_of
from sharpscope.analysis.rank_correlation import spearman_p

M = 10


def one_set(
    rng: np.random.Generator, true: np.ndarray, per_class: int, splits: int
) -> tuple[Halves, np.ndarray, np.ndarray]:
    """Halves of one set, and loss and error rate from the same trials."""
    n, trials = len(true), 2 * per_class
    s = 1.6 + rng.normal(size=(1, trials)) + rng.normal(size=(n, trials)) + true[:, None]
    truth = np.arange(trials) % 2 == 0
    group = rng.permutation(trials) // M
    values = np.stack([(1 / (1 + np.exp(s[:, group == g]))).mean(axis=1) for g in range(trials // M)], axis=1)
    first = draw_halves(values.shape[1], seed=int(rng.integers(2**31)), n_splits=splits)
    inside = first[:, group]
    scores = np.where(truth, s, -s)
    errors = [halves_of_errors(scores, truth, chosen) for chosen in (~inside, inside, ~inside)]
    same = halves_of_errors(scores, truth, np.ones((1, trials), dtype=bool))[:, 0]
    sizes = np.full(values.shape[1], M)
    return Halves(halves_of_values(values, sizes, first), *errors), values.mean(axis=1), same


def rates(
    n: int, per_class: int, spread: float, runs: int, splits: int, sets: int = 1
) -> tuple[float, float]:
    """Share of studies that reject at 5 %: across halves, and from the same trials (of the first set)."""
    rng = np.random.default_rng([n, per_class, int(100 * spread), splits, sets])
    across, same = [], []
    for _ in range(runs):
        true = spread * rng.normal(size=n)
        found = [one_set(rng, true, per_class, splits) for _ in range(sets)]
        halves = [one[0] for one in found]
        p = correlate_halves(halves[0]).p if sets == 1 else correlate_over_sets(ranks_of(halves)).p
        across.append(p <= 0.05)
        same.append(spearman_p(found[0][1], found[0][2]) <= 0.05)
    return float(np.mean(across)), float(np.mean(same))


def main() -> None:
    """Print a line per design; the number of runs is the only argument."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"rejects at 5 %, {runs} runs: across halves, from the same trials")
    for n, per_class, spread, splits, sets in (
        (12, 40, 0.0, 1, 1),
        (12, 100, 0.0, 1, 1),
        (12, 400, 0.0, 1, 1),
        (24, 100, 0.0, 1, 1),
        (12, 100, 0.0, 1, 5),
        (12, 100, 0.0, 11, 1),
        (12, 100, 0.25, 1, 1),
        (12, 100, 0.25, 11, 1),
        (24, 100, 0.25, 1, 1),
        (12, 400, 0.25, 1, 1),
    ):
        across, same = rates(n, per_class, spread, runs, splits, sets)
        print(
            f"n = {n:2d}, {per_class:3d} trials a class, spread {spread:.2f}, {splits:2d} splits, {sets} sets: "
            f"{across:.3f}  {same:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
