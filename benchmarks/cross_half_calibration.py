"""How often the test across halves rejects, beside the usual one from the same trials: no effect, and real signal.

    python -m benchmarks.cross_half_calibration [RUNS] [margins | speakers | power]

Margins of detectors share the difficulty of each trial and have noise of their own; a spread in their means is signal.
Where speakers are harder for one detector than for another, halves that share speakers share that too. Last, what
`power` says of a test across halves beside how often it finds.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from sharpscope.analysis.cross_half import (
    Halves,
    correlate_halves,
    draw_halves,
    halves_of_errors,
    halves_of_values,
)
from sharpscope.analysis.over_sets import correlate_over_sets, ranks_of
from sharpscope.analysis.power import power
from sharpscope.analysis.rank_correlation import spearman_p
from sharpscope.measurement.groups import make_groups
from sharpscope.measurement.halves import draw_trial_halves

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
    whole = Halves(halves_of_values(values, sizes, first), *errors, halves_of_values(values, sizes, ~first))
    return whole, values.mean(axis=1), same


def of_speakers(
    rng: np.random.Generator, n: int, speakers: int, effect: float, spread: float, *, apart: bool
) -> Halves:
    """Halves of one set of twenty trials a speaker, drawn by speaker or from groups that mix them.

    Args:
        rng: Source of chance.
        n: Detectors.
        speakers: Each with ten trials of either class.
        effect: Standard deviation of how much harder a speaker is for one detector.
        spread: That of the detectors' true means.
        apart: Whether groups are drawn inside halves of speakers, as `measure` draws them.
    """
    speaker = np.repeat(np.arange(speakers), 20)
    labels = np.tile([1, 0], 10 * speakers)
    own = effect * rng.normal(size=(n, speakers))[:, speaker] + spread * rng.normal(size=(n, 1))
    s = 1.6 + rng.normal(size=(1, len(labels))) + own + rng.normal(size=(n, len(labels)))
    seed = int(rng.integers(2**31))
    table = pd.DataFrame({"speaker": speaker.astype(str), "pair": "", "attack": ""})
    half = draw_trial_halves(table, labels, M, seed=seed) if apart else None
    groups = make_groups(labels, M, seed=seed, halves=half)
    values = np.stack([(1 / (1 + np.exp(s[:, group]))).mean(axis=1) for group in groups], axis=1)
    inside = np.zeros((1, len(labels)), dtype=bool)
    if half is None:
        first = draw_halves(len(groups), seed=seed)
        inside[0, np.concatenate([group for group, kept in zip(groups, first[0], strict=True) if kept])] = (
            True
        )
    else:
        first = np.array([[half[group[0]] == 0 for group in groups]])
        inside[0] = half == 0
    scores, sizes = np.where(labels == 1, s, -s), np.full(len(groups), M)
    errors = [halves_of_errors(scores, labels == 1, chosen) for chosen in (~inside, inside, ~inside)]
    return Halves(halves_of_values(values, sizes, first), *errors, halves_of_values(values, sizes, ~first))


def found_at(
    rng: np.random.Generator, n: int, true: float, reliability: float, error_reliability: float, runs: int
) -> float:
    """Share of studies that find a correlation of normal truths, Spearman's ``true``, on halves of such reliability."""
    r = 2 * np.sin(np.pi * true / 6)
    found = 0
    for _ in range(runs):
        x = rng.normal(size=n)
        y = r * x + np.sqrt(1 - r**2) * rng.normal(size=n)
        halves = [
            value + np.sqrt(2 * (1 - one) / one) * rng.normal(size=n)
            for value, one in ((x, reliability), (y, error_reliability))
        ]
        found += spearman_p(*halves) <= 0.05
    return found / runs


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
    """Print a line per design; the number of runs and the part are the arguments."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    parts = {"margins": margins, "speakers": with_speakers, "power": what_power_says}
    for part in sys.argv[2:] or parts:
        parts[part](runs)


def with_speakers(runs: int) -> None:
    """Print how often halves that mix speakers and halves by speaker reject."""
    print(f"| speakers, effect, true spread | groups mix speakers | halves by speaker |, {runs} runs")
    for n, speakers, effect, spread in (
        (12, 20, 0.5, 0.0),
        (12, 10, 0.5, 0.0),
        (24, 20, 0.5, 0.0),
        (12, 20, 0.5, 0.25),
        (12, 20, 0.0, 0.25),
        (24, 20, 0.5, 0.25),
    ):
        rejects = []
        for apart in (False, True):
            rng = np.random.default_rng([n, speakers, int(100 * effect), int(100 * spread)])
            studies = (of_speakers(rng, n, speakers, effect, spread, apart=apart) for _ in range(runs))
            rejects.append(np.mean([correlate_halves(one, rng=0).p <= 0.05 for one in studies]))
        where = f"n = {n}, {speakers} speakers, effect {effect:g}, spread {spread:g}"
        print(f"| {where} | {100 * rejects[0]:.1f} % | {100 * rejects[1]:.1f} % |", flush=True)


def what_power_says(runs: int) -> None:
    """Print how often a correlation is found that `power` says is found in four studies out of five."""
    print(
        f"| checkpoints, reliability of measure and error | smallest true correlation | found |, {runs} runs"
    )
    for n, one, other in ((12, 1.0, 1.0), (12, 0.98, 0.95), (24, 1.0, 1.0), (24, 0.95, 0.9), (24, 0.9, 0.8)):
        true = power(n, reliability=one, error_reliability=other).across_halves
        share = found_at(np.random.default_rng([n, int(100 * other)]), n, true, one, other, runs)
        print(f"| {n}, {one:g} and {other:g} | {true:.2f} | {100 * share:.1f} % |", flush=True)


def margins(runs: int) -> None:
    """Print how often the test across halves and the one from the same trials reject."""
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
