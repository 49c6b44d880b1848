"""Which rows of a results table belong together, and in which order its sets are shown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.results.table import about_blocks, of_networks
from sharpscope.results.wording import label, named


class Variant(NamedTuple):
    """One way of measuring: the rows that may share a horizontal axis.

    Attributes:
        measure: Name of the measure.
        rho: Radius; NaN where the measure has none.
        m: Trials per group; NaN where the measure has none.
        preset: Name of the preset.
    """

    measure: str
    rho: float
    m: float
    preset: str

    def __str__(self) -> str:
        numbers = [
            f"{name} {value:g}" for name, value in (("rho", self.rho), ("m", self.m)) if value == value
        ]
        return ", ".join([*numbers, self.preset])

    def named(self) -> str:
        """What a sentence calls it, with its radius."""
        return named(self.measure, self.rho)

    def label(self) -> str:
        """What the axis is called, with its radius and unit."""
        return label(self.measure, self.rho)

    def stem(self) -> str:
        """A file name for it, without an ending."""
        return self.measure if math.isnan(self.rho) else f"{self.measure}_rho{self.rho:g}"


def variants(results: pd.DataFrame) -> list[Variant]:
    """Return every way of measuring that a results table holds, in the order of its rows.

    Args:
        results: Rows of results.csv.

    Returns:
        One variant per distinct measure, rho, m and preset.
    """
    keys = results[["measure", "rho", "m", "preset"]].drop_duplicates()
    return [Variant(str(a), float(b), float(c), str(d)) for a, b, c, d in keys.itertuples(index=False)]


def whole(results: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements of whole networks, without those of single blocks and bare error rates.

    Args:
        results: Rows of results.csv.

    Returns:
        The rows.

    Raises:
        UsageError: If no row is left.
    """
    rows = results[of_networks(results)]
    if rows.empty and about_blocks(results).any():
        raise UsageError("the results hold shares of blocks only; draw them with `sharpscope plot layers`")
    if rows.empty:
        raise UsageError(
            "the results hold error rates from score files only; `sharpscope table eer` shows them"
        )
    return rows


def same(column: pd.Series, value: float | str) -> pd.Series:
    """Compare a column with a value; NaN equals NaN.

    Args:
        column: Of numbers or text.
        value: What to compare with.

    Returns:
        One truth value per row.
    """
    return column.isna() if isinstance(value, float) and math.isnan(value) else column == value


def rows_of(results: pd.DataFrame, variant: Variant) -> pd.DataFrame:
    """Return the rows measured in one way, with a column ``panel`` that names set and subset.

    Args:
        results: Rows of results.csv.
        variant: The way.

    Returns:
        The rows, in the table's order.
    """
    wanted = (
        (results["measure"] == variant.measure)
        & same(results["rho"], variant.rho)
        & same(results["m"], variant.m)
        & (results["preset"] == variant.preset)
    )
    rows = results[wanted].copy()
    rows["panel"] = panel_names(rows)
    return rows


def panel_names(rows: pd.DataFrame) -> list[str]:
    """Return "set" or "set/subset" for every row.

    Args:
        rows: Rows of results.csv.

    Returns:
        One name per row.
    """
    pairs = rows[["set", "subset"]].fillna("").itertuples(index=False)
    return [f"{name}/{subset}" if subset else str(name) for name, subset in pairs]


def choose(
    results: pd.DataFrame,
    *,
    measure: str | None = None,
    rho: float | None = None,
    m: float | None = None,
    preset: str | None = None,
) -> Variant:
    """Pick the one way of measuring that a figure shows; what is not named is the table's first.

    Without a name the paper's measure is taken, at its radius 0.05 when the table has it.

    Args:
        results: Rows of results.csv.
        measure: Name of a measure in the table.
        rho: Radius.
        m: Trials per group.
        preset: Name of a preset in the table.

    Returns:
        The variant.

    Raises:
        UsageError: If the table is empty or holds nothing of the kind; says what it holds.
    """
    found = variants(results)
    if not found:
        raise UsageError("the results table has no rows: nothing to draw; fill it with `sharpscope measure`")
    measures = list(dict.fromkeys(v.measure for v in found))
    if measure is None:
        measure = "sam" if "sam" in measures else measures[0]
    if measure not in measures:
        raise unknown_name("measure in this results table", measure, measures)
    wanted = [v for v in found if v.measure == measure and (preset is None or v.preset == preset)]
    wanted = [v for v in wanted if m is None or v.m == m]
    if rho is not None:
        wanted = [v for v in wanted if v.rho == rho]
    elif any(v.rho == 0.05 for v in wanted):
        wanted = [v for v in wanted if v.rho == 0.05]
    if not wanted:
        asked = [f"{name} {value:g}" for name, value in (("rho", rho), ("m", m)) if value is not None]
        asked += [f"preset {preset}"] if preset is not None else []
        there = [str(v) for v in found if v.measure == measure]
        raise UsageError(
            f"the results table has no {measure} with {', '.join(asked)}; it has: {'; '.join(there[:10])}"
            + (f" and {len(there) - 10} more" if len(there) > 10 else "")
        )
    return wanted[0]


def levels(rows: pd.DataFrame, column: str) -> list[str]:
    """Return the distinct values of a text column, sorted, "adam" and "baseline" first.

    Args:
        rows: Any table.
        column: Name of the column.

    Returns:
        The values; "" for an empty cell.
    """
    values = {str(v) for v in rows[column].fillna("")}
    return sorted(values, key=lambda v: (not v.lower().startswith(("adam", "base")), v))


def by_shift(rows: pd.DataFrame) -> list[str]:
    """Order sets from in-domain to most shifted: by domain, then by the checkpoints' mean EER, then by name.

    Every figure, table and page shows sets in this order, whichever measure it is about.

    Args:
        rows: Rows of results.csv; a column ``panel`` names the sets when it is there.

    Returns:
        Names of sets, "set/subset" for subsets.

    Example:
        >>> sets = {"set": ["b", "a", "c"], "subset": "", "domain": ["ood", "ood", "id"], "sha256": "f"}
        >>> by_shift(pd.DataFrame(sets | {"eer": [0.1, 0.2, 0.3]}))
        ['c', 'b', 'a']
    """
    if "panel" not in rows:
        rows = rows.assign(panel=panel_names(rows))
    # A checkpoint counts once on a set, however many measures were taken of it there.
    rows = rows.drop_duplicates(["sha256", "panel", "domain", "eer"])
    keys = [
        (0 if set(part["domain"]) == {"id"} else 1, float(part["eer"].mean()), name)
        for name, part in rows.groupby("panel", sort=False)
    ]
    return [str(name) for *_, name in sorted(keys, key=lambda k: (k[0], np.nan_to_num(k[1], nan=2.0), k[2]))]


def in_order(names: Iterable[str], results: pd.DataFrame) -> list[str]:
    """Return distinct names of sets in the order of `by_shift`.

    Args:
        names: Names of sets, with repetitions.
        results: Rows of results.csv that the order is taken from.

    Returns:
        The names; those that the results do not know come last.
    """
    distinct = list(dict.fromkeys(names))
    place = {name: i for i, name in enumerate(by_shift(results))}
    return sorted(distinct, key=lambda name: place.get(name, len(place)))
