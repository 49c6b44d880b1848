"""How reproducible measures and error rates are: the two halves of a set that the test of record uses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.confounding import attenuation_bound
from sharpscope.analysis.cross_half import Halves
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.rank_correlation import standardised_ranks
from sharpscope.results.comparable import PLACE, WAY


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two halves over checkpoints, the mean over splits.

    Args:
        one: Values of one half, checkpoints x splits.
        other: Values of the other half.

    Returns:
        From -1 to 1; NaN with fewer than three checkpoints, or where one half is constant on every split.

    Example:
        >>> agreement(np.array([[1.0], [2], [3]]), np.array([[1.0], [3], [2]]))
        0.5
    """
    if len(one) < 3:
        return math.nan
    r = (standardised_ranks(one) * standardised_ranks(other)).sum(axis=0)
    return round(float(np.nanmean(r)), 12) if np.isfinite(r).any() else math.nan


def of_the_whole(halves_agree: float) -> float:
    r"""Reliability of the whole from what two halves agree by, :math:`2 r / (1 + r)`.

    Args:
        halves_agree: Correlation of the halves; below 0 it counts as 0.

    Returns:
        From 0 to 1; NaN where it is.

    Source:
        Brown (1910) and Spearman (1910).

    Example:
        >>> of_the_whole(0.5), of_the_whole(-0.2)
        (0.6666666666666666, 0.0)
    """
    kept = float(np.maximum(0.0, halves_agree))
    return 2 * kept / (1 + kept)


def of_a_half(whole: float) -> float:
    r"""Return what two halves agree by where the whole is so reliable, :math:`R / (2 - R)`: `of_the_whole` undone.

    Args:
        whole: Reliability of the whole, from 0 to 1.

    Returns:
        From 0 to 1.

    Example:
        >>> round(of_a_half(of_the_whole(0.5)), 12)
        0.5
    """
    return whole / (2 - whole)


def split_halves(results: pd.DataFrame, halves: HalvesOfSets) -> Iterator[dict[str, Any]]:
    """Yield the reliability of every measure and of EER, means over sets, and the correlation that they let through.

    Args:
        results: Rows of a results table.
        halves: Of its sets; the bound is that of a correlation across them.

    Yields:
        Rows for ``robustness.COLUMNS``.
    """
    total = results["sha256"].nunique()
    for way, part in results.groupby(WAY, sort=False, dropna=False):
        found: list[tuple[float, float]] = []
        counts, sizes = [], []
        for _, cells in part.groupby(PLACE, sort=False, dropna=False):
            finite = cells[np.isfinite(cells["value"]) & np.isfinite(cells["eer"])].sort_values("sha256")
            one = halves.of(finite) if len(finite) else None
            if one is not None:
                found.append(_agreements(one))
                counts.append(len(finite))
                sizes.append(len(one.x))
        if not found:
            continue
        missing = total - min(counts)
        head = dict(zip(WAY, way, strict=True)) | {"n": min(sizes)}
        lost = f"; groups of {missing} checkpoints missing" if missing else ""
        for given, agree in (("measure", [x for x, _ in found]), ("EER", [y for _, y in found])):
            halved = [value for value in agree if math.isfinite(value)]
            words = (
                f"; halves agree by {np.mean(halved):.2f}, Spearman and Brown's for the whole"
                if halved
                else ""
            )
            yield from _rows(head, "split_half", given, map(of_the_whole, agree), f"{words}{lost}")
        bounds = [attenuation_bound(both) for both in found]
        yield from _rows(
            head, "attenuation_bound", "split halves", bounds, "; of a correlation across halves"
        )


def _agreements(one: Halves) -> tuple[float, float]:
    """Return how far halves agree on the measure and on the error rate."""
    return agreement(one.x, one.x_other), agreement(one.y_same, one.y_other)


def _rows(
    head: dict[str, Any], question: str, given: str, values: Iterable[float], note: str = ""
) -> Iterator[dict[str, Any]]:
    usable = [value for value in values if math.isfinite(value)]
    if usable:
        yield head | {
            "question": question,
            "given": given,
            "estimate": float(np.mean(usable)),
            "low": min(usable),
            "high": max(usable),
            "note": f"{len(usable)} sets, lowest and highest{note}",
        }
