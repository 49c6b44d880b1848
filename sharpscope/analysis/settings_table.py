"""Each measure against the settings of the recipe: sharpness often says which learning rate was taken and no more."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.adjustment import holm, holm_over
from sharpscope.analysis.clustered_tests import joint_test
from sharpscope.analysis.comparisons import checkpoints_by_sets
from sharpscope.errors import UsageError
from sharpscope.results.comparable import WAY

COLUMNS = (
    *(*WAY, "setting", "n", "spearman", "p", "p_adjusted"),
    *("spearman_with_error", "p_with_error", "p_with_error_adjusted", "note"),
)
_PAIR = re.compile(
    r"(?:^|[\s,;_/-])([A-Za-z][A-Za-z_]*?)\s*=?\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=$|[\s,;_/-])"
)


def settings_in_names(recipes: pd.Series) -> pd.DataFrame:
    """Read numeric settings out of the names of recipes, such as "sam lr=1e-4 rho=0.05" or "adam_lr0.001".

    Args:
        recipes: Names of recipes, any index.

    Returns:
        One row per name, a column per setting that varies; NaN where a name does not say it.

    Example:
        >>> settings_in_names(pd.Series(["sam lr=1e-4", "sam lr=1e-3", "plain"]))["lr"].tolist()
        [0.0001, 0.001, nan]
    """
    read = [
        {name.lower(): float(number) for name, number in _PAIR.findall(str(recipe))} for recipe in recipes
    ]
    table = pd.DataFrame(read, index=recipes.index)
    return table.loc[:, [name for name in table if table[name].nunique() > 1]]


def settings_table(
    results: pd.DataFrame,
    settings: pd.DataFrame,
    *,
    labels: pd.Series | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate every measure, and error beside it, with every setting of the recipes, within sets and over them.

    A measure that goes with the learning rate as closely as with error may be telling nothing else. Seeds of one
    setting are one piece of evidence where ``labels`` says so. Two-sided: sharpness may go either way on shifted sets.

    Args:
        results: Rows of a results table without duplicates.
        settings: Numbers, indexed by sha256; a column per setting.
        labels: Cluster of each checkpoint, indexed by sha256; None takes every checkpoint for one.
        seed: Of random orders.

    Returns:
        Columns ``COLUMNS``: mean within-set Spearman correlation of the measure with the setting, its permutation
        p-value, and the same of error with the setting; every p-value with Holm's adjustment beside it, over sharpness,
        over controls, and over the tests of error.

    Raises:
        UsageError: If no checkpoint of the table is among the settings.

    Source:
        Andriushchenko et al. (2023).

    Example:
        >>> settings_table(pd.DataFrame(columns=["sha256", *WAY]), pd.DataFrame({"lr": []}))
        Traceback (most recent call last):
        sharpscope.errors.UsageError: no checkpoint of the table has settings; they are indexed by sha256
    """
    if not set(results["sha256"]) & set(settings.index):
        raise UsageError("no checkpoint of the table has settings; they are indexed by sha256")
    rows: list[dict[str, Any]] = []
    for way, part in results.groupby(WAY, sort=False, dropna=False):
        value, eer = checkpoints_by_sets(part)
        for name in settings:
            chosen = settings[name].reindex(value.index).to_numpy(float)
            kept = np.isfinite(chosen)
            head = dict(zip(WAY, way, strict=True)) | {"setting": name, "n": int(kept.sum())}
            rows.append(head | _row(value[kept], eer[kept], chosen[kept], labels, seed))
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    found["p_adjusted"] = holm_over(found)[0]
    # Error against a setting is one test, however many measures stand beside it.
    erred = found["p_with_error"].astype(float)
    keys = list(zip(found["setting"], found["n"], erred.fillna(-1.0), strict=True))
    tests = list(dict.fromkeys(keys))
    adjusted = dict(zip(tests, holm([p if p >= 0 else math.nan for *_, p in tests]), strict=True))
    found["p_with_error_adjusted"] = [float(adjusted[key]) for key in keys]
    return found


def _row(
    value: pd.DataFrame, eer: pd.DataFrame, chosen: np.ndarray, labels: pd.Series | None, seed: int
) -> dict[str, Any]:
    """Return both correlations of one measure and setting."""
    if len(value) < 3 or not len(value.columns) or np.ptp(chosen) == 0:
        return {"spearman": math.nan, "p": math.nan, "note": "the setting does not vary"}
    own = None if labels is None else pd.factorize(labels.loc[value.index])[0]
    setting = np.repeat(chosen[:, None], value.shape[1], axis=1)
    measured, erred = (
        joint_test(setting, frame.to_numpy(float), labels=own, seed=seed) for frame in (value, eer)
    )
    return {
        "n": measured.n,
        "spearman": measured.estimate,
        "p": measured.p,
        "spearman_with_error": erred.estimate,
        "p_with_error": erred.p,
        "note": measured.note,
    }
