"""Pieces of sentences about correlations: ways of measuring, probabilities, intervals, directions, lists."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


def way_words(row: Mapping[Any, Any]) -> str:
    """Name a way of measuring as a reader needs it: measure, radius, size of groups and preset.

    Args:
        row: Has measure, rho, m and preset.

    Returns:
        Words.

    Example:
        >>> way_words({"measure": "sam", "rho": 0.05, "m": 32.0, "preset": "rigorous"})
        'sam (rho 0.05), m = 32, rigorous'
    """
    name = str(row["measure"]) if math.isnan(row["rho"]) else f"{row['measure']} (rho {row['rho']:g})"
    m = "" if math.isnan(row["m"]) else f", m = {row['m']:.0f}"
    return f"{name}{m}, {row['preset']}" if row["preset"] else f"{name}{m}"


def number(value: float) -> str:
    """Return a correlation with two digits; "--" for NaN.

    Args:
        value: The correlation.

    Returns:
        Text without the sign of a zero.

    Example:
        >>> number(-0.7182), number(-0.001), number(float("nan"))
        ('-0.72', '0.00', '--')
    """
    return "--" if math.isnan(value) else plain(f"{value:.2f}")


def p_words(value: float) -> str:
    """Return "p = 0.02" for a p-value, "no p-value" for none.

    Args:
        value: The p-value.

    Returns:
        Words.

    Example:
        >>> p_words(0.0213), p_words(float("nan"))
        ('p = 0.021', 'no p-value')
    """
    return "no p-value" if math.isnan(value) else f"p = {value:.2g}"


def interval(low: float, high: float) -> str:
    """Return an interval behind a number, or nothing where there is none.

    Args:
        low: Lower end.
        high: Upper end.

    Returns:
        Text that begins with a blank, or "".

    Example:
        >>> interval(0.1, 0.9), interval(float("nan"), 0.9)
        (' [0.10, 0.90]', '')
    """
    return "" if math.isnan(low) or math.isnan(high) else f" [{number(low)}, {number(high)}]"


def direction(spearman: float) -> str:
    """Say what a correlation of sharpness with error means.

    Args:
        spearman: The correlation.

    Returns:
        A clause.

    Example:
        >>> direction(-0.94)
        'sharper checkpoints made fewer errors'
    """
    return "sharper checkpoints made more errors" if spearman > 0 else "sharper checkpoints made fewer errors"


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Join parts of a sentence.

    Args:
        parts: At least one.
        last: Word before the last.

    Returns:
        Text.

    Example:
        >>> joined(["a", "b", "c"], "or"), joined(["a"])
        ('a, b or c', 'a')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def plain(text: str) -> str:
    """Return a text without what its numbers cannot say: p-values that are not there, and a zero with a sign.

    Args:
        text: Formatted sentences.

    Returns:
        The same sentences.

    Example:
        >>> plain("given loss, -0.00 is left (p = nan); -0.004 (p = nan, 3 recipes)")
        'given loss, 0.00 is left; -0.004 (3 recipes)'
    """
    return re.sub(r"-(0\.0+)(?!\d)", r"\1", text.replace(" (p = nan)", "").replace("p = nan, ", ""))
