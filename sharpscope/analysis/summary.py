"""What a correlation table does and does not support, in plain words with its numbers."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from sharpscope.analysis.rank_correlation import FEWEST, minimum_detectable
from sharpscope.results.measure_facts import facts_of, is_control

FEW = 10


def _way(row: pd.Series) -> str:
    """Name a way of measuring as a reader needs it: measure, radius, size of groups and preset."""
    name = str(row["measure"]) if math.isnan(row["rho"]) else f"{row['measure']} (rho {row['rho']:g})"
    m = "" if math.isnan(row["m"]) else f", m = {row['m']:.0f}"
    return f"{name}{m}, {row['preset']}" if row["preset"] else f"{name}{m}"


def _number(value: float) -> str:
    return "--" if math.isnan(value) else f"{value:.2f}"


def _p(value: float) -> str:
    return "--" if math.isnan(value) else f"{value:.2g}"


def _interval(low: float, high: float) -> str:
    """Return an interval behind a number, or nothing where there is none."""
    return "" if math.isnan(low) or math.isnan(high) else f" [{low:.2f}, {high:.2f}]"


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


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _best(rows: pd.DataFrame) -> pd.Series | None:
    finite = rows[rows["spearman"].notna()]
    return None if finite.empty else finite.iloc[int(finite["spearman"].abs().to_numpy().argmax())]


def _direction(spearman: float) -> str:
    return "sharper checkpoints made more errors" if spearman > 0 else "sharper checkpoints made fewer errors"


def summarise(
    table: pd.DataFrame, results: pd.DataFrame, warnings: Sequence[str], choice: str = "", splits: int = 1
) -> str:
    """Return the paragraphs of a summary.

    Args:
        table: Of a `Correlation`.
        results: The rows that were correlated.
        warnings: Lines to repeat.
        choice: What was fixed beforehand, in words; "" where nothing was.
        splits: Random halves of each set.

    Returns:
        Markdown.
    """
    n, k = results["sha256"].nunique(), results[["set", "subset"]].drop_duplicates().shape[0]
    family = table[(table["scope"] == "set") & table["p"].notna()]
    title = f"# Sharpness and equal error rate: {_counted(n, 'checkpoint')}, {_counted(k, 'set')}"
    paragraphs = [title, _evidence(table), _per_set(family, n)]
    joint = table[table["scope"] == "mean_within"]
    if len(joint):
        paragraphs.append(_over_sets(joint, choice))
    paragraphs.append(_limits(results, n, len(family)))
    if warnings:
        paragraphs.append("\n".join(f"- Warning: {line}." for line in warnings))
    paragraphs.append(_methods(table, n, k, len(family), splits))
    return plain("\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n")


def _evidence(table: pd.DataFrame) -> str:
    """Say where the two sides of each correlation come from, which decides what may be claimed."""
    rows = table[table["scope"] == "set"]
    cross = rows["evidence"] == "cross-half"
    if not len(rows):
        return ""
    if not cross.any():
        return (
            "**Only same-trials correlations can be given**: sharpness and error rate come from the same trials, whose "
            "noise moves both, so detectors that are equal in truth correlate too (in 70 % of studies with 12). They "
            "describe these trials and must not be cited as evidence that sharpness tells of error. Keep the folders "
            "`scores` and `groups` that `measure` writes beside the table, four groups a set or more, and correlate "
            "again."
        )
    shared = rows.loc[cross, "shared_noise"].dropna()
    words = (
        "Sharpness comes from one half of a set's groups, the error rate from the trials outside of it, so that no "
        "trial is in both."
    )
    if len(shared) and (higher := float(shared.median())) > 0:
        words += (
            f" From the same trials the correlations would be higher by {higher:.2f} (median): that part is noise that "
            "both share."
        )
    if not cross.all():
        words += f" {int((~cross).sum())} of {len(rows)} correlations lack the records; those are of the same trials."
    return words


def _per_set(family: pd.DataFrame, n: int) -> str:
    if family.empty:
        return (
            "No p-value can be given: no set has five checkpoints with different values, and with fewer no order "
            "of them is rarer than 5 %. The coefficients below describe these checkpoints and nothing else."
        )
    control = family["measure"].map(is_control)
    counts = []
    for what, rows in (("Sharpness", family[~control]), ("Controls", family[control])):
        if len(rows):
            kept = int((rows["p_holm"] <= 0.05).sum())
            counts.append(
                f"{what}: {kept} of {len(rows)} correlations within a set hold after Holm's correction"
            )
    lines = [f"{'. '.join(counts)} (each over its own tests)."]
    strongest = _best(family[~control])
    if strongest is not None:
        lines.append(
            f"The strongest of sharpness is {_way(strongest)} on {strongest['set']}: Spearman "
            f"{_number(strongest['spearman'])}{_interval(strongest['spearman_low'], strongest['spearman_high'])}, "
            f"p = {_p(strongest['p'])}, p_Holm = {_p(strongest['p_holm'])}, "
            f"n = {strongest['n']:.0f}: {_direction(strongest['spearman'])}."
        )
    return " ".join(lines)


def _over_sets(joint: pd.DataFrame, choice: str) -> str:
    control = joint["measure"].map(is_control)
    best, rival = _best(joint[~control]), _best(joint[control])
    lines = []
    if best is not None:
        ways = int((~control).sum())
        level = (
            f"p = {_p(best['p'])}, fixed beforehand: {choice}"
            if choice
            else f"p = {_p(best['p_headline'])}, adjusted for being the largest of {_counted(ways, 'way')}"
        )
        if math.isnan(best["p"]):
            level = f"no p-value with {best['n']:.0f} checkpoints"
        lines.append(
            f"Over all sets, {_way(best)} has a mean within-set Spearman of {_number(best['spearman'])} "
            f"({level}; {best['note']}): {_direction(best['spearman'])}."
        )
    if best is not None and rival is not None:
        verdict = (
            "it correlates as strongly; whether sharpness adds to it is asked below"
            if abs(rival["spearman"]) >= abs(best["spearman"])
            else "less strongly; whether by more than chance is asked below"
        )
        same = facts_of(str(rival["measure"])).same_as
        kin = f" (to first order the same quantity as {same}, not a rival)" if same else ""
        lines.append(f"The best control, {_way(rival)}{kin}, has {_number(rival['spearman'])}: {verdict}.")
    return " ".join(lines)


def _limits(results: pd.DataFrame, n: int, tests: int) -> str:
    lines = ["What may not be concluded: a correlation over checkpoints does not say why they differ."]
    if results["arch"].nunique() > 1 or results["recipe"].nunique() > 1:
        lines.append(
            f"The checkpoints come from {_counted(results['arch'].nunique(), 'architecture')} and "
            f"{_counted(results['recipe'].nunique(), 'recipe')}; a difference between those moves sharpness and EER "
            "alike, so run `--by arch` or `--by recipe` before believing that sharpness itself matters."
        )
    if n < FEWEST:
        lines.append(f"With {_counted(n, 'checkpoint')} no test can find anything: five are the fewest.")
    elif n < FEW:
        lines.append(
            f"With {n} checkpoints this is an illustration: fewer than {FEW} can only find correlations that are "
            "nearly perfect."
        )
    else:
        least = minimum_detectable(n)
        words = f"One test at 5 % over {n} checkpoints finds a correlation of {least:.2f} in four studies"
        more = (
            f"; after Holm's correction over {tests} it takes {minimum_detectable(n, alpha=0.05 / tests):.2f}"
        )
        lines.append(f"{words} out of five{more if tests > 1 else ''}.")
    return " ".join(lines)


def _methods(table: pd.DataFrame, n: int, k: int, tests: int, splits: int) -> str:
    if not tests:
        return ""
    cross = (table["evidence"] == "cross-half").any()
    many = (
        f"; over {splits} splits the median correlation and twice the median p are given (Meinshausen et al. 2009)"
        if splits > 1
        else ""
    )
    how = (
        "sharpness was taken from a random half of each set's groups and the equal error rate from the other trials"
        + many
        if cross
        else "sharpness and equal error rate were taken from the same trials"
    )
    return (
        "For a methods section: *Spearman's rank correlation between each measure and the equal error rate was "
        f"computed over {n} checkpoints within each of {k} sets; {how}; p-values come from permuting checkpoints (all "
        "orders for n <= 9, 9,999 random ones beyond, Phipson and Smyth 2010) and were adjusted by Holm's procedure "
        f"over the tests of sharpness and, apart, of controls ({tests} in all); intervals follow Bonett and Wright "
        "(2000). Over sets, within-set correlations were averaged and checkpoints permuted jointly; the largest mean "
        "was tested as the largest of all (Westfall and Young 1993).*"
    )


def trust(answers: pd.DataFrame) -> str:
    """Say what the answers mean for the measure that goes best with EER.

    Args:
        answers: Of `questions.ask`.

    Returns:
        A paragraph of Markdown; empty without answers.
    """
    whole = answers[answers["question"] == "leave_one_checkpoint_out"]
    sharp = whole[~whole["measure"].map(is_control)]
    if sharp.empty or sharp["estimate"].isna().all():
        return ""
    best = sharp.iloc[int(np.nanargmax(sharp["estimate"].abs().to_numpy()))]
    same = (answers[["measure", "preset"]] == best[["measure", "preset"]]).all(axis=1)
    for column in ("rho", "m"):
        same &= (answers[column] == best[column]) | (answers[column].isna() & pd.isna(best[column]))
    own = answers[same]
    name = str(best["measure"]) if pd.isna(best["rho"]) else f"{best['measure']} (rho {best['rho']:g})"
    return plain(" ".join([f"How far {name} can be trusted:", *_sentences(own)]))


BOUNDS = {
    "split halves": "so much noise lets no correlation above {estimate:.2f} through, on average over sets.",
    "intervals": "were the errors of the EERs independent between checkpoints (on the same trials they are less than "
    "that), noise would not let a correlation above {estimate:.2f} through.",
}
# Where the bound is 0.
NO_BOUND = {
    "split halves": "so much noise lets no correlation through.",
    "intervals": "the intervals of the EERs are wider than checkpoints lie apart (on the same trials their errors are "
    "smaller than that).",
}


def _sentences(own: pd.DataFrame) -> Iterator[str]:
    # Halves of the same trials tell what intervals cannot: how much of the noise checkpoints share.
    halved = "split halves" if (own["given"] == "split halves").any() else "intervals"
    said = {
        "leave_one_checkpoint_out": "its mean correlation is {estimate:.2f}, and {low:.2f} to {high:.2f} when any one "
        "checkpoint is left out;",
        "leave_one_architecture_out": "{low:.2f} to {high:.2f} when any one architecture is left out;",
        "lowest_set": "lowest on {set} ({estimate:.2f});",
        "seeds_as_one": "with the seeds of a recipe as one, {estimate:.2f} (p = {p:.2g}, {n:.0f} recipes);",
        "partial": "given {given}, {estimate:.2f} is left ({note});",
        "shift": "within a checkpoint it goes with EER over sets by {estimate:.2f} (p = {p:.2g}, {n:.0f} corpora);",
        "split_half": "the reliability of the {given} is {estimate:.2f} (Spearman and Brown's for the whole set; "
        "{low:.2f} to {high:.2f} over sets);",
        "attenuation_bound": BOUNDS[halved],
    }
    for row in itertools.chain.from_iterable(
        own[own["question"] == question].to_dict("records") for question in said
    ):
        bound = row["question"] == "attenuation_bound"
        if row["estimate"] != row["estimate"] or (bound and row["given"] != halved):
            continue
        sentence = NO_BOUND[halved] if bound and row["estimate"] < 0.005 else said[str(row["question"])]
        yield sentence.format(**{str(key): value for key, value in row.items()})
