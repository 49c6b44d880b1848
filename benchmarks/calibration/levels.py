"""Null studies: from a generator to the p-values that the program prints, where nothing goes with error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import given_loss_calibration
from benchmarks.calibration import populations as pop
from benchmarks.calibration.design import Drawn
from sharpscope.analysis import robustness
from sharpscope.analysis.clustered_tests import joint_test, one_value_each
from sharpscope.analysis.comparisons import williams
from sharpscope.analysis.confounding import partial_correlation
from sharpscope.analysis.cross_half import Halves, correlate_halves
from sharpscope.analysis.evidence import spreads_differ
from sharpscope.analysis.field_measures import one_sided_p, pair_information, soft_accuracy_p
from sharpscope.analysis.frozen import frozen_p
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.instrumented import given_noisy
from sharpscope.analysis.mixed_model import mixed_model
from sharpscope.analysis.over_sets import correlate_over_sets, max_t_over_ways, ranks_at, ranks_of
from sharpscope.analysis.permutation import swap_test
from sharpscope.analysis.rank_correlation import kendall_p, standardised_ranks
from sharpscope.analysis.sentinels import elsewhere
from sharpscope.analysis.transfer import transfer
from sharpscope.forecasting.audit import sign_flip_p
from sharpscope.scoring.costs import paired_difference
from sharpscope.tables.kinds import sign_flip

Rng = np.random.Generator


def seed_of(rng: Rng) -> int:
    """Return a seed of random orders for one study."""
    return int(rng.integers(2**31))


def as_halves(x: np.ndarray, y: np.ndarray) -> Halves:
    """Return one set's numbers as halves that were drawn once."""
    return Halves(x[:, None], y[:, None], y[:, None], y[:, None], x[:, None])


def usual_p(x: np.ndarray, y: np.ndarray) -> float:
    """Return what papers print: scipy's p of Spearman's correlation."""
    return float("nan") if np.ptp(x) == 0 or np.ptp(y) == 0 else float(stats.spearmanr(x, y).pvalue)


# -- sharpness and error rate from trials ---------------------------------------------------------------------------


def from_trials(
    rng: Rng,
    n: int,
    per_class: int,
    *,
    sets: int = 1,
    splits: int = 1,
    spread: float = 0.0,
    sharper: float = 0.0,
) -> Drawn:
    """The test of record across halves, over one set or several, beside that of the same trials."""
    true, factor = spread * rng.normal(size=n), 1 + sharper * rng.normal(size=n)
    drawn = [pop.trials(rng, true, per_class, splits=splits, sharper=factor) for _ in range(sets)]
    halves, seed = [one.halves for one in drawn], seed_of(rng)
    if sets == 1:
        own = correlate_halves(halves[0], rng=seed).p
        return {"across halves": own, "field: same trials": usual_p(drawn[0].values, drawn[0].errors)}
    same = [as_halves(one.values, one.errors) for one in drawn]
    return {
        "across halves, all sets": correlate_over_sets(ranks_of(halves), rng=seed).p,
        "field: same trials": correlate_over_sets(ranks_of(same), rng=seed).p,
    }


def with_speakers(rng: Rng, n: int, per_class: int, speakers: int) -> Drawn:
    """Speakers are hard for one detector and easy for another: halves that share none of them, and halves that do."""
    true = np.zeros(n)
    apart, shared = (
        pop.trials(rng, true, per_class, speakers=speakers, by_speaker=own) for own in (True, False)
    )
    seed = seed_of(rng)
    return {
        "across halves, no speaker in both": correlate_halves(apart.halves, rng=seed).p,
        "field: halves that share speakers": correlate_halves(shared.halves, rng=seed).p,
        "field: same trials": usual_p(apart.values, apart.errors),
    }


# -- every test on a table of cells ---------------------------------------------------------------------------------


def tests_of_record(rng: Rng, draw: Callable[[Rng, int], pop.Effects], n: int) -> Drawn:
    """P-values of correlations.csv and of the questions whose unit is the checkpoint."""
    e, seed = draw(rng, n), seed_of(rng)
    zx, zo, zy = (standardised_ranks(v) for v in e)
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zo).all(axis=0) & np.isfinite(zy).all(axis=0)
    zx, zo, zy = zx[:, usable], zo[:, usable], zy[:, usable]
    ways = [ranks_at(v[:, usable, None], e.y[:, usable, None]) for v in (e.x, e.other)]
    pairs = ((zx, zy), (zo, zy), (zx, zo))
    r = [float(a[:, 0] @ b[:, 0]) for a, b in pairs] if usable[0] else [np.nan] * 3
    certain = [one_sided_p(v[:, 0], np.full(n, v[:, 0].std() / 3 + 1e-9)) for v in (e.y, e.x)]
    arch = np.arange(n) % 3
    studentised = all(spreads_differ(v, np.arange(n) // (n // 2)) for v in (e.x, e.y))
    return {
        "one set, Spearman": correlate_halves(as_halves(e.x[:, 0], e.y[:, 0]), rng=seed).p,
        "one set, Kendall": kendall_p(e.x[:, 0], e.y[:, 0], rng=seed),
        "all sets": correlate_over_sets(ways[0], rng=seed).p,
        "headline, largest of two ways": float(np.nanmin(max_t_over_ways(ways, rng=seed))),
        "clusters as one, studentised": (
            joint_test(e.x, e.y, seed=seed, studentised=True).p if studentised else np.nan
        ),
        "inside 3 architectures, all sets": _over(e.x, e.y, seed, strata=arch),
        "measure against rival, swapped": swap_test(zx, zo, zy, rng=seed).p,
        "measure against rival, Williams": williams(*r, n).p,
        "sentinel: the measure on other sets": swap_test(
            zx, standardised_ranks(elsewhere(zx)), zy, rng=seed
        ).p,
        "shift over corpora": _shift_p(e, [f"corpus{j}" for j in range(e.x.shape[1])], seed),
        "soft pairwise accuracy": soft_accuracy_p(*certain, seed=seed),
        "field: pooled cells": usual_p(e.x.ravel(), e.y.ravel()),
    }


def _over(x: np.ndarray, y: np.ndarray, seed: int, **pieces: np.ndarray | None) -> float:
    """Return p of the mean over sets, clusters as one and inside strata; NaN where no order is rare enough."""
    ranks = ranks_at(x[:, :, None], y[:, :, None], **pieces)
    return correlate_over_sets(ranks, rng=seed).p if ranks.testable else np.nan


def _shift_p(e: pop.Effects, corpora: list[str], seed: int) -> float:
    """Return the p-value of the question "shift"; NaN where it is refused."""
    nothing = (np.zeros(len(corpora)), np.zeros(len(corpora)))
    cells = robustness.Cells(e.x, e.y, pd.DataFrame(), corpora, corpora, [""] * len(corpora), nothing)
    answers = list(robustness._shift(cells, seed))
    return float(answers[0].get("p", np.nan)) if answers else float("nan")


def information(rng: Rng, draw: Callable[[Rng, int], pop.Effects], n: int) -> Drawn:
    """The conditional information of signs of pairs, given architecture and recipe."""
    e = draw(rng, n)
    settings = np.column_stack([np.arange(n) % 3, np.arange(n) // 3])
    found = pair_information(e.x[:, 0], e.y[:, 0], settings, n_permutations=199, seed=seed_of(rng))
    return {"pair information": found.p}


def mixed(rng: Rng, archs: int, recipes: int, seeds: int) -> Drawn:
    """The mixed model where its assumptions hold: architectures, recipes and seeds with normal effects."""
    arch = np.repeat(np.arange(archs), recipes * seeds)
    recipe = np.repeat(np.arange(archs * recipes), seeds)
    x, y = (
        0.7 * rng.normal(size=(archs, 1))[arch]
        + 0.7 * rng.normal(size=(archs * recipes, 1))[recipe]
        + 0.5 * pop.study(rng, len(arch))
        for _ in range(2)
    )
    cells = pop.cells_of(pop.Effects(x, x, y), arch, recipe)
    cells = cells[cells["measure"] == "sam"].assign(place=cells["set"])
    return {
        "mixed model": mixed_model(cells).p,
        "field: single checkpoints": joint_test(x, y, seed=seed_of(rng)).p,
    }


def from_set_to_set(rng: Rng, draw: Callable[[Rng, int], pop.Effects], n: int) -> Drawn:
    """The matrix of transfer: one pair of sets, and the smallest adjusted p-value of all pairs."""
    e = draw(rng, n)
    table = pop.cells_of(pop.Effects(e.x[:, :3], e.other[:, :3], e.y[:, :3]), np.arange(n), np.arange(n))
    found = transfer(table[table["measure"] == "sam"], HalvesOfSets(None), seed=seed_of(rng))
    pairs = found[(found["measure"] == "sam") & found["p"].notna()]
    return {
        "transfer, one pair of sets": float(pairs["p"].iloc[0]),
        "transfer, any pair, max-T": float(pairs["p_adjusted"].min()),
        "field: any pair, unadjusted": float(pairs["p"].min()),
    }


# -- the best of many -----------------------------------------------------------------------------------------------


def best_of_ways(rng: Rng, n: int, measures: int, radii: int) -> Drawn:
    """The headline: the largest mean of several measures at several radii, which go together."""
    y, ways, seed = pop.study(rng, n)[:, :, None], [], seed_of(rng)
    for _ in range(measures):
        shared = pop.study(rng, n)
        ways += [ranks_at((shared + 0.4 * pop.study(rng, n))[:, :, None], y) for _ in range(radii)]
    best = int(np.argmax([abs(float(one.within.mean())) for one in ways]))
    return {
        "headline, max-T over ways": max_t_over_ways(ways, rng=seed)[best],
        "field: p of the largest": correlate_over_sets(ways[best], rng=seed).p,
    }


def frozen(rng: Rng, n: int) -> Drawn:
    """The way is the one with the largest mean on two sets; it is tested on three others."""
    y, seed = pop.study(rng, n), seed_of(rng)
    ways = [pop.study(rng, n) for _ in range(6)]
    zy, ranked = standardised_ranks(y), [standardised_ranks(x) for x in ways]
    own, p, each = frozen_p(
        [(z[:, :2], zy[:, :2]) for z in ranked], [(z[:, 2:], zy[:, 2:]) for z in ranked], rng=seed
    )
    fixed = correlate_over_sets(ranks_at(ways[own][:, 2:, None], y[:, 2:, None]), rng=seed).p
    return {
        "chosen on two sets, tested on three": p,
        "chosen on two sets, tested on one": float(each[0]),
        "field: as if fixed beforehand": fixed,
    }


# -- what is one piece of evidence ----------------------------------------------------------------------------------


def clusters(rng: Rng, sizes: np.ndarray, *, apart: float = 0.3, strata: np.ndarray | None = None) -> Drawn:
    """Epochs of a run, copies of a network or seeds of a recipe: members of a cluster differ little."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    groups = len(sizes)
    own = np.zeros(groups, dtype=int) if strata is None else strata
    effect = 3 * rng.normal(size=(2, own.max() + 1, 1)) if strata is not None else np.zeros((2, 1, 1))
    x, y = (
        (effect[side][own] + pop.study(rng, groups))[labels]
        + apart * rng.normal(size=(len(labels), pop.SETS))
        for side in range(2)
    )
    inside, seed = (None if strata is None else own[labels]), seed_of(rng)
    found = {
        "all sets": _over(x, y, seed, labels=labels, strata=inside),
        "one set": _over(x[:, :1], y[:, :1], seed, labels=labels, strata=inside),
        "field: single checkpoints": _over(x, y, seed, strata=inside if sizes.max() > 1 else None),
    }
    if strata is None and groups >= robustness.FEWEST:
        means = [one_value_each(v, labels) for v in (x, y)]
        found["seeds as one"] = robustness._tested(*means, seed)["p"]
    return found


def confounded(rng: Rng, n: int) -> Drawn:
    """Architectures move sharpness and error together; inside one they have nothing to do with each other."""
    strata = np.arange(n) % 3
    cause = 3.0 * rng.normal(size=(3, 1))[strata]
    x, y = (cause + pop.study(rng, n) for _ in range(2))
    seed = seed_of(rng)
    return {
        "inside architectures, one set": _over(x[:, :1], y[:, :1], seed, strata=strata),
        "inside architectures, all sets": _over(x, y, seed, strata=strata),
        "field: all checkpoints alike": usual_p(x[:, 0], y[:, 0]),
    }


def few_of_most(rng: Rng) -> Drawn:
    """One architecture with ten checkpoints and six with one."""
    strata = np.concatenate([np.zeros(10, dtype=int), np.arange(1, 7)])
    x, y = (2 * rng.normal(size=(7, 1))[strata] + pop.study(rng, 16) for _ in range(2))
    return {"inside architectures, all sets": _over(x, y, seed_of(rng), strata=strata)}


def missing(rng: Rng, n: int, *, by_quality: bool) -> Drawn:
    """Cells are missing, at random or where checkpoints are worst."""
    e, seed = pop.unrelated(rng, n), seed_of(rng)
    chance = np.where(e.y > np.quantile(e.y, 0.8, axis=0), 0.3, 0.0) if by_quality else 0.05
    gone = rng.random(e.y.shape) < chance
    x, y = (np.where(gone, np.nan, v) for v in (e.x, e.y))
    return {"all sets, some cells missing": _over(x, y, seed)}


# -- comparisons, shift, covariates ---------------------------------------------------------------------------------


def equally_correlated(rng: Rng, n: int, *, unlike: bool) -> Drawn:
    """Two measures that go equally well with error; the noise of one is the checkpoint's, of the other the cell's."""
    y = pop.study(rng, n)
    first = y + 0.8 * rng.normal(size=(n, 1)) if unlike else y + 0.8 * pop.study(rng, n)
    second = y + 0.8 * (rng.normal(size=y.shape) if unlike else pop.study(rng, n))
    z = [standardised_ranks(v) for v in (first, second, y)]
    return {"measure against rival, swapped": swap_test(*z, rng=seed_of(rng)).p}


def corpora(rng: Rng, n: int, shape: tuple[int, int]) -> Drawn:
    """Sets are subsets of corpora, whose level is the corpus' own in sharpness and error."""
    count, each = shape
    label = np.repeat(np.arange(count), each)
    x, y = (
        rng.normal(size=(1, count))[:, label]
        + 0.3 * rng.normal(size=(1, len(label)))
        + 0.3 * pop.study(rng, n, len(label))
        for _ in range(2)
    )
    seed = seed_of(rng)
    naive = robustness._tested(x.T, y.T, seed)["p"]
    return {
        "shift over corpora": _shift_p(pop.Effects(x, x, y), [f"corpus{c}" for c in label], seed),
        "field: subsets as sets": naive,
    }


def given_the_loss(rng: Rng, n: int, k: int, reliability: float, only: bool) -> Drawn:
    """Sharpness and error follow the loss and nothing else; the loss alone is noisy, or all three are."""
    drawn = given_loss_calibration.through_the_loss(rng, (n, k, 1), reliability, only=only)
    made = [[half[:, :, 0] for half in side] for side in drawn]
    found = given_noisy(made[0][0], made[1][0], made[2][1], made[1][1])
    x, z, y = ((side[0] + side[1])[:, 0] / 2 for side in made)
    return {
        "given the loss, across halves": found.p,
        "field: partial correlation": partial_correlation(x, y, z[:, None]).p,
    }


def collider(rng: Rng, n: int) -> Drawn:
    """Gradient norm follows loss and sharpness; sharpness says nothing of error, which the loss decides."""
    loss, x = rng.normal(size=(2, n))
    norm = loss + x + 0.3 * rng.normal(size=n)
    y = loss + 0.3 * rng.normal(size=n)
    return {"field: partial correlation given the gradient norm": partial_correlation(x, y, norm[:, None]).p}


# -- scores and tables ----------------------------------------------------------------------------------------------


def two_systems(rng: Rng, per_class: int, speakers: int) -> Drawn:
    """Two systems equal in truth on the same trials, which speakers make hard or easy."""
    size = 2 * per_class
    truth = np.arange(size) % 2 == 0
    who = np.arange(size) // 2 % max(1, speakers)
    margins = 1.6 + rng.normal(size=(1, size)) + rng.normal(size=(2, size))
    if speakers:
        margins = margins + 0.7 * rng.normal(size=(2, speakers))[:, who]
    first, second = np.where(truth, margins, -margins)
    few = {"n_resamples": 199, "seed": seed_of(rng)}
    trials = paired_difference(first, second, truth, **few)
    if not speakers:
        return {"two systems, trials drawn": trials.p}
    own = paired_difference(first, second, truth, speakers=who, **few)
    return {"two systems, speakers drawn": own.p, "field: trials drawn": trials.p}


def signs(rng: Rng, pairs: int) -> Drawn:
    """Paired differences of error rates on a grid, no recipe better."""
    gaps = rng.integers(-4, 5, size=pairs) / 40
    return {
        "table recipes, sign flips": sign_flip(gaps),
        "forecast against baseline, sign flips": sign_flip_p(gaps),
    }
