"""The correlation again with every piece of evidence counted once, over all sets: rows for the table of questions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.adjustment import families, holm_over
from sharpscope.analysis.clustered_tests import joint_test
from sharpscope.analysis.clusters import Clusters, cluster_labels
from sharpscope.analysis.cross_half import combined
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.over_sets import Ranks, correlate_over_sets, max_t_over_ways, ranks_at
from sharpscope.analysis.rank_correlation import FEWEST
from sharpscope.analysis.way_cells import Cells, cells_by_way
from sharpscope.errors import unknown_name
from sharpscope.results.comparable import WAY, same_way
from sharpscope.results.measure_facts import is_control
from sharpscope.results.measured_rates import (
    ALL_SETS_SPREADS,
    HEADLINE_SPREADS,
    KENDALL_SPREADS,
    ONE_SET_SPREADS,
    SOFT_ACCURACY_SPREADS,
    WILLIAMS_SPREADS,
)
from sharpscope.results.wording import listed

COLUMNS = ("question", *WAY, "given", "n", "estimate", "p", "p_adjusted", "adjusted_by", "note")
GROUPINGS = ("arch", "recipe")


def level_of_evidence(clusters: Clusters) -> tuple[str, str | None]:
    """Return which clusters are permuted, and inside what.

    Recipes where there are five: seeds and epochs of one recipe share what the recipe did. Fewer recipes leave runs,
    exchanged among those of their recipe only, since recipes differ in more than chance.

    Args:
        clusters: Of `find_clusters`.

    Returns:
        A level, and the level of the strata or None.

    Example:
        >>> from sharpscope.analysis.clusters import LEVELS
        >>> level_of_evidence(Clusters(pd.DataFrame({level: range(6) for level in LEVELS}), ""))
        ('recipe', None)
    """
    if clusters.labels["recipe"].nunique() >= FEWEST:
        return "recipe", None
    return "run", "recipe"


def evidence_rows(
    results: pd.DataFrame,
    clusters: Clusters,
    *,
    by: str | None = None,
    seed: int = 0,
    halves: HalvesOfSets | None = None,
) -> pd.DataFrame:
    """Test every measure over all sets at once with clusters as one, and inside architectures or recipes.

    Inside architectures is asked wherever there are several: what holds across them may be their doing.

    Args:
        results: Rows of a results table without duplicates.
        clusters: Of `find_clusters`.
        by: "arch" exchanges recipes inside architectures, "recipe" runs inside recipes of one architecture.
        seed: Of random orders.
        halves: Of the table's sets; None takes sharpness and error from the same trials.

    Returns:
        Columns ``COLUMNS``; the question is "clusters_as_one", "seeds_as_one" where a recipe has several checkpoints,
        or "within_arch", "within_recipe". P-values are adjusted over ways of measuring, of sharpness and of controls
        apart, by max-T where all have the same checkpoints.

    Raises:
        UsageError: If the grouping is unknown.
    """
    if by not in (None, *GROUPINGS):
        raise unknown_name("grouping", str(by), GROUPINGS)
    halves = HalvesOfSets(None) if halves is None else halves
    every = [cells for cells in cells_by_way(results, halves) if cells.places]
    if not every:
        return pd.DataFrame(columns=list(COLUMNS))
    level, inside = level_of_evidence(clusters)
    asked = [("clusters_as_one", level, inside)]
    if clusters.labels["recipe"].nunique() < len(clusters.labels):
        asked.append(("seeds_as_one", "recipe", None))
    if by == "arch" or clusters.labels["arch"].nunique() > 1:
        asked.append(("within_arch", "recipe", "arch"))
    if by == "recipe":
        asked.append(("within_recipe", "run", "recipe"))
    each = [_asked(question, every, clusters, unit, stratum, seed) for question, unit, stratum in asked]
    return pd.DataFrame([row for rows in zip(*each, strict=True) for row in rows], columns=list(COLUMNS))


def _asked(
    question: str, every: Sequence[Cells], clusters: Clusters, level: str, inside: str | None, seed: int
) -> list[dict[str, Any]]:
    """Return the answers to one question for every way of measuring."""
    given = f"{level}s" if inside is None else f"{level}s inside {inside}s"
    rows: list[dict[str, Any]] = []
    ranked: list[Ranks | None] = []
    for cells in every:
        labels = cluster_labels(clusters, cells.checkpoints, level)
        strata = None if inside is None else cluster_labels(clusters, cells.checkpoints, inside)
        ranks = ranks_at(cells.x, cells.y, labels=labels, strata=strata)
        studentised = inside is None and _unequal(cells, clusters)
        answer = _studentised(cells, labels, seed) if studentised else _plain(ranks, inside, seed)
        if question == "seeds_as_one":
            notes = (f"means of {len(cells.checkpoints)} checkpoints", answer["note"])
            answer["note"] = "; ".join(filter(None, notes))
        what = "" if question == "seeds_as_one" else given
        rows.append({"question": question, "given": what} | cells.way | answer)
        ranked.append(None if studentised else ranks)
    table = pd.DataFrame(rows)
    adjusted, words = holm_over(table)
    for family in families(table):
        own = [ranked[i] for i in np.flatnonzero(family)]
        ways = [ranks for ranks in own if ranks is not None]
        if 1 < len(ways) == len(own) and np.isfinite(together := max_t_over_ways(ways, rng=seed)).all():
            adjusted[family.to_numpy(bool)] = together
            for i in np.flatnonzero(family):
                words[i] = f"max-T over {len(own)} ways"
    for row, p, by in zip(rows, adjusted, words, strict=True):
        row |= {"p_adjusted": float(p), "adjusted_by": by}
    return rows


def _plain(ranks: Ranks, inside: str | None, seed: int) -> dict[str, Any]:
    n, note = len(ranks.x), ""
    found = correlate_over_sets(ranks, rng=seed)
    if n < FEWEST:
        note = f"fewer than {FEWEST} pieces of evidence cannot reach 5 %"
        found = found._replace(spearman=math.nan)
    elif not ranks.usable.any():
        note = "nothing varies"
    elif not ranks.testable:
        note = "too few orders inside strata to reach 5 %"
    return {"n": n, "estimate": found.spearman, "p": found.p, "note": note}


def _unequal(cells: Cells, clusters: Clusters) -> bool:
    """Tell whether architectures vary unequally in both, which an unstudentised test takes for a correlation."""
    arch = cluster_labels(clusters, cells.checkpoints, "arch")
    return all(spreads_differ(side[:, :, 0], arch) for side in (cells.x, cells.y))


def _studentised(cells: Cells, labels: np.ndarray, seed: int) -> dict[str, Any]:
    splits = range(cells.x.shape[2])
    found = [
        joint_test(cells.x[:, :, s], cells.y[:, :, s], labels=labels, seed=seed, studentised=True)
        for s in splits
    ]
    notes = [found[0].note] if found[0].note else []
    p = combined([one.p for one in found])
    if np.isfinite(p):
        notes.append("architectures vary unequally: studentised")
    estimate = float(np.median([one.estimate for one in found]))
    return {"n": found[0].n, "estimate": estimate, "p": p, "note": "; ".join(notes)}


def unequal_ways(results: pd.DataFrame, clusters: Clusters) -> list[dict[str, Any]]:
    """Find the ways of measuring in which architectures vary so unequally that permuting checkpoints finds too much.

    Args:
        results: Rows of a results table without duplicates.
        clusters: Of `find_clusters`.

    Returns:
        The ways in which spreads differ both in the measure and in the error rate.
    """
    every = cells_by_way(results, HalvesOfSets(None))
    return [cells.way for cells in every if cells.places and _unequal(cells, clusters)]


def warn_of_spreads(ways: Sequence[Mapping[str, Any]]) -> str:
    """Say where architectures vary so unequally that permuting single checkpoints finds too much.

    Args:
        ways: Of `unequal_ways`; controls are not spoken of.

    Returns:
        A sentence without its full stop; "" where spreads are alike in sharpness or in error.

    Example:
        >>> from sharpscope.analysis.clusters import find_clusters
        >>> way = {"measure": "sam", "rho": 0.05, "m": 8.0, "preset": "", "set": "s", "subset": "", "recipe": ""}
        >>> table = pd.DataFrame([
        ...     way | {"checkpoint": f"{a}{i}", "sha256": f"{a}{i}", "arch": a, "seed": float("nan")}
        ...     | {"value": scale * i, "eer": scale * i} for a, scale in (("a", 1.0), ("b", 9.0)) for i in range(4)])
        >>> warn_of_spreads(unequal_ways(table, find_clusters(table)))[:57]
        'architectures differ more than threefold in how much both'
    """
    found = [str(way["measure"]) for way in ways if not is_control(str(way["measure"]))]
    if not found:
        return ""
    return (
        f"architectures differ more than threefold in how much both {listed(list(dict.fromkeys(found)))} and the error "
        "rate vary; p-values that permute single checkpoints are approximate there (of such studies without any effect "
        f"{ONE_SET_SPREADS.words} reject at 5 % on one set, {ALL_SETS_SPREADS.words} over sets, "
        f"{HEADLINE_SPREADS.words} by p_headline, {KENDALL_SPREADS.words} by p_kendall, {WILLIAMS_SPREADS.words} by "
        f"better_than_loss, {SOFT_ACCURACY_SPREADS.words} by soft_pairwise_accuracy); clusters_as_one in "
        "questions.csv is studentised and holds"
    )


def note_spreads(found: pd.DataFrame, ways: Sequence[Mapping[str, Any]]) -> None:
    """Write beside each p-value that unequal spreads make approximate how often such a test rejects without an effect.

    Args:
        found: Rows of correlations.csv, whose ``note`` is added to where a row has a p-value.
        ways: Of `unequal_ways`.
    """
    scopes = {"set": ONE_SET_SPREADS, "mean_within": ALL_SETS_SPREADS}
    for way in ways:
        for scope, rate in scopes.items():
            own = same_way(found, way) & (found["scope"] == scope) & found["p"].notna()
            words = f"p approximate: spreads of architectures differ, {rate.words} reject at 5 % without an effect"
            notes = found.loc[own, "note"].astype(str)
            found.loc[own, "note"] = [f"{note}; {words}" if note else words for note in notes]


def spreads_differ(x: np.ndarray, groups: np.ndarray, *, times: float = 3.0) -> bool:
    """Tell whether some groups of checkpoints vary so much more than others that only a studentised test is fair.

    Args:
        x: Values, checkpoints x sets.
        groups: Group of each checkpoint, such as its architecture.
        times: How much larger the largest standard deviation must be than the smallest.

    Returns:
        True where it is, of groups with at least three checkpoints, on the median set.

    Example:
        >>> spreads_differ(np.array([[0.0], [1], [2], [0], [10], [20]]), np.array([0, 0, 0, 1, 1, 1]))
        True
    """
    sizes = {name: (groups == name) for name in np.unique(groups) if (groups == name).sum() >= 3}
    if len(sizes) < 2:
        return False
    spread = np.array([np.median(np.nanstd(x[inside], axis=0, ddof=1)) for inside in sizes.values()])
    return bool(spread.max() > times * max(float(spread.min()), 1e-300))
