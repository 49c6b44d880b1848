"""Which rows of a results table may be correlated, and what must be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.results.table import EER_ONLY, about_blocks

# What is never compared with one another, and where a checkpoint stands once.
WAY = ["measure", "rho", "m", "preset"]
PLACE = ["set", "subset"]


def eligible_rows(table: pd.DataFrame, measures: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that may be correlated, and what must be said of them.

    Args:
        table: A results table.
        measures: Names to keep; none keeps all.

    Returns:
        The rows and the warnings.

    Raises:
        UsageError: If there is nothing to correlate, a measure is unknown, a checkpoint stands twice in one cell,
            or sharpness was measured of several losses.
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
    left_out = [f"systems known by their score files only, in no correlation: {systems}"] if systems else []
    return table, [*left_out, *_copies(table), *_warnings(table)]


def _copies(table: pd.DataFrame) -> list[str]:
    """Warn of files that are one network: no two training runs agree to the last digit of every number."""
    measured = table[table["value"].notna()]
    cells = [*PLACE, *WAY, "eer", "value"]
    names: dict[frozenset[tuple[Any, ...]], list[str]] = {}
    for sha, part in measured.groupby("sha256", sort=False):
        found = frozenset(part[cells].fillna(-1.0).itertuples(index=False, name=None))
        names.setdefault(found, []).append(f"{part['checkpoint'].iloc[0]} ({str(sha)[:8]})")
    # One number may agree by chance, as where all are zero.
    return [
        f"{' and '.join(same)} have the same numbers everywhere: copies of one network count as one piece of evidence"
        for found, same in names.items()
        if len(same) > 1 and len({cell[-1] for cell in found}) > 2
    ]


def _several(column: pd.Series) -> str:
    """Return a column's values with commas when there are several, otherwise nothing."""
    values = sorted({str(value) for value in column.dropna()} - {""})
    return ", ".join(values) if len(values) > 1 else ""


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
    return [*warnings, *_mixed(table), *_without_number(table)]


def _mixed(table: pd.DataFrame) -> list[str]:
    """Warn of checkpoints that were not measured alike: a difference between them may be one of circumstances."""
    warnings = []
    for (place, subset), part in table.groupby(PLACE, sort=False):
        name = f"{place}@{subset}" if subset else str(place)
        for (preset, m), cells in part.groupby(["preset", "m"], sort=False, dropna=False):
            draws = cells.groupby("trials_hash", sort=False)["sha256"].nunique()
            if len(draws) > 1:
                warnings.append(
                    f"checkpoints were measured on {len(draws)} different draws of trials of {name} "
                    f"({preset}, m {m:g}): their error rates and sharpness differ by the draw too; measure them with "
                    "the same --limit and --seed"
                )
    for column, what in (("dtype", "number formats"), ("version", "versions of sharpscope")):
        if values := _several(table[column]):
            warnings.append(f"checkpoints were measured in several {what} ({values})")
    return warnings


def _without_number(table: pd.DataFrame) -> list[str]:
    """Warn of cells that no correlation can use."""
    lacking = ~(np.isfinite(table["value"].astype(float)) & np.isfinite(table["eer"].astype(float)))
    if not lacking.any():
        return []
    owners = ", ".join(sorted(set(table.loc[lacking, "checkpoint"].astype(str)))[:5])
    return [f"{int(lacking.sum())} of {len(table)} rows hold no finite number and are left out (of {owners})"]
