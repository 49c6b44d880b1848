"""How reproducible a measure is: two halves of the groups of trials, on the same checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.eligibility import PLACE, WAY
from sharpscope.records import checkpoint_folder, record_name
from sharpscope.statistics import standardised_ranks

N_SPLITS = 200
NUMBERS = ("m", "group", "rho", "value", "n_trials")


def split_half(values: np.ndarray, sizes: np.ndarray, *, seed: int = 0, n_splits: int = N_SPLITS) -> float:
    r"""Reliability of a mean over groups of trials, from the rank correlation of its two halves.

    .. math:: \frac{2 \bar r}{1 + \bar r}

    where :math:`\bar r` is the mean over random splits of Spearman's correlation, over checkpoints, between the
    means of both halves; all checkpoints are split alike, so what the groups have in common counts as no noise.

    Args:
        values: Checkpoints x groups.
        sizes: Trials of each group.
        seed: Of the splits.
        n_splits: Their number.

    Returns:
        At most 1, 0 where halves do not agree at all; NaN with fewer than 4 groups or 3 checkpoints.

    Source:
        Brown (1910) and Spearman (1910).

    Example:
        >>> split_half(np.arange(5.0)[:, None] + np.zeros((5, 6)), np.ones(6))
        1.0
    """
    n_checkpoints, n_groups = values.shape
    if n_groups < 4 or n_checkpoints < 3:
        return math.nan
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(n_groups), (n_splits, 1)), axis=1)
    first = (order < n_groups // 2) * sizes  # (splits, groups), weights of the first half
    second = (order >= n_groups // 2) * sizes
    halves = [
        standardised_ranks(values @ (half / half.sum(axis=1, keepdims=True)).T) for half in (first, second)
    ]  # each (checkpoints, splits)
    r = (halves[0] * halves[1]).sum(axis=0)
    if not np.isfinite(r).any():
        return math.nan
    mean = max(0.0, float(np.nanmean(r)))
    return round(2 * mean / (1 + mean), 12)


def read_groups(results: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Read the per-group values that `measure` wrote beside a results table.

    Args:
        results: Rows of the table.
        folder: The folder ``groups``.

    Returns:
        Columns ``sha256, set, subset, preset, m, group, measure, rho, value, n_trials``; empty without records.
    """
    cells = results[["checkpoint", "sha256", "set", "subset"]].drop_duplicates()
    parts = []
    for checkpoint, sha256, place, subset in cells.itertuples(index=False):
        path = folder / checkpoint_folder(checkpoint, sha256) / f"{record_name(place, subset)}.csv"
        if path.is_file():
            read = pd.read_csv(path, dtype=str, keep_default_na=False)
            # Python's own reading is exact to the last digit, and so equal to that of the results table.
            numbers = {name: read[name].map(lambda text: float(text or "nan")) for name in NUMBERS}
            parts.append(read.assign(**numbers, sha256=sha256, set=place, subset=subset))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def split_halves(results: pd.DataFrame, folder: Path, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the reliability of every measure, the mean over its sets.

    Args:
        results: Rows of a results table.
        folder: The folder ``groups`` beside it.
        seed: Of the splits.

    Yields:
        Rows for ``questions.COLUMNS``.
    """
    groups = read_groups(results, folder)
    if groups.empty:
        return
    known = results[[*WAY, *PLACE, "sha256"]]
    groups = groups.merge(known, on=[*WAY, *PLACE, "sha256"])
    total = results["sha256"].nunique()
    for way, part in groups.groupby(WAY, sort=False, dropna=False):
        found, counts = [], []
        for _, cells in part.groupby(PLACE, sort=False, dropna=False):
            wide = cells.pivot(index="sha256", columns="group", values="value").dropna(axis=1)
            sizes = cells.groupby("group")["n_trials"].first().loc[wide.columns].to_numpy(float)
            found.append(split_half(wide.to_numpy(float), sizes, seed=seed))
            counts.append(len(wide))
        usable = [value for value in found if math.isfinite(value)]
        if usable:
            missing = total - min(counts)
            yield dict(zip(WAY, way, strict=True)) | {
                "question": "split_half",
                "given": "measure",
                "n": min(counts),
                "estimate": float(np.mean(usable)),
                "low": min(usable),
                "high": max(usable),
                "note": f"{len(usable)} sets, lowest and highest"
                + (f"; groups of {missing} checkpoints missing" if missing else ""),
            }
