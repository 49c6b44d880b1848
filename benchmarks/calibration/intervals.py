"""Studies of intervals: from a generator to whether the intervals that the program prints hold the truth."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import norm

from benchmarks import forecast_coverage, given_loss_calibration
from benchmarks.calibration import populations as pop
from benchmarks.calibration.design import Drawn
from sharpscope.analysis.instrumented import given_noisy
from sharpscope.analysis.mean_interval import interval_of_mean
from sharpscope.analysis.permutation import bootstrap_mean_within
from sharpscope.analysis.rank_correlation import kendall, kendall_interval, spearman, spearman_interval
from sharpscope.measurement.rows import interval as interval_of_value
from sharpscope.measurement.rows import weighted_mean
from sharpscope.measurement.stopping import StoppingRule
from sharpscope.scoring.costs import paired_difference
from sharpscope.scoring.eer import eer_interval, rates_of_draws

Rng = np.random.Generator
# Checkpoints from whom the truth of a population is taken where it has no closed form.
MANY = 40_000


def holds(ends: Any, true: float) -> float:
    """Return 1 where an interval holds the truth, 0 where not, NaN where there is none."""
    low, high = float(ends[0]), float(ends[1])
    return float("nan") if not (np.isfinite(low) and np.isfinite(high)) else float(low <= true <= high)


# -- correlations ---------------------------------------------------------------------------------------------------


def one_set(rng: Rng, n: int, r: float) -> Drawn:
    """Pairs of normal numbers correlated r."""
    x, y = pop.related(rng, n, r, k=1)
    rank, tau = spearman(x[:, 0], y[:, 0]), kendall(x[:, 0], y[:, 0])
    true = 6 / np.pi * np.arcsin(r / 2)
    plain = np.tanh(
        np.arctanh(np.clip(rank, -1 + 1e-12, 1 - 1e-12)) + np.array([-1, 1]) * 1.96 / np.sqrt(n - 3)
    )
    return {
        "Spearman (Bonett and Wright)": holds(spearman_interval(rank, n), true),
        "Kendall (Fieller)": holds(kendall_interval(tau, n), 2 / np.pi * np.arcsin(r)),
        "field: Fisher's z": holds(plain, true),
    }


@functools.lru_cache
def _true_mean(r: float, floor: float, spreads: bool) -> float:
    """Return the correlation of very many checkpoints."""
    rng, found = np.random.default_rng(99), []
    for _ in range(4):
        x, y = pop.related(rng, MANY, r, k=1, floor=floor, spreads=spreads)
        found.append(spearman(x[:, 0], y[:, 0]))
    return float(np.mean(found))


def one_set_hard(rng: Rng, n: int, r: float, floor: float) -> Drawn:
    """Errors on a floor, where ranks tie."""
    x, y = pop.related(rng, n, r, k=1, floor=floor)
    if np.ptp(y) == 0:
        return {"Spearman (Bonett and Wright)": float("nan")}
    return {
        "Spearman (Bonett and Wright)": holds(
            spearman_interval(spearman(x[:, 0], y[:, 0]), n), _true_mean(r, floor, False)
        )
    }


def over_sets(rng: Rng, n: int, r: float, floor: float, spreads: bool) -> Drawn:
    """The mean over five sets, and the percentile bootstrap over checkpoints beside it."""
    x, y = pop.related(rng, n, r, floor=floor, spreads=spreads)
    low, high, note = interval_of_mean(x, y)
    true = _true_mean(r, floor, spreads)
    means = bootstrap_mean_within(x, y, n_resamples=199, rng=rng).values
    # Resamples with a constant set are dropped, as is usual.
    means = means[np.isfinite(means)]
    drawn = np.quantile(means, [0.025, 0.975]) if len(means) else (np.nan, np.nan)
    return {
        "mean over sets (jackknife)": float("nan") if note else holds((low, high), true),
        "field: bootstrap": holds(drawn, true),
    }


def difference_of_means(rng: Rng, n: int, kind: str) -> Drawn:
    """The difference of two measures' mean correlations, of which checkpoints are drawn, the same for both."""
    x, other, y = _two_measures(rng, n, kind)
    seed = int(rng.integers(2**31))
    drawn = [bootstrap_mean_within(v, y, n_resamples=199, rng=seed).values for v in (x, other)]
    ends = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    return {"difference of two measures": holds(ends, _true_difference(kind))}


def _two_measures(rng: Rng, n: int, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two measures and the error that they go with."""
    y = pop.study(rng, n)
    first, second = {"alike": (0.8, 0.8), ".95 and .6": (0.33, 1.33), "noise unlike": (0.8, 0.8)}[kind]
    if kind == "noise unlike":
        return y + first * rng.normal(size=(n, 1)), y + second * rng.normal(size=y.shape), y
    return y + first * pop.study(rng, n), y + second * pop.study(rng, n), y


@functools.lru_cache
def _true_difference(kind: str) -> float:
    """Return the difference of very many checkpoints; none where both are equally good."""
    if kind != ".95 and .6":
        return 0.0
    x, other, y = _two_measures(np.random.default_rng(95), MANY, kind)
    return float(
        np.mean([spearman(x[:, j], y[:, j]) - spearman(other[:, j], y[:, j]) for j in range(pop.SETS)])
    )


def given_the_loss(rng: Rng, n: int, k: int, adds: float) -> Drawn:
    """What sharpness adds to the loss, whose reliability is .9."""
    drawn = given_loss_calibration.through_the_loss(rng, (n, k, 1), 0.9, adds=adds)
    made = [[half[:, :, 0] for half in side] for side in drawn]
    found = given_noisy(made[0][0], made[1][0], made[2][1], made[1][1])
    return {
        "partial given the loss": holds(found.interval(0.95), _true_partial(adds)),
        "partial given the loss (90 %)": holds(found.interval(0.9), _true_partial(adds)),
    }


@functools.lru_cache
def _true_partial(adds: float) -> float:
    return given_loss_calibration._truth(adds, 0.9) if adds else 0.0


# -- error rates ----------------------------------------------------------------------------------------------------


def of_trials(rng: Rng, true: float, n: int) -> Drawn:
    """The interval of an equal error rate over independent trials."""
    bonafide, spoof = rng.normal(-2 * norm.ppf(true), 1, n), rng.normal(0, 1, n)
    counts = [rng.multinomial(n, np.full(n, 1 / n), 300) for _ in range(2)]
    rates = rates_of_draws(np.concatenate([bonafide, spoof]), n, np.hstack(counts))
    return {
        "EER over trials": holds(eer_interval(bonafide, spoof, n_resamples=300, rng=rng), true),
        "field: bootstrap": holds(np.quantile(rates, [0.025, 0.975]), true),
    }


def of_speakers(rng: Rng, true: float, n_speakers: int, each: int, alike: float) -> Drawn:
    """The interval over speakers, each of whom shifts the scores of their own trials."""
    speakers = np.repeat(np.arange(n_speakers), each)
    n = len(speakers)
    first, second = (
        np.sqrt(alike) * rng.normal(size=n_speakers)[speakers] + np.sqrt(1 - alike) * rng.normal(size=n)
        for _ in range(2)
    )
    bonafide = first - 2 * norm.ppf(true)
    counts = rng.multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), 300)[:, speakers]
    rates = rates_of_draws(np.concatenate([bonafide, second]), n, np.hstack([counts, counts]))
    return {
        "EER over speakers": holds(
            eer_interval(bonafide, second, bonafide_speakers=speakers, spoof_speakers=speakers), true
        ),
        "field: speakers drawn with replacement": holds(np.quantile(rates, [0.025, 0.975]), true),
    }


def difference(rng: Rng, per_class: int, speakers: int) -> Drawn:
    """The interval of the difference of two systems of 10 and 15 % on the same trials."""
    size = 2 * per_class
    truth = np.arange(size) % 2 == 0
    who = np.arange(size) // 2 % max(1, speakers)
    shared, own = rng.normal(size=(1, size)), rng.normal(size=(2, size))
    margins = np.sqrt(0.5) * shared + np.sqrt(0.5) * own
    if speakers:
        margins = np.sqrt(0.8) * margins + np.sqrt(0.2) * rng.normal(size=(2, speakers))[:, who]
    margins -= norm.ppf([[0.10], [0.15]])
    first, second = np.where(truth, margins, -margins)
    few = {"n_resamples": 199, "seed": int(rng.integers(2**31))}
    trials = paired_difference(first, second, truth, **few).interval
    if not speakers:
        return {"difference of EERs over trials": holds(trials, 0.05)}
    own_ends = paired_difference(first, second, truth, speakers=who, **few).interval
    return {
        "difference of EERs over speakers": holds(own_ends, 0.05),
        "field: trials drawn": holds(trials, 0.05),
    }


# -- values of measures ---------------------------------------------------------------------------------------------


def normal_groups(rng: Rng, size: int) -> np.ndarray:
    """Return values of groups, normal with a spread of half the mean."""
    return rng.normal(1, 0.5, size)


def skewed(rng: Rng, size: int, *, sigma: float) -> np.ndarray:
    """Return log-normal values of groups."""
    return rng.lognormal(0, sigma, size)


def sparse(rng: Rng, size: int, *, share: float, rest: float) -> np.ndarray:
    """Return values of which a share of the groups carries most, the others zero or alike."""
    return np.where(
        rng.random(size) < share, rng.gamma(4, 0.25, size), rest * (1 + 0.05 * rng.normal(size=size))
    )


def following(rng: Rng, size: int) -> np.ndarray:
    """Return values that follow one another in the order of files (autoregressive, .8), positive."""
    steps = 0.3 * rng.normal(size=size)
    for i in range(1, size):
        steps[i] += 0.8 * steps[i - 1]
    return 1 + steps


def stopped(rng: Rng, draw: Callable[[Rng, int], np.ndarray], tolerance: float) -> Drawn:
    """`--tolerance`: groups visited at random until the interval is narrow; does it hold the whole set's value?"""
    values = draw(rng, 600)
    whole = float(values.mean())
    visited = values[rng.permutation(len(values))]
    rule, done = StoppingRule(len(values), tolerance), 0
    while True:
        done = min(len(values), max(done + 1, rule.target))
        if rule.enough({"sam": visited[:done]}) or done == len(values):
            break
    value, stderr = weighted_mean(visited[:done], np.full(done, 8.0))
    found = holds(interval_of_value(value, stderr, done, len(values)), whole)
    # A run that measured all groups has the set's value itself.
    early = done < len(values)
    return {"every run": found, "runs that stopped early": found if early else np.nan}


def of_a_set(rng: Rng, draw: Callable[[Rng, int], np.ndarray], size: int) -> Drawn:
    """The interval of a measure on a whole set, itself a sample of speech."""
    values = draw(rng, size)
    value, stderr = weighted_mean(values, np.full(size, 8.0))
    return {"value of a measure": holds(interval_of_value(value, stderr, size, size), _mean_of(draw))}


@functools.lru_cache
def _mean_of(draw: Callable[[Rng, int], np.ndarray]) -> float:
    return float(draw(np.random.default_rng(97), 2_000_000).mean())


# -- forecasts ------------------------------------------------------------------------------------------------------


def forecast(rng: Rng, population: forecast_coverage.Population) -> Drawn:
    """The 90 % interval of a forecast, for one checkpoint on a set that was not seen."""
    table = forecast_coverage.draw(population, rng)
    new = table["set"] == "target"
    said = forecast_coverage.predict(table[~new], table[new], forecast_coverage.PREDICTORS)
    low, high = said.interval()
    one = int(rng.integers(int(new.sum())))
    return {"forecast (90 %)": holds((low[one], high[one]), float(table.loc[new, "eer"].iloc[one]))}
