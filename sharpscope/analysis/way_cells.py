"""One way of measuring as checkpoints x sets, sharpness and error rate from different trials where records allow it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.cross_half import Halves
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.results.comparable import PLACE, WAY

# Where sharpness and error rate come from: the test of record, and what papers print.
CROSS_HALF, SAME_TRIALS = "cross-half", "same trials"


class Cells(NamedTuple):
    """One way of measuring.

    Attributes:
        way: Measure, rho, m and preset.
        checkpoints: Their sha256.
        places: Set and subset of each column.
        x: The measure, checkpoints x sets x splits; NaN where there is no number.
        y: Error rates, the same shape.
        evidence: Whether both come from different trials ("cross-half") or from the same.
        halves: By place, of the checkpoints with a number there, in the order of ``checkpoints``.
        left_out: Sets without halves where others have them.
    """

    way: dict[str, Any]
    checkpoints: pd.Index
    places: list[tuple[str, str]]
    x: np.ndarray
    y: np.ndarray
    evidence: str
    halves: dict[tuple[str, str], Halves]
    left_out: list[tuple[str, str]]


def cells_by_way(table: pd.DataFrame, halves: HalvesOfSets) -> Iterator[Cells]:
    """Yield every way of measuring of a table.

    Args:
        table: Rows that may be correlated.
        halves: Of its sets; whatever it counts as one run is apart here.

    Yields:
        The cells of each way, in order of appearance.
    """
    apart = copy.copy(halves)  # shares what was read
    apart.runs = None
    for values, part in table.groupby(WAY, sort=False, dropna=False):
        yield _cells(dict(zip(WAY, values, strict=True)), part, apart)


def _cells(way: dict[str, Any], part: pd.DataFrame, halves: HalvesOfSets) -> Cells:
    finite = part[np.isfinite(part["value"]) & np.isfinite(part["eer"])].sort_values("sha256", kind="stable")
    by_place = {(str(a), str(b)): cells for (a, b), cells in finite.groupby(PLACE, sort=False)}
    every = part[PLACE].drop_duplicates().itertuples(index=False, name=None)
    places = [(str(a), str(b)) for a, b in every if (str(a), str(b)) in by_place]
    known = {place: one for place in places if (one := halves.of(by_place[place])) is not None}
    shown = [place for place in places if place in known] or places
    checkpoints = pd.Index(sorted(set(part["sha256"])))
    splits = next(iter(known.values())).x.shape[1] if known else 1
    x, y = (np.full((len(checkpoints), len(shown), splits), np.nan) for _ in range(2))
    for j, place in enumerate(shown):
        cells = by_place[place]
        rows = checkpoints.get_indexer(cells["sha256"])
        one = known.get(place)
        x[rows, j] = cells[["value"]].to_numpy(float) if one is None else one.x
        y[rows, j] = cells[["eer"]].to_numpy(float) if one is None else one.y
    evidence = CROSS_HALF if known else SAME_TRIALS
    left_out = [place for place in places if place not in shown]
    return Cells(way, checkpoints, shown, x, y, evidence, known, left_out)
