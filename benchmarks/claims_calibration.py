"""Does the test with numbers missing keep its level, and does the interval for a new set cover?

    python -m benchmarks.claims_calibration [RUNS]

Nothing goes with error in the first part. In the second, the true correlations of sets differ, and the interval is
asked for that of one more set; the same checkpoints stand on every set, in sharpness and in error.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from sharpscope.analysis.new_set import predict_new_set
from sharpscope.analysis.over_sets import correlate_over_sets, ranks_at


def cells(rng: np.random.Generator, n: int, sets: int) -> np.ndarray:
    """Return checkpoints x sets x one split, four fifths of the variance shared by all sets."""
    own: np.ndarray = np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, sets))
    return own[:, :, None]


def lacking(x: np.ndarray) -> np.ndarray:
    """Return the same without n / sets checkpoints a set, others on each."""
    x, each = x.copy(), len(x) // x.shape[1]
    for j in range(x.shape[1]):
        x[each * j : each * (j + 1), j] = np.nan
    return x


def missing(n: int, sets: int, noise: float, runs: int) -> float:
    """Return how often the test rejects where error is noise, or sharpness with so much noise."""
    rejected = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        x = cells(rng, n, sets)
        y = cells(rng, n, sets) if math.isinf(noise) else x + noise * cells(rng, n, sets)
        rejected += correlate_over_sets(ranks_at(lacking(x), lacking(y))).p <= 0.05
    return rejected / runs


def new_set(n: int, k: int, mean: float, spread: float, runs: int) -> tuple[float, float]:
    """Return how often the interval holds the true Spearman correlation of a new set, and its mean width."""
    hits, widths = [], []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        r = np.tanh(mean + spread * rng.normal(size=k + 1))
        x, e = cells(rng, n, k)[:, :, 0], cells(rng, n, k)[:, :, 0]
        found = predict_new_set(x, r[:k] * x + np.sqrt(1 - r[:k] ** 2) * e, [str(j) for j in range(k)])
        if math.isfinite(found.low):
            hits.append(found.low <= 6 / math.pi * math.asin(r[k] / 2) <= found.high)
            widths.append(found.high - found.low)
    return float(np.mean(hits)), float(np.mean(widths))


def run(runs: int = 1000) -> None:
    """Print the rates.

    Args:
        runs: Studies a line.
    """
    for n, sets in ((12, 4), (12, 3), (24, 4)):
        level, power = (missing(n, sets, noise, runs) for noise in (math.inf, 1.0))
        print(f"missing  n {n} sets {sets}  rejects {level:.1%}, with an effect {power:.1%}", flush=True)
    for n, k in ((12, 5), (12, 8), (24, 5)):
        for mean, spread in ((0.0, 0.3), (0.8, 0.3), (0.8, 0.0)):
            covers, width = new_set(n, k, mean, spread, runs)
            print(
                f"new set  n {n} sets {k} mean {mean:g} spread {spread:g}  covers {covers:.1%}, {width:.2f} wide",
                flush=True,
            )


if __name__ == "__main__":
    run(*map(int, sys.argv[1:2]))
