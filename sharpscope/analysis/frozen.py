"""`--freeze`: a way of measuring is chosen on some sets and tested on others, by the same checkpoints.

The other sets are no evidence of their own: a checkpoint that is good on one set is good on the next. Tested as if the
way had been fixed beforehand, the best of six ways rejects 18 % of studies without an effect. So the choice is made
anew in every order of the checkpoints, and what it would have found on the other sets is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis import permutation
from sharpscope.analysis.adjustment import adjust_sets
from sharpscope.analysis.clustered_tests import one_value_each
from sharpscope.analysis.cross_half import combined
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.rank_correlation import EXACT_UP_TO, FEWEST, p_of, standardised_ranks
from sharpscope.analysis.way_cells import Cells, cells_by_way
from sharpscope.results.comparable import WAY
from sharpscope.results.measure_facts import is_control

CHOSEN_ANEW = "the choice is made anew in every order"


def frozen_p(
    chosen_on: Sequence[tuple[np.ndarray, np.ndarray]],
    tested_on: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    rng: int = 0,
) -> tuple[int, float, np.ndarray]:
    r"""Test what the best way on some sets says on others.

    .. math:: T(\pi) = \bar r_{w(\pi)}(\pi), \qquad w(\pi) = \arg\max_w |\bar q_w(\pi)|

    with :math:`\bar q_w(\pi)` the mean correlation of way w over the frozen sets under an order of checkpoints,
    :math:`\bar r_w(\pi)` over the others under the same order. The p-value is the share of orders with
    :math:`|T(\pi)| \ge |T|`.

    Args:
        chosen_on: Per way, standardised ranks of measure and error on the frozen sets, each checkpoints x sets.
        tested_on: The same on the other sets, the same checkpoints.
        rng: Seed of random orders.

    Returns:
        The way that was chosen, two-sided p of its mean over the other sets, and of each of them.

    Source:
        Westfall and Young (1993): whatever was chosen by looking is chosen again in every resample.

    Example:
        One way leaves nothing to choose:

        >>> z = standardised_ranks(np.array([[0.0], [1], [2], [3], [5], [4]]))
        >>> way, p, _ = frozen_p([(z, z)], [(z, z)])
        >>> way, round(p, 4)
        (0, 0.0028)
    """
    n = len(chosen_on[0][0])
    choice, best = np.zeros(0, dtype=int), np.zeros(0)
    nulls, own, here = [], 0, -1.0
    for way, ((qx, qy), (rx, ry)) in enumerate(zip(chosen_on, tested_on, strict=True)):
        size = np.abs(permutation.joint_null(qx, qy, rng=rng).mean(axis=1))
        if not len(best):
            choice, best = np.zeros(len(size), dtype=int), np.full(len(size), -1.0)
        better = size > best
        choice[better], best[better] = way, size[better]
        nulls.append(permutation.joint_null(rx, ry, rng=rng))
        if (observed := abs(float((qx * qy).sum(axis=0).mean()))) > here:
            own, here = way, observed
    null = np.stack(nulls)[choice, np.arange(len(choice))]  # (orders, sets)
    within = (tested_on[own][0] * tested_on[own][1]).sum(axis=0)
    exact = n <= EXACT_UP_TO
    each = np.array([p_of(float(r), null[:, j], exact=exact) for j, r in enumerate(within)])
    return own, p_of(float(within.mean()), null.mean(axis=1), exact=exact), each


def put_anew(
    found: pd.DataFrame, table: pd.DataFrame, freeze: Sequence[str], halves: HalvesOfSets, seed: int = 0
) -> None:
    """Put p-values that know of the choice into a table of correlations, and adjust those of single sets again.

    Args:
        found: Of `correlations` on the sets that are not frozen.
        table: All rows, frozen sets and all ways among them.
        freeze: Names of the sets on which the way was chosen.
        halves: Of the table's sets.
        seed: Of random orders.
    """
    sharp = ~found["measure"].map(is_control).astype(bool)
    found.loc[sharp, ["p", "p_max_t", "p_headline", "p_adjusted"]] = math.nan
    found.loc[sharp & found["scope"].eq("mean_within"), "adjusted_by"] = CHOSEN_ANEW
    is_frozen = table["set"].isin(list(freeze)) & ~table["measure"].map(is_control).astype(bool)
    is_tested = ~table["set"].isin(list(freeze)) & ~table["measure"].map(is_control).astype(bool)
    # What the choice is made of was measured on whole sets; what it is tested on comes from halves.
    first = {_key(cells.way): cells for cells in cells_by_way(table[is_frozen], HalvesOfSets(None))}
    second = {_key(cells.way): cells for cells in cells_by_way(table[is_tested], halves)}
    ways = [way for way in first if way in second]
    ranked = _ranked([first[way] for way in ways], [second[way] for way in ways], halves.runs)
    if ranked is not None and len(ways) == len(first):
        _put(found, sharp, ways, second, ranked, seed)
    adjust_sets(found)


Side = tuple[np.ndarray, np.ndarray]


def _key(way: Mapping[Any, Any]) -> tuple[object, ...]:
    return tuple(None if pd.isna(way[name]) else way[name] for name in WAY)


def _put(
    found: pd.DataFrame,
    sharp: pd.Series,
    ways: Sequence[tuple[object, ...]],
    tested: Mapping[tuple[object, ...], Cells],
    ranked: tuple[list[Side], list[Side]],
    seed: int,
) -> None:
    """Fill in the p-values of the mean and of every set, split by split combined."""
    chosen_on, tested_on = ranked
    answers = [
        frozen_p(chosen_on, [(x[:, :, s], y[:, :, s]) for x, y in tested_on], rng=seed)
        for s in range(tested_on[0][0].shape[2])
    ]
    own = ways[answers[0][0]]
    if _key(found[sharp].iloc[0].to_dict()) != own:
        return  # incomplete checkpoints would have chosen otherwise
    mean = sharp & found["scope"].eq("mean_within")
    found.loc[mean, ["p", "p_headline", "p_adjusted"]] = combined([p for _, p, _ in answers])
    for j, (name, subset) in enumerate(tested[own].places):
        row = sharp & found["scope"].eq("set") & found["set"].eq(name) & found["subset"].eq(subset)
        found.loc[row, "p"] = combined([float(each[j]) for _, _, each in answers])


def _ranked(
    first: Sequence[Cells], second: Sequence[Cells], runs: pd.Series | None
) -> tuple[list[Side], list[Side]] | None:
    """Return ranks of every way on the frozen and on the other sets, of the checkpoints that have all numbers."""
    if not first or len({tuple(cells.places) for cells in second}) > 1:
        return None
    checkpoints = pd.Index(sorted(set.intersection(*(set(cells.checkpoints) for cells in (*first, *second)))))
    labels = np.arange(len(checkpoints)) if runs is None else pd.factorize(runs.loc[checkpoints])[0]
    values = [
        [_pieces(side[cells.checkpoints.get_indexer(checkpoints)], labels) for side in (cells.x, cells.y)]
        for cells in (*first, *second)
    ]
    complete = np.logical_and.reduce([np.isfinite(v).all(axis=(1, 2)) for pair in values for v in pair])
    if complete.sum() < FEWEST:
        return None
    sides = [tuple(_columns(v[complete]) for v in pair) for pair in values]
    if not all(np.isfinite(z).all() for pair in sides for z in pair):
        return None
    chosen_on = [(x[:, :, 0], y[:, :, 0]) for x, y in sides[: len(first)]]
    return chosen_on, [(x, y) for x, y in sides[len(first) :]]


def _pieces(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return one value a run on every set and split."""
    n, k, splits = values.shape
    return one_value_each(values.reshape(n, -1), labels).reshape(-1, k, splits)


def _columns(values: np.ndarray) -> np.ndarray:
    """Return standardised ranks on every set and split."""
    return standardised_ranks(values.reshape(len(values), -1)).reshape(values.shape)
