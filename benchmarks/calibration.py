"""Do the p-values reject as often as they say, and the intervals cover? Simulated studies without any effect."""

from __future__ import annotations

import time

import numpy as np
from scipy import stats

from sharpscope.permutation import bootstrap_mean_within, mean_interval, swap_both
from sharpscope.statistics import orders, p_of, spearman, spearman_interval, standardised_ranks

RUNS = 2_000
CHECKPOINT_SHARE = 0.8
SET_SHIFT = 1.5
ORDERS = 999


def study(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Return one quantity over checkpoints x sets: checkpoint effects, and shifts shared by a set."""
    noise = np.sqrt(CHECKPOINT_SHARE) * rng.normal(size=(n, 1))
    noise = noise + np.sqrt(1 - CHECKPOINT_SHARE) * rng.normal(size=(n, k))
    return noise + SET_SHIFT * np.arange(k)


def once(rng: np.random.Generator, n: int, k: int) -> list[bool]:
    """Return whether each test rejects, and whether each interval covers 0."""
    x, other, y = (study(rng, n, k) for _ in range(3))
    zx, zo, zy = (standardised_ranks(v) for v in (x, other, y))
    order = orders(n, rng=rng, n_permutations=ORDERS)
    null = np.einsum("bns,ns->bs", zx[order], zy)
    within = (zx * zy).sum(axis=0)
    joint = p_of(float(within.mean()), null.mean(axis=1), exact=False)
    one_set = p_of(float(within[0]), null[:, 0], exact=False)
    naive = float(stats.spearmanr(x.ravel(), y.ravel()).pvalue)
    low, high = mean_interval(bootstrap_mean_within(x, y, n_resamples=ORDERS, rng=rng))
    ends = spearman_interval(spearman(x[:, 0], y[:, 0]), n)
    covered = [low <= 0 <= high, bool(ends.low <= 0 <= ends.high)]
    tests = [one_set, joint, swap_both(zx, zo, zy, rng=rng), naive]
    return [p <= 0.05 for p in tests] + covered


def run() -> None:
    """Print the rates."""
    for n, k in ((12, 5), (20, 8)):
        rng, start = np.random.default_rng(0), time.perf_counter()
        rates = np.mean([once(rng, n, k) for _ in range(RUNS)], axis=0)
        names = ("one set", "joint", "swap both", "naive pooled", "bootstrap covers", "Bonett-Wright covers")
        print(f"n={n} k={k}, {RUNS} runs, {time.perf_counter() - start:.0f} s: ", end="")
        print(
            ", ".join(f"{name} {100 * rate:.1f} %" for name, rate in zip(names, rates, strict=True)),
            flush=True,
        )


if __name__ == "__main__":
    run()
