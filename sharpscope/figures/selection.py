"""Which rows of a results table a figure shows, and what its axes are called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.results.table import about_blocks, of_networks

# Units of what `measure` writes; rises of the loss are in nats.
UNITS = {
    "loss": "nats",
    "entropy": "nats",
    "margin": "logits",
    "confidence": "logits",
    "saturated": "share of trials",
    "eer": "%",
}
WORDS = {
    "sam": "Sharpness",
    "asam": "Adaptive sharpness",
    "loss": "Loss",
    "grad_norm": "Gradient norm",
    "param_norm": "Weight norm",
    "entropy": "Entropy",
    "margin": "Margin",
    "confidence": "Confidence",
}


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

    def label(self) -> str:
        """What the axis is called, with its radius and unit."""
        return label(self.measure, self.rho)

    def stem(self) -> str:
        """A file name for it, without an ending."""
        return self.measure if math.isnan(self.rho) else f"{self.measure}_rho{self.rho:g}"


def label(measure: str, rho: float = math.nan) -> str:
    """Return the name of an axis that shows a measure, with radius and unit.

    Args:
        measure: Name of the measure.
        rho: Radius; NaN where the measure has none.

    Returns:
        Text for the axis.

    Example:
        >>> label("sam", 0.05)
        'Sharpness (sam, ρ = 0.05), nats'
        >>> label("grad_norm")
        'Gradient norm (grad_norm)'
    """
    words = WORDS.get(measure, "")
    radius = "" if math.isnan(rho) else f", ρ = {rho:g}"
    unit = UNITS.get(measure, "nats" if radius else "")
    name = f"{words} ({measure}{radius})" if words else f"{measure}{radius}"
    return f"{name}, {unit}" if unit else name


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
        there = sorted({f"rho {v.rho:g}, m {v.m:g}, {v.preset}" for v in found if v.measure == measure})
        raise UsageError(
            f"the results table has no {measure} with rho {rho}, m {m}, preset {preset}; it has: "
            + "; ".join(there)
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


def statistic_of(
    correlation: pd.DataFrame | None, variant: Variant, panel: str, *, scope: str = "set"
) -> Mapping[str, Any] | None:
    """Find the row of a correlation table that belongs to one panel.

    Args:
        correlation: Table made by `correlate`, or None.
        variant: The way of measuring.
        panel: Set, or set/subset.
        scope: Value of the column ``scope``.

    Returns:
        The row as a mapping; None when there is none, or more than one and so no telling which.
    """
    if correlation is None or correlation.empty:
        return None
    keep = (correlation["measure"] == variant.measure) & same(correlation["rho"], variant.rho)
    if "scope" in correlation:
        keep &= correlation["scope"] == scope
    if "preset" in correlation:
        keep &= correlation["preset"] == variant.preset
    if "m" in correlation:
        keep &= same(correlation["m"], variant.m)
    rows = correlation[keep]
    if scope == "set":
        names = panel_names(rows) if "subset" in rows else list(rows["set"].astype(str))
        rows = rows[[name == panel for name in names]]
    return {str(k): v for k, v in rows.iloc[0].items()} if len(rows) == 1 else None


def number(value: float, digits: int = 2) -> str:
    """Return a correlation or probability as papers print it: no leading zero, a real minus sign.

    Args:
        value: Between -1 and 1.
        digits: Decimals.

    Returns:
        Text; an en dash for NaN.

    Example:
        >>> number(-0.718), number(1.0), number(0.0)
        ('−.72', '1.00', '.00')
    """
    if not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    sign = "−" if value < 0 and float(text) > 0 else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def probability(value: float) -> str:
    """Return "= .02" or "< .001" for a p-value.

    Args:
        value: The p-value.

    Returns:
        Relation and number.

    Example:
        >>> probability(0.0002), probability(0.021), probability(0.0004999)
        ('< .001', '= .021', '< .001')
    """
    if math.isfinite(value) and value < 0.001:
        return "< .001"
    return f"= {number(value, 2 if value >= 0.0995 else 3)}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names joined by commas, the rest counted.

    Args:
        names: What to list.
        most: How many are named.

    Returns:
        Text.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
