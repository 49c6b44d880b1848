"""Down to the trial: which trials a checkpoint gets wrong, from which attacks they are, and which groups are sharp."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.figures.det import operating_points
from sharpscope.results.records import Records
from sharpscope.results.selection import Variant, panel_names, rows_of

MOST_TRIALS = 20
MOST_PAGES = 400  # checkpoints x sets with trials of their own; more would outgrow the page


def threshold(bonafide: np.ndarray, spoof: np.ndarray) -> float:
    """Return the score at which both error rates are nearest to each other; from there up is called bona fide.

    Args:
        bonafide: Scores, shape (n,).
        spoof: Scores, shape (k,).

    Returns:
        One of the scores.

    Example:
        >>> threshold(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.5]))
        1.5
    """
    accepted, rejected = operating_points(bonafide, spoof)
    scores = np.append(np.unique(np.concatenate([bonafide, spoof])), np.inf)
    return float(scores[int(np.argmin(np.abs(accepted - rejected)))])


def trials_of(scores: pd.DataFrame, page: Path, folder: Path) -> dict[str, Any]:
    """Say of one checkpoint on one set which trials are farthest on the wrong side, and how each attack fares.

    Args:
        scores: What `Records.scores` gives.
        page: File of the report, which links to audio are relative to.
        folder: Folder of the results table, which relative paths of audio are relative to.

    Returns:
        ``threshold``, ``worst`` (trial, label, score, how far wrong, attack, codec, speaker, link) and ``attacks``
        (attack, trials, share in error).
    """
    bona = scores["label"] == "bonafide"
    cut = threshold(scores.loc[bona, "score"].to_numpy(), scores.loc[~bona, "score"].to_numpy())
    wrong = pd.Series(np.where(bona, cut - scores["score"], scores["score"] - cut), index=scores.index)
    error = np.where(bona, scores["score"] < cut, scores["score"] >= cut)
    worst = scores.assign(wrong=wrong).sort_values("wrong", ascending=False, kind="stable").head(MOST_TRIALS)
    attacks = scores.assign(error=error)[~bona].groupby("attack")["error"].agg(["size", "mean"])
    attacks = attacks.sort_values("mean", ascending=False)
    return {
        "threshold": cut,
        "worst": [
            [row["trial"], row["label"], row["score"], row["wrong"], row["attack"], row["codec"], row["speaker"],
             audio_link(str(row["path"]), page, folder)]
            for row in worst.to_dict("records")
        ],
        "attacks": [[str(name), int(n), float(mean)] for name, n, mean in attacks.itertuples()],
    }  # fmt: skip


def audio_link(path: str, page: Path, folder: Path) -> str:
    """Return the address of an audio file as seen from a page; "" where no file is there.

    Args:
        path: Of the audio, absolute or relative to the folder.
        page: The page.
        folder: Folder of the results table.

    Returns:
        A relative path with forward slashes.
    """
    file = folder / path
    if not path or not file.is_file():
        return ""
    return Path(os.path.relpath(file.resolve(), page.resolve().parent)).as_posix()


def sharp_groups(
    groups: pd.DataFrame, scores: pd.DataFrame, variant: Variant, most: int = 5
) -> list[list[Any]]:
    """Return the groups with the highest value of a measure, and the share of the mean that they carry.

    Args:
        groups: What `Records.groups` gives.
        scores: What `Records.scores` gives.
        variant: The measure and its radius.
        most: Groups returned.

    Returns:
        Group, value, attacks and trials in it.
    """
    rows = groups[groups["measure"] == variant.measure]
    rows = rows[rows["rho"].isna() if variant.rho != variant.rho else rows["rho"] == variant.rho]
    found = []
    for row in rows.sort_values("value", ascending=False, kind="stable").head(most).to_dict("records"):
        part = scores[scores["group"] == row["group"]]
        attacks = sorted({str(a) for a in part["attack"]} - {""})
        found.append([int(row["group"]), float(row["value"]), ", ".join(attacks[:6]), len(part)])
    return found


def all_trials(
    results: pd.DataFrame, variant: Variant, records: Records | None, page: Path
) -> dict[str, Any]:
    """Collect trials of every checkpoint and set that has records beside the table.

    Args:
        results: Rows of results.csv.
        variant: The measure whose groups are looked at.
        records: What lies beside the table; None gives nothing.
        page: File of the report.

    Returns:
        By "hash of the checkpoint|set", what `trials_of` gives and ``groups``.
    """
    if records is None or records.results is None:
        return {}
    found: dict[str, Any] = {}
    rows = rows_of(results, variant)
    for row, panel in zip(
        _once(rows), panel_names(rows.drop_duplicates(["sha256", "set", "subset"])), strict=True
    ):
        scores = records.scores(row)
        if scores is None or scores["label"].nunique() < 2:
            continue
        entry = trials_of(scores, page, records.results.parent)
        groups = records.groups(row)
        entry["groups"] = [] if groups is None else sharp_groups(groups, scores, variant)
        found[f"{row['sha256']}|{panel}"] = entry
        if len(found) == MOST_PAGES:
            break
    return found


def _once(rows: pd.DataFrame) -> list[Mapping[Any, Any]]:
    return list(rows.drop_duplicates(["sha256", "set", "subset"]).to_dict("records"))
