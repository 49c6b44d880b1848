"""How far a correlation can be trusted: what the table of questions says of one measure, in a paragraph."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.phrases import plain
from sharpscope.analysis.way_cells import CROSS_HALF
from sharpscope.results.comparable import WAY, same_way
from sharpscope.results.measure_facts import is_control


def trust(answers: pd.DataFrame, way: Mapping[str, Any] | None = None) -> str:
    """Say what the answers mean for one way of measuring; of halves where the records allow it.

    Args:
        answers: Of `robustness.ask`.
        way: Measure, rho, m and preset; None or nothing takes the one that goes best with EER.

    Returns:
        A paragraph of Markdown; empty without answers.
    """
    whole = answers[answers["question"] == "leave_one_checkpoint_out"]
    sharp = whole[~whole["measure"].map(is_control).astype(bool)]
    if way:
        sharp = sharp[same_way(sharp, way)]
    if sharp.empty or sharp["estimate"].isna().all():
        return ""
    best = sharp.iloc[int(np.nanargmax(sharp["estimate"].abs().to_numpy()))]
    own = answers[same_way(answers, {name: best[name] for name in WAY})]
    name = str(best["measure"]) if pd.isna(best["rho"]) else f"{best['measure']} (rho {best['rho']:g})"
    across = "evidence" in own and (own["evidence"] == CROSS_HALF).all()
    where = "across halves" if across else "on the same trials"
    return plain(" ".join([f"How far {name} {where} can be trusted:", *_sentences(own)]))


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
