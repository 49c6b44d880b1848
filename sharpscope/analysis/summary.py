"""What a correlation table does and does not support, in plain words with its numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

FEW = 10
CONTROLS = ("loss", "grad_norm", "param_norm", "entropy", "margin", "confidence", "saturated")


def _way(row: pd.Series) -> str:
    return str(row["measure"]) if math.isnan(row["rho"]) else f"{row['measure']} (rho {row['rho']:g})"


def _number(value: float) -> str:
    return "--" if math.isnan(value) else f"{value:.2f}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _best(rows: pd.DataFrame) -> pd.Series | None:
    finite = rows[rows["spearman"].notna()]
    return None if finite.empty else finite.iloc[int(finite["spearman"].abs().to_numpy().argmax())]


def summarise(table: pd.DataFrame, results: pd.DataFrame, warnings: Sequence[str]) -> str:
    """Return the paragraphs of a summary.

    Args:
        table: Of a `Correlation`.
        results: The rows that were correlated.
        warnings: Lines to repeat.

    Returns:
        Markdown.
    """
    n, k = results["sha256"].nunique(), results[["set", "subset"]].drop_duplicates().shape[0]
    family = table[(table["scope"] == "set") & table["p"].notna()]
    paragraphs = [f"# Sharpness and equal error rate: {n} checkpoints, {k} sets", _per_set(table, family)]
    joint = table[table["scope"] == "mean_within"]
    if len(joint):
        paragraphs.append(_over_sets(joint))
    paragraphs.append(_limits(table, results, n))
    if warnings:
        paragraphs.append("\n".join(f"- Warning: {line}." for line in warnings))
    paragraphs.append(_methods(n, k, len(family)))
    return "\n\n".join(paragraphs) + "\n"


def _per_set(table: pd.DataFrame, family: pd.DataFrame) -> str:
    if family.empty:
        return (
            "No p-value can be given: no set has five checkpoints with different values, and with fewer no order "
            "of them is rarer than 5 %. The coefficients below describe these checkpoints and nothing else."
        )
    alone, kept = int((family["p"] <= 0.05).sum()), int((family["p_holm"] <= 0.05).sum())
    lines = [
        f"Of {len(family)} correlations of a measure with EER within one set, {alone} have p <= .05 taken alone "
        f"(about {0.05 * len(family):.1f} would by chance) and {kept} after Holm's correction for having looked "
        f"{len(family)} times."
    ]
    strongest = _best(family)
    if strongest is not None:
        lines.append(
            f"The strongest is {_way(strongest)} on {strongest['set']}: Spearman {_number(strongest['spearman'])} "
            f"[{_number(strongest['spearman_low'])}, {_number(strongest['spearman_high'])}], "
            f"p = {strongest['p']:.3g}, p_Holm = {strongest['p_holm']:.3g}, n = {strongest['n']:.0f}."
        )
    opposite = family[(family["spearman"] < 0) & (family["p"] <= 0.05) & ~family["measure"].isin(CONTROLS)]
    if len(opposite):
        lines.append(f"In {len(opposite)} of them the sign is the other way: sharper went with fewer errors.")
    return " ".join(lines)


def _over_sets(joint: pd.DataFrame) -> str:
    measures, controls = joint[~joint["measure"].isin(CONTROLS)], joint[joint["measure"].isin(CONTROLS)]
    lines = []
    best, control = _best(measures), _best(controls)
    if best is not None:
        lines.append(
            f"Over all sets, {_way(best)} has a mean within-set Spearman of {_number(best['spearman'])} "
            f"[{_number(best['spearman_low'])}, {_number(best['spearman_high'])}] (checkpoints permuted jointly, "
            f"p = {'--' if math.isnan(best['p']) else format(best['p'], '.3g')}; {best['note']})."
        )
    if best is not None and control is not None:
        verdict = (
            "so sharpness says no more here than a quantity that costs nothing"
            if abs(control["spearman"]) >= abs(best["spearman"])
            else "which sharpness exceeds; the last paragraph says whether by more than chance"
        )
        lines.append(f"The best control, {_way(control)}, reaches {_number(control['spearman'])}, {verdict}.")
    return " ".join(lines)


def _limits(table: pd.DataFrame, results: pd.DataFrame, n: int) -> str:
    lines = ["What may not be concluded: a correlation over checkpoints does not say why they differ."]
    if results["arch"].nunique() > 1 or results["recipe"].nunique() > 1:
        lines.append(
            f"The checkpoints come from {_counted(results['arch'].nunique(), 'architecture')} and "
            f"{_counted(results['recipe'].nunique(), 'recipe')}; a difference between those moves sharpness and EER "
            "alike, so run `--by arch` or `--by recipe` before believing that sharpness itself matters."
        )
    if n < FEW:
        lines.append(
            f"With {n} checkpoints this is an illustration: fewer than {FEW} can only find correlations that are "
            "nearly perfect."
        )
    else:
        detectable = table.loc[table["scope"] == "set", "min_detectable"].dropna()
        if len(detectable):
            lines.append(
                f"{n} checkpoints find a correlation of {detectable.min():.2f} in four studies out of five."
            )
    return " ".join(lines)


def _methods(n: int, k: int, tests: int) -> str:
    return (
        "For a methods section: *Spearman's rank correlation between each measure and the equal error rate was "
        f"computed over {n} checkpoints within each of {k} sets; p-values come from permuting checkpoints (all orders "
        f"for n <= 9, 9,999 random ones beyond, Phipson and Smyth 2010) and were adjusted over {tests} tests by Holm's "
        "procedure; intervals follow Bonett and Wright (2000). Over sets, within-set correlations were averaged and "
        "checkpoints permuted jointly.*"
    )


def trust(answers: pd.DataFrame) -> str:
    """Say what the answers mean for the measure that goes best with EER.

    Args:
        answers: Of `questions.ask`.

    Returns:
        A paragraph of Markdown; empty without answers.
    """
    whole = answers[answers["question"] == "leave_one_checkpoint_out"]
    sharp = whole[~whole["measure"].isin(list(CONTROLS))]
    if sharp.empty or sharp["estimate"].isna().all():
        return ""
    best = sharp.iloc[int(np.nanargmax(sharp["estimate"].abs().to_numpy()))]
    same = (answers[["measure", "preset"]] == best[["measure", "preset"]]).all(axis=1)
    for column in ("rho", "m"):
        same &= (answers[column] == best[column]) | (answers[column].isna() & pd.isna(best[column]))
    own = answers[same]
    name = str(best["measure"]) if pd.isna(best["rho"]) else f"{best['measure']} (rho {best['rho']:g})"
    return " ".join([f"How far {name} can be trusted:", *_sentences(own)])


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
        "partial": "given {given}, {estimate:.2f} is left (p = {p:.2g});",
        "shift": "within a checkpoint it goes with EER over sets by {estimate:.2f} (p = {p:.2g}, {n:.0f} sets);",
        "split_half": "two halves of the trials agree on the {given} to {estimate:.2f} ({low:.2f} to {high:.2f} over "
        "sets);",
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
