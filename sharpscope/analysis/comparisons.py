"""Which measure goes best with error: every pair compared, over all sets and within one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sharpscope.analysis.adjustment import holm
from sharpscope.analysis.permutation import bootstrap_mean_within, swap_test
from sharpscope.analysis.rank_correlation import FEWEST, Statistic, standardised_ranks
from sharpscope.results.measure_facts import falls_with_error
from sharpscope.results.measured_rates import SWAPPED

COLUMNS = (
    "measure",
    "rho",
    "m",
    "other_measure",
    "other_rho",
    "other_m",
    "preset",
    "n",
    "n_sets",
    "mean_within",
    "other_mean_within",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "smallest_p",
    "sign_error",
    "other_sign_error",
    "worst_sign_error",
    "other_worst_sign_error",
    "note",
)
# Swapping asks whether the two measures are exchangeable, not whether they go with error equally well.
APPROXIMATE = (
    f"approximate: of measures that are equally good {SWAPPED.words} are told apart at 5 % (8 to 24 checkpoints); the "
    "interval holds there"
)

Cache = dict[bytes, tuple[np.ndarray, list[float]]]


def compare_measures(
    results: pd.DataFrame,
    *,
    seed: int = 0,
    n_resamples: int = 9_999,
    advance: Callable[[], object] | None = None,
) -> pd.DataFrame:
    """Compare the mean within-set correlation of every pair of measures of one preset.

    Both measures of a pair are taken on the same checkpoints and sets. The p-value swaps them checkpoint by
    checkpoint (PERM-BOTH; Deutsch et al., 2021), Holm's adjustment runs over all pairs, the interval
    resamples checkpoints. Signs are in the expected direction: sharper, more errors.

    Args:
        results: Rows of a results table without duplicates.
        seed: Of random swaps and resamples.
        n_resamples: For the interval.
        advance: Called after every pair.

    Returns:
        One row per pair, columns ``COLUMNS``; none when fewer than two measures were taken.
    """
    rows = []
    for preset, part in results.groupby("preset", sort=False, dropna=False):
        wide, cache = _wide(part), Cache()
        for a, b in itertools.combinations(wide, 2):
            rows.append({"preset": preset} | _pair(a, b, wide, seed, n_resamples, cache))
            if advance is not None:
                advance()
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    found["p_holm"] = holm(found["p"].to_numpy(float))
    return found


def checkpoints_by_sets(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the values of one measure and the EERs beside them as checkpoints x sets.

    Args:
        rows: Rows of a results table that hold one way of measuring.

    Returns:
        Two frames, indexed by hash; NaN where a checkpoint has no finite pair of numbers on a set.
    """
    finite = rows[np.isfinite(rows["value"]) & np.isfinite(rows["eer"])]
    finite = finite.assign(place=finite["set"] + "\0" + finite["subset"])
    value, eer = (finite.pivot(index="sha256", columns="place", values=name) for name in ("value", "eer"))
    return value, eer


def _wide(part: pd.DataFrame) -> dict[tuple[Any, ...], tuple[pd.DataFrame, pd.DataFrame]]:
    """Return measure and EER as checkpoints x sets for every way of measuring."""
    ways = part.groupby(["measure", "rho", "m"], sort=False, dropna=False)
    wide = {way: checkpoints_by_sets(rows) for way, rows in ways}
    return {way: frames for way, frames in wide.items() if len(frames[0])}


def _known(
    x: np.ndarray, eer: np.ndarray, seed: int, n_resamples: int, cache: Cache
) -> tuple[np.ndarray, list[float]]:
    """Return resampled means and sign errors, once for each measure and not once for each pair."""
    key = x.tobytes() + eer.tobytes()
    if key not in cache:
        drawn = bootstrap_mean_within(x, eer, n_resamples=n_resamples, rng=seed).values
        cache[key] = drawn, [sign_error(x[:, j], eer[:, j]) for j in range(x.shape[1])]
    return cache[key]


def _pair(
    a: tuple[Any, ...],
    b: tuple[Any, ...],
    wide: dict[tuple[Any, ...], tuple[pd.DataFrame, pd.DataFrame]],
    seed: int,
    n_resamples: int,
    cache: Cache,
) -> dict[str, Any]:
    sets = [place for place in wide[a][0] if place in wide[b][0]]
    both = wide[a][0][sets].join(wide[b][0][sets].add_suffix("\0b"), how="inner").dropna()
    values = [wide[way][0].loc[both.index, sets].to_numpy(float) for way in (a, b)]
    values = [-x if falls_with_error(way[0]) else x for x, way in zip(values, (a, b), strict=True)]
    eer = wide[a][1].loc[both.index, sets].to_numpy(float)
    names = ("measure", "rho", "m", "other_measure", "other_rho", "other_m")
    row: dict[str, Any] = {**dict.fromkeys(COLUMNS, math.nan), "note": ""}
    del row["preset"]
    row |= dict(zip(names, (*a, *b), strict=True)) | {"n": len(eer), "n_sets": len(sets)}
    if len(eer) < FEWEST or not sets:
        return row | {"note": f"fewer than {FEWEST} checkpoints have both"}
    if not np.array_equal(eer, wide[b][1].loc[both.index, sets].to_numpy(float)):
        return row | {"note": "the two were measured beside different EERs; other trials"}
    ranked = [standardised_ranks(x) for x in (*values, eer)]
    usable = np.logical_and.reduce([np.isfinite(z).all(axis=0) for z in ranked])
    if not usable.any():
        return row | {"note": "constant in every set"}
    za, zb, zy = (z[:, usable] for z in ranked)
    means = [float((z * zy).sum(axis=0).mean()) for z in (za, zb)]
    known = [_known(x[:, usable], eer[:, usable], seed, n_resamples, cache) for x in values]
    drawn, errors = [found[0] for found in known], [found[1] for found in known]
    difference = drawn[0] - drawn[1]
    difference = difference[np.isfinite(difference)]
    low, high = np.quantile(difference, [0.025, 0.975]) if len(difference) else (math.nan, math.nan)
    swapped = swap_test(za, zb, zy, rng=seed)
    return row | {
        "n_sets": int(usable.sum()),
        "mean_within": means[0],
        "other_mean_within": means[1],
        "difference": means[0] - means[1],
        "difference_low": float(low),
        "difference_high": float(high),
        "p": swapped.p,
        "smallest_p": swapped.smallest_p,
        "sign_error": float(np.mean(errors[0])),
        "other_sign_error": float(np.mean(errors[1])),
        "worst_sign_error": max(errors[0]),
        "other_worst_sign_error": max(errors[1]),
        "note": APPROXIMATE,
    }


def not_worse_than_best(comparisons: pd.DataFrame, *, alpha: float = 0.05) -> list[str]:
    """Return the measures that no test separates from the one with the highest mean correlation.

    Args:
        comparisons: Of `compare_measures`.
        alpha: Level, after Holm.

    Returns:
        Names with their radius, the best first; empty without comparisons.
    """
    tested = comparisons[comparisons["p_holm"].notna()]
    means: dict[str, float] = {}
    worse: dict[tuple[str, str], bool] = {}
    for row in tested.to_dict("records"):
        a, b = _named(row, ""), _named(row, "other_")
        means[a], means[b] = row["mean_within"], row["other_mean_within"]
        worse[a, b] = worse[b, a] = row["p_holm"] <= alpha
    order = sorted(means, key=lambda name: -means[name])
    return [name for name in order if name == order[0] or not worse.get((order[0], name), False)]


def _named(row: dict[Any, Any], prefix: str) -> str:
    parts = [str(row[f"{prefix}measure"])]
    parts += [f"rho {row[f'{prefix}rho']:g}"] if row[f"{prefix}rho"] == row[f"{prefix}rho"] else []
    parts += [f"m {row[f'{prefix}m']:g}"] if row[f"{prefix}m"] == row[f"{prefix}m"] else []
    return (
        parts[0]
        + (f" ({', '.join(parts[1:])})" if parts[1:] else "")
        + (f" [{row['preset']}]" if row.get("preset") else "")
    )


def _determinant(r12: float, r13: float, r23: float) -> float:
    return 1 - r12**2 - r13**2 - r23**2 + 2 * r12 * r13 * r23


def williams(r12: float, r13: float, r23: float, n: int) -> Statistic:
    r"""Williams' t for two correlations that share a variable (Williams, 1959), df = n - 3.

    .. math:: t = (r_{12}-r_{13})\sqrt{\frac{(n-1)(1+r_{23})}{2\frac{n-1}{n-3}|R| + \bar r^2 (1-r_{23})^3}}

    Exact for Pearson's under normality, an approximation for Spearman's; wrong for correlations averaged over sets.

    Args:
        r12: Correlation of EER and the first measure.
        r13: Of EER and the second.
        r23: Of the two measures.
        n: Checkpoints.

    Returns:
        t and p; NaN for n < 4 or measures that are the same.

    Example:
        cocor's test data:

        >>> [round(v, 4) for v in williams(0.3, 0.4, 0.5, 100)]
        [-1.0767, 0.2843]
    """
    if n < 4 or not all(map(math.isfinite, (r12, r13, r23))):
        return Statistic(math.nan, math.nan)
    below = 2 * (n - 1) / (n - 3) * _determinant(r12, r13, r23) + ((r12 + r13) / 2) ** 2 * (1 - r23) ** 3
    if below <= 1e-12:
        return Statistic(math.nan, math.nan)
    t = (r12 - r13) * math.sqrt((n - 1) * (1 + r23) / below)
    return Statistic(t, float(2 * stats.t.sf(abs(t), n - 3)))


def sign_error(measure: np.ndarray, error: np.ndarray, *, weights: np.ndarray | None = None) -> float:
    r"""Share of pairs that a measure orders wrongly, :math:`(1 - \mathrm{sgn}\,\Delta C\,\mathrm{sgn}\,\Delta G)/2`.

    Dziugaite et al. (2020); a tie counts one half.

    Args:
        measure: Shape (n,).
        error: Shape (n,).
        weights: Weight of each pair in the order of ``np.triu_indices(n, 1)``; None weighs all the same.

    Returns:
        From 0 to 1; NaN without a pair that weighs anything.

    Example:
        >>> sign_error(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]))
        0.0
    """
    i, j = np.triu_indices(len(measure), 1)
    loss = (1 - np.sign(measure[i] - measure[j]) * np.sign(error[i] - error[j])) / 2
    weights = np.ones(len(loss)) if weights is None else weights
    return float(loss @ weights / weights.sum()) if weights.sum() > 0 else math.nan
