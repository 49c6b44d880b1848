"""How often 95 % intervals of the equal error rate hold the true one: ours, and the plain percentile bootstrap.

Normal scores, independent trials, as many bona fide as spoof; `python -m benchmarks.eer_coverage` prints the table of
docs/statistics.md.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import norm

from sharpscope.scoring.eer import eer_interval, rates_of_draws

RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
TRIALS = (40, 100, 400)
RESAMPLES = 300


def coverage(true: float, n: int, runs: int) -> tuple[float, float]:
    """Return the shares of intervals that hold the true rate: ours and the bootstrap's alone."""
    rng = np.random.default_rng(round(1e6 * true) + n)
    ours = alone = 0
    for run in range(runs):
        bonafide, spoof = rng.normal(-2 * norm.ppf(true), 1, n), rng.normal(0, 1, n)
        low, high = eer_interval(bonafide, spoof, n_resamples=RESAMPLES, rng=run)
        ours += low <= true <= high
        counts = [rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) for _ in range(2)]
        rates = rates_of_draws(np.concatenate([bonafide, spoof]), n, np.hstack(counts))
        low, high = np.quantile(rates, [0.025, 0.975])
        alone += low <= true <= high
    return ours / runs, alone / runs


def run(runs: int = 500) -> None:
    """Print a Markdown table."""
    print("| true EER | " + " | ".join(f"{n} + {n} trials" for n in TRIALS) + " |")
    print("|---" * (len(TRIALS) + 1) + "|")
    for true in RATES:
        cells = [coverage(true, n, runs) for n in TRIALS]
        shown = " | ".join(f"{100 * ours:.1f} % ({100 * alone:.1f} %)" for ours, alone in cells)
        print(f"| {100 * true:g} % | {shown} |", flush=True)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
