"""Where detectors differ in truth: how often the difference is found across halves, and what `power` says."""

from __future__ import annotations

import functools

import numpy as np
from scipy.stats import norm

from benchmarks.calibration import populations as pop
from benchmarks.calibration.design import Design, Drawn, read_rates
from benchmarks.calibration.levels import from_trials
from sharpscope.analysis.rank_correlation import spearman

SPREADS = (0.15, 0.25, 0.5)
SIZES = (12, 24)


@functools.lru_cache
def true_correlation(spread: float, per_class: int) -> float:
    """Return the correlation across halves of very many detectors on one set, on average over sets."""
    rng, found = np.random.default_rng(96), []
    for _ in range(8):
        one = pop.trials(rng, spread * rng.normal(size=300), per_class).halves
        found.append(spearman(one.x[:, 0], one.y[:, 0]))
    return float(np.mean(found))


def said_power(r: float, n: int, *, alpha: float = 0.05) -> float:
    """Return the chance to find a correlation by the formula that `power` solves for the correlation."""
    gap = np.arctanh(r) * np.sqrt((n - 3) / (1 + r * r / 2))
    return float(norm.cdf(gap - norm.ppf(1 - alpha / 2)))


def _designs() -> list[Design]:
    kinds = [(spread, 100, n, 1) for spread in SPREADS for n in SIZES]
    kinds += [(0.25, 400, 12, 1), (0.25, 400, 24, 1), (0.25, 100, 12, 11)]
    found = []
    for spread, per_class, n, splits in kinds:
        name = f"true spread {spread:g}, n = {n}, {per_class} trials a class"
        name += ", eleven splits" if splits > 1 else ""
        found.append(Design(name, "Power", _drawn(n, per_class, spread, splits), 2_000, "power"))
    return found


def _drawn(n: int, per_class: int, spread: float, splits: int) -> functools.partial[Drawn]:
    return functools.partial(from_trials, n=n, per_class=per_class, spread=spread, splits=splits)


DESIGNS = _designs()
# Where the true correlations are kept in the file of counts.
TRUTHS = "true correlations across halves"


def truths() -> dict[str, float]:
    """Return the true correlation of every spread at a hundred trials a class."""
    return {f"{spread:g}": round(true_correlation(spread, 100), 3) for spread in SPREADS}


def words() -> str:
    """Say what the formula of `power` expects of the designs, from the correlations that are kept."""
    known = read_rates().get(TRUTHS, {})
    said = [
        f"{float(spread):g}: {r:.2f}, " + " and ".join(f"{100 * said_power(r, n):.0f} %" for n in SIZES)
        for spread, r in known.items()
    ]
    return (
        "True correlations across halves of 100 + 100 trials by the spread, and how often the formula of `power` "
        f"expects 12 and 24 checkpoints to find them: {'; '.join(said)}."
        if said
        else ""
    )
