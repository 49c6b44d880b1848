"""Which rows of a results table may be correlated, and what must be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.results.copies import say_copies
from sharpscope.results.table import EER_ONLY, about_blocks

# What is never compared with one another, and where a checkpoint stands once.
WAY = ["measure", "rho", "m", "preset"]
PLACE = ["set", "subset"]


def eligible_rows(
    table: pd.DataFrame, measures: Sequence[str] = (), *, allow_mixed: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that may be correlated, and what must be said of them.

    Args:
        table: A results table.
        measures: Names to keep; none keeps all.
        allow_mixed: Go on, with a warning, where checkpoints were measured on other trials or in other number formats.

    Returns:
        The rows and the warnings.

    Raises:
        UsageError: If there is nothing to correlate, a measure is unknown, a checkpoint stands twice in one cell,
            sharpness was measured of several losses, or checkpoints were not measured alike.
    """
    if table.empty:
        raise UsageError("the results table has no rows; fill it with `sharpscope measure`")
    bare = table["measure"] == EER_ONLY
    systems = table.loc[bare, "sha256"].nunique()
    table = table[~bare]
    if table.empty:
        raise UsageError(
            "the table holds error rates from score files only; a correlation needs rows of `sharpscope measure`"
        )
    table, blind = _with_labels(table)
    blocks = about_blocks(table)
    if blocks.any() and not any("[" in name for name in measures):
        # Shares of blocks say where sharpness sits, not how much there is; each would be a test to pay for.
        table = table[~blocks]
        if table.empty:
            raise UsageError("the table holds shares of blocks only; draw them with `sharpscope plot layers`")
    known = list(dict.fromkeys(table["measure"]))
    for name in measures:
        if name not in known:
            raise unknown_name("measure in the table", name, known)
    if measures:
        table = table[table["measure"].isin(list(measures))]
    if table["sha256"].nunique() < 2:
        raise UsageError(
            "the table holds one checkpoint; a correlation needs several, measured into the same file"
        )
    twice = table.duplicated([*WAY, *PLACE, "sha256"])
    if twice.any():
        row = table[twice].iloc[0]
        raise UsageError(
            f"{row['checkpoint']} stands more than once on {row['set']} for {row['measure']} (other trials or other "
            "conventions); keep one of them: a checkpoint counted twice is no evidence"
        )
    _one_loss(table)
    mixed = _mixed(table, allow_mixed)
    left_out = [f"systems known by their score files only, in no correlation: {systems}"] if systems else []
    return table, [*left_out, *blind, *say_copies(table), *_warnings(table), *mixed]


def same_way(table: pd.DataFrame, way: Mapping[Any, Any]) -> pd.Series:
    """Tell which rows were measured in one way; blank equals blank.

    Args:
        table: Columns ``WAY``.
        way: Their values.

    Returns:
        One truth value a row.

    Example:
        >>> table = pd.DataFrame({"measure": ["sam", "loss"], "rho": [0.05, np.nan], "m": 32.0, "preset": "rigorous"})
        >>> same_way(table, {"measure": "loss", "rho": np.nan, "m": 32.0, "preset": "rigorous"}).tolist()
        [False, True]
    """
    same = pd.Series(True, index=table.index)
    for column in WAY:
        same &= table[column].isna() if pd.isna(way[column]) else table[column] == way[column]
    return same


def _mixed(table: pd.DataFrame, allow_mixed: bool) -> list[str]:
    found = differences(table)
    if found and not allow_mixed:
        more = f" (and {len(found) - 1} more differences)" if len(found) > 1 else ""
        raise UsageError(
            f"{found[0]}{more}; measure them alike, or go on with --allow-mixed (allow_mixed=True)"
        )
    return found


def _with_labels(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out sets on which no checkpoint has an error rate, and say so; a table of nothing else stays as it is."""
    rated = table.groupby(PLACE)["eer"].transform("count") > 0
    blind = sorted(set(table.loc[~rated, "set"]))
    if not blind or not rated.any():
        return table, []
    said = f"sets without labels, in no correlation: {', '.join(blind)}; `sharpscope forecast` speaks of them"
    return table[rated], [said]


def _several(column: pd.Series) -> str:
    """Return a column's values with commas when there are several, otherwise nothing."""
    values = sorted(set(column.dropna()) - {""})
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values) if len(values) > 1 else ""


def _one_loss(table: pd.DataFrame) -> None:
    for preset, part in table.groupby("preset", sort=False):
        if values := _several(part["loss_name"]):
            raise UsageError(
                f"rows of the preset {preset} are of several losses ({values}); their sharpness has no common scale. "
                "Correlate the rows of one, or measure again without the method `trial_losses` of the model"
            )


def _warnings(table: pd.DataFrame) -> list[str]:
    warnings = []
    if (table["score_rule"] == "folded_spoof_logit").any():
        warnings.append(
            "EERs of the preset huang2025 are folded (never above one half), which changes the ranking of "
            "checkpoints on sets where some are worse than chance"
        )
    for column, what in (("preset", "presets"), ("m", "group sizes")):
        if values := _several(table[column]):
            warnings.append(f"several {what} in one table ({values}): never compared with one another")
    if values := _several(table["polarity_source"]):
        warnings.append(
            f"polarity is known in several ways ({values}); where it was assumed, an EER above one half may be a "
            "wrong assumption: see `worse_than_chance` in the table"
        )
    if values := _several(table["version"]):
        warnings.append(f"checkpoints were measured in several versions of sharpscope ({values})")
    return [*warnings, *_without_number(table)]


def differences(table: pd.DataFrame) -> list[str]:
    """Say where checkpoints were not measured alike, so that a difference between them may be one of circumstances.

    Args:
        table: Rows of a results table.

    Returns:
        One line for each set on which trials or their numbers differ, and one for number formats.

    Example:
        >>> table = pd.DataFrame({"sha256": ["a", "b"], "set": "itw", "subset": "", "preset": "rigorous", "m": 32.0,
        ...     "trials_hash": ["1", "2"], "n_bonafide": 40.0, "n_spoof": 40.0, "dtype": "float32"})
        >>> differences(table)[0][:70]
        'checkpoints were measured on 2 different draws of trials of itw (rigor'
    """
    found = []
    for (place, subset), part in table.groupby(PLACE, sort=False):
        name = f"{place}@{subset}" if subset else str(place)
        for (preset, m), cells in part.groupby(["preset", "m"], sort=False, dropna=False):
            where = f"{name} ({preset}, m {m:g})"
            draws = cells["trials_hash"].dropna().nunique()
            sizes = cells[["n_bonafide", "n_spoof"]].dropna().drop_duplicates()
            if draws > 1:
                found.append(
                    f"checkpoints were measured on {draws} different draws of trials of {where}: their error rates and "
                    "sharpness differ by the draw too; the same --limit and --seed draw the same"
                )
            elif len(sizes) > 1:
                told = " or ".join(f"{b:.0f} + {s:.0f}" for b, s in sizes.itertuples(index=False))
                found.append(f"checkpoints were measured on other numbers of trials of {where}: {told}")
    if values := _several(table["dtype"]):
        found.append(f"checkpoints were measured in several number formats ({values})")
    return found


def _without_number(table: pd.DataFrame) -> list[str]:
    """Warn of cells that no correlation can use."""
    lacking = ~(np.isfinite(table["value"].astype(float)) & np.isfinite(table["eer"].astype(float)))
    if not lacking.any():
        return []
    owners = ", ".join(sorted(set(table.loc[lacking, "checkpoint"].astype(str)))[:5])
    return [f"{int(lacking.sum())} of {len(table)} rows hold no finite number and are left out (of {owners})"]
