r"""Sharpness from one half of a set's groups, error rate from the trials of the other: no trial's noise is in both.

Taken from the same trials, sharpness and error rate move together even where detectors are equal in truth: a trial that
happens to be hard for one raises both. A half apart leaves nothing to share, so that a correlation is one of the
detectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis import permutation
from sharpscope.analysis.clustered_tests import one_value_each
from sharpscope.analysis.rank_correlation import EXACT_UP_TO, TWO_SIDED, p_of, standardised_ranks
from sharpscope.results.records import Place, Records
from sharpscope.scoring.eer import rates_of_draws

# One split, fixed by its seed, is an exact test. Several depend less on the draw; twice their median is careful.
N_SPLITS = 1
FEWEST_GROUPS = 4
# Scores read for one set at most; beyond, a table takes minutes and memory that nobody expects of `correlate`.
MOST_SCORES = 20_000_000


# The error of a row's checkpoint on some of its trials, those of a table of scores.
ErrorOf = Callable[[Mapping[Any, Any], pd.DataFrame], float]


class Halves(NamedTuple):
    """A measure and error rates of checkpoints, split by split.

    Attributes:
        x: Shape (checkpoints, splits): the measure on the groups of the first half.
        y: The error rate of all trials outside of that half.
        y_same: The error rate of the trials of that half.
        y_other: The error rate of the other half's groups, as many trials as ``y_same`` has.
    """

    x: np.ndarray
    y: np.ndarray
    y_same: np.ndarray
    y_other: np.ndarray


class CrossHalf(NamedTuple):
    """A rank correlation between halves.

    Attributes:
        spearman: Median over splits.
        p: Of several splits twice the median, at most 1.
        shared_noise: How much of the correlation from the same trials is their noise: the median over splits of what
            the same half gives minus what the other half gives.
    """

    spearman: float
    p: float
    shared_noise: float


def draw_halves(n_groups: int, *, seed: int = 0, n_splits: int = N_SPLITS) -> np.ndarray:
    """Draw which groups are in the first half, the same for every checkpoint and measure of a set.

    Args:
        n_groups: Groups of the set.
        seed: Of the draws.
        n_splits: How many draws.

    Returns:
        Shape (splits, groups), bool; half of the groups in each, rounded down.

    Example:
        >>> draw_halves(5).sum(axis=1).tolist() == [2]
        True
    """
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(n_groups), (n_splits, 1)), axis=1)
    first: np.ndarray = order < n_groups // 2
    return first


def halves_of_values(values: np.ndarray, sizes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return a measure on the first half of the groups: the mean weighted by their sizes.

    Args:
        values: Checkpoints x groups.
        sizes: Trials of each group.
        first: Splits x groups, bool.

    Returns:
        Shape (checkpoints, splits).

    Example:
        >>> halves_of_values(np.array([[1.0, 3.0]]), np.ones(2), np.array([[True, False]])).tolist()
        [[1.0]]
    """
    weights = first * sizes
    shares: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    half: np.ndarray = values @ shares.T
    return half


def halves_of_errors(
    scores: np.ndarray, is_bonafide: np.ndarray, chosen: np.ndarray, *, folded: bool = False
) -> np.ndarray:
    """Return the equal error rate of each checkpoint on some of the trials.

    Args:
        scores: Checkpoints x trials, higher for bona fide.
        is_bonafide: Shape (trials,), bool.
        chosen: Splits x trials, bool: which trials count.
        folded: Whether the better of both polarities counts, as in the preset huang2025.

    Returns:
        Shape (checkpoints, splits); NaN where a class has no trial.

    Example:
        >>> truth = np.array([True, True, False, False])
        >>> halves_of_errors(np.array([[2.0, 0.0, 1.0, -1.0]]), truth, np.ones((1, 4), dtype=bool)).tolist()
        [[0.5]]
    """
    order = np.argsort(~is_bonafide, kind="stable")
    draws = chosen[:, order].astype(np.int8)
    n_bonafide = int(is_bonafide.sum())
    rates = np.array([rates_of_draws(own[order], n_bonafide, draws) for own in scores])
    return np.minimum(rates, 1 - rates) if folded else rates


def correlate_halves(
    halves: Halves, *, rng: int = 0, test: bool = True, alternative: str = TWO_SIDED
) -> CrossHalf:
    r"""Correlate a measure on one half with the error rate on the other.

    Each split gives Spearman's correlation and its permutation p-value :math:`p_s`. Over splits, which share their
    data, :math:`\min(1, 2\,\mathrm{median}_s\, p_s)` is a valid p-value whatever their dependence.

    Args:
        halves: Of one set.
        rng: Seed of random orders.
        test: Whether a p-value is wanted.
        alternative: "two-sided", or "greater" or "less" where the direction was fixed beforehand.

    Returns:
        Correlation, p-value and the part that is shared noise; NaN where most splits leave a constant.

    Source:
        Meinshausen, Meier and Buehlmann (2009), after Rueger (1978).

    Example:
        >>> x = np.arange(6.0)[:, None] + np.zeros((6, 3))
        >>> correlate_halves(Halves(x, x, x, x)).spearman
        1.0
    """
    zx, zy = standardised_ranks(halves.x), standardised_ranks(halves.y)
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
    if usable.sum() * 2 <= len(usable):
        return CrossHalf(math.nan, math.nan, math.nan)
    r = (zx * zy).sum(axis=0)[usable]
    p = math.nan
    if test:
        null = permutation.joint_null(zx[:, usable], zy[:, usable], rng=rng)
        exact = len(zx) <= EXACT_UP_TO
        p = combined(
            [p_of(float(one), null[:, s], exact=exact, alternative=alternative) for s, one in enumerate(r)]
        )
    gaps = (zx * standardised_ranks(halves.y_same)).sum(axis=0) - (
        zx * standardised_ranks(halves.y_other)
    ).sum(axis=0)
    gaps = gaps[np.isfinite(gaps)]
    shared = float(np.median(gaps)) if len(gaps) else math.nan
    return CrossHalf(round(float(np.median(r)), 12), p, shared)


def combined(p: Sequence[float]) -> float:
    """Return one p-value of several splits of the same data: twice their median, at most 1.

    Args:
        p: One per split.

    Returns:
        The p-value.

    Source:
        Meinshausen, Meier and Buehlmann (2009).

    Example:
        >>> combined([0.01, 0.02, 0.9]), combined([0.7, 0.8, 0.9])
        (0.04, 1.0)
    """
    # A single split is a test as it stands.
    return p[0] if len(p) == 1 else min(1.0, 2 * float(np.median(p)))


class HalvesOfSets:
    """Halves of every set of a results table, read from the records beside it; each file is read once.

    Args:
        records: Of the table; None where there are none.
        seed: Of the splits.
        n_splits: How many of them; an odd number, so that the median split is one of them.
        runs: Which run each checkpoint is of, by sha256: epochs and copies of one run count as their mean, since they
            are one piece of evidence. None takes each checkpoint for a run.
        error: Returns the error rate of a row's checkpoint on some trials, (row, scores, which are chosen) to a number;
            None takes the equal error rate.

    Attributes:
        reasons: Why a set has no halves, by set and subset.
    """

    def __init__(
        self,
        records: Records | None,
        *,
        seed: int = 0,
        n_splits: int = N_SPLITS,
        runs: pd.Series | None = None,
        error: ErrorOf | None = None,
    ) -> None:
        self.records = records
        self.runs = runs
        self.error = error
        self.seed = seed
        self.n_splits = n_splits
        self.reasons: dict[tuple[str, str], str] = {}
        self._groups: dict[Place, pd.DataFrame | None] = {}
        self._errors: dict[tuple[Any, ...], tuple[np.ndarray, np.ndarray, np.ndarray] | None] = {}

    def of(self, cells: pd.DataFrame) -> Halves | None:
        """Return the halves of one measure on one set.

        Args:
            cells: Rows of a results table, one per checkpoint, all of one measure, radius, m and preset on one set.

        Returns:
            The halves, checkpoints in the order of the rows; None where the records do not give them.
        """
        rows = cells.to_dict("records")
        place = (str(rows[0]["set"]), str(rows[0]["subset"]))
        if self.records is None:
            self.reasons.setdefault(place, "no records of trials and groups beside the table")
            return None
        values, sizes, numbers = self._values(rows)
        if values is None:
            self.reasons.setdefault(place, "no values of groups, or other groups for some checkpoints")
            return None
        if len(numbers) < FEWEST_GROUPS:
            self.reasons.setdefault(
                place, f"{len(numbers)} groups, {FEWEST_GROUPS} are needed; take a smaller m"
            )
            return None
        first = draw_halves(len(numbers), seed=self.seed, n_splits=self.n_splits)
        key = (place, tuple(row["sha256"] for row in rows), rows[0]["m"], rows[0]["preset"], tuple(numbers))
        if key not in self._errors:
            self._errors[key] = self._rates(rows, numbers, first)
        errors = self._errors[key]
        if errors is None:
            self.reasons.setdefault(place, "no scores of trials, or other trials for some checkpoints")
            return None
        whole = Halves(halves_of_values(values, sizes, first), *errors)
        if self.runs is None:
            return whole
        labels = pd.factorize(self.runs.loc[cells["sha256"]])[0]
        if labels.max() + 1 == len(labels):
            return whole
        return Halves(*(one_value_each(part, labels) for part in whole))

    def _values(self, rows: Sequence[Mapping[Any, Any]]) -> tuple[np.ndarray | None, np.ndarray, list[int]]:
        """Return values (checkpoints, groups), sizes and numbers of the groups."""
        assert self.records is not None
        values, known = [], None
        for row in rows:
            at = Place.of(row)
            if at not in self._groups:
                self._groups[at] = self.records.groups(row)
            found = self._groups[at]
            if found is None:
                return None, np.zeros(0), []
            radius = found["rho"].isna() if pd.isna(row["rho"]) else found["rho"] == row["rho"]
            own = found[(found["measure"] == row["measure"]) & radius].sort_values("group")
            groups = list(zip(own["group"], own["n_trials"], strict=True))
            if not groups or (known is not None and groups != known):
                return None, np.zeros(0), []
            known = groups
            values.append(own["value"].to_numpy(float))
        assert known is not None
        return np.array(values), np.array([size for _, size in known], float), [number for number, _ in known]

    def _rates(
        self, rows: Sequence[Mapping[Any, Any]], numbers: Sequence[int], first: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return error rates outside the first half, inside it, and on the other half's groups."""
        assert self.records is not None
        if float(rows[0]["n_bonafide"] + rows[0]["n_spoof"]) * len(rows) > MOST_SCORES:
            return None
        scores, known, tables = [], None, []
        folded = rows[0].get("score_rule") == "folded_spoof_logit"
        for row in rows:
            found = self.records.scores(row)
            if found is None:
                return None
            trials = found[["trial", "label", "group"]]
            if known is not None and not trials.equals(known):
                return None
            known = trials
            tables.append(found)
            scores.append(found["logit_spoof" if folded else "score"].to_numpy(float))
        assert known is not None
        place = (
            known["group"].map({number: index for index, number in enumerate(numbers)}).fillna(-1).astype(int)
        )
        grouped = place.to_numpy() >= 0
        inside = first[:, place.to_numpy()] & grouped  # (splits, trials)
        is_bonafide = (known["label"] == "bonafide").to_numpy()
        both = np.array(scores)
        if self.error is not None:
            return tuple(  # type: ignore[return-value]
                np.array(
                    [
                        [self.error(row, table[kept]) for kept in chosen]
                        for row, table in zip(rows, tables, strict=True)
                    ]
                )
                for chosen in (~inside, inside, grouped & ~inside)
            )
        return tuple(  # type: ignore[return-value]
            halves_of_errors(both, is_bonafide, chosen, folded=folded)
            for chosen in (~inside, inside, grouped & ~inside)
        )
