"""What was fixed before the data were seen: one way to measure sharpness, named or chosen on other sets."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis.rank_correlation import TWO_SIDED, standardised_ranks
from sharpscope.errors import UsageError, unknown_name
from sharpscope.results.comparable import WAY, same_way
from sharpscope.results.measure_facts import is_control

# What a direction may be called behind a colon.
DIRECTIONS = {
    "greater": "greater",
    "positive": "greater",
    "less": "less",
    "negative": "less",
    TWO_SIDED: TWO_SIDED,
}


class Choice(NamedTuple):
    """What was fixed before the data were seen.

    Attributes:
        words: The way, its direction and the time; "" where nothing was fixed.
        alternative: "two-sided", or "greater" (sharper, more errors) or "less".
    """

    words: str
    alternative: str

    def alternative_of(self, measure: str) -> str:
        """The direction in which a measure is tested: what was fixed for sharpness; controls are two-sided."""
        return TWO_SIDED if is_control(measure) else self.alternative


NO_CHOICE = Choice("", TWO_SIDED)


def fix_way(table: pd.DataFrame, primary: str | None, freeze: Sequence[str]) -> tuple[pd.DataFrame, Choice]:
    """Leave one way to measure sharpness in a table, with the controls beside it.

    Args:
        table: Rows that may be correlated.
        primary: ``measure`` or ``measure@rho``, with ``@m=M`` or ``@preset=NAME`` behind it where
            the table has several, and last ``:greater`` or ``:less`` where the direction was fixed too.
        freeze: Sets on which the way is chosen instead; they are taken out of the table.

    Returns:
        The rows to test, and what was fixed with the time; the table as it is where nothing was.

    Raises:
        UsageError: If both are given, the way is not in the table, not one or a control, the direction has no meaning,
            or no set is left to test on.
    """
    if primary and freeze:
        raise UsageError("--primary and --freeze were both given; either fixes the way to measure")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    if primary:
        name, colon, direction = primary.rpartition(":")
        if colon and direction not in DIRECTIONS:
            raise unknown_name("direction behind the colon of --primary", direction, DIRECTIONS)
        way = _named(table, name if colon else primary)
        if is_control(str(way["measure"])):
            raise UsageError(
                f"--primary is '{primary}'; {way['measure']} is a control, and the question is about sharpness"
            )
        alternative = DIRECTIONS[direction] if colon else TWO_SIDED
        return _only(table, way), Choice(
            f"{primary if colon else f'{primary}, two-sided'}, {now}", alternative
        )
    if not freeze:
        return table, NO_CHOICE
    known = sorted(set(table["set"]))
    if missing := [name for name in freeze if name not in known]:
        raise UsageError(f"--freeze names the set '{missing[0]}'; the table has {', '.join(known)}")
    chosen = table["set"].isin(list(freeze))
    if chosen.all():
        raise UsageError("--freeze names every set of the table; leave one out to test on")
    way = _largest(table[chosen])
    words = " ".join(str(v) for v in way.dropna())
    return _only(table[~chosen], way), Choice(
        f"chosen on {', '.join(freeze)}: {words}, two-sided, {now}", TWO_SIDED
    )


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
                f"--primary is '{primary}'; write measure@rho, with @m=M or @preset=NAME behind it and last "
                ":greater or :less"
            )
        try:
            found = found[found[name] == (value if name == "preset" else float(value))]
        except ValueError:
            raise UsageError(f"--primary is '{primary}'; '{value}' is not a number") from None
    if len(found) != 1:
        shown = "; ".join(" ".join(str(v) for v in way if v == v) for way in ways.itertuples(index=False))
        raise UsageError(f"--primary '{primary}' names {len(found)} ways of the table; it has {shown[:400]}")
    return found.iloc[0]


def _only(table: pd.DataFrame, way: pd.Series) -> pd.DataFrame:
    return table[same_way(table, way.to_dict()) | table["measure"].map(is_control)]


def _largest(table: pd.DataFrame) -> pd.Series:
    """Return the way of sharpness whose mean correlation over sets is the largest."""
    best, chosen = -1.0, None
    for _, way in table[WAY].drop_duplicates().iterrows():
        if is_control(str(way["measure"])):
            continue
        x, y = comparing.checkpoints_by_sets(table[same_way(table, way.to_dict())])
        complete = x.notna().all(axis=1)
        zx, zy = (standardised_ranks(frame[complete].to_numpy(float)) for frame in (x, y))
        within = (zx * zy).sum(axis=0)
        mean = abs(float(np.nanmean(within))) if np.isfinite(within).any() else -1.0
        if mean > best:
            best, chosen = mean, way
    if chosen is None:
        raise UsageError("no sharpness of the table varies on the frozen sets, so none can be chosen")
    return chosen
