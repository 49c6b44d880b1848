r"""What a correlation would be on a set that was not measured: heterogeneity over sets, and a prediction interval.

A mean over sets says little where sets disagree. What is asked of a study is the next set, and the interval for it is
as wide as sets differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sharpscope.analysis.clustered_tests import one_value_each
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.rank_correlation import FEWEST, SAME, standardised_ranks
from sharpscope.analysis.way_cells import cells_by_way
from sharpscope.results.comparable import WAY
from sharpscope.results.measured_rates import NEW_SET_HELD

COLUMNS = ("question", *WAY, "n", "estimate", "low", "high", "note")
FEWEST_SETS = 4
MOST_CHECKPOINTS = 200
ASSUMES = (
    f"at 95 % it holds {NEW_SET_HELD} of new sets; assumes that the new set is drawn as these were, and "
    "correlations normal on Fisher's scale from set to set"
)


class NewSet(NamedTuple):
    """What is to be expected of a new set.

    Attributes:
        estimate: Correlation on a typical set.
        low: Lower end of the prediction interval for the true correlation on a new set; NaN without one.
        high: Upper end.
        spread: Standard deviation of true correlations between sets, on Fisher's scale.
        n_sets: Corpora that entered, subsets of one as one.
        note: What is assumed, or why there is no interval.
    """

    estimate: float
    low: float
    high: float
    spread: float
    n_sets: int
    note: str


def predict_new_set(
    x: np.ndarray, y: np.ndarray, corpora: Sequence[str], *, confidence: float = 0.95
) -> NewSet:
    r"""Prediction interval of Higgins, Thompson and Spiegelhalter for the correlation on a new set.

    .. math:: \tanh\!\left(\bar z \pm t_{k-2} \sqrt{\hat\tau^2 + \mathrm{SE}(\bar z)^2}\right),
        \qquad \mathrm{SE}(\bar z)^2 = V + \hat\tau^2 / k,
        \qquad \hat\tau^2 = \max(0,\; s_z^2 - \hat\sigma^2)

    over k corpora with Fisher's z of their Spearman correlations. The same checkpoints stand on every set, so the
    errors of sets go together: V, the variance of the mean, and :math:`\hat\sigma^2`, the part of a set's error that it
    does not share, come from leaving out one checkpoint at a time.

    Args:
        x: The measure, checkpoints x sets.
        y: Error rates, the same shape.
        corpora: Corpus of each set; subsets of one count once, by the mean of their z.
        confidence: Coverage asked for.

    Returns:
        The interval, or why there is none.

    Source:
        Higgins, Thompson and Spiegelhalter (2009); the jackknife of Tukey (1958) for V and sigma.

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> predict_new_set(x, x, ["a", "b", "a"]).note
        'no interval: 2 corpora; it takes 4'
    """
    names = list(dict.fromkeys(corpora))
    own = np.array([[corpus == name for name in names] for corpus in corpora], dtype=float)
    shares = own / own.sum(axis=0)  # (sets, corpora)
    n, k = len(x), len(names)
    if n < FEWEST:
        return _none(math.nan, k, f"{n} checkpoints have numbers on all sets; it takes {FEWEST}")
    whole = _correlations(x, y)
    estimate = math.tanh(float((_fisher(whole) @ shares).mean())) if np.isfinite(whole).all() else math.nan
    if k < FEWEST_SETS:
        return _none(estimate, k, f"{k} {'corpus' if k == 1 else 'corpora'}; it takes {FEWEST_SETS}")
    if n > MOST_CHECKPOINTS:
        return _none(estimate, k, f"{n} checkpoints; beyond {MOST_CHECKPOINTS} it takes too long")
    left = np.stack([_correlations(np.delete(x, i, axis=0), np.delete(y, i, axis=0)) for i in range(n)])
    if not (np.isfinite(whole).all() and np.isfinite(left).all()):
        return _none(estimate, k, "a set holds one value only, or would without one checkpoint")
    if max(np.abs(whole).max(), np.abs(left).max()) >= 1 - SAME:
        return _none(estimate, k, "a perfect correlation of few checkpoints has no measurable spread")
    z, away = _fisher(whole) @ shares, _fisher(left) @ shares
    away = away - away.mean(axis=0)
    covariance = (n - 1) / n * away.T @ away
    of_mean = float(covariance.mean())
    shared = float(covariance[~np.eye(k, dtype=bool)].mean())
    squared = max(0.0, float(z.var(ddof=1)) - (float(np.diag(covariance).mean()) - shared))
    middle = float(z.mean())
    half = float(stats.t.ppf((1 + confidence) / 2, k - 2)) * math.sqrt(squared + squared / k + of_mean)
    return NewSet(
        math.tanh(middle), math.tanh(middle - half), math.tanh(middle + half), math.sqrt(squared), k, ASSUMES
    )


def new_set_rows(table: pd.DataFrame, halves: HalvesOfSets) -> pd.DataFrame:
    """Predict the correlation on a new set for every way of measuring, from different trials where records allow it.

    Args:
        table: Rows that were correlated.
        halves: Of its sets; epochs and copies of a run count as its mean.

    Returns:
        Columns ``COLUMNS``, one row for each way on several sets; of several splits the middle one counts.
    """
    rows: list[dict[str, Any]] = []
    for cells in cells_by_way(table, halves):
        if len(cells.places) < 2:
            continue
        labels = np.arange(len(cells.checkpoints))
        if halves.runs is not None:
            labels = pd.factorize(halves.runs.loc[cells.checkpoints])[0]
        corpora = [name for name, _ in cells.places]
        each = []
        for split in range(cells.x.shape[2]):
            x, y = (one_value_each(side[:, :, split], labels) for side in (cells.x, cells.y))
            complete = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
            each.append(predict_new_set(x[complete], y[complete], corpora))
        middle = sorted(each, key=lambda one: float(np.nan_to_num(one.estimate, nan=-2.0)))[len(each) // 2]
        spread = "" if math.isnan(middle.spread) else f"spread between sets {middle.spread:.2f}; "
        rows.append(
            {
                "question": "new_set",
                "n": middle.n_sets,
                "estimate": middle.estimate,
                "note": spread + middle.note,
            }
            | {"low": middle.low, "high": middle.high}
            | cells.way
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found: np.ndarray = (standardised_ranks(x) * standardised_ranks(y)).sum(axis=0)
    return found


def _fisher(r: np.ndarray) -> np.ndarray:
    z: np.ndarray = np.arctanh(np.clip(r, -1 + SAME, 1 - SAME))
    return z


def _none(estimate: float, k: int, why: str) -> NewSet:
    return NewSet(estimate, math.nan, math.nan, math.nan, k, f"no interval: {why}")
