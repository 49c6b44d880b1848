"""The answer that a report begins with: does sharpness say something here, how sure is that, and what is not said."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.correlation_table import JOINT, per_set, statistic_of
from sharpscope.analysis.rank_correlation import minimum_detectable
from sharpscope.results.measure_facts import falls_with_error, is_control
from sharpscope.results.selection import Variant, same
from sharpscope.results.wording import counted, number, probability

LEVEL = 0.05
FEWEST = 5  # checkpoints below which no order of them is rare enough


class Verdict(NamedTuple):
    """What may be said of one measure.

    Attributes:
        answer: "yes", "no", "reversed" or "unknown".
        headline: One sentence.
        evidence: Sentences with the numbers behind it.
        limits: Sentences on what it does not say.
    """

    answer: str
    headline: str
    evidence: tuple[str, ...]
    limits: tuple[str, ...]


HEADLINES = {
    "yes": "Sharper detectors err more {where}.",
    "control": "Sharper detectors err more {where}, but {control} says as much at no cost.",
    "reversed": "Sharper detectors err less {where}.",
    "no": "Nothing here shows that sharpness tells error.",
    "some": "Over all sets nothing shows that sharpness tells error; in {found} of {tested} sets alone it does.",
    "unknown": "Too little to say whether sharpness tells error.",
}


def verdict(results: pd.DataFrame, statistics: pd.DataFrame, variant: Variant) -> Verdict:
    """Judge one measure by its joint test over sets, or by the adjusted tests of single sets where there is none.

    Args:
        results: Rows of results.csv.
        statistics: The correlation table.
        variant: The measure, radius, m and preset.

    Returns:
        The answer in words with its numbers.
    """
    n = results["sha256"].nunique()
    rows = (
        per_set(statistics)
        if len(statistics)
        else pd.DataFrame(columns=["measure", "rho", "spearman", "p_holm"])
    )
    rows = rows[(rows["measure"] == variant.measure) & same(rows["rho"], variant.rho)]
    for column, value in (("m", variant.m), ("preset", variant.preset)):
        if column in rows:
            rows = rows[same(rows[column], value)]
    joint = statistic_of(statistics, variant, "", scope=JOINT)
    evidence, value, p, where, found = [], math.nan, math.nan, "here", 0
    if joint is not None and math.isfinite(float(joint["spearman"])):
        value, p = float(joint["spearman"]), float(joint.get("p", math.nan))
        evidence.append(_joint_words(joint, variant, len(rows), n))
    elif len(rows):
        strongest = rows.iloc[int(rows["spearman"].astype(float).abs().fillna(-1).to_numpy().argmax())]
        value, p = float(strongest["spearman"]), float(strongest["p_holm"])
        where = f"on {strongest['panel']}"  # one set's answer is not one about all of them
        if math.isfinite(value):
            evidence.append(
                f"Strongest on {strongest['panel']}: Spearman {number(value)} of {variant.named()} with EER"
                + (f", Holm p {probability(p)}." if math.isfinite(p) else ", no p-value.")
            )
    tested = rows[np.isfinite(rows["p_holm"].astype(float))]
    if len(tested):
        found = int((tested["p_holm"] <= LEVEL).sum())
        evidence.append(
            f"In single sets: {found} of {counted(len(tested), 'test')} hold after Holm's correction."
        )
    control, strength = _control(statistics)
    if control:
        evidence.append(f"The best control, {control}, reaches {number(strength)}.")
    answer = _answer(n, value, p)
    beaten = answer == "yes" and bool(control) and strength >= value
    key = "control" if beaten else "some" if answer == "no" and found else answer
    headline = HEADLINES[key].format(control=control, where=where, found=found, tested=len(tested))
    return Verdict(answer, headline, tuple(evidence), tuple(_limits(n, answer)))


def _answer(n: int, value: float, p: float) -> str:
    if n < FEWEST or not math.isfinite(p):
        return "unknown"
    if p > LEVEL:
        return "no"
    return "yes" if value > 0 else "reversed"


def _joint_words(joint: object, variant: Variant, sets: int, n: int) -> str:
    cells = dict(joint)  # type: ignore[call-overload]
    low, high, p = (float(cells.get(name, math.nan)) for name in ("spearman_low", "spearman_high", "p"))
    interval = f" [{number(low)}, {number(high)}]" if math.isfinite(low) and math.isfinite(high) else ""
    chance = f"p {probability(p)}, checkpoints permuted jointly" if math.isfinite(p) else "no p-value"
    return (
        f"Over {counted(sets, 'set')} {variant.named()} has a mean within-set Spearman of "
        f"{number(float(cells['spearman']))}{interval} with EER ({chance}; n = {counted(n, 'checkpoint')})."
    )


def _control(statistics: pd.DataFrame) -> tuple[str, float]:
    """Return the control that goes with error most, in its own direction, and how strongly."""
    if "scope" not in statistics:
        return "", math.nan
    rows = statistics[(statistics["scope"] == JOINT) & statistics["measure"].astype(str).map(is_control)]
    rows = rows[rows["spearman"].notna()]
    if rows.empty:
        return "", math.nan
    signs = np.array([-1.0 if falls_with_error(str(m)) else 1.0 for m in rows["measure"]])
    strength = rows["spearman"].to_numpy(float) * signs
    best = int(strength.argmax())
    return str(rows["measure"].iloc[best]), float(strength[best])


def _limits(n: int, answer: str) -> list[str]:
    limits = [
        "A correlation over checkpoints does not say why they differ, nor what other detectors would do."
    ]
    if n < FEWEST:
        limits.append(f"With {counted(n, 'checkpoint')} no order is rare enough for a p-value below .05.")
    else:
        least = minimum_detectable(n)
        if math.isfinite(least):
            limits.append(
                f"{counted(n, 'checkpoint')} find a correlation of {number(least)} in four studies out of five."
            )
    if answer == "no":
        limits.append("No proof that there is none: a weaker one could hide here.")
    return limits
