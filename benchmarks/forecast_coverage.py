"""Do the intervals of a forecast hold, and does it order checkpoints, on populations whose structure is known?

    python -m benchmarks.forecast_coverage [runs]

A population has checkpoints of different quality, sets of different difficulty, and predictors that know a stated part
of both. The forecast sees all sets but one with their labels; its 90 % intervals should hold the error rates of the
last in 86 to 94 % of cells, whatever the structure.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from sharpscope.forecasting.audit import pairs_right, predict

PREDICTORS = ("in_domain_eer", "confidence", "sam_predicted@0.05")


class Population(NamedTuple):
    """What a population is made of; standard deviations on the logit scale.

    Attributes:
        sets: Labelled sets.
        checkpoints: On each.
        quality: Of checkpoints, which the in-domain error tells but for ``blur``.
        difficulty: Of sets, of which confidence tells a share of ``told``.
        noise: Of each checkpoint on each set, of which sharpness tells a share of ``told``.
        told: From 0 to 1.
        heavy: Whether difficulties have heavy tails.
    """

    sets: int = 9
    checkpoints: int = 12
    quality: float = 0.5
    difficulty: float = 0.7
    noise: float = 0.3
    told: float = 0.5
    blur: float = 0.2
    heavy: bool = False


POPULATIONS = {
    "9 sets": Population(),
    "12 sets": Population(sets=12),
    "20 sets": Population(sets=20),
    "nothing is told": Population(told=0.0),
    "all is told": Population(told=1.0),
    "sets alike": Population(difficulty=0.0),
    "sets differ most": Population(difficulty=1.5, noise=0.05),
    "heavy tails": Population(heavy=True),
    "48 checkpoints": Population(checkpoints=48),
    "5 checkpoints": Population(checkpoints=5),
}


def draw(population: Population, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a population: one row per checkpoint and set, the last set being the one to predict."""
    n, k = population.checkpoints, population.sets + 1
    quality = population.quality * rng.normal(size=n)
    raw = rng.standard_t(3, size=k) if population.heavy else rng.normal(size=k)
    difficulty, noise = population.difficulty * raw, population.noise * rng.normal(size=(n, k))
    told, untold = population.told, 1 - population.told
    shared = told * difficulty + 0.3 * untold * rng.normal(size=k)
    own = told * noise + 0.3 * untold * rng.normal(size=(n, k))
    home = expit(-3 + quality + population.blur * rng.normal(size=n))
    return pd.DataFrame(
        {
            "sha256": np.repeat([f"c{i}" for i in range(n)], k),
            "arch": np.repeat([f"a{i % 3}" for i in range(n)], k),
            "set": np.tile([f"s{j}" for j in range(k - 1)] + ["target"], n),
            "eer": expit(-1.5 + quality[:, None] + difficulty + noise).ravel(),
            "n": 2000.0,
            "in_domain_eer": np.repeat(home, k),
            "confidence": expit(-2 + np.tile(shared, n) + 0.1 * rng.normal(size=n * k)),
            "sam_predicted@0.05": np.exp(own).ravel(),
        }
    )


def coverage(population: Population, runs: int, *, seed: int = 0) -> tuple[float, float, float, float]:
    """Return the share of intervals that hold, and pairs in order by the forecast, in-domain error, and the mean."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(runs):
        table = draw(population, rng)
        new = table["set"] == "target"
        said = predict(table[~new], table[new], PREDICTORS)
        truth = table.loc[new, "eer"].to_numpy()
        low, high = said.interval()
        orders = (said.eer, table.loc[new, "in_domain_eer"].to_numpy(), said.mean_error)
        found.append(
            [((truth >= low) & (truth <= high)).mean(), *(pairs_right(order, truth) for order in orders)]
        )
    return tuple(float(value) for value in np.mean(found, axis=0))  # type: ignore[return-value]


def main(runs: int) -> None:
    """Print one line per population."""
    print(
        f"{'population':<18} {'covers':>7}   pairs: {'forecast':>8} {'in-domain':>9} {'mean':>6}   ({runs} runs)"
    )
    for name, population in POPULATIONS.items():
        covers, *pairs = coverage(population, runs)
        print(f"{name:<18} {covers:7.3f}          {pairs[0]:8.3f} {pairs[1]:9.3f} {pairs[2]:6.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
