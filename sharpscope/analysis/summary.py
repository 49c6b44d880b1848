"""What a correlation table does and does not support: the verdict, then a short paragraph a question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis.given_loss import adds_to_loss
from sharpscope.analysis.phrases import direction, interval, joined, number, p_words, plain, way_words
from sharpscope.analysis.rank_correlation import minimum_detectable
from sharpscope.analysis.trust import trust
from sharpscope.analysis.verdict import LEVEL, Verdict, best_control
from sharpscope.analysis.way_cells import CROSS_HALF
from sharpscope.results.comparable import same_way
from sharpscope.results.measure_facts import facts_of, is_control
from sharpscope.results.measured_rates import SWAPPED
from sharpscope.results.wording import counted

# Rows of the table of numbers; the whole stands in correlations.csv.
MOST_ROWS = 14


def summarise(
    verdict: Verdict,
    table: pd.DataFrame,
    results: pd.DataFrame,
    *,
    answers: pd.DataFrame,
    comparisons: pd.DataFrame,
    transfer: str = "",
    warnings: Sequence[str] = (),
    splits: int = 1,
) -> str:
    """Put the answer into words: three sentences, the numbers, and a short paragraph a question.

    Args:
        verdict: Of `judge`; where it stops, nothing follows it but warnings.
        table: The correlation table.
        results: The rows that were correlated.
        answers: The table of questions.
        comparisons: Every pair of measures.
        transfer: What sharpness on one set tells of others, in words.
        warnings: Lines to repeat.
        splits: Random halves of each set.

    Returns:
        Markdown.
    """
    n, k = results["sha256"].nunique(), results[["set", "subset"]].drop_duplicates().shape[0]
    parts = [
        f"# Sharpness and equal error rate: {counted(n, 'checkpoint')}, {counted(k, 'set')}",
        f"**Verdict.** {verdict}",
    ]
    if not verdict.stops:
        questions = (
            ("The numbers", _numbers(verdict, table)),
            ("Which trials?", _evidence(table)),
            ("Set by set", _per_set(table)),
            ("Numbers that are missing", _missing(table)),
            ("A new set", _new_set(verdict, answers)),
            ("What costs nothing", _controls(verdict, table) + _which(comparisons)),
            ("Given the loss", _given_loss(verdict, table)),
            ("Runs, recipes, architectures", _clusters(verdict, answers, results)),
            ("Does it hang on something else?", trust(answers[~_of_loss(answers)], verdict.way)),
            ("Before there are labels", transfer),
            ("How many checkpoints?", _power(table, n)),
        )
        parts += [f"## {heading}\n\n{text.strip()}" for heading, text in questions if text.strip()]
    if warnings:
        parts.append("## Warnings\n\n" + "\n".join(f"- {line}." for line in warnings))
    if not verdict.stops:
        parts.append(_methods(table, n, k, splits))
    return plain("\n\n".join(part for part in parts if part) + "\n")


def _of_loss(answers: pd.DataFrame) -> pd.Series:
    """Tell which answers are given the loss, of which a paragraph of its own speaks."""
    return (answers["question"] == "partial") & (answers["given"] == "loss")


def _sharp(table: pd.DataFrame) -> pd.Series:
    return ~table["measure"].map(is_control).astype(bool)


def _numbers(verdict: Verdict, table: pd.DataFrame) -> str:
    """Return the rows that the verdict is about, and the best control's, as a table."""
    if not verdict.way:
        return ""
    shown = table[table["scope"].isin(["set", "mean_within"])]
    own = shown[same_way(shown, verdict.way)]
    rows = [own[own["scope"] == "mean_within"], own[own["scope"] == "set"]]
    head = {"set": "all sets", "subset": "", "preset": verdict.way["preset"]}
    if (rival := best_control(table, "mean_within", head)) is not None:
        rows.insert(1, shown[(shown["scope"] == "mean_within") & same_way(shown, rival)])
    lines = [
        "| set | measure | n | Spearman [95 %] | p | adjusted | from the same trials |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in pd.concat(rows).head(MOST_ROWS).to_dict("records"):
        name = f"{row['set']}@{row['subset']}" if row["subset"] else row["set"]
        n = row["n"] if math.isnan(row["n_runs"]) else row["n_runs"]
        ends = interval(row["spearman_low"], row["spearman_high"])
        p, adjusted = (f"{row[c]:.2g}" if row[c] == row[c] else "--" for c in ("p", "p_adjusted"))
        by = f" ({row['adjusted_by']})" if row["adjusted_by"] and adjusted != "--" else ""
        record = f"{number(row['spearman'])}{ends}" if row["evidence"] == CROSS_HALF else "--"
        lines.append(
            f"| {name} | {way_words(row)} | {n:.0f} | {record} | {p if record != '--' else '--'} | "
            f"{adjusted + by if record != '--' else '--'} | {number(row['spearman_same_trials'])} |"
        )
    if len(own) > MOST_ROWS:
        lines.append(f"\n{counted(len(own), 'row')} in all; correlations.csv has every one.")
    return "\n".join(lines)


def _evidence(table: pd.DataFrame) -> str:
    """Say where the two sides of each correlation come from, which decides what may be claimed."""
    rows = table[(table["scope"] == "set") & table["spearman"].notna()]
    cross = rows["evidence"] == CROSS_HALF
    if not len(rows):
        return ""
    if not cross.any():
        return (
            "**Only same-trials correlations can be given.** They describe these trials and must not be cited as "
            "evidence that sharpness tells of error."
        )
    shared = rows.loc[cross, "shared_noise"].dropna()
    words = (
        "Sharpness comes from one half of a set's groups, the error rate from the trials outside of it, so that no "
        "trial is in both."
    )
    if len(shared) and (higher := float(shared.median())) >= 0.005:
        words += (
            f" From the same trials the correlations would be higher by {higher:.2f} (median): that part is noise that "
            "both share."
        )
    if not cross.all():
        words += f" {int((~cross).sum())} of {len(rows)} correlations lack the records; those are of the same trials."
    return words


def _per_set(table: pd.DataFrame) -> str:
    family = table[(table["scope"] == "set") & table["p"].notna() & (table["evidence"] == CROSS_HALF)]
    if family.empty:
        return ""
    sharp, counts = _sharp(family), []
    for what, rows in (("Sharpness", family[sharp]), ("Controls", family[~sharp])):
        if len(rows):
            kept = int((rows["p_holm"] <= LEVEL).sum())
            counts.append(
                f"{what}: {kept} of {len(rows)} correlations within a set hold after Holm's correction"
            )
    lines = [f"{'. '.join(counts)} (each over its own tests)."]
    best = family[sharp]
    if len(best):
        row = best.iloc[int(best["spearman"].abs().to_numpy(float).argmax())].to_dict()
        lines.append(
            f"The strongest of sharpness is {way_words(row)} on {row['set']}: Spearman {number(row['spearman'])}"
            f"{interval(row['spearman_low'], row['spearman_high'])}, {p_words(row['p'])}, after Holm "
            f"{p_words(row['p_holm'])}, n = {row['n_runs']:.0f}: {direction(row['spearman'])}."
        )
    return " ".join(lines)


def _missing(table: pd.DataFrame) -> str:
    """Say what was left out of the means over sets, and of single sets."""
    joint = table[(table["scope"] == "mean_within") & _sharp(table)]
    said = list(dict.fromkeys(part for note in joint["note"] for part in _lacking(str(note))))
    single = table[(table["scope"] == "set") & (table["n_dropped"] > 0)]
    if len(single):
        said.append(
            f"on {counted(single[['set', 'subset']].drop_duplicates().shape[0], 'set')} numbers were dropped"
        )
    flat = table[(table["scope"] == "set") & table["note"].astype(str).str.contains("constant EER")]
    if len(flat):
        names = joined(list(dict.fromkeys(flat["set"])))
        said.append(f"all error rates are the same on {names}, which no correlation can use")
    return f"{'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}." if said else ""


def _lacking(note: str) -> Iterator[str]:
    for part in note.split("; "):
        if "lack numbers" in part or "without halves" in part or "too few orders" in part:
            yield part


def _new_set(verdict: Verdict, answers: pd.DataFrame) -> str:
    row = _answer(answers, "new_set", verdict)
    if row is None:
        return ""
    if math.isnan(row["low"]):
        return f"What a new set would show cannot be said: {row['note']}."
    return (
        f"On a new set the correlation would lie between {number(row['low'])} and {number(row['high'])} (95 % "
        f"prediction interval from {row['n']:.0f} corpora; {row['note']})."
    )


def _answer(answers: pd.DataFrame, question: str, verdict: Verdict) -> pd.Series | None:
    if not verdict.way or answers.empty:
        return None
    rows = answers[(answers["question"] == question) & same_way(answers, verdict.way)]
    return rows.iloc[0] if len(rows) else None


def _controls(verdict: Verdict, table: pd.DataFrame) -> str:
    joint = table[(table["scope"] == "mean_within") & (table["evidence"] == CROSS_HALF)]
    own = joint[same_way(joint, verdict.way)] if verdict.way else joint.iloc[:0]
    rivals = joint[~_sharp(joint) & joint["spearman"].notna()]
    if own.empty or rivals.empty or math.isnan(own.iloc[0]["spearman"]):
        return ""
    rival, mine = rivals.iloc[int(rivals["spearman"].abs().to_numpy(float).argmax())], own.iloc[0]
    more = abs(rival["spearman"]) >= abs(mine["spearman"])
    same = facts_of(str(rival["measure"])).same_as
    kin = f" (to first order the same quantity as {same}, not a rival)" if same else ""
    return (
        f"The best control, {way_words(rival.to_dict())}{kin}, has {number(rival['spearman'])} beside "
        f"{number(mine['spearman'])}: {'it correlates as strongly' if more else 'less strongly'}, which does not say "
        "whether sharpness adds to it. "
    )


def _given_loss(verdict: Verdict, table: pd.DataFrame) -> str:
    """Say what sharpness adds to the loss of the same trials, whose own noise is taken out by the other half."""
    if not verdict.way or "loss" not in set(table["measure"]):
        return ""
    rows = table[same_way(table, verdict.way) & (table["evidence"] == CROSS_HALF)]
    for scope in ("mean_within", "set"):
        own = rows[rows["scope"] == scope]
        if len(own):
            return adds_to_loss(own.iloc[0].to_dict()).sentence
    return ""


def _which(comparisons: pd.DataFrame) -> str:
    """Say which measure goes best with EER, by pairs swapped within checkpoints; the swaps are approximate."""
    names = comparing.not_worse_than_best(comparisons)
    tested = int(comparisons["p"].notna().sum()) if len(comparisons) else 0
    if not names or not tested:  # too few checkpoints to swap anything: nothing can be said of which is best
        return ""
    level = (
        f"after Holm's correction over {counted(tested, 'pair')}, swapping measures within checkpoints, approximate: "
        f"one test at 5 % tells {SWAPPED.words} of equals apart"
    )
    across = "evidence" in comparisons and (comparisons["evidence"] == CROSS_HALF).all()
    where = "Across halves" if across else "From the same trials"
    if len(names) == 1:
        return f"{where} {names[0]} goes better with EER than every other measure ({level})."
    controls = [name for name in names if is_control(name.split(" ")[0])]
    beside = f", the controls {', '.join(controls)} among them" if controls else ""
    return (
        f"{where} the highest mean is that of {names[0]}. These checkpoints cannot rank it above "
        f"{len(names) - 1} other{'s' if len(names) > 2 else ''}{beside} ({level}); "
        "comparisons.csv has every difference with its interval."
    )


def _clusters(verdict: Verdict, answers: pd.DataFrame, results: pd.DataFrame) -> str:
    archs, recipes = results["arch"].nunique(), results["recipe"].nunique()
    lines = []
    if archs > 1 or recipes > 1:
        lines.append(
            f"The checkpoints come from {counted(archs, 'architecture')} and {counted(recipes, 'recipe')}; a "
            "difference between those moves sharpness and error rate alike."
        )
    for question, words in (
        ("clusters_as_one", "With {given} exchanged, each as one piece of evidence"),
        ("within_arch", "Inside architectures"),
    ):
        row = _answer(answers, question, verdict)
        if row is None or row["n"] == 0:
            continue
        found = "no test" if math.isnan(row["p"]) else f"{number(row['estimate'])}, {p_words(row['p'])}"
        alone = math.isnan(row["p_adjusted"]) or row["adjusted_by"] == "one test"
        adjusted = "" if alone else f", {p_words(row['p_adjusted'])} by {row['adjusted_by']}"
        note = f"; {row['note']}" if row["note"] else ""
        lines.append(f"{words.format(given=row['given'])}: {found}{adjusted} (n = {row['n']:.0f}{note}).")
    return " ".join(lines)


def _power(table: pd.DataFrame, n: int) -> str:
    tested = table[(table["scope"] == "set") & _sharp(table) & table["p"].notna()]
    if tested.empty:
        return ""
    units = int(tested["n_runs"].fillna(n).max())
    least = minimum_detectable(units)
    words = f"One test at 5 % over {units} finds a correlation of {least:.2f} in four studies out of five"
    after = minimum_detectable(units, alpha=LEVEL / len(tested))
    return (
        f"{words}; after Holm's correction over {len(tested)} it takes {after:.2f}."
        if len(tested) > 1
        else f"{words}."
    )


def _methods(table: pd.DataFrame, n: int, k: int, splits: int) -> str:
    family = table[(table["scope"] == "set") & table["p"].notna()]
    if family.empty:
        return ""
    cross = (table["evidence"] == CROSS_HALF).any()
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
    fixed = next((str(words) for words in table["fixed"] if words), "")
    choice = f"; the way of measuring was fixed beforehand ({fixed})" if fixed else ""
    runs = int(family["n_runs"].max())
    units = f"{n} checkpoints" if runs == n or np.isnan(runs) else f"{n} checkpoints, counted as {runs} runs,"
    joint = table[(table["scope"] == "mean_within") & _sharp(table)]
    over = " Over sets, within-set correlations were averaged and checkpoints permuted jointly"
    if len(joint) > 1:
        over += "; the largest mean was tested as the largest of all (Westfall and Young 1993)"
    return (
        "## For a methods section\n\n*Spearman's rank correlation between each measure and the equal error rate was "
        f"computed over {units} within each of {k} sets; {how}{choice}; p-values come from permuting checkpoints (all "
        "orders for n <= 9, 9,999 random ones beyond, Phipson and Smyth 2010) and were adjusted by Holm's procedure "
        f"over the tests of sharpness and, apart, of controls ({len(family)} in all); intervals follow Bonett and "
        f"Wright (2000).{over if len(joint) else ''}{'.' if len(joint) else ''}*"
    )
