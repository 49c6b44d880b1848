"""Checkpoints that differ in their recipe alone, and the checks that rows are of one question."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.results import selection
from sharpscope.results.wording import listed


def one_set(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that can be drawn, after checking that they are one set measured in one way.

    Args:
        table: Rows of results.csv.

    Returns:
        The rows whose value and EER are finite.

    Raises:
        UsageError: If there are several sets or measures: a cloud of them mixes questions.
    """
    for column in ("set", "subset", "measure", "rho", "m", "preset"):
        found = list(dict.fromkeys(table[column].dropna()))
        if len(found) > 1:
            raise UsageError(
                f"these axes show one set measured in one way; the table has {column} "
                f"{listed([str(f) for f in found])}. Filter it, or draw a panel per set with "
                "`sharpscope plot`"
            )
    return measured(table)


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a place in a figure: a finite value and a finite EER.

    Args:
        rows: Rows of results.csv.

    Returns:
        Those rows.
    """
    finite: pd.Series = np.isfinite(rows["value"]) & np.isfinite(rows["eer"])
    return rows.loc[finite]


class Pairing(NamedTuple):
    """Checkpoints that differ in their recipe alone.

    Attributes:
        table: One row per pair: set, arch, seed, recipe, value_from, eer_from, value_to, eer_to.
        baseline: The recipe that arrows start from.
        alone: Measurements without a partner.
    """

    table: pd.DataFrame
    baseline: str
    alone: int


def pair_recipes(rows: pd.DataFrame, baseline: str = "") -> Pairing:
    """Pair every checkpoint with the baseline's of the same architecture, seed and set.

    Args:
        rows: Rows of results.csv of one measure.
        baseline: A recipe; "" takes the one whose name starts with "adam" or "base", else the first.

    Returns:
        The pairs.

    Raises:
        UsageError: If there is one recipe only, the baseline is unknown, or two checkpoints share
            architecture, recipe, seed and set.
    """
    recipes = selection.levels(rows, "recipe")
    if baseline and baseline not in recipes:
        raise unknown_name("recipe in this results table", baseline, recipes)
    if len(recipes) < 2:
        raise UsageError(
            f"the only recipe is {recipes[0] if recipes else 'none'!r}; a pair needs two. Name the recipes "
            "with `sharpscope measure --recipe`"
        )
    baseline = baseline or recipes[0]
    keys = ["set", "subset", "arch", "seed"]
    rows = measured(rows).fillna({"arch": "", "recipe": "", "subset": "", "seed": -1.0})
    clash = rows[rows.duplicated([*keys, "recipe"])]
    if len(clash):
        one = clash.iloc[0]
        raise UsageError(
            f"two checkpoints have architecture {one['arch']!r}, recipe {one['recipe']!r} and seed "
            f"{one['seed']:g} on {one['set']}: which is the partner? Give them different seeds or recipes"
        )
    first = rows[rows["recipe"] == baseline]
    other = rows[rows["recipe"] != baseline]
    wanted = [*keys, "value", "eer"]
    pairs = other[[*wanted, "recipe"]].merge(first[wanted], on=keys, suffixes=("_to", "_from"))
    used = len(pairs) + len(pairs.drop_duplicates(keys))
    return Pairing(pairs, baseline, len(rows) - used)
