"""Do tests of pieces of evidence reject as often as they say, and intervals of means cover? The audit's designs.

    python -m benchmarks.evidence_calibration [RUNS]

Twelve checkpoints in five sets unless the design says otherwise; nothing goes with error in any of the tests. Beside
each answer stands what permuting or resampling single checkpoints gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from sharpscope.analysis.clustered_tests import joint_test
from sharpscope.analysis.mean_interval import interval_of_mean
from sharpscope.analysis.mixed_model import mixed_model
from sharpscope.analysis.permutation import bootstrap_mean_within, mean_interval

SETS = 5
# Correlations of which intervals are asked; with a floor the truth is taken from many checkpoints.
MANY = 40_000
Pair = tuple[np.ndarray, np.ndarray]
Found = dict[str, float]


def study(rng: np.random.Generator, n: int, k: int = SETS) -> np.ndarray:
    """Return one quantity over checkpoints x sets, four fifths of its variance shared by all sets."""
    return np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, k))


def epochs_of_runs(rng: np.random.Generator, runs: int, epochs: int) -> Found:
    """Epochs of a run differ little from one another."""
    labels = np.repeat(np.arange(runs), epochs)
    x, y = (study(rng, runs)[labels] + 0.3 * rng.normal(size=(len(labels), SETS)) for _ in range(2))
    return {"ours": joint_test(x, y, labels=labels).p, "single checkpoints": joint_test(x, y).p}


def recipes_inside_architectures(rng: np.random.Generator, archs: int, recipes: int, seeds: int) -> Found:
    """Architectures and recipes have effects of their own; seeds differ little."""
    arch = np.repeat(np.arange(archs), recipes * seeds)
    recipe = np.repeat(np.arange(archs * recipes), seeds)
    x, y = (
        3 * rng.normal(size=(archs, 1))[arch]
        + study(rng, archs * recipes)[recipe]
        + 0.3 * rng.normal(size=(len(arch), SETS))
        for _ in range(2)
    )
    return {
        "ours": joint_test(x, y, labels=recipe, strata=arch).p,
        "single checkpoints": joint_test(x, y, strata=arch).p,
    }


def runs_inside_recipes(rng: np.random.Generator, recipes: int, runs: int) -> Found:
    """Few recipes with effects of their own, several runs of each."""
    recipe = np.repeat(np.arange(recipes), runs)
    x, y = (3 * rng.normal(size=(recipes, 1))[recipe] + study(rng, len(recipe)) for _ in range(2))
    return {"ours": joint_test(x, y, strata=recipe).p, "single checkpoints": joint_test(x, y).p}


def unequal_spreads(rng: np.random.Generator, n: int, k: int) -> Found:
    """Half of the checkpoints vary ten times as much as the others, in measure and error."""
    times = np.where(np.arange(n) < n // 2, 1, 10.0)[:, None]
    x, y = study(rng, n, k) * times, study(rng, n, k) * times
    return {"ours": joint_test(x, y, studentised=True).p, "single checkpoints": joint_test(x, y).p}


def unequal_numbers(rng: np.random.Generator, recipes: int) -> Found:
    """One or ten seeds of a recipe, which noise separates as much as recipes do."""
    labels = np.repeat(np.arange(recipes), np.where(np.arange(recipes) % 2, 10, 1))
    x, y = (0.5 * study(rng, recipes)[labels] + rng.normal(size=(len(labels), SETS)) for _ in range(2))
    return {"ours": joint_test(x, y, labels=labels).p, "single checkpoints": joint_test(x, y).p}


def mixed(rng: np.random.Generator, archs: int, recipes: int, seeds: int) -> Found:
    """The mixed model where its assumptions hold."""
    arch = np.repeat(np.arange(archs), recipes * seeds)
    recipe = np.repeat(np.arange(archs * recipes), seeds)
    x, y = (
        0.7 * rng.normal(size=(archs, 1))[arch]
        + 0.7 * rng.normal(size=(archs * recipes, 1))[recipe]
        + 0.5 * study(rng, len(arch))
        for _ in range(2)
    )
    i, j = (index.ravel() for index in np.indices(x.shape))
    cells = pd.DataFrame(
        {"sha256": i, "arch": arch[i].astype(str), "recipe": recipe[i].astype(str), "place": j}
        | {"value": x.ravel(), "eer": y.ravel()}
    )
    return {"ours": mixed_model(cells).p, "single checkpoints": joint_test(x, y).p}


TESTS: dict[str, Callable[[np.random.Generator], Found]] = {
    "6 runs x 4 epochs": lambda rng: epochs_of_runs(rng, 6, 4),
    "12 runs x 2 epochs": lambda rng: epochs_of_runs(rng, 12, 2),
    "by architecture: 6 x 2 recipes x 3 seeds": lambda rng: recipes_inside_architectures(rng, 6, 2, 3),
    "by architecture: 3 x 4 recipes x 2 seeds": lambda rng: recipes_inside_architectures(rng, 3, 4, 2),
    "2 recipes x 6 runs": lambda rng: runs_inside_recipes(rng, 2, 6),
    "half with ten times the spread, n = 12, one set": lambda rng: unequal_spreads(rng, 12, 1),
    "half with ten times the spread, n = 12, five sets": lambda rng: unequal_spreads(rng, 12, SETS),
    "half with ten times the spread, n = 24, one set": lambda rng: unequal_spreads(rng, 24, 1),
    "10 recipes of 1 or 10 seeds (approximate)": lambda rng: unequal_numbers(rng, 10),
    "mixed model, 4 x 3 recipes x 2 seeds (approximate)": lambda rng: mixed(rng, 4, 3, 2),
}


def related(rng: np.random.Generator, n: int, r: float, floor: float) -> Pair:
    """Return measure and error correlated r in each set, a share of the errors on the floor."""
    x, rest = study(rng, n), study(rng, n)
    y = r * x + np.sqrt(1 - r * r) * rest
    return x, np.maximum(y, _floor(floor))


def _floor(share: float) -> float:
    """Return below which a standard normal lies with this chance."""
    from scipy.stats import norm

    return float(norm.ppf(share)) if share > 0 else -np.inf


def covers(rng: np.random.Generator, n: int, r: float, floor: float, true: float) -> tuple[float, float]:
    """Return whether our interval and the percentile bootstrap hold the truth; NaN where none is given."""
    x, y = related(rng, n, r, floor)
    low, high, note = interval_of_mean(x, y)
    drawn = mean_interval(bootstrap_mean_within(x, y, n_resamples=400, rng=rng))
    ours = float("nan") if note else float(low <= true <= high)
    return ours, float(drawn[0] <= true <= drawn[1])


def run(runs: int = 2_000) -> None:
    """Print both tables as Markdown."""
    print("| no effect | rejects | single checkpoints |\n|---|---|---|")
    for name, design in TESTS.items():
        rng = np.random.default_rng(0)
        found = pd.DataFrame([design(rng) for _ in range(runs)])
        print(
            f"| {name} | " + " | ".join(f"{100 * (found[c] <= 0.05).mean():.1f} %" for c in found) + " |",
            flush=True,
        )
    print(
        "\n| mean over five sets | n | covers | given | percentile bootstrap covers |\n|---|---|---|---|---|"
    )
    for r, floor in ((0.95, 0.0), (0.6, 0.0), (0.0, 0.0), (0.8, 0.6), (0.0, 0.6)):
        x, y = related(np.random.default_rng(99), MANY, r, floor)
        true = float(np.mean([pd.Series(x[:, j]).corr(pd.Series(y[:, j]), "spearman") for j in range(SETS)]))
        for n in (8, 12, 20):
            rng = np.random.default_rng(n)
            found = np.array([covers(rng, n, r, floor, true) for _ in range(runs // 4)])
            ours, given = np.nanmean(found[:, 0]), np.isfinite(found[:, 0]).mean()
            what = f"r {r:g}" + (f", {100 * floor:g} % on the floor" if floor else "")
            print(
                f"| {what} | {n} | {100 * ours:.1f} % | {100 * given:.0f} % | {100 * found[:, 1].mean():.1f} % |",
                flush=True,
            )


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
