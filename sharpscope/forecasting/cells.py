"""What is known of every checkpoint on every set without its labels: the rows and columns that a forecast works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.forecasting.predictors import PREDICTORS, RATES, Seen
from sharpscope.results.records import Records
from sharpscope.results.table import of_networks
from sharpscope.scoring.eer import equal_error_rate
from sharpscope.scoring.errors import Scores

# Columns of the results table that need no labels, by the end or the whole of their name.
ENDS = ("_predicted", "_entropy")
NAMES = ("fisher_trace", "fisher_trace_adaptive", "relative_flatness")
FACTS = ("checkpoint", "sha256", "arch", "set", "domain", "eer", "n")
# Below half an error among so many trials a rate is not told apart from none.
SMALLEST = 1e-4


class Cells(NamedTuple):
    """Checkpoints on sets.

    Attributes:
        table: Columns ``FACTS`` and one per predictor; ``eer`` is NaN where there are no labels.
        predictors: Names of the columns that say something without labels.
        home: The in-domain set, "" where there is none.
        left_out: Why predictors are missing, a phrase each.
    """

    table: pd.DataFrame
    predictors: tuple[str, ...]
    home: str
    left_out: tuple[str, ...]


def logit(rate: np.ndarray, n: np.ndarray | float = np.inf) -> np.ndarray:
    r"""Return :math:`\log(e/(1-e))`, a rate of 0 or 1 taken as half an error among n trials.

    Args:
        rate: Error rates.
        n: Trials behind each; without limit, ``SMALLEST`` is the floor.

    Returns:
        The same shape.

    Example:
        >>> logit(np.array([0.5])).tolist(), round(float(logit(np.array([0.0]), 50.0)[0]), 3)
        ([0.0], -4.595)
    """
    floor = np.maximum(0.5 / np.asarray(n, float), SMALLEST)
    kept = np.clip(np.asarray(rate, float), floor, 1 - floor)
    found: np.ndarray = np.log(kept / (1 - kept))
    return found


def is_label_free(measure: str) -> bool:
    """Tell whether a measure of sharpness needs no labels.

    Args:
        measure: Its name.

    Returns:
        Whether a forecast may use it.

    Example:
        >>> is_label_free("sam_predicted"), is_label_free("sam")
        (True, False)
    """
    return measure.endswith(ENDS) or measure in NAMES


def cells_of(
    results: pd.DataFrame,
    records: Records | None,
    *,
    in_domain: str | None = None,
    preset: str | None = None,
    m: float | None = None,
    advance: Callable[[], object] | None = None,
) -> Cells:
    """Gather what is known of every checkpoint on every set without labels.

    Args:
        results: A results table.
        records: The scores beside it; None leaves the predictors out that are made of scores.
        in_domain: The set that detectors are at home on; None takes the one that the table calls in-domain.
        preset: Which rows; None takes the first preset of the table.
        m: Which rows; None takes the first size of groups.
        advance: Called after every checkpoint on a set.

    Returns:
        The cells.

    Raises:
        UsageError: If there is no row of the kind, the in-domain set is unknown, or a checkpoint stands twice on a set.
    """
    rows = _rows(results, preset, m)
    home = _home(rows, in_domain)
    firsts = rows.drop_duplicates(["sha256", "set"])
    table = firsts[["checkpoint", "sha256", "arch", "set", "domain", "eer"]].assign(
        n=(firsts["n_bonafide"] + firsts["n_spoof"]).to_numpy()
    )
    table = table.set_index(["sha256", "set"], drop=False).rename_axis([None, None])
    sharp = rows[rows["measure"].map(is_label_free)]
    # A list, since a table without such a row would have numbers in place of names.
    named = zip(sharp["measure"], sharp["rho"], strict=True)
    ways = [name if rho != rho else f"{name}@{rho:g}" for name, rho in named]
    wide = sharp.assign(way=ways).pivot_table(
        index=["sha256", "set"], columns="way", values="value", aggfunc="first", sort=False
    )
    scored = pd.DataFrame(
        _of_scores(firsts, records, home, advance), index=pd.MultiIndex.from_frame(firsts[["sha256", "set"]])
    )
    table = pd.concat([table, wide.reindex(table.index), scored.reindex(table.index)], axis=1)
    known, left_out = _usable(table, [*wide.columns, *scored.columns], home)
    return Cells(table.reset_index(drop=True), known, home, left_out)


def _rows(results: pd.DataFrame, preset: str | None, m: float | None) -> pd.DataFrame:
    rows = results[of_networks(results)]
    if rows.empty:
        raise UsageError(
            "the results table has no rows of `sharpscope measure`; there is nothing to learn from"
        )
    preset = str(rows["preset"].iloc[0]) if preset is None else preset
    if preset not in set(rows["preset"]):
        raise unknown_name("preset in the table", preset, sorted(set(rows["preset"])))
    rows = rows[rows["preset"] == preset]
    size = float(rows["m"].iloc[0]) if m is None else m
    chosen = rows[rows["m"] == size]
    if chosen.empty:
        raise UsageError(f"no row has m = {size:g}; the table has {sorted(set(rows['m'].dropna()))}")
    # A set measured in parts is told apart by its parts, of which the whole is taken where it is there.
    whole = chosen[chosen["subset"] == ""]
    parts = chosen[~chosen["set"].isin(set(whole["set"]))]
    named = parts.assign(set=parts["set"] + "/" + parts["subset"])
    found = pd.concat([whole, named], ignore_index=True)
    twice = found.duplicated(["sha256", "set", "measure", "rho"])
    if twice.any():
        row = found[twice].iloc[0]
        raise UsageError(
            f"{row['checkpoint']} stands more than once on {row['set']} (other trials or other conventions); keep one"
        )
    # The records are found by set and subset as they were measured.
    return found.assign(
        own_set=[*whole["set"], *parts["set"]], own_subset=[*whole["subset"], *parts["subset"]]
    )


def _home(rows: pd.DataFrame, in_domain: str | None) -> str:
    """Return the set that every detector is at home on: named, or the one that the table calls in-domain."""
    known = list(dict.fromkeys(rows.loc[rows["eer"].notna(), "set"]))
    if in_domain is not None:
        if in_domain not in known:
            raise unknown_name("set with labels in the table", in_domain, known)
        return in_domain
    domains = rows.groupby("set", sort=False)["domain"].agg(set)
    return next((str(name) for name in domains.index if domains[name] == {"id"} and name in known), "")


def _of_scores(
    firsts: pd.DataFrame, records: Records | None, home: str, advance: Callable[[], object] | None
) -> Iterator[dict[str, float]]:
    """Yield the predictors made of scores, one row for each of ``firsts``."""
    checkpoints, sets = firsts["sha256"].tolist(), firsts["set"].tolist()
    scores: list[np.ndarray | None] = []
    at_home: dict[str, tuple[Scores, float]] = {}
    home_trials: dict[str, str] = {}
    for row in firsts.to_dict("records"):
        found = None
        if records is not None:
            place = {**row, "set": row["own_set"], "subset": row["own_subset"]}
            found = records.scores(place, unlabelled=True)
        scores.append(None if found is None else found["score"].to_numpy(float))
        if row["set"] == home and found is not None:
            at_home[row["sha256"]] = _centred(found)
            home_trials[row["sha256"]] = row["trials_hash"]
        if advance is not None:
            advance()
    moved = [
        None if own is None else own - (at_home[checkpoint][1] if checkpoint in at_home else 0.0)
        for own, checkpoint in zip(scores, checkpoints, strict=True)
    ]
    # Trials of one hash are the same and in the same order.
    alike = list(zip(sets, firsts["trials_hash"], strict=True))
    for place_of_own, own in enumerate(moved):
        if own is None:
            yield dict.fromkeys(PREDICTORS, np.nan)
            continue
        checkpoint = checkpoints[place_of_own]
        beside = [
            (other, checkpoints[i])
            for i, other in enumerate(moved)
            if other is not None and alike[i] == alike[place_of_own] and checkpoints[i] != checkpoint
        ]
        own_home = at_home[checkpoint][0] if checkpoint in at_home else None
        # Agreement at home is of pairs, so that all of them have to have heard the same trials there.
        same_home = own_home is not None and all(
            name in at_home and home_trials[name] == home_trials[checkpoint] for _, name in beside
        )
        others_home = [at_home[name][0] for _, name in beside] if same_home else []
        seen = Seen(own, own_home, np.array([other for other, _ in beside]), others_home)
        yield {name: predictor.function(seen) for name, predictor in PREDICTORS.items()}


def _centred(found: pd.DataFrame) -> tuple[Scores, float]:
    """Return in-domain scores with the threshold of their equal error rate at 0, and where it was."""
    bonafide, spoof = (
        found.loc[found["label"] == label, "score"].to_numpy(float) for label in ("bonafide", "spoof")
    )
    threshold = equal_error_rate(bonafide, spoof).threshold
    return Scores(bonafide - threshold, spoof - threshold), threshold


def _usable(
    table: pd.DataFrame, columns: Sequence[str], home: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that every checkpoint has on every set, and why the others are left out."""
    away = table[table["set"] != home]
    known, missing = [], []
    for name in columns:
        finite = np.isfinite(away[name].to_numpy(float))
        if finite.all():
            known.append(str(name))
        elif finite.any():
            missing.append(f"{name} is missing for {int((~finite).sum())} of {len(finite)} cells")
    if not home:
        missing.append(
            "no in-domain set, and so none of the predictors that need one (name it with --in-domain)"
        )
    elif "confidence" not in known:
        missing.append("scores are missing for some checkpoint or set, and so the predictors made of them")
    return tuple(known), tuple(missing)


def columns_of(table: pd.DataFrame, predictors: Sequence[str]) -> np.ndarray:
    r"""Return the columns of the model: logits of rates, :math:`\mathrm{asinh}` of sharpness, others as they are.

    Sharpness spreads over decades and may be negative; asinh of it over its median size is linear near 0 and
    logarithmic beyond.

    Args:
        table: Rows of `Cells`.
        predictors: Names of columns.

    Returns:
        Rows x columns.
    """
    found = []
    for name in predictors:
        column = table[name].to_numpy(float)
        if name in RATES:
            found.append(logit(column))
        elif name in PREDICTORS:
            found.append(column)
        else:
            size = float(np.median(np.abs(column)))
            found.append(np.arcsinh(column / size) if size > 0 else column)
    return np.array(found).T.reshape(len(table), len(predictors))
