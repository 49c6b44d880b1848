"""Rows of a correlation table: one measure on one set, over all sets, and within groups of checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis import given_loss, rank_correlation
from sharpscope.analysis.adjustment import adjust_sets, families, holm
from sharpscope.analysis.clustered_tests import one_value_each
from sharpscope.analysis.cross_half import Halves, combined, correlate_halves
from sharpscope.analysis.halves_of_sets import PAIRS, SPEAKERS, TRIALS, HalvesOfSets
from sharpscope.analysis.mean_interval import interval_of_mean
from sharpscope.analysis.over_sets import (
    Ranks,
    correlate_over_sets,
    max_t_over_cells,
    max_t_over_ways,
    ranks_at,
)
from sharpscope.analysis.primary import NO_CHOICE, Choice
from sharpscope.analysis.rank_correlation import FEWEST, TWO_SIDED
from sharpscope.analysis.way_cells import CROSS_HALF, SAME_TRIALS, Cells, cells_by_way
from sharpscope.results.comparable import PLACE, same_way
from sharpscope.results.measure_facts import is_control

COLUMNS = (
    "scope",
    "set",
    "subset",
    "measure",
    "rho",
    "m",
    "preset",
    "n",
    "n_dropped",
    "ties",
    "spearman",
    "spearman_low",
    "spearman_high",
    "kendall",
    "kendall_low",
    "kendall_high",
    "pearson",
    "p",
    "p_kendall",
    "p_holm",
    "q_bh",
    "p_max_t",
    "min_detectable",
    "note",
    "evidence",
    "spearman_same_trials",
    "p_same_trials",
    "shared_noise",
    "p_headline",
    "n_runs",
    "p_adjusted",
    "adjusted_by",
    "alternative",
    "fixed",
    "halves_by",
    *given_loss.COLUMNS,
)
N_BOOTSTRAP = 9_999
APART = (SPEAKERS, PAIRS, TRIALS)


def correlations(
    table: pd.DataFrame,
    by: str | None,
    seed: int,
    halves: HalvesOfSets,
    advance: Callable[[], object],
    choice: Choice = NO_CHOICE,
) -> pd.DataFrame:
    """Return every correlation with its p-value, adjusted over all of them.

    Args:
        table: Rows that may be correlated.
        by: "recipe" or "arch" for rows within its groups too, or None.
        seed: Of random permutations and resamples.
        halves: Of the table's sets.
        advance: Called after each way of measuring.
        choice: What was fixed beforehand.

    Returns:
        One row per scope, set and measure; columns ``COLUMNS``.
    """
    rows: list[dict[str, Any]] = []
    runs, facts = halves.runs, table.drop_duplicates("sha256").set_index("sha256")
    every: list[tuple[Cells, Ranks]] = []
    for cells in cells_by_way(table, halves):
        own = same_way(table, cells.way)
        part, side = table[own], choice.alternative_of(str(cells.way["measure"]))
        labels = _labels(runs, cells.checkpoints)
        ranks = ranks_at(cells.x, cells.y, labels=labels)
        every.append((cells, ranks))
        told = {"alternative": side, "fixed": choice.words} if not is_control(cells.way["measure"]) else {}
        places = list(_groups(part, PLACE))
        loss = None if is_control(str(cells.way["measure"])) else given_loss.loss_beside(table, cells.way)
        found = [
            _set_row(place, own, cells, runs, seed, side) | _apart([place], cells, own, loss, halves)
            for place, own in places
        ]
        joint = _joint_rows(part, cells, ranks, seed, side)
        if joint:
            joint[0] |= _apart([place for place, _ in places], cells, part, loss, halves)
        found += joint
        if by is not None:
            strata = facts.loc[cells.checkpoints, by].astype(str).to_numpy(dtype=str)
            found += [_within_row(place, own, cells, labels, strata, by, seed, side) for place, own in places]
        rows += [row | told for row in found]
        advance()
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table[["adjusted_by", "fixed"]] = table[["adjusted_by", "fixed"]].astype(object).fillna("")
    adjust_sets(table)
    _adjust_jointly(table, every, seed)
    _adjust_headline(table, every, seed)
    return table


def _groups(table: pd.DataFrame, columns: list[str]) -> Iterable[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the values of some columns with the rows that have them, in order of appearance."""
    for values, part in table.groupby(columns, sort=False, dropna=False):
        yield dict(zip(columns, values, strict=True)), part


def _labels(runs: pd.Series | None, checkpoints: pd.Index) -> np.ndarray | None:
    """Return which run each checkpoint is of, from 0; None where each is one of its own."""
    if runs is None:
        return None
    labels: np.ndarray = pd.factorize(runs.loc[checkpoints])[0]
    return None if labels.max() + 1 == len(labels) else labels


def _blank(scope: str, way: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    words = {"note": "", "adjusted_by": "", "fixed": "", "halves_by": "", "alternative": TWO_SIDED}
    return {**dict.fromkeys(COLUMNS, math.nan), **words, **way, **place, "scope": scope}


def _set_row(
    place: dict[str, Any],
    rows: pd.DataFrame,
    cells: Cells,
    runs: pd.Series | None,
    seed: int,
    alternative: str,
) -> dict[str, Any]:
    finite = rows[np.isfinite(rows["value"]) & np.isfinite(rows["eer"])].sort_values("sha256", kind="stable")
    x, y = finite["value"].to_numpy(float), finite["eer"].to_numpy(float)
    n, dropped = len(x), len(rows) - len(x)
    row = _blank("set", cells.way, place)
    row |= {"n": n, "n_dropped": dropped, "ties": (n - len(np.unique(x))) + (n - len(np.unique(y)))}
    notes = [f"{dropped} without a number dropped"] if dropped else []
    if n < 3:
        notes.append("fewer than 3 checkpoints")
    elif np.ptp(x) == 0 or np.ptp(y) == 0:
        notes.append(f"constant {'measure' if np.ptp(x) == 0 else 'EER'}")
    else:
        labels = _labels(runs, pd.Index(finite["sha256"]))
        means = [v if labels is None else one_value_each(v[:, None], labels)[:, 0] for v in (x, y)]
        row |= _coefficients(*means) | {"n_runs": len(means[0]), "evidence": SAME_TRIALS}
        row["spearman_same_trials"] = rank_correlation.spearman(x, y)
        if n >= FEWEST:
            row["p_same_trials"] = rank_correlation.spearman_p(x, y, rng=seed)
        if len(means[0]) >= FEWEST:
            row["p"] = rank_correlation.spearman_p(*means, rng=seed, alternative=alternative)
            row["p_kendall"] = rank_correlation.kendall_p(*means, rng=seed)
        else:
            notes.append(f"fewer than {FEWEST} checkpoints cannot reach 5 %")
        row |= _across_halves(cells.halves.get((place["set"], place["subset"])), labels, seed, alternative)
    return {**row, "note": "; ".join(notes)}


def _apart(
    places: Sequence[dict[str, Any]],
    cells: Cells,
    rows: pd.DataFrame,
    loss: pd.DataFrame | None,
    halves: HalvesOfSets,
) -> dict[str, Any]:
    """Return what the halves of some sets do not share, and what the measure adds to the loss there."""
    known = [where for place in places if (where := (place["set"], place["subset"])) in cells.halves]
    if not known:
        return {}
    # Of several sets the weakest is what may be said.
    found: dict[str, Any] = {"halves_by": max((halves.kept_apart[at] for at in known), key=APART.index)}
    finite = rows[np.isfinite(rows["value"]) & np.isfinite(rows["eer"])]
    here = pd.MultiIndex.from_frame(finite[PLACE]).isin(known)
    return found if loss is None else found | given_loss.cells_given_loss(finite[here], loss, halves)


def _across_halves(
    found: Halves | None, labels: np.ndarray | None, seed: int, alternative: str
) -> dict[str, Any]:
    """Return the cells of a row that halves of the trials decide; none without halves."""
    if found is None:
        return {}
    if labels is not None:
        found = Halves(*(one_value_each(part, labels) for part in found))
    n = len(found.x)
    one = correlate_halves(found, rng=seed, test=n >= FEWEST, alternative=alternative)
    ends = rank_correlation.spearman_interval(one.spearman, n)
    return {
        "evidence": CROSS_HALF,
        "n_runs": n,
        "spearman": one.spearman,
        "spearman_low": ends.low,
        "spearman_high": ends.high,
        "p": one.p,
        "shared_noise": one.shared_noise,
    } | _further_coefficients(found, seed)


def _further_coefficients(halves: Halves, seed: int) -> dict[str, float]:
    """Return Kendall's and Pearson's coefficients across halves, as the row says that its numbers are."""
    n, pairs = len(halves.x), list(zip(halves.x.T, halves.y.T, strict=True))
    tau = float(np.median([rank_correlation.kendall(x, y) for x, y in pairs]))
    ends = rank_correlation.kendall_interval(tau, n)
    tests = [rank_correlation.kendall_p(x, y, rng=seed) for x, y in pairs] if n >= FEWEST else []
    return {
        "kendall": tau,
        "kendall_low": ends.low,
        "kendall_high": ends.high,
        "pearson": float(np.median([rank_correlation.pearson(x, y) for x, y in pairs])),
        "p_kendall": combined(tests) if tests else math.nan,
    }


def _coefficients(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    r, tau, n = rank_correlation.spearman(x, y), rank_correlation.kendall(x, y), len(x)
    r_ends, tau_ends = rank_correlation.spearman_interval(r, n), rank_correlation.kendall_interval(tau, n)
    return {
        "spearman": r,
        "spearman_low": r_ends.low,
        "spearman_high": r_ends.high,
        "kendall": tau,
        "kendall_low": tau_ends.low,
        "kendall_high": tau_ends.high,
        "pearson": rank_correlation.pearson(x, y),
        "min_detectable": rank_correlation.minimum_detectable(n),
    }


def _joint_rows(
    part: pd.DataFrame, cells: Cells, ranks: Ranks, seed: int, alternative: str
) -> list[dict[str, Any]]:
    wide = comparing.checkpoints_by_sets(part)
    n, k = wide[0].shape
    if k < 2 or n < 3:
        return []
    nowhere = {"set": "all sets", "subset": ""}
    row = _blank("mean_within", cells.way, nowhere)
    over = correlate_over_sets(ranks, rng=seed, alternative=alternative)
    row |= {"n": n, "n_runs": len(ranks.x), "n_dropped": len(cells.checkpoints) - n}
    if over.n_sets:
        row |= {"spearman": over.spearman, "p": over.p, "evidence": cells.evidence}
        row["note"] = "; ".join(
            [f"{over.n_sets} of {k} sets, lowest {over.lowest:.2f}", *_missing(cells, ranks)]
        )
        if ranks.strata is None and cells.x.shape[2] == 1 and len(ranks.x) >= FEWEST:
            # Of ranks the interval is the same as of what they rank, but for checkpoints left out.
            low, high, why = interval_of_mean(
                *(np.nan_to_num(side[:, :, 0]) for side in (ranks.x, ranks.y)), seed=seed
            )
            row |= {"spearman_low": low, "spearman_high": high}
            row["note"] += f"; {why}" if why else ""
        whole = ranks_at(*(frame.to_numpy(float)[:, :, None] for frame in wide))
        same = correlate_over_sets(whole, rng=seed)
        row |= {"spearman_same_trials": same.spearman, "p_same_trials": same.p}
    return [row, _cloud(cells.way, nowhere, wide, float(row["spearman"]))]


def _missing(cells: Cells, ranks: Ranks) -> list[str]:
    """Say which numbers are not there and what became of their checkpoints."""
    said = []
    if cells.left_out:
        names = ", ".join("@".join(filter(None, place)) for place in cells.left_out)
        said.append(f"without halves and left out: {names}")
    lacking = int((~np.isfinite(cells.x).all(axis=(1, 2))).sum())
    if lacking:
        said.append(
            f"{lacking} of {len(cells.checkpoints)} checkpoints lack numbers on some set, and each is exchanged only "
            f"with those that have numbers on the same sets ({len(ranks.x)} can be)"
        )
    if not ranks.testable and len(ranks.x):
        said.append("too few orders for a test")
    return said


def _cloud(
    way: dict[str, Any], nowhere: dict[str, Any], wide: tuple[pd.DataFrame, pd.DataFrame], mean: float
) -> dict[str, Any]:
    """Describe all cells at once, without a p-value."""
    x, y = (frame.to_numpy(float).ravel() for frame in wide)
    x, y = x[np.isfinite(x)], y[np.isfinite(x)]
    cloud = _blank("pooled", way, nowhere)
    cloud |= {"n": len(x), "spearman": rank_correlation.spearman(x, y)}
    cloud |= {"kendall": rank_correlation.kendall(x, y), "pearson": rank_correlation.pearson(x, y)}
    cloud["note"] = "descriptive: cells of one checkpoint or one set are not independent"
    if mean * cloud["spearman"] < 0:
        cloud["note"] += "; sign opposite to that within sets (Simpson)"
    return cloud


def _within_row(
    place: dict[str, Any],
    rows: pd.DataFrame,
    cells: Cells,
    labels: np.ndarray | None,
    strata: np.ndarray,
    by: str,
    seed: int,
    alternative: str,
) -> dict[str, Any]:
    """Correlate rank residuals within strata on one set, permuting only inside them."""
    row = _blank(f"within_{by}", cells.way, place)
    where = (place["set"], place["subset"])
    if where not in cells.places:
        return {**row, "n": 0, "n_dropped": len(rows), "note": "no halves of this set"}
    j = [cells.places.index(where)]
    ranks = ranks_at(cells.x[:, j], cells.y[:, j], labels=labels, strata=strata)
    n = len(ranks.x)
    row |= {"n": n, "n_runs": n, "n_dropped": len(rows) - n, "evidence": cells.evidence}
    if n < FEWEST:
        return {**row, "note": f"fewer than {FEWEST} checkpoints share a {by} with another"}
    found = correlate_over_sets(ranks, rng=seed, alternative=alternative)
    if math.isnan(found.spearman):
        return {**row, "note": f"constant within every {by}"}
    note = "" if ranks.testable else "too few orders inside strata to reach 5 %"
    return {**row, "spearman": found.spearman, "p": found.p, "note": note}


def _adjust_jointly(found: pd.DataFrame, every: Sequence[tuple[Cells, Ranks]], seed: int) -> None:
    """Adjust single sets by the largest correlation anywhere under shared orders (Westfall and Young, 1993).

    Unlike Holm's it takes into account that the tests go together. It needs the same checkpoints in every test.
    """
    for control in (False, True):
        ways = [(cells, ranks) for cells, ranks in every if is_control(str(cells.way["measure"])) == control]
        if not ways or any(cells.left_out for cells, _ in ways):
            continue
        adjusted = max_t_over_cells([ranks for _, ranks in ways], rng=seed)
        for (cells, _), own in zip(ways, adjusted, strict=True):
            rows = found[(found["scope"] == "set") & found["p"].notna() & same_way(found, cells.way)]
            at = dict(zip(cells.places, own, strict=True))
            places = zip(rows["set"], rows["subset"], strict=True)
            found.loc[rows.index, "p_max_t"] = [at.get(place, math.nan) for place in places]


def _adjust_headline(found: pd.DataFrame, every: Sequence[tuple[Cells, Ranks]], seed: int) -> None:
    """Adjust the means over sets by the largest of them: the best one is tested as the best."""
    joint = found[found["scope"] == "mean_within"]
    for family in families(joint):
        rows = joint[family]
        ways = [ranks for cells, ranks in every if same_way(rows, cells.way).any()]
        fixed = rows["fixed"].ne("").any()
        adjusted, by = np.array([math.nan]), ""
        if len(rows) == 1:
            adjusted, by = rows["p"].to_numpy(float), "fixed beforehand" if fixed else "one test"
        elif len({cells.evidence for cells, _ in every}) == 1 and not fixed:
            adjusted, by = np.array(max_t_over_ways(ways, rng=seed)), f"max-T over {len(rows)} ways"
        if np.isnan(adjusted).any():
            adjusted, by = holm(rows["p"].to_numpy(float)), f"Holm over {len(rows)} ways"
        for column in ("p_headline", "p_adjusted"):
            found.loc[rows.index, column] = adjusted
        found.loc[rows.index, "adjusted_by"] = by
