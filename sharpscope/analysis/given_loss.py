"""What a measure adds to the loss: cells for rows of a correlation table, from the halves of its sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.comparisons import checkpoints_by_sets
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.instrumented import Given, given_noisy
from sharpscope.results.comparable import PLACE, WAY

LOSS = "loss"
COLUMNS = (
    "given_loss",
    "given_loss_low",
    "given_loss_high",
    "p_given_loss",
    "adds_at_most",
    "n_for_a_tenth",
    "loss_agreement",
)


def given_over_sets(part: pd.DataFrame, other: pd.DataFrame, halves: HalvesOfSets | None) -> Given | None:
    """Return the partial correlation of a measure and the error rate given another measure, over all sets.

    The measure and the covariate are taken on the half of the split of record, the error rate and the covariate's
    second value on the other half. With several splits the first one counts.

    Args:
        part: Rows of one way of measuring.
        other: Rows of the covariate, of the same preset and size of groups.
        halves: Of the table's sets.

    Returns:
        See `Given`, of the checkpoints that have both on every set; None where some set has no halves, or other
        groups for the two.
    """
    if halves is None or halves.records is None or other.empty:
        return None
    part, other = (rows[np.isfinite(rows["value"]) & np.isfinite(rows["eer"])] for rows in (part, other))
    known = [checkpoints_by_sets(rows)[0] for rows in (part, other)]
    places = list(known[0].columns)
    if not set(places) <= set(known[1].columns):
        return None
    complete = [frame.index[frame[places].notna().all(axis=1)] for frame in known]
    both = complete[0].intersection(complete[1])
    sides: list[tuple[np.ndarray, ...]] = []
    for values, own in part[part["sha256"].isin(both)].groupby(PLACE, sort=False):
        same = (other[PLACE] == list(values)).all(axis=1) & other["sha256"].isin(both)
        one, covariate = (halves.of(rows.sort_values("sha256")) for rows in (own, other[same]))
        if one is None or covariate is None or not np.array_equal(one.y, covariate.y, equal_nan=True):
            return None
        sides.append(tuple(v[:, 0] for v in (one.x, covariate.x, one.y, covariate.x_other)))
    if not sides:
        return None
    return given_noisy(*(np.column_stack(side) for side in zip(*sides, strict=True)))


def loss_beside(table: pd.DataFrame, way: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of the loss that stand beside a way of measuring: the same preset and size of groups.

    Args:
        table: Rows of a results table.
        way: Measure, rho, m and preset.

    Returns:
        The rows; none for the loss itself.
    """
    same = table["measure"] == LOSS
    for name in WAY:
        if name in ("m", "preset"):
            missing = table[name].isna() & pd.isna(way[name])
            same &= (table[name] == way[name]) | missing
    found: pd.DataFrame = table[same & (way["measure"] != LOSS)]
    return found


def cells_given_loss(part: pd.DataFrame, loss: pd.DataFrame, halves: HalvesOfSets) -> dict[str, float]:
    """Return the cells of a row of correlations.csv that say what its measure adds to the loss.

    Args:
        part: Rows of one way of measuring, on one set or several.
        loss: Of `loss_beside`.
        halves: Of the table's sets.

    Returns:
        ``COLUMNS``: the partial correlation with its 90 % interval and p, the most that two one-sided tests leave,
        the checkpoints that would show less than .1, and how well the halves of the loss agree; none without halves.
    """
    places = part[PLACE].drop_duplicates()
    found = given_over_sets(part, loss.merge(places, on=PLACE) if len(loss) else loss, halves)
    if found is None:
        return {}
    low, high = found.interval(0.9)
    most = found.adds_at_most() if math.isfinite(found.estimate) else math.nan
    values = (found.estimate, low, high, found.p, most, found.checkpoints_for(), found.reliability)
    return dict(zip(COLUMNS, values, strict=True))
