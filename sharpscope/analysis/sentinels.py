"""Sentinels: numbers that cannot know what a measure should tell, put through the same test as the measure.

Perrella et al. (2024) let metrics compete with ones that never look at what is judged; a test that a sentinel passes is
no evidence. Here they never look at the set of the row: chance, the order of names, and sharpness on the other sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.adjustment import holm_over
from sharpscope.analysis.comparisons import checkpoints_by_sets
from sharpscope.analysis.permutation import swap_test
from sharpscope.analysis.rank_correlation import FEWEST, ranks, standardised_ranks
from sharpscope.results.comparable import WAY

COLUMNS = (
    "measure",
    "rho",
    "m",
    "preset",
    "sentinel",
    "n",
    "n_sets",
    "estimate",
    "sentinel_estimate",
    "difference",
    "p",
    "p_adjusted",
    "note",
)
SENTINELS = {
    "random": "a number drawn for each checkpoint",
    "name": "the place of the checkpoint's name in the alphabet",
    "other_sets": "the same measure on all sets but the one whose errors are asked for",
}


def sentinel_rows(results: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Put every measure beside sentinels, on the same checkpoints and sets.

    The last sentinel is the one to beat: where sharpness on other sets goes with the errors of a set as well as
    sharpness on that set does, the measure tells which checkpoint is good and nothing of the set.

    Args:
        results: Rows of a results table without duplicates.
        seed: Of the random sentinel and of random swaps.

    Returns:
        Columns ``COLUMNS``: mean within-set Spearman correlations of the measure and of the sentinel, their
        difference, and the two-sided p-value of swapping the two within checkpoints, with Holm's adjustment beside it
        (over all rows of sharpness, and of controls apart).

    Source:
        Perrella et al. (2024); Deutsch et al. (2021) for the p-value.
    """
    rows: list[dict[str, Any]] = []
    names = results.drop_duplicates("sha256").set_index("sha256")["checkpoint"]
    for way, part in results.groupby(WAY, sort=False, dropna=False):
        head = dict(zip(WAY, way, strict=True))
        rows += [head | answer for answer in _answers(part, names, seed)]
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    found["p_adjusted"] = holm_over(found)[0]
    return found


def _answers(part: pd.DataFrame, names: pd.Series, seed: int) -> Iterator[dict[str, Any]]:
    value, eer = checkpoints_by_sets(part)
    kept = value.index[value.notna().all(axis=1)]
    x, y = value.loc[kept].to_numpy(float), eer.loc[kept].to_numpy(float)
    n, k = x.shape
    if n < FEWEST or k == 0:
        return
    order = np.argsort(np.argsort(names.loc[kept].astype(str).to_numpy(), kind="stable"))
    chance = np.random.default_rng(seed).normal(size=n)
    for sentinel in SENTINELS:
        if sentinel == "other_sets":
            if k < 2:
                yield _blank(sentinel, n, k) | {"note": "one set; there is no other"}
                continue
            other = elsewhere(x)
        else:
            other = np.broadcast_to((chance if sentinel == "random" else order)[:, None], x.shape)
        yield _blank(sentinel, n, k) | _compared(x, other, y, seed)


def elsewhere(x: np.ndarray) -> np.ndarray:
    """Return each checkpoint's mean rank on all sets but one.

    Args:
        x: Checkpoints x sets, at least two sets.

    Returns:
        The same shape.

    Example:
        >>> elsewhere(np.array([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0]])).tolist()
        [[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]]
    """
    ranked = ranks(x)
    mean: np.ndarray = (ranked.sum(axis=1, keepdims=True) - ranked) / (x.shape[1] - 1)
    return mean


def _blank(sentinel: str, n: int, k: int) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS[4:], math.nan), "sentinel": sentinel, "n": n, "n_sets": k, "note": ""}


def _compared(x: np.ndarray, other: np.ndarray, y: np.ndarray, seed: int) -> dict[str, Any]:
    zx, zo, zy = (standardised_ranks(values) for values in (x, other, y))
    usable = np.logical_and.reduce([np.isfinite(z).all(axis=0) for z in (zx, zo, zy)])
    if not usable.any():
        return {"note": "nothing varies"}
    zx, zo, zy = zx[:, usable], zo[:, usable], zy[:, usable]
    own, sentinel = (float((z * zy).sum(axis=0).mean()) for z in (zx, zo))
    return {
        "n_sets": int(usable.sum()),
        "estimate": own,
        "sentinel_estimate": sentinel,
        "difference": own - sentinel,
        "p": swap_test(zx, zo, zy, rng=seed).p,
    }
