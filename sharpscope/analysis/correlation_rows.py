"""Rows of a correlation table: one measure on one set, over all sets, and within groups of checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis import permutation, rank_correlation
from sharpscope.analysis.confounding import within_strata
from sharpscope.analysis.cross_half import Halves, HalvesOfSets, combined, correlate_halves
from sharpscope.analysis.mean_interval import interval_of_mean
from sharpscope.analysis.over_sets import Ranks, correlate_over_sets, max_t_over_ways, ranks_of
from sharpscope.analysis.rank_correlation import FEWEST
from sharpscope.results.comparable import PLACE, WAY
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
)
# Where sharpness and error rate come from: the test of record, and what papers print.
CROSS_HALF, SAME_TRIALS = "cross-half", "same trials"
N_BOOTSTRAP = 9_999


def correlations(
    table: pd.DataFrame, by: str | None, seed: int, halves: HalvesOfSets, advance: Callable[[], object]
) -> pd.DataFrame:
    """Return every correlation with its p-value, adjusted over all of them.

    Args:
        table: Rows that may be correlated.
        by: "recipe" or "arch" for rows within its groups too, or None.
        seed: Of random permutations and resamples.
        halves: Of the table's sets.
        advance: Called after each way of measuring.

    Returns:
        One row per scope, set and measure; columns ``COLUMNS``.
    """
    rows: list[dict[str, Any]] = []
    for way, part in _groups(table, WAY):
        rows += [_set_row(way, place, cells, seed, halves) for place, cells in _groups(part, PLACE)]
        rows += _joint_rows(way, part, seed, halves)
        if by is not None:
            rows += [_within_row(way, place, cells, by, seed) for place, cells in _groups(part, PLACE)]
        advance()
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    adjust(found)
    _adjust_jointly(found, table, seed)
    _adjust_headline(found, table, seed, halves)
    return found


def _groups(table: pd.DataFrame, columns: list[str]) -> Iterable[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the values of some columns with the rows that have them, in order of appearance."""
    for values, part in table.groupby(columns, sort=False, dropna=False):
        yield dict(zip(columns, values, strict=True)), part


def _pairs(cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, int]:
    x, y = cells["value"].to_numpy(float), cells["eer"].to_numpy(float)
    good = np.isfinite(x) & np.isfinite(y)
    return x[good], y[good], int((~good).sum())


def _blank(scope: str, way: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS, math.nan), "note": "", **way, **place, "scope": scope}


def _set_row(
    way: dict[str, Any], place: dict[str, Any], cells: pd.DataFrame, seed: int, halves: HalvesOfSets
) -> dict[str, Any]:
    x, y, dropped = _pairs(cells)
    n = len(x)
    row = _blank("set", way, place)
    row |= {"n": n, "n_dropped": dropped, "ties": (n - len(np.unique(x))) + (n - len(np.unique(y)))}
    notes = [f"{dropped} without a number dropped"] if dropped else []
    if n < 3:
        notes.append("fewer than 3 checkpoints")
    elif np.ptp(x) == 0 or np.ptp(y) == 0:
        notes.append(f"constant {'measure' if np.ptp(x) == 0 else 'EER'}")
    else:
        row |= _coefficients(x, y)
        if n >= FEWEST:
            row |= {
                "p": rank_correlation.spearman_p(x, y, rng=seed),
                "p_kendall": rank_correlation.kendall_p(x, y, rng=seed),
            }
        else:
            notes.append("fewer than 5 checkpoints cannot reach 5 %")
        row |= {"evidence": SAME_TRIALS, "spearman_same_trials": row["spearman"], "p_same_trials": row["p"]}
        finite = cells[np.isfinite(cells["value"]) & np.isfinite(cells["eer"])].sort_values("sha256")
        row |= _across_halves(halves.of(finite), seed)
    return {**row, "note": "; ".join(notes)}


def _across_halves(found: Halves | None, seed: int) -> dict[str, Any]:
    """Return the cells of a row that halves of the trials decide; none without halves."""
    if found is None:
        return {}
    n = len(found.x)
    one = correlate_halves(found, rng=seed, test=n >= FEWEST)
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


def _wide(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return measure and EER as checkpoints x sets, of the checkpoints that have a number everywhere."""
    wide = comparing.checkpoints_by_sets(part)
    complete = wide[0].notna().all(axis=1)
    x, y = (frame[complete].to_numpy(float) for frame in wide)
    return x, y


def _joint_rows(
    way: dict[str, Any], part: pd.DataFrame, seed: int, halves: HalvesOfSets
) -> list[dict[str, Any]]:
    x, y = _wide(part)
    n, k = x.shape
    if k < 2 or n < 3:
        return []
    zx, zy = rank_correlation.standardised_ranks(x), rank_correlation.standardised_ranks(y)
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
    zx, zy = zx[:, usable], zy[:, usable]
    nowhere = {"set": "all sets", "subset": ""}
    row = _blank("mean_within", way, nowhere)
    row |= {"n": n, "n_dropped": part["sha256"].nunique() - n}
    if zx.shape[1]:
        within = (zx * zy).sum(axis=0)
        mean = float(within.mean())
        row["spearman"] = mean
        notes = [f"{zx.shape[1]} of {k} sets, lowest {within.min():.2f}"]
        if n >= FEWEST:
            low, high, why = interval_of_mean(x, y, seed=seed)
            row |= {"spearman_low": low, "spearman_high": high}
            notes += [why] if why else []
            null = permutation.joint_null(zx, zy, rng=seed).mean(axis=1)
            row["p"] = rank_correlation.p_of(mean, null, exact=n <= rank_correlation.EXACT_UP_TO)
        row["note"] = ", ".join(notes)
        row |= {"evidence": SAME_TRIALS, "spearman_same_trials": row["spearman"], "p_same_trials": row["p"]}
        if (ranks := _ranks(part, halves)) is not None:
            over = correlate_over_sets(ranks, rng=seed, test=len(ranks.x) >= FEWEST)
            row |= {"evidence": CROSS_HALF, "n_runs": len(ranks.x), "spearman": over.spearman, "p": over.p}
            # The interval above is of the same trials; it says nothing of the mean across halves.
            row |= {"spearman_low": math.nan, "spearman_high": math.nan}
            row["note"] = f"{over.n_sets} of {k} sets, lowest {over.lowest:.2f}"
    cells_x, cells_y = x.ravel(), y.ravel()
    cloud = _blank("pooled", way, nowhere)
    cloud |= {"n": len(cells_x), "spearman": rank_correlation.spearman(cells_x, cells_y)}
    cloud |= {
        "kendall": rank_correlation.kendall(cells_x, cells_y),
        "pearson": rank_correlation.pearson(cells_x, cells_y),
    }
    cloud["note"] = "descriptive: cells of one checkpoint or one set are not independent"
    if row["spearman"] * cloud["spearman"] < 0:
        cloud["note"] += "; sign opposite to that within sets (Simpson)"
    return [row, cloud]


def _ranks(part: pd.DataFrame, halves: HalvesOfSets) -> Ranks | None:
    """Return the ranks of one way of measuring on the halves of every set; None where a set has no halves."""
    wide = comparing.checkpoints_by_sets(part)
    complete = wide[0].index[wide[0].notna().all(axis=1)]
    cells = part[part["sha256"].isin(complete)].sort_values("sha256")
    found = [halves.of(own) for _, own in _groups(cells, PLACE)]
    known = [one for one in found if one is not None]
    return ranks_of(known) if known and len(known) == len(found) else None


def _adjust_headline(found: pd.DataFrame, table: pd.DataFrame, seed: int, halves: HalvesOfSets) -> None:
    """Adjust the means over sets of sharpness by the largest of them: the best one is tested as the best."""
    joint = (found["scope"] == "mean_within") & found["p"].notna() & ~found["measure"].map(is_control)
    if not joint.any():
        return
    ranks: list[Ranks] = []
    for way in found.loc[joint, WAY].to_dict("records"):
        own = (table[WAY].eq(pd.Series(way)) | (table[WAY].isna() & pd.Series(way).isna())).all(axis=1)
        part = table[own]
        cross = _ranks(part, halves) if (found.loc[joint, "evidence"] == CROSS_HALF).all() else None
        ranks.append(cross if cross is not None else _same_ranks(part))
    if len({len(one.x) for one in ranks}) == 1:
        found.loc[joint, "p_headline"] = max_t_over_ways(ranks, rng=seed)


def _same_ranks(part: pd.DataFrame) -> Ranks:
    """Return the ranks of one way of measuring on whole sets, as the only split."""
    x, y = (rank_correlation.standardised_ranks(one)[:, :, None] for one in _wide(part))
    return Ranks(x, y)


def _within_row(
    way: dict[str, Any], place: dict[str, Any], cells: pd.DataFrame, by: str, seed: int
) -> dict[str, Any]:
    """Correlate rank residuals within strata, permuting only inside them."""
    finite = cells[np.isfinite(cells["value"]) & np.isfinite(cells["eer"])]
    strata = finite.groupby(by)["sha256"].transform("size") > 1
    finite = finite[strata]
    row = _blank(f"within_{by}", way, place)
    row |= {"n": len(finite), "n_dropped": len(cells) - len(finite)}
    if len(finite) < FEWEST:
        return {**row, "note": f"fewer than 5 checkpoints share a {by} with another"}
    x, y = (finite[name].to_numpy(float) for name in ("value", "eer"))
    r, p = within_strata(x, y, finite[by].to_numpy(), rng=seed)
    if math.isnan(r):
        return {**row, "note": f"constant within every {by}"}
    return {**row, "spearman": r, "p": p}


def adjust(table: pd.DataFrame) -> None:
    """Adjust the per-set p-values over their family: sharpness on every set, and controls apart.

    Controls do not belong to the question, so that reporting them does not make its answer harder.

    Args:
        table: Columns ``scope, measure, p, p_holm, q_bh``; the last two are filled in where the scope is "set".
    """
    from statsmodels.stats.multitest import multipletests

    tested = (table["scope"] == "set") & table["p"].notna()
    control = table["measure"].map(is_control) if "measure" in table else pd.Series(False, index=table.index)
    for family in (tested & ~control, tested & control):
        if family.any():
            p = table.loc[family, "p"].to_numpy(float)
            table.loc[family, "p_holm"] = multipletests(p, method="holm")[1]
            table.loc[family, "q_bh"] = multipletests(p, method="fdr_bh")[1]


def _adjust_jointly(found: pd.DataFrame, table: pd.DataFrame, seed: int) -> None:
    """Adjust by the largest correlation anywhere under shared orders of checkpoints (Westfall and Young, 1993).

    Unlike Holm's it takes into account that the tests go together. It needs the same checkpoints in every test.
    """
    family = (found["scope"] == "set") & found["p"].notna()
    ways = [_wide(part) for _, part in _groups(table, WAY)]
    if len(ways) * family.sum() == 0:
        return
    n = table["sha256"].nunique()
    ranked = [
        (rank_correlation.standardised_ranks(x), rank_correlation.standardised_ranks(y)) for x, y in ways
    ]
    if any(len(zx) != n for zx, _ in ranked):
        return
    highest = np.zeros(0)
    for zx, zy in ranked:
        usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
        if usable.any():
            largest = np.abs(permutation.joint_null(zx[:, usable], zy[:, usable], rng=seed)).max(axis=1)
            highest = np.maximum(highest, largest) if len(highest) else largest
    observed = found.loc[family, "spearman"].to_numpy(float)
    exact = n <= rank_correlation.EXACT_UP_TO
    found.loc[family, "p_max_t"] = permutation.max_t_p(observed, highest, exact=exact)
