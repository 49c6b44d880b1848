"""How often 95 % intervals of the equal error rate hold the true one: ours, and the plain percentile bootstrap.

Normal scores, as many bona fide as spoof: independent trials, then speakers who shift their own scores.
`python -m benchmarks.eer_coverage` prints both tables of docs/statistics.md.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import norm

from sharpscope.scoring.eer import eer_interval, rates_of_draws

RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
TRIALS = (40, 100, 400)
RESAMPLES = 300
# True rate, speakers, trials of each speaker and class; and the correlation of two trials of one speaker.
SPEAKERS = (
    (0.129, 5, 20),
    (0.129, 10, 20),
    (0.129, 20, 20),
    (0.129, 50, 20),
    (0.039, 5, 20),
    (0.039, 10, 20),
    (0.039, 20, 10),
)
ALIKE = (0.2, 0.5)


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


def coverage_by_speaker(
    true: float, n_speakers: int, trials: int, alike: float, runs: int
) -> tuple[float, float]:
    """Return the shares of intervals that hold the true rate: ours, and speakers drawn with replacement."""
    rng = np.random.default_rng(round(1e6 * true) + n_speakers)
    speakers = np.repeat(np.arange(n_speakers), trials)
    n = len(speakers)
    ours = drawn = 0
    for _ in range(runs):
        first, second = (
            np.sqrt(alike) * rng.normal(size=n_speakers)[speakers] + np.sqrt(1 - alike) * rng.normal(size=n)
            for _ in range(2)
        )
        bonafide = first - 2 * norm.ppf(true)
        low, high = eer_interval(bonafide, second, bonafide_speakers=speakers, spoof_speakers=speakers)
        ours += low <= true <= high
        counts = rng.multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), RESAMPLES)[:, speakers]
        rates = rates_of_draws(np.concatenate([bonafide, second]), n, np.hstack([counts, counts]))
        low, high = np.quantile(rates, [0.025, 0.975])
        drawn += low <= true <= high
    return ours / runs, drawn / runs


def run(runs: int = 500) -> None:
    """Print two Markdown tables."""
    print("| true EER | " + " | ".join(f"{n} + {n} trials" for n in TRIALS) + " |")
    print("|---" * (len(TRIALS) + 1) + "|")
    for true in RATES:
        cells = [coverage(true, n, runs) for n in TRIALS]
        shown = " | ".join(f"{100 * ours:.1f} % ({100 * alone:.1f} %)" for ours, alone in cells)
        print(f"| {100 * true:g} % | {shown} |", flush=True)
    print("\n| true EER | speakers x trials | " + " | ".join(f"correlation {r:g}" for r in ALIKE) + " |")
    print("|---|---" + "|---" * len(ALIKE) + "|")
    for true, n_speakers, trials in SPEAKERS:
        cells = [coverage_by_speaker(true, n_speakers, trials, alike, runs) for alike in ALIKE]
        shown = " | ".join(f"{100 * ours:.1f} % ({100 * drawn:.1f} %)" for ours, drawn in cells)
        print(f"| {100 * true:g} % | {n_speakers} x {trials} | {shown} |", flush=True)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
