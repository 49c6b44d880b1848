"""The card that a report begins with: the three sentences of the verdict, as the summary of `correlate` says them."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from sharpscope.analysis.phrases import plain
from sharpscope.analysis.verdict import judge


class Card(NamedTuple):
    """What the page shows of a verdict.

    Attributes:
        answer: "yes", "no", "reversed" or "unknown".
        headline: Whether sharpness says something, one sentence.
        evidence: How sure that is, by which test.
        limits: What may not be claimed.
    """

    answer: str
    headline: str
    evidence: tuple[str, ...]
    limits: tuple[str, ...]


def verdict(results: pd.DataFrame, statistics: pd.DataFrame, answers: pd.DataFrame) -> Card:
    """Judge a study from its tables; nothing is decided here.

    Args:
        results: Rows of results.csv.
        statistics: The correlation table.
        answers: The table of questions; empty where there is none.

    Returns:
        The sentences.

    Example:
        >>> one = pd.DataFrame({"sha256": ["a"]})
        >>> verdict(one, pd.DataFrame(), pd.DataFrame()).headline
        'Nothing can be tested with 1 checkpoint.'
    """
    found = judge(statistics, answers, results)
    return Card(found.answer, plain(found.says), (plain(found.sure),), (plain(found.not_claimed),))
