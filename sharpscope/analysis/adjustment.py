"""Adjusted p-values: every one that stands beside others is given what having tested the others costs.

Sharpness and controls are families of their own: reporting a control does not make the answer about sharpness harder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from sharpscope.results.measure_facts import is_control


def families(table: pd.DataFrame, within: pd.Series | None = None) -> Iterable[pd.Series]:
    """Yield which rows with a p-value are tested together: sharpness and, apart, controls.

    Args:
        table: Columns measure and p.
        within: A label per row that parts families further, such as the question; None takes one.

    Yields:
        One truth value a row.
    """
    tested = table["p"].notna()
    control = table["measure"].astype(str).map(is_control).astype(bool)
    labels = pd.Series("", index=table.index) if within is None else within.astype(str)
    for label in dict.fromkeys(labels[tested]):
        for family in (tested & ~control & (labels == label), tested & control & (labels == label)):
            if family.any():
                yield family


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust p-values of one family by Holm's step-down rule; NaN is not a test and stays NaN.

    Args:
        p: P-values.

    Returns:
        Adjusted ones, in the same order.

    Source:
        Holm (1979).

    Example:
        >>> holm([0.01, float("nan"), 0.04, 0.03]).round(3).tolist()  # R: p.adjust(c(.01, .04, .03), "holm")
        [0.03, nan, 0.06, 0.06]
    """
    # Here and not by statsmodels, which collects garbage in every call: a tenth of a second, a dozen times a table.
    adjusted = np.array(p, dtype=float)
    tested = np.flatnonzero(np.isfinite(adjusted))
    order = tested[np.argsort(adjusted[tested], kind="stable")]
    steps = np.maximum.accumulate(adjusted[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def holm_over(table: pd.DataFrame, within: pd.Series | None = None) -> tuple[np.ndarray, list[str]]:
    """Return Holm's adjusted p-value of every row over its family, and what it was adjusted by.

    Args:
        table: Columns measure and p.
        within: As in `families`.

    Returns:
        P-values, NaN without one, and words.

    Example:
        >>> table = pd.DataFrame({"measure": ["sam", "asam", "loss"], "p": [0.02, 0.03, 0.04]})
        >>> [part if isinstance(part, list) else part.tolist() for part in holm_over(table)]
        [[0.04, 0.04, 0.04], ['Holm over 2 tests', 'Holm over 2 tests', 'one test']]
    """
    adjusted = np.full(len(table), np.nan)
    words: np.ndarray = np.full(len(table), "", dtype=object)
    for family in families(table, within):
        rows = family.to_numpy(bool)
        adjusted[rows] = holm(table.loc[family, "p"].to_numpy(float))
        words[rows] = "one test" if rows.sum() == 1 else f"Holm over {rows.sum()} tests"
    return adjusted, words.tolist()


def adjust_sets(table: pd.DataFrame) -> None:
    """Adjust the p-values of single sets, and of strata of single sets, over their families.

    Args:
        table: Columns ``scope, measure, p``; ``p_adjusted, adjusted_by`` are filled in where the scope is "set" or
            begins with "within", ``p_holm, q_bh`` where it is "set".
    """
    from statsmodels.stats.multitest import multipletests

    single = table["scope"].eq("set") | table["scope"].str.startswith("within")
    part = table[single]
    if part.empty:
        return
    adjusted, words = holm_over(part, part["scope"])
    table.loc[single, "p_adjusted"] = adjusted
    table.loc[table["scope"] == "set", "p_holm"] = adjusted[(part["scope"] == "set").to_numpy(bool)]
    table.loc[single, "adjusted_by"] = words
    for family in families(part[part["scope"] == "set"]):
        rows = family.index[family]
        table.loc[rows, "q_bh"] = multipletests(table.loc[rows, "p"].to_numpy(float), method="fdr_bh")[1]
