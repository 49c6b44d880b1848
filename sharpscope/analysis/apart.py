"""A results table whose sharpness and error rates come from different trials, for every question that is tested.

Whatever is asked of the same trials, noise of those trials answers: of twelve detectors equal in truth, comparisons,
clusters, strata, pairs and mixed models find "something" in 20 to 90 % of studies. So they are all asked of halves.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pandas as pd

from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.way_cells import CROSS_HALF, SAME_TRIALS
from sharpscope.results.comparable import PLACE, WAY

SOME = "some sets cross-half"
# Half of the trials: their standard errors are larger by this.
WIDER = math.sqrt(2)


def apart_table(table: pd.DataFrame, halves: HalvesOfSets) -> pd.DataFrame:
    """Put sharpness of the first half and error rates of the other trials into a table, where records allow it.

    Of several splits the first counts. Standard errors and intervals are those of half as many trials.

    Args:
        table: Rows that may be correlated.
        halves: Of its sets; checkpoints of one run stay apart here.

    Returns:
        The rows, with a column ``evidence``: "cross-half", or "same trials" where they are as they were.

    Example:
        >>> row = {"sha256": "a", "set": "s", "subset": "", "measure": "sam", "rho": 0.05, "m": 8.0,
        ...     "preset": "rigorous", "eer": 0.1, "value": 1.0}
        >>> apart_table(pd.DataFrame([row]), HalvesOfSets(None))["evidence"].tolist()
        ['same trials']
    """
    single = copy.copy(halves)  # shares what was read
    single.runs = None
    changed = table.assign(evidence=SAME_TRIALS)
    finite = table[np.isfinite(table["value"]) & np.isfinite(table["eer"])].sort_values("sha256")
    for _, cells in finite.groupby([*WAY, *PLACE], sort=False, dropna=False):
        found = single.of(cells)
        if found is None:
            continue
        changed.loc[cells.index, "evidence"] = CROSS_HALF
        changed.loc[cells.index, "value"] = found.x[:, 0]
        changed.loc[cells.index, "eer"] = found.y[:, 0]
        if "stderr" in cells:
            changed.loc[cells.index, "stderr"] = cells["stderr"] * WIDER
        if {"eer_low", "eer_high"} <= set(cells.columns):
            shift = found.y[:, 0] - cells["eer"]
            for end in ("eer_low", "eer_high"):
                changed.loc[cells.index, end] = cells["eer"] + (cells[end] - cells["eer"]) * WIDER + shift
    return changed


def evidence_of(apart: pd.DataFrame, rows: pd.DataFrame, prefix: str = "") -> list[str]:
    """Say of every row of another table what its way of measuring rests on.

    Args:
        apart: Of `apart_table`.
        rows: Columns measure, rho, m and preset.
        prefix: Before the names of measure, rho and m in ``rows``.

    Returns:
        "cross-half", "same trials", or "some sets cross-half"; "" for a way that the table does not have.

    Example:
        >>> way = {"measure": ["sam"], "rho": [0.05], "m": [8.0], "preset": ["rigorous"]}
        >>> evidence_of(pd.DataFrame(way | {"evidence": ["cross-half"]}), pd.DataFrame(way))
        ['cross-half']
    """
    known: dict[tuple[object, ...], str] = {}
    for way, part in apart.groupby(WAY, sort=False, dropna=False):
        kinds = set(part["evidence"])
        known[_key(way)] = kinds.pop() if len(kinds) == 1 else SOME
    names = [name if name == "preset" else f"{prefix}{name}" for name in WAY]
    return [known.get(_key(way), "") for way in rows[names].itertuples(index=False, name=None)]


def _key(way: tuple[object, ...]) -> tuple[object, ...]:
    """Return a way of measuring in which blank equals blank."""
    return tuple(None if pd.isna(part) else part for part in way)  # type: ignore[call-overload]
