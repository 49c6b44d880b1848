"""Halves of every set of a results table, from the records beside it: measures on one, error rates on the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.clustered_tests import one_value_each
from sharpscope.analysis.cross_half import (
    FEWEST_GROUPS,
    N_SPLITS,
    Halves,
    draw_halves,
    halves_of_errors,
    halves_of_record,
    halves_of_values,
)
from sharpscope.results.records import Place, Records

# Scores read for one set at most; beyond, a table takes minutes and memory that nobody expects of `correlate`.
MOST_SCORES = 20_000_000
# What the halves of a set do not share, the strongest first. Groups of whole sets share speakers and pairs.
SPEAKERS, PAIRS, TRIALS = "speakers", "pairs", "trials"

# The error of a row's checkpoint on some of its trials, those of a table of scores.
ErrorOf = Callable[[Mapping[Any, Any], pd.DataFrame], float]


class Sides(NamedTuple):
    """How a set falls into halves, and the error rates of its checkpoints there.

    Attributes:
        first: Splits x groups, bool: which are in the first half.
        errors: Error rates outside of the first half, on its groups, and on the other half's groups.
        kept_apart: What the halves do not share: "speakers", "pairs" or only "trials".
    """

    first: np.ndarray
    errors: tuple[np.ndarray, np.ndarray, np.ndarray]
    kept_apart: str


class HalvesOfSets:
    """Halves of every set of a results table, read from the records beside it; each file is read once.

    Args:
        records: Of the table; None where there are none.
        seed: Of the splits.
        n_splits: How many of them; an odd number, so that the median split is one of them. Halves that the records
            fix take turns in being the first.
        runs: Which run each checkpoint is of, by sha256: epochs and copies of one run count as their mean, since they
            are one piece of evidence. None takes each checkpoint for a run.
        error: Returns the error rate of a row's checkpoint on some trials, (row, scores, which are chosen) to a number;
            None takes the equal error rate.

    Attributes:
        reasons: Why a set has no halves, by set and subset.
        kept_apart: What the halves of a set do not share, by set and subset.
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
        self.kept_apart: dict[tuple[str, str], str] = {}
        self._groups: dict[Place, pd.DataFrame | None] = {}
        self._sides: dict[tuple[Any, ...], Sides | None] = {}
        self._made: dict[tuple[Any, ...], Halves | None] = {}

    def of(self, cells: pd.DataFrame) -> Halves | None:
        """Return the halves of one measure on one set.

        Args:
            cells: Rows of a results table, one per checkpoint, all of one measure, radius, m and preset on one set.

        Returns:
            The halves, checkpoints in the order of the rows; None where the records do not give them.
        """
        head = cells.iloc[0]
        way = tuple(repr(head[name]) for name in ("set", "subset", "measure", "rho", "m", "preset"))
        # A copy that counts no runs shares what was read, and not what was averaged.
        key = (*way, tuple(cells["sha256"]), self.runs is None)
        if key not in self._made:
            self._made[key] = self._make(cells)
        return self._made[key]

    def _make(self, cells: pd.DataFrame) -> Halves | None:
        """Return the halves of one measure on one set, from the records."""
        place = (str(cells["set"].iloc[0]), str(cells["subset"].iloc[0]))
        if self.records is None:
            self.reasons.setdefault(place, "no records of trials and groups beside the table")
            return None
        rows = cells.to_dict("records")
        values, sizes, numbers = self._values(rows)
        if values is None:
            self.reasons.setdefault(place, "no values of groups, or other groups for some checkpoints")
            return None
        if len(numbers) < FEWEST_GROUPS:
            self.reasons.setdefault(
                place, f"{len(numbers)} groups, {FEWEST_GROUPS} are needed; take a smaller m"
            )
            return None
        key = (place, tuple(row["sha256"] for row in rows), rows[0]["m"], rows[0]["preset"], tuple(numbers))
        if key not in self._sides:
            self._sides[key] = self._both_sides(rows, numbers)
        sides = self._sides[key]
        if sides is None:
            self.reasons.setdefault(place, "no scores of trials, or other trials for some checkpoints")
            return None
        self.kept_apart[place] = sides.kept_apart
        one, other = (halves_of_values(values, sizes, side) for side in (sides.first, ~sides.first))
        whole = Halves(one, *sides.errors, other)
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

    def _both_sides(self, rows: Sequence[Mapping[Any, Any]], numbers: Sequence[int]) -> Sides | None:
        """Return the halves and what the checkpoints' error rates are there; None without scores of the same trials."""
        tables = self._scores(rows)
        if tables is None:
            return None
        trials = tables[0]
        place = {number: index for index, number in enumerate(numbers)}
        index = trials["group"].map(place).fillna(-1).astype(int).to_numpy()
        grouped = index >= 0
        first, of_trial = self._halves(trials, index, numbers)
        inside = first[:, index] & grouped  # (splits, trials)
        outside = ~inside if of_trial is None else ~of_trial
        errors = tuple(self._rates(rows, tables, chosen) for chosen in (outside, inside, grouped & outside))
        return Sides(first, errors, what_is_apart(trials, inside[0], outside[0]))  # type: ignore[arg-type]

    def _halves(
        self, trials: pd.DataFrame, index: np.ndarray, numbers: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return which groups are in the first half, and which trials are where the records say so."""
        half = trials["half"].to_numpy() if "half" in trials else np.full(len(trials), -1)
        recorded = halves_of_record(half, trials["group"].to_numpy(), numbers)
        if recorded is None:
            counts = pd.crosstab(index, trials["attack"])
            attacks = counts.reindex(range(len(numbers)), fill_value=0).to_numpy(float)
            return draw_halves(len(numbers), seed=self.seed, n_splits=self.n_splits, attacks=attacks), None
        start = int(np.random.default_rng(self.seed).integers(2))
        turns = (start + np.arange(self.n_splits)[:, None]) % 2
        return recorded == turns, half == turns

    def _scores(self, rows: Sequence[Mapping[Any, Any]]) -> list[pd.DataFrame] | None:
        """Return the scores of every checkpoint; None where they are missing, of other trials, or too many."""
        assert self.records is not None
        if float(rows[0]["n_bonafide"] + rows[0]["n_spoof"]) * len(rows) > MOST_SCORES:
            return None
        tables: list[pd.DataFrame] = []
        for row in rows:
            found = self.records.scores(row)
            same = ["trial", "label", "group"]
            if found is None or (tables and not tables[0][same].equals(found[same])):
                return None
            tables.append(found)
        return tables

    def _rates(
        self, rows: Sequence[Mapping[Any, Any]], tables: Sequence[pd.DataFrame], chosen: np.ndarray
    ) -> np.ndarray:
        """Return the error rate of each checkpoint on some trials, (checkpoints, splits)."""
        if self.error is not None:
            error = self.error
            return np.array(
                [
                    [error(row, table[kept]) for kept in chosen]
                    for row, table in zip(rows, tables, strict=True)
                ]
            )
        folded = rows[0].get("score_rule") == "folded_spoof_logit"
        column = "logit_spoof" if folded else "score"
        scores = np.array([table[column].to_numpy(float) for table in tables])
        return halves_of_errors(scores, (tables[0]["label"] == "bonafide").to_numpy(), chosen, folded=folded)


def what_is_apart(trials: pd.DataFrame, one: np.ndarray, other: np.ndarray) -> str:
    """Tell what two sides of a set do not share, from the trials themselves.

    Args:
        trials: Columns speaker and pair, "" where unknown.
        one: Which trials are on one side.
        other: And on the other.

    Returns:
        "speakers" where most trials name theirs and none is on both sides; "pairs" where that holds of the recordings
        that fakes were made from, if not of speakers; otherwise "trials".

    Example:
        >>> trials = pd.DataFrame({"speaker": list("abba"), "pair": list("1122")})
        >>> one = np.array([True, False, False, True])
        >>> what_is_apart(trials, one, ~one), what_is_apart(trials, one & False, ~one)
        ('speakers', 'speakers')
        >>> one = np.array([True, True, False, False])
        >>> what_is_apart(trials, one, ~one)
        'pairs'
    """
    for name, column in ((SPEAKERS, "speaker"), (PAIRS, "pair")):
        known = trials[column].to_numpy(str) if column in trials else np.full(len(trials), "")
        named = known != ""
        both = set(known[one & named]) & set(known[other & named])
        repeated = len(set(known[named])) < named.sum()
        if named.mean() > 0.5 and repeated and not both:
            return name
    return TRIALS
