"""How reproducible measures and error rates are: two halves of the trials, on the same checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.confounding import attenuation_bound
from sharpscope.analysis.rank_correlation import standardised_ranks
from sharpscope.results.comparable import PLACE, WAY
from sharpscope.results.records import Place, Records
from sharpscope.scoring.eer import rates_of_draws

N_SPLITS = 200
EER_SPLITS = 50
MOST_SCORES = 20_000_000


def split_half(values: np.ndarray, sizes: np.ndarray, *, seed: int = 0, n_splits: int = N_SPLITS) -> float:
    r"""Reliability of a mean over groups of trials, from the rank correlation of its two halves.

    .. math:: \frac{2 \bar r}{1 + \bar r}

    where :math:`\bar r` is the mean over random splits of Spearman's correlation, over checkpoints, between the
    means of both halves; all checkpoints are split alike, so what the groups have in common counts as no noise.

    Args:
        values: Checkpoints x groups.
        sizes: Trials of each group.
        seed: Of the splits.
        n_splits: Their number.

    Returns:
        At most 1, 0 where halves do not agree at all; NaN with fewer than 4 groups or 3 checkpoints.

    Source:
        Brown (1910) and Spearman (1910).

    Example:
        >>> split_half(np.arange(5.0)[:, None] + np.zeros((5, 6)), np.ones(6))
        1.0
    """
    n_checkpoints, n_groups = values.shape
    if n_groups < 4 or n_checkpoints < 3:
        return math.nan
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(n_groups), (n_splits, 1)), axis=1)
    first = (order < n_groups // 2) * sizes  # (splits, groups), weights of the first half
    second = (order >= n_groups // 2) * sizes
    halves = [values @ (half / half.sum(axis=1, keepdims=True)).T for half in (first, second)]
    return _stepped_up(*halves)


def _stepped_up(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman and Brown's reliability of the whole from what two halves give, each (checkpoints, splits)."""
    r = (standardised_ranks(first) * standardised_ranks(second)).sum(axis=0)
    if not np.isfinite(r).any():
        return math.nan
    mean = max(0.0, float(np.nanmean(r)))
    return round(2 * mean / (1 + mean), 12)


def split_half_eer(
    scores: np.ndarray, is_bonafide: np.ndarray, *, seed: int = 0, n_splits: int = EER_SPLITS
) -> float:
    r"""Reliability of equal error rates, from the rank correlation of two halves of the trials.

    As `split_half`, each class halved at random. Checkpoints are judged on the same trials, whose difficulty they
    share: an interval counts that as noise of each, the correlation of halves does not.

    Args:
        scores: Checkpoints x trials, higher for bona fide.
        is_bonafide: Shape (trials,), bool.
        seed: Of the splits.
        n_splits: Their number.

    Returns:
        At most 1; NaN with fewer than 4 trials of a class or 3 checkpoints, or where no checkpoint differs.

    Source:
        Brown (1910) and Spearman (1910).

    Example:
        The k-th checkpoint takes every k-th trial for one of the other class:

        >>> truth = np.tile([True, False], 60)
        >>> errors = np.array([[trial // 2 % k == 0 for trial in range(120)] for k in (2, 3, 5, 10)])
        >>> split_half_eer(np.where(truth ^ errors, 1.0, 0.0), truth) > 0.95
        True
    """
    n_bonafide = int(is_bonafide.sum())
    if len(scores) < 3 or min(n_bonafide, len(is_bonafide) - n_bonafide) < 4:
        return math.nan
    rng = np.random.default_rng(seed)
    order = np.argsort(~is_bonafide, kind="stable")  # bona fide first
    halves = np.zeros((n_splits, len(order)), dtype=np.int8)
    for half in halves:
        for part in (half[:n_bonafide], half[n_bonafide:]):
            part[rng.permutation(len(part))[: len(part) // 2]] = 1
    both = np.concatenate([halves, 1 - halves])
    rates = np.array([rates_of_draws(own[order], n_bonafide, both) for own in scores])
    return _stepped_up(rates[:, :n_splits], rates[:, n_splits:])


def read_groups(results: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Read the per-group values that `measure` wrote beside a results table.

    Args:
        results: Rows of the table.
        records: Of the table.

    Returns:
        Columns ``sha256, set, subset, preset, m, group, measure, rho, value, n_trials``; empty without records.
    """
    parts = []
    for row in results.drop_duplicates([*Place._fields]).to_dict("records"):
        if (read := records.groups(row)) is not None:
            parts.append(read.assign(**{name: row[name] for name in ("sha256", *PLACE, "preset", "m")}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def read_scores(
    results: pd.DataFrame, records: Records
) -> Iterator[tuple[tuple[str, str], np.ndarray, np.ndarray]]:
    """Yield the scores that `measure` wrote beside a results table, a set at a time.

    Args:
        results: Rows of the table.
        records: Of the table.

    Yields:
        Set and subset, scores of shape (checkpoints, trials), and which trials are bona fide; nothing of a set whose
        checkpoints were not scored on the same trials, and nothing at all of more than twenty million scores.

    Raises:
        UsageError: If a file beside the table is damaged.
    """
    cells = results.drop_duplicates(["sha256", *PLACE])
    if float(cells[["n_bonafide", "n_spoof"]].to_numpy().sum()) > MOST_SCORES:
        return
    for (place, subset), part in cells.groupby(PLACE, sort=False):
        read = [found for row in part.to_dict("records") if (found := records.scores(row)) is not None]
        if len(read) < len(part):
            continue
        trials = read[0][["trial", "label"]]
        if all(one[["trial", "label"]].equals(trials) for one in read):
            scores = np.stack([one["score"].to_numpy(float) for one in read])
            yield (str(place), str(subset)), scores, (trials["label"] == "bonafide").to_numpy()


def split_halves(results: pd.DataFrame, records: Records, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the reliability of every measure and of EER, means over sets, and the correlation that they let through.

    Args:
        results: Rows of a results table.
        records: Scores and group values of the table.
        seed: Of the splits.

    Yields:
        Rows for ``questions.COLUMNS``.
    """
    groups = read_groups(results, records)
    if groups.empty:
        return
    known = results[[*WAY, *PLACE, "sha256"]]
    groups = groups.merge(known, on=[*WAY, *PLACE, "sha256"])
    total = results["sha256"].nunique()
    straight = results[results["score_rule"] != "folded_spoof_logit"]
    rates = {
        place: split_half_eer(scores, truth, seed=seed)
        for place, scores, truth in read_scores(straight, records)
    }
    for way, part in groups.groupby(WAY, sort=False, dropna=False):
        found, counts = {}, []
        for place, cells in part.groupby(PLACE, sort=False, dropna=False):
            wide = cells.pivot(index="sha256", columns="group", values="value").dropna(axis=1)
            sizes = cells.groupby("group")["n_trials"].first().loc[wide.columns].to_numpy(float)
            found[place] = split_half(wide.to_numpy(float), sizes, seed=seed)
            counts.append(len(wide))
        missing = total - min(counts)
        head = dict(zip(WAY, way, strict=True)) | {"n": min(counts)}
        note = f"; groups of {missing} checkpoints missing" if missing else ""
        yield from _rows(head, "split_half", "measure", found.values(), note)
        yield from _rows(head, "split_half", "EER", (rates[place] for place in found if place in rates))
        bounds = [attenuation_bound((found[place], rates[place])) for place in found if place in rates]
        yield from _rows(head, "attenuation_bound", "split halves", bounds)


def _rows(
    head: dict[str, Any], question: str, given: str, values: Iterable[float], note: str = ""
) -> Iterator[dict[str, Any]]:
    usable = [value for value in values if math.isfinite(value)]
    if usable:
        yield head | {
            "question": question,
            "given": given,
            "estimate": float(np.mean(usable)),
            "low": min(usable),
            "high": max(usable),
            "note": f"{len(usable)} sets, lowest and highest{note}",
        }
