"""What a measure adds to the loss: cells for rows of a correlation table, from the halves of its sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.comparisons import checkpoints_by_sets
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.instrumented import Given, given_noisy
from sharpscope.results.comparable import PLACE, WAY

LOSS = "loss"
# What the loss leaves, as `adds_to_loss` puts it into words.
ANSWER = ("given_loss", "given_loss_low", "given_loss_high", "p_given_loss", "adds_at_most", "n_for_a_tenth")
COLUMNS = (*ANSWER, "loss_agreement")


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


class Added(NamedTuple):
    """What a measure adds to the loss, as a row of correlations.csv has it.

    Attributes:
        estimate: Partial correlation given the loss, its noise taken out; NaN where nothing can be said.
        low: Lower end of the 90 % interval.
        high: Upper end.
        p: Two-sided.
        at_most: What two one-sided tests at 5 % leave it below, in absolute value.
        checkpoints: How many would show less than .1 in four studies out of five, if nothing is added.
        sentence: The same in plain words.
    """

    estimate: float
    low: float
    high: float
    p: float
    at_most: float
    checkpoints: float
    sentence: str


def adds_to_loss(row: Mapping[Any, Any]) -> Added:
    r"""Say what the measure of a row of correlations.csv adds to the loss.

    Args:
        row: Columns ``measure`` and ``COLUMNS``.

    Returns:
        Its numbers and one sentence.

    Example:
        >>> row = {"measure": "sam", "given_loss": 0.04, "given_loss_low": -0.21, "given_loss_high": 0.29,
        ...        "p_given_loss": 0.77, "adds_at_most": 0.29, "n_for_a_tenth": 310.0}
        >>> print(*adds_to_loss(row).sentence.split(": "), sep="\n")
        Given the loss, 0.04 of the correlation is left (90 % interval -0.21 to 0.29, p = 0.77)
        sam adds at most 0.29 to the loss; about 310 checkpoints could show that it adds less than 0.1.
    """
    estimate, low, high, p, most, count = (float(row[name]) for name in ANSWER)
    measure = str(row["measure"])
    if not math.isfinite(estimate):
        words = (
            f"What {measure} adds to the loss cannot be said: it takes eight checkpoints, the loss measured on the "
            "same groups, halves of every set, and a loss whose halves agree."
        )
        return Added(estimate, low, high, p, most, count, words)
    ends = f"90 % interval {low:.2f} to {high:.2f}, p = {p:.2g}"
    left = f"Given the loss, {estimate:.2f} of the correlation is left ({ends})"
    if p <= 0.05:
        way = "more" if estimate > 0 else "fewer"
        words = (
            f"{left}: of checkpoints with the same loss, those with the larger {measure} made {way} errors."
        )
    elif most < 0.1:
        words = f"{left}: {measure} adds less than 0.1 to the loss (two one-sided tests)."
    else:
        words = (
            f"{left}: {measure} adds at most {most:.2f} to the loss; about {count:.0f} checkpoints could show that it "
            "adds less than 0.1."
        )
    return Added(estimate, low, high, p, most, count, words)
