"""Simulated studies: detectors that share the difficulty of trials, and checkpoints with effects of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from sharpscope.analysis.cross_half import Halves, draw_halves, halves_of_errors, halves_of_values
from sharpscope.results.comparable import WAY

SETS = 5
M = 10


class Trials(NamedTuple):
    """Detectors on one set, trial by trial.

    Attributes:
        halves: Of a bounded loss, its groups and the error rates.
        loss: The plain loss on the groups of the first half, checkpoints x splits.
        values: The bounded loss of all trials.
        errors: Equal error rate of the same trials.
    """

    halves: Halves
    loss: np.ndarray
    values: np.ndarray
    errors: np.ndarray


def trials(
    rng: np.random.Generator,
    true: np.ndarray,
    per_class: int,
    *,
    splits: int = 1,
    sharper: np.ndarray | float = 1.0,
    speakers: int = 0,
    by_speaker: bool = False,
) -> Trials:
    """Draw a set: margins share the difficulty of each trial, and detectors have noise of their own.

    Args:
        rng: Of random numbers.
        true: Mean margin of each detector beside what all share; zeros are detectors equal in truth.
        per_class: Trials of each class.
        splits: Random halves.
        sharper: Factor of each detector's sharpness that has nothing to do with its errors.
        speakers: Speakers, each of whom is a hard or easy one for each detector; 0 makes trials independent.
        by_speaker: Whether each speaker is in one half only, as the program does where speakers are known.

    Returns:
        The set in halves and as a whole.
    """
    n, size = len(true), 2 * per_class
    s = 1.6 + rng.normal(size=(1, size)) + rng.normal(size=(n, size)) + true[:, None]
    who = np.arange(size) // 2 % max(1, speakers)
    if speakers:
        s = s + 0.7 * rng.normal(size=(n, speakers))[:, who]
    truth = np.arange(size) % 2 == 0
    order = rng.permutation(size)
    if by_speaker:  # speakers of the first half first; as many of them as of the others
        order = order[np.argsort(rng.permutation(speakers)[who[order]] >= speakers // 2, kind="stable")]
    group = np.empty(size, dtype=int)
    group[order] = np.arange(size) // M
    groups = size // M
    first = (
        np.arange(groups)[None] < groups // 2
        if by_speaker
        else draw_halves(groups, seed=int(rng.integers(2**31)), n_splits=splits)
    )
    inside = first[:, group]
    scores = np.where(truth, s, -s)
    rates = halves_of_errors(scores, truth, np.concatenate([~inside, np.ones((1, size), dtype=bool)]))
    of_group = np.eye(groups)[group] / M  # (trials, groups)
    bounded = (1 / (1 + np.exp(s))) * np.reshape(sharper, (-1, 1))
    sizes = np.full(groups, M)
    x, loss = (halves_of_values(q @ of_group, sizes, first) for q in (bounded, np.log1p(np.exp(-s))))
    outside = rates[:, :splits]
    # What the same half gives is described in a table and tested nowhere.
    return Trials(Halves(x, *[outside] * 3, x), loss, bounded.mean(axis=1), rates[:, -1])


class Effects(NamedTuple):
    """A table of cells: checkpoints x sets.

    Attributes:
        x: Sharpness.
        other: A rival measure.
        y: Error.
    """

    x: np.ndarray
    other: np.ndarray
    y: np.ndarray


def study(rng: np.random.Generator, n: int, k: int = SETS) -> np.ndarray:
    """Return one quantity over checkpoints x sets, four fifths of its variance shared by all sets."""
    return np.sqrt(0.8) * rng.normal(size=(n, 1)) + np.sqrt(0.2) * rng.normal(size=(n, k))


def unrelated(rng: np.random.Generator, n: int, k: int = SETS) -> Effects:
    """Nothing goes with anything; sets are easy or hard for all."""
    return Effects(*(study(rng, n, k) + 1.5 * rng.permutation(k) for _ in range(3)))


def equal_detectors(rng: np.random.Generator, n: int, k: int = SETS, per_class: int = 40) -> Effects:
    """Detectors equal in truth, trials with noise; sharpness and error rates from halves, as the program takes them."""
    sets = [trials(rng, np.zeros(n), per_class) for _ in range(k)]
    return Effects(
        np.hstack([one.halves.x for one in sets]),
        np.hstack([one.loss for one in sets]),
        np.hstack([one.halves.y for one in sets]),
    )


def coarse(rng: np.random.Generator, n: int, k: int = SETS) -> Effects:
    """Sharpness log-normal over three decades; error rates on the grid of twenty trials, with many ties."""
    x, other, y = unrelated(rng, n, k)
    rates = norm.cdf(-1 + 0.5 * y - 0.75 * y.mean(axis=0))
    return Effects(np.exp(2.3 * x), other.round(1), rng.binomial(20, rates) / 20)


def on_the_floor(rng: np.random.Generator, n: int, k: int = SETS) -> Effects:
    """Three checkpoints of five without any error on a set."""
    x, other, _ = unrelated(rng, n, k)
    return Effects(x, other, np.maximum(study(rng, n, k), norm.ppf(0.6)))


def heavy_tails(rng: np.random.Generator, n: int, k: int = SETS) -> Effects:
    """Cauchy's distribution, shared in part by all sets."""
    return Effects(*(rng.standard_cauchy(size=(n, 1)) + rng.standard_cauchy(size=(n, k)) for _ in range(3)))


def unequal_spreads(rng: np.random.Generator, n: int, k: int = SETS) -> Effects:
    """Half of the checkpoints vary ten times as much as the others, in measures and error."""
    times = np.where(np.arange(n) < n // 2, 1, 10.0)[:, None]
    return Effects(*(study(rng, n, k) * times for _ in range(3)))


def related(
    rng: np.random.Generator, n: int, r: float, *, k: int = SETS, floor: float = 0.0, spreads: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return measure and error correlated r in each set, a share of the errors on the floor."""
    x, rest = study(rng, n, k), study(rng, n, k)
    if spreads:
        times = np.where(np.arange(n) < n // 2, 1, 10.0)[:, None]
        x, rest = x * times, rest * times
    y = r * x + np.sqrt(1 - r * r) * rest
    return x, np.maximum(y, norm.ppf(floor)) if floor else y


def cells_of(
    effects: Effects, arch: np.ndarray, recipe: np.ndarray, *, sets: list[str] | None = None
) -> pd.DataFrame:
    """Return a results table of two measures, `sam` at a radius of .05 and `loss`."""
    n, k = effects.x.shape
    i, j = (index.ravel() for index in np.indices((n, k)))
    names = sets or [f"set{j}" for j in range(k)]
    head = {
        "checkpoint": [f"c{a:03d}" for a in i],
        "sha256": [f"{a:08x}" for a in i],
        "arch": [f"arch{arch[a]}" for a in i],
        "recipe": [f"recipe{recipe[a]}" for a in i],
        "seed": np.nan,
        "set": [names[b] for b in j],
        "subset": "",
        "domain": ["id" if b == 0 else "ood" for b in j],
        "eer": effects.y.ravel(),
        "m": 32.0,
        "preset": "rigorous",
    }
    ways = (("sam", 0.05, effects.x), ("loss", np.nan, effects.other))
    parts = [pd.DataFrame(head | {"measure": name, "rho": rho, "value": v.ravel()}) for name, rho, v in ways]
    assert set(WAY) <= set(parts[0])
    return pd.concat(parts, ignore_index=True)
