"""Do the p-values reject as often as they say, and the intervals cover? Simulated studies without any effect.

    python -m benchmarks.calibration [RUNS]

Every p-value that `sharpscope correlate` prints as valid is drawn RUNS times (2,000) with the functions that print
it, and beside them the naive ones. Checkpoints have effects that all sets share, and sets have shifts that all
checkpoints share, in the measure and in EER independently of one another.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from sharpscope.analysis.comparisons import williams
from sharpscope.analysis.confounding import freedman_lane, within_strata
from sharpscope.analysis.permutation import (
    bootstrap_mean_within,
    joint_null,
    max_t_p,
    mean_interval,
    swap_both,
)
from sharpscope.analysis.rank_correlation import (
    kendall,
    kendall_interval,
    kendall_p,
    orders,
    p_of,
    spearman,
    spearman_interval,
    spearman_p,
    standardised_ranks,
)

RUNS = 2_000
CHECKPOINT_SHARE = 0.8
SET_SHIFT = 1.5
# Correlation of the normal pairs of which the intervals are asked, and what it is in ranks.
TRUE_R = 0.6
TRUE_SPEARMAN = 6 / np.pi * np.arcsin(TRUE_R / 2)
TRUE_KENDALL = 2 / np.pi * np.arcsin(TRUE_R)
Rates = dict[str, bool]


def study(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Return one quantity over checkpoints x sets: checkpoint effects, and shifts shared by a set."""
    noise = np.sqrt(CHECKPOINT_SHARE) * rng.normal(size=(n, 1))
    noise = noise + np.sqrt(1 - CHECKPOINT_SHARE) * rng.normal(size=(n, k))
    return noise + SET_SHIFT * rng.permutation(k)


def joint_p(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """The joint permutation test of the mean within-set correlation."""
    zx, zy = standardised_ranks(x), standardised_ranks(y)
    null = joint_null(zx, zy, rng=rng).mean(axis=1)
    return p_of(float((zx * zy).sum(axis=0).mean()), null, exact=len(x) <= 9)


def per_set(rng: np.random.Generator, n: int, k: int) -> Rates:
    """Tests within one set, and the family over sets."""
    x, y = study(rng, n, k), study(rng, n, k)
    zx, zy = standardised_ranks(x), standardised_ranks(y)
    each = np.einsum("bns,ns->bs", zx[orders(n, rng=rng, n_permutations=1_999)], zy)
    highest = np.abs(each).max(axis=1)
    family = max_t_p((zx * zy).sum(axis=0), highest, exact=False)
    return {
        "one set, Spearman": spearman_p(x[:, 0], y[:, 0], rng=rng) <= 0.05,
        "one set, Kendall": kendall_p(x[:, 0], y[:, 0], rng=rng) <= 0.05,
        "any of the sets, max-T": bool((family <= 0.05).any()),
        "(naive) cells pooled": stats.spearmanr(x.ravel(), y.ravel()).pvalue <= 0.05,
    }


def over_sets(rng: np.random.Generator, n: int, k: int) -> Rates:
    """Tests over all sets, and the shift of sets."""
    x, y, other = (study(rng, n, k) for _ in range(3))
    zx, zy, zo = (standardised_ranks(v) for v in (x, y, other))
    sets, errors = rng.normal(size=(2, 8, 1))
    low, high = mean_interval(bootstrap_mean_within(x, y, n_resamples=999, rng=rng))
    return {
        "over sets, joint": joint_p(x, y, rng) <= 0.05,
        "which measure, PERM-BOTH": swap_both(zx, zo, zy, rng=rng) <= 0.05,
        "shift over 8 sets": joint_p(sets + rng.normal(size=(8, n)), errors + rng.normal(size=(8, n)), rng)
        <= 0.05,
        "interval over sets (bootstrap)": low <= 0 <= high,
    }


def confounded(rng: np.random.Generator, n: int, k: int) -> Rates:
    """Tests that hold when architectures, recipes or a covariate move measure and error together."""
    strata = np.arange(n) % 3
    cause = 3.0 * rng.normal(size=3)[strata]
    x, y = (cause + rng.normal(size=n) for _ in range(2))
    recipes = np.repeat(np.arange(6), 4)
    seeds = [rng.normal(size=(6, k))[recipes] + 0.3 * rng.normal(size=(24, k)) for _ in range(2)]
    means = [np.stack([v[recipes == r].mean(axis=0) for r in range(6)]) for v in seeds]
    z = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, k))
    a, b = (z + rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, k)) for _ in range(2))
    return {
        "inside architectures (--by)": within_strata(x, y, strata, rng=rng)[1] <= 0.05,
        "(naive) the same, all alike": stats.spearmanr(x, y).pvalue <= 0.05,
        "seeds of 6 recipes as one": joint_p(*means, rng) <= 0.05,
        "(naive) 24 seeds as independent": joint_p(*seeds, rng) <= 0.05,
        "partial, given a covariate": freedman_lane(a, b, z, seed=int(rng.integers(2**31)))[1] <= 0.05,
        "(naive) the same, not given": joint_p(a, b, rng) <= 0.05,
    }


def pairs(rng: np.random.Generator, n: int, k: int) -> Rates:
    """Intervals of one correlation, and Williams' comparison of two."""
    del k
    x, y = rng.multivariate_normal([0, 0], [[1, TRUE_R], [TRUE_R, 1]], size=n).T
    r_ends, tau_ends = spearman_interval(spearman(x, y), n), kendall_interval(kendall(x, y), n)
    first, second = (y + 1.2 * rng.normal(size=n) for _ in range(2))
    between = [spearman(a, b) for a, b in ((first, y), (second, y), (first, second))]
    return {
        "interval of Spearman (Bonett, Wright)": r_ends.low <= TRUE_SPEARMAN <= r_ends.high,
        "interval of Kendall (Fieller)": tau_ends.low <= TRUE_KENDALL <= tau_ends.high,
        "two measures on one set, Williams": williams(*between, n).p <= 0.05,
    }


PARTS: tuple[Callable[[np.random.Generator, int, int], Rates], ...] = (per_set, over_sets, confounded, pairs)


def run(runs: int = RUNS) -> None:
    """Print a Markdown table of rates."""
    sizes = ((12, 5), (24, 7))
    columns: list[dict[str, float]] = []
    for n, k in sizes:
        rng, start = np.random.default_rng(0), time.perf_counter()
        rates: dict[str, float] = {}
        for part in PARTS:
            drawn = [part(rng, n, k) for _ in range(runs)]
            rates |= {name: float(np.mean([one[name] for one in drawn])) for name in drawn[0]}
        columns.append(rates)
        print(f"n={n} k={k}: {runs} runs in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print("| | " + " | ".join(f"{n} checkpoints, {k} sets" for n, k in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{100 * rates[name]:.1f} %" for rates in columns) + " |")


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
