"""What was fixed before the data were seen: one way to measure sharpness, named or chosen on other sets."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis.rank_correlation import standardised_ranks
from sharpscope.errors import UsageError
from sharpscope.results.comparable import WAY
from sharpscope.results.measure_facts import is_control


def fix_way(table: pd.DataFrame, primary: str | None, freeze: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Leave one way to measure sharpness in a table, with the controls beside it.

    Args:
        table: Rows that may be correlated.
        primary: ``measure`` or ``measure@rho``, with ``@m=M`` or ``@preset=NAME`` behind it where
            the table has several.
        freeze: Sets on which the way is chosen instead; they are taken out of the table.

    Returns:
        The rows to test, and what was fixed, in words with the time; the table as it is and "" where nothing was.

    Raises:
        UsageError: If both are given, the way is not in the table or not one, or no set is left to test on.
    """
    if primary and freeze:
        raise UsageError("--primary and --freeze were both given; either fixes the way to measure")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    if primary:
        way = _named(table, primary)
        return _only(table, way), f"{primary}, {now}"
    if not freeze:
        return table, ""
    known = sorted(set(table["set"]))
    if missing := [name for name in freeze if name not in known]:
        raise UsageError(f"--freeze names the set '{missing[0]}'; the table has {', '.join(known)}")
    chosen = table["set"].isin(list(freeze))
    if chosen.all():
        raise UsageError("--freeze names every set of the table; leave one out to test on")
    way = _largest(table[chosen])
    words = " ".join(str(v) for v in way.dropna())
    return _only(table[~chosen], way), f"chosen on {', '.join(freeze)}: {words}, {now}"


def _named(table: pd.DataFrame, primary: str) -> pd.Series:
    """Return the one way of the table that a text names."""
    measure, *facts = primary.split("@")
    ways = table[WAY].drop_duplicates()
    found = ways[ways["measure"] == measure]
    for fact in facts:
        name, equals, value = fact.partition("=")
        name, value = (name, value) if equals else ("rho", name)
        if name not in WAY[1:]:
            raise UsageError(
                f"--primary is '{primary}'; write measure@rho, with @m=M or @preset=NAME behind it"
            )
        try:
            found = found[found[name] == (value if name == "preset" else float(value))]
        except ValueError:
            raise UsageError(f"--primary is '{primary}'; '{value}' is not a number") from None
    if len(found) != 1:
        shown = "; ".join(" ".join(str(v) for v in way if v == v) for way in ways.itertuples(index=False))
        raise UsageError(f"--primary '{primary}' names {len(found)} ways of the table; it has {shown[:400]}")
    return found.iloc[0]


def _is(table: pd.DataFrame, way: pd.Series) -> pd.Series:
    same = table[WAY].eq(way) | (table[WAY].isna() & way.isna())
    return same.all(axis=1)


def _only(table: pd.DataFrame, way: pd.Series) -> pd.DataFrame:
    return table[_is(table, way) | table["measure"].map(is_control)]


def _largest(table: pd.DataFrame) -> pd.Series:
    """Return the way of sharpness whose mean correlation over sets is the largest."""
    best, chosen = -1.0, None
    for _, way in table[WAY].drop_duplicates().iterrows():
        if is_control(str(way["measure"])):
            continue
        x, y = comparing.checkpoints_by_sets(table[_is(table, way)])
        complete = x.notna().all(axis=1)
        zx, zy = (standardised_ranks(frame[complete].to_numpy(float)) for frame in (x, y))
        within = (zx * zy).sum(axis=0)
        mean = abs(float(np.nanmean(within))) if np.isfinite(within).any() else -1.0
        if mean > best:
            best, chosen = mean, way
    if chosen is None:
        raise UsageError("no sharpness of the table varies on the frozen sets, so none can be chosen")
    return chosen
