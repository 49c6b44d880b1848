"""The measures of other fields for a results table: rows for the table of questions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sharpscope.analysis.comparisons import checkpoints_by_sets
from sharpscope.analysis.field_measures import (
    granulated_kendall,
    one_sided_p,
    pair_information,
    soft_accuracy_p,
    soft_pairwise_accuracy,
    worst_sign_error,
)
from sharpscope.analysis.rank_correlation import FEWEST
from sharpscope.results.comparable import WAY
from sharpscope.results.measured_rates import SOFT_ACCURACY_SPREADS

COLUMNS = ("question", "measure", "rho", "m", "preset", "set", "given", "n", "estimate", "p", "note")
SETTINGS = ("arch", "recipe")
# Pairs of pairs grow with the square of checkpoints.
MOST_CHECKPOINTS = 100
# A p-value of the information takes two hundred times its score.
MOST_TESTS = 100
ORDERS = 199


class Column(NamedTuple):
    """One measure on one set, checkpoints with both numbers.

    Attributes:
        value: Shape (n,).
        eer: Shape (n,).
        value_error: Standard errors of the values.
        eer_error: Those of the error rates, a quarter of the width of their intervals.
        n_trials: Of the smaller class.
        settings: Architecture and recipe, shape (n, 2).
    """

    value: np.ndarray
    eer: np.ndarray
    value_error: np.ndarray
    eer_error: np.ndarray
    n_trials: np.ndarray
    settings: np.ndarray


def field_rows(results: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Ask of every measure on every set what other fields ask of theirs, given architecture and recipe.

    Args:
        results: Rows of a results table without duplicates.
        seed: Of random orders.

    Returns:
        Columns ``COLUMNS``; questions "pair_information", "worst_sign_error", "granulated_kendall" and
        "soft_pairwise_accuracy". Sets with fewer than five checkpoints and tables of more than a hundred are left out.
    """
    if results["sha256"].nunique() > MOST_CHECKPOINTS:
        return pd.DataFrame(columns=list(COLUMNS))
    rows: list[dict[str, Any]] = []
    parts = list(results.groupby(WAY, sort=False, dropna=False))
    n_tests = sum(len(part[["set", "subset"]].drop_duplicates()) for _, part in parts)
    n_orders = ORDERS if n_tests <= MOST_TESTS else 0
    for way, part in parts:
        head = dict(zip(WAY, way, strict=True))
        value, _ = checkpoints_by_sets(part)
        for place in value.columns:
            column = _column(part, place, value.index[value[place].notna()])
            if len(column.value) < FEWEST:
                continue
            shown = head | {"set": place.replace("\0", " ").strip(), "n": len(column.value)}
            rows += [shown | answer for answer in _answers(column, n_orders, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _column(part: pd.DataFrame, place: str, checkpoints: pd.Index) -> Column:
    lines = part[part["set"] + "\0" + part["subset"] == place].set_index("sha256").loc[checkpoints]
    width = stats.norm.ppf(0.975) * 2
    return Column(
        lines["value"].to_numpy(float),
        lines["eer"].to_numpy(float),
        lines["stderr"].to_numpy(float),
        ((lines["eer_high"] - lines["eer_low"]) / width).to_numpy(float),
        lines[["n_bonafide", "n_spoof"]].min(axis=1).to_numpy(float),
        lines[list(SETTINGS)].astype(str).to_numpy(dtype=str),
    )


def _answers(column: Column, n_orders: int, seed: int) -> Iterator[dict[str, Any]]:
    varied = [name for j, name in enumerate(SETTINGS) if len(np.unique(column.settings[:, j])) > 1]
    settings = column.settings[:, [SETTINGS.index(name) for name in varied]]
    if varied:
        yield from _given_settings(column, settings, varied, n_orders, seed)
    if np.isfinite(column.value_error).all() and np.isfinite(column.eer_error).all():
        error = one_sided_p(column.eer, column.eer_error)
        measured = one_sided_p(column.value, column.value_error)
        yield {
            "question": "soft_pairwise_accuracy",
            "estimate": soft_pairwise_accuracy(error, measured),
            "p": soft_accuracy_p(error, measured, seed=seed),
            "note": "certainties from standard errors, taken as normal and independent; approximate where spreads of "
            f"checkpoints differ: {SOFT_ACCURACY_SPREADS.words} of studies without an effect reject at 5 %",
        }


def _given_settings(
    column: Column, settings: np.ndarray, varied: list[str], n_orders: int, seed: int
) -> Iterator[dict[str, Any]]:
    found = pair_information(column.value, column.eer, settings, n_permutations=n_orders, seed=seed)
    if math.isfinite(found.score):
        by_chance = f"; chance gives {found.expected:.2f}" if math.isfinite(found.expected) else ""
        yield {
            "question": "pair_information",
            "given": " and ".join(varied[axis] for axis in found.given) or "nothing",
            "estimate": found.score,
            "p": found.p,
            "note": f"least over what may be given{by_chance}",
        }
    signs = worst_sign_error(column.value, column.eer, settings, n_trials=column.n_trials)
    noisy = f"{signs.n_noisy} of {signs.n_pairs + signs.n_noisy} pairs within noise left out"
    if signs.where is not None:
        axis, low, high = signs.where
        yield {
            "question": "worst_sign_error",
            "given": varied[axis],
            "estimate": signs.worst,
            "p": math.nan,
            "note": f"between {low} and {high}; mean {signs.mean:.2f}; {noisy}",
        }
    elif signs.n_noisy:
        yield {"question": "worst_sign_error", "estimate": math.nan, "p": math.nan, "note": noisy}
    psi, each = granulated_kendall(column.value, column.eer, settings)
    if math.isfinite(psi):
        parts = [f"{name} {tau:.2f}" for name, tau in zip(varied, each, strict=True) if math.isfinite(tau)]
        yield {"question": "granulated_kendall", "estimate": psi, "p": math.nan, "note": ", ".join(parts)}
