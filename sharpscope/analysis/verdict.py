"""The verdict of a study in three sentences: does sharpness say something, how sure, what may not be claimed.

One source: the summary on the screen, summary.md and the card of a report say these sentences, made from the
correlation table and the table of questions. A claim needs every test that the checkpoints call for: the one of record,
the one with clusters as one piece of evidence where recipes repeat, and the one inside architectures where there are
several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.phrases import direction, interval, joined, number, p_words, way_words
from sharpscope.analysis.rank_correlation import FEWEST, TWO_SIDED, minimum_detectable
from sharpscope.analysis.way_cells import CROSS_HALF
from sharpscope.results.comparable import PLACE, WAY, differences, same_way
from sharpscope.results.measure_facts import facts_of, falls_with_error, is_control
from sharpscope.results.wording import capital, counted

LEVEL = 0.05
YES, NO, REVERSED, UNKNOWN = "yes", "no", "reversed", "unknown"
# Columns that the verdict reads; a table of an earlier version may lack some.
_NUMBERS = (
    *("rho", "m", "n", "n_runs", "spearman", "spearman_low", "spearman_high", "p", "p_holm"),
    *("p_max_t", "p_headline", "spearman_same_trials", "p_same_trials", "given_loss", "p_given_loss"),
)
_WORDS = (
    "scope",
    "set",
    "subset",
    "measure",
    "preset",
    "note",
    "evidence",
    "adjusted_by",
    "alternative",
    "fixed",
)


class Verdict(NamedTuple):
    """What may be said of a study.

    Attributes:
        answer: "yes" (sharper, more errors), "reversed", "no" or "unknown".
        says: Whether sharpness says something here, one sentence.
        sure: How sure that is, by which test, one sentence.
        not_claimed: What may not be claimed, one sentence.
        way: Measure, rho, m and preset that it is about; empty where there is none.
        stops: Whether there are so few checkpoints that nothing else is worth saying.
    """

    answer: str
    says: str
    sure: str
    not_claimed: str
    way: dict[str, Any]
    stops: bool = False

    def __str__(self) -> str:
        return f"{self.says} {self.sure} {self.not_claimed}"


class _Check(NamedTuple):
    """A test that a claim needs beside the one of record: "holds", "fails" or "cannot", and its words."""

    what: str
    state: str
    words: str


def judge(table: pd.DataFrame, answers: pd.DataFrame, results: pd.DataFrame) -> Verdict:
    """Judge a study by the facts that its tables hold.

    Args:
        table: The correlation table.
        answers: The table of questions; empty where there is none.
        results: The rows that were correlated.

    Returns:
        The verdict.

    Example:
        >>> judge(pd.DataFrame(), pd.DataFrame(), pd.DataFrame({"sha256": ["a"]})).says
        'Nothing can be tested with 1 checkpoint.'
    """
    table, results = _complete(table), _asked_about(results, table)
    sharp = table[
        ~table["measure"].map(is_control).astype(bool) & table["scope"].isin(["set", "mean_within"])
    ]
    n = results["sha256"].nunique() if len(results) else 0
    pieces = sharp["n_runs"].fillna(sharp["n"]).max() if len(sharp) else math.nan
    pieces = n if math.isnan(pieces) else min(n, int(pieces))
    if n < FEWEST or (len(sharp) and pieces < FEWEST):
        return _too_few(n, pieces if len(sharp) else n)
    if sharp.empty:
        return _nothing("The table holds controls only, and no sharpness to ask about.")
    head = _headline(sharp)
    if head is None:
        return _nothing(
            "Nothing can be tested: on every set sharpness or error rate is the same for all checkpoints."
        )
    way = {name: head[name] for name in WAY}
    if head["evidence"] != CROSS_HALF:
        return _same_trials(head, way)
    p, by = _adjusted(head)
    if math.isnan(p):
        return _untestable(head, way)
    limits = _limits(table, results, head, way)
    checks = _checks(answers, head, way)
    if p > LEVEL:
        return _not_shown(sharp, head, way, p, by, checks, limits)
    return _shown(head, way, p, by, checks, limits)


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    columns = [*_WORDS, *_NUMBERS]
    table = table.reindex(columns=columns)
    table[list(_NUMBERS)] = table[list(_NUMBERS)].astype(float)
    table[list(_WORDS)] = table[list(_WORDS)].astype(object).fillna("")
    return table


def _asked_about(results: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the sets and ways that the correlation table speaks of."""
    keys = [*PLACE, *WAY]
    if table.empty or not set(keys) <= set(results):
        return results
    told = table.loc[table["scope"] == "set", keys].drop_duplicates()
    wanted = pd.MultiIndex.from_frame(told.fillna({"rho": -1.0, "m": -1.0}))
    found = pd.MultiIndex.from_frame(results[keys].fillna({"rho": -1.0, "m": -1.0}))
    return results[found.isin(wanted)]


def _headline(sharp: pd.DataFrame) -> Mapping[str, Any] | None:
    """Return the row that speaks: the largest mean over sets; without one, the most certain set."""
    known = sharp[sharp["spearman"].notna()]
    joint = known[known["scope"] == "mean_within"]
    rows = joint if len(joint) else known
    if rows.empty:
        return None
    if (rows["evidence"] == CROSS_HALF).any():
        rows = rows[rows["evidence"] == CROSS_HALF]
    order = -rows["spearman"].abs()
    if not len(joint):
        order = rows["p_holm"].fillna(2) + order / 1e6
    return {str(key): cell for key, cell in rows.iloc[int(order.to_numpy(float).argmin())].items()}


def _adjusted(head: Mapping[str, Any]) -> tuple[float, str]:
    """Return the p-value of the headline, adjusted for what it was chosen from, and by what."""
    if head["scope"] == "mean_within":
        known = not math.isnan(head["p_headline"])
        return (head["p_headline"], head["adjusted_by"]) if known else (head["p"], "one test")
    if not math.isnan(head["p_max_t"]) and head["alternative"] in ("", TWO_SIDED):
        return head["p_max_t"], "max-T over all sets and ways" if head[
            "adjusted_by"
        ] != "one test" else "one test"
    return head["p_holm"], head["adjusted_by"] or "Holm over all sets and ways"


def _n(head: Mapping[str, Any]) -> int:
    return int(head["n"] if math.isnan(head["n_runs"]) else head["n_runs"])


def _what(head: Mapping[str, Any]) -> str:
    """Name the headline with its number: "sam ... has a mean within-set Spearman of 0.71 [...]"."""
    ends = interval(head["spearman_low"], head["spearman_high"])
    if head["scope"] == "mean_within":
        return f"{way_words(head)} has a mean within-set Spearman of {number(head['spearman'])}{ends}"
    where = f"{head['set']}@{head['subset']}" if head["subset"] else head["set"]
    return f"{way_words(head)} has a Spearman of {number(head['spearman'])}{ends} on {where}"


def _test(head: Mapping[str, Any], p: float, by: str) -> str:
    """Name the test of record with its p-value."""
    over = " in all sets at once" if head["scope"] == "mean_within" else ""
    side = "" if head["alternative"] in ("", TWO_SIDED) else f", one-sided ({head['alternative']})"
    cost = "" if by in ("one test", "fixed beforehand", "") else f", adjusted by {by}"
    fixed = f", fixed beforehand: {head['fixed']}" if head["fixed"] else ""
    units = counted(_n(head), "checkpoint") if _n(head) == head["n"] else f"{_n(head)} runs"
    alike = (
        ", each only with those that have numbers on the same sets" if "lack numbers" in head["note"] else ""
    )
    how = f"permuting {units}{over}{alike}{side}{cost}{fixed}"
    return f"{p_words(p)} ({how}; no trial is in both sharpness and error rate)"


def _too_few(n: int, pieces: int) -> Verdict:
    are = (
        f"{counted(n, 'checkpoint')}, which are {counted(pieces, 'run')}"
        if pieces < n
        else counted(n, "checkpoint")
    )
    return Verdict(
        UNKNOWN,
        f"Nothing can be tested with {are}.",
        f"With fewer than {FEWEST} no order of them is rarer than 5 %, so there is no p-value.",
        "Nothing may be claimed: a coefficient of so few describes these checkpoints only.",
        {},
        stops=True,
    )


def _nothing(says: str) -> Verdict:
    return Verdict(UNKNOWN, says, "There is no p-value.", "Nothing may be claimed about sharpness.", {})


def _same_trials(head: Mapping[str, Any], way: dict[str, Any]) -> Verdict:
    return Verdict(
        UNKNOWN,
        "Nothing can be claimed: sharpness and error rate were taken from the same trials, whose noise moves both.",
        f"There {_what(head)}, but detectors that are equal in truth correlate too (at 5 % in 70 % of studies with "
        f"12), so its {p_words(head['p'])} is no measure of certainty.",
        "It may not be claimed that sharpness goes with error; keep the folders scores and groups that `measure` "
        "writes beside the table, with four groups a set or more, and correlate again.",
        way,
    )


def _untestable(head: Mapping[str, Any], way: dict[str, Any]) -> Verdict:
    return Verdict(
        UNKNOWN,
        "Nothing can be tested: too few checkpoints have numbers on the same sets.",
        f"Described only: {_what(head)}, without a p-value ({head['note']}).",
        "It may not be claimed that sharpness goes with error; measure the checkpoints on the sets that they lack.",
        way,
    )


def _not_shown(
    sharp: pd.DataFrame,
    head: Mapping[str, Any],
    way: dict[str, Any],
    p: float,
    by: str,
    checks: list[_Check],
    limits: list[str],
) -> Verdict:
    alone = sharp[(sharp["scope"] == "set") & sharp["p_holm"].notna()]
    held = int((alone["p_holm"] <= LEVEL).sum())
    largest = "" if by in ("one test", "fixed beforehand") else "the largest correlation, "
    sets = "Over all sets nothing" if head["scope"] == "mean_within" and held else "Nothing here"
    single = f"; in single sets {held} of {len(alone)} tests hold after Holm's correction" if held else ""
    least = minimum_detectable(_n(head))
    power = (
        "" if math.isnan(least) else f"; one test at 5 % would find {least:.2f} in four studies out of five"
    )
    return Verdict(
        NO,
        f"{sets} shows that sharpness goes with error: {largest}{_what(head)}.",
        f"How sure: {_test(head, p, by)}{_further(checks)}{single}{power}.",
        f"It may not be claimed that there is no relation, for a weaker one could hide here, nor "
        f"{joined(limits, 'or')}.",
        way,
    )


def _shown(
    head: Mapping[str, Any], way: dict[str, Any], p: float, by: str, checks: list[_Check], limits: list[str]
) -> Verdict:
    missing = [check for check in checks if check.state != "holds"]
    sure = f"How sure: {_test(head, p, by)}{_further(checks)}."
    claim = capital(direction(head["spearman"]))
    if missing:
        whose = joined([check.what for check in missing])
        failed = any(check.state == "fails" for check in missing)
        inside = "is not shown inside them" if failed else "too few checkpoints inside them can test"
        return Verdict(
            UNKNOWN,
            f"{claim}, but {whose} may be why: {_what(head)}, which {inside}.",
            sure,
            f"It may not be claimed that sharpness itself goes with error, nor {joined(limits, 'or')}.",
            way,
        )
    answer = YES if head["spearman"] > 0 else REVERSED
    return Verdict(
        answer, f"{claim}: {_what(head)}.", sure, f"It may not be claimed {joined(limits, 'or')}.", way
    )


def _further(checks: list[_Check]) -> str:
    return "".join(f"; {check.words}" for check in checks)


def _checks(answers: pd.DataFrame, head: Mapping[str, Any], way: dict[str, Any]) -> list[_Check]:
    """Return the further tests that a claim needs, each with its state."""
    if answers.empty:
        return []
    own = answers[same_way(answers, way)]
    found = []
    for row in own[own["question"] == "clusters_as_one"].to_dict("records"):
        if row["given"] == "recipes" and row["n"] >= _n(head):
            continue  # no recipe has several runs
        whole = row["given"] == "recipes"
        words = (
            f"with the seeds of {row['n']:.0f} recipes as one"
            if whole
            else "with runs exchanged inside recipes only"
        )
        found.append(_check("recipes", words, row, head["spearman"]))
    for row in own[own["question"] == "within_arch"].to_dict("records"):
        if row["n"] > 0:
            found.append(_check("architectures", "inside architectures", row, head["spearman"]))
    return found


def _check(what: str, words: str, row: Mapping[Any, Any], whole: float) -> _Check:
    p = float(row.get("p_adjusted", math.nan))
    p = float(row["p"]) if math.isnan(p) else p
    estimate = float(row["estimate"])
    if math.isnan(p):
        return _Check(what, "cannot", f"{words} too few orders for a test")
    same = estimate * whole > 0
    state = "holds" if p <= LEVEL and same else "fails"
    return _Check(what, state, f"{words} {number(estimate)}, {p_words(p)}")


def _limits(
    table: pd.DataFrame, results: pd.DataFrame, head: Mapping[str, Any], way: dict[str, Any]
) -> list[str]:
    """Return what may not be claimed whatever the test says, in clauses that begin with "that"."""
    limits = ["that sharpness causes errors"]
    rival = best_control(table, head["scope"], head)
    if rival is not None and not (rival["measure"] == "loss" and _adds(table, head)):
        limits.append(f"that it tells more than {rival['measure']} ({number(rival['spearman'])})")
    limits.append("that other detectors or sets would show the same")
    if differences(results):
        limits.append("that the detectors differ rather than how they were measured")
    return limits


def _adds(table: pd.DataFrame, head: Mapping[str, Any]) -> bool:
    """Tell whether a test shows that the headline's measure says more than the loss, whatever way was chosen."""
    ways = (table["scope"] == head["scope"]) & table["p_given_loss"].notna()
    same_sign = head["given_loss"] * head["spearman"] > 0
    return bool(same_sign and head["p_given_loss"] * max(1, int(ways.sum())) <= LEVEL)


def best_control(table: pd.DataFrame, scope: str, head: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the row of the control that goes most with error, in its own direction, where the headline is about.

    Args:
        table: The correlation table.
        scope: "mean_within" or "set".
        head: The row of the headline, whose set and preset count.

    Returns:
        The row; None without a control that is no first-order copy of a sharpness.
    """
    rows = table[(table["scope"] == scope) & table["measure"].map(is_control).astype(bool)]
    rows = rows[rows["spearman"].notna() & (rows["set"] == head["set"]) & (rows["subset"] == head["subset"])]
    rows = rows[(rows["preset"] == head["preset"]) & ~rows["measure"].map(_has_twin).astype(bool)]
    if rows.empty:
        return None
    signs = np.array([-1.0 if falls_with_error(str(name)) else 1.0 for name in rows["measure"]])
    best = int((rows["spearman"].to_numpy(float) * signs).argmax())
    return {str(key): cell for key, cell in rows.iloc[best].items()}


def _has_twin(measure: object) -> bool:
    """Tell whether a control is to first order the same quantity as a sharpness, and so no rival of it."""
    return bool(facts_of(str(measure)).same_as)
