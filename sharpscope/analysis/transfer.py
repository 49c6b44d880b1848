r"""Sharpness on one set against error on another: what a detector tells before anybody has labels of the new speech.

Two sets share no trial, so that nothing but the detectors moves both numbers; on the diagonal, where set and set are
one, sharpness comes from one half of the groups and the error from the trials outside of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis import permutation
from sharpscope.analysis.adjustment import holm
from sharpscope.analysis.clustered_tests import one_value_each
from sharpscope.analysis.clusters import find_clusters
from sharpscope.analysis.cross_half import combined
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.rank_correlation import (
    EXACT_UP_TO,
    FEWEST,
    SAME,
    blocks,
    orders,
    p_of,
    standardised_ranks,
)
from sharpscope.results.comparable import WAY
from sharpscope.results.measure_facts import is_control
from sharpscope.results.records import Records
from sharpscope.results.selection import by_shift, panel_names
from sharpscope.results.table import EER_ONLY
from sharpscope.results.wording import counted, listed, named

COLUMNS = ("source_set", "target_set", *WAY, "n", "spearman", "p", "p_adjusted")
# A table of many growing subsets has more pairs than anybody reads; beyond this, whole sets only.
MOST_SETS = 24


class _Cell(NamedTuple):
    """One pair of sets in one way of measuring, ready to be tested.

    Attributes:
        place: Of its row in the table.
        x: Standardised ranks of sharpness, shape (runs, splits); one split where the sets differ.
        y: Of error, the same shape.
        runs: Which runs these are; cells of the same runs are permuted together.
        way: Of measuring, which decides what is computed together.
    """

    place: int
    x: np.ndarray
    y: np.ndarray
    runs: tuple[int, ...]
    way: tuple[Any, ...]


def transfer(
    table: pd.DataFrame,
    halves: HalvesOfSets,
    *,
    seed: int = 0,
    controls: bool = False,
    advance: Callable[[], object] | None = None,
) -> pd.DataFrame:
    r"""Correlate sharpness on every set with the equal error rate on every other.

    Epochs of one run count once, by their mean. P-values come from permuting runs. Where the sets differ they are
    adjusted by the largest correlation of any pair and way under shared orders (max-T); the diagonal, which is tested
    between halves, is a family of its own. Cells from other runs are families of their own too, and then
    the adjusted p is multiplied by the number of families. The rows whose measure is "eer" have the error rate of the
    source in the place of sharpness: what sharpness must beat; they are no part of a family.

    Args:
        table: Rows that may be correlated; a set without error rates is a source and no target.
        halves: Of the table's sets, for the diagonal.
        seed: Of random orders.
        controls: Whether controls are sources too.
        advance: Called after every way of measuring.

    Returns:
        Columns ``COLUMNS``: one row per source, target and way. ``spearman`` is NaN where the two sets share trials,
        where fewer than three runs have both numbers, or where one of them does not vary.

    Source:
        Westfall and Young (1993) for the adjustment.

    Example:
        >>> rows = [{"checkpoint": c, "sha256": c, "arch": "tiny", "recipe": "", "seed": float("nan"), "set": s,
        ...     "subset": "", "domain": "ood", "measure": "sam", "rho": 0.05, "m": 32.0, "preset": "rigorous",
        ...     "eer": float(i) / 10, "value": float(i) ** 2} for i, c in enumerate("abcdef") for s in ("one", "two")]
        >>> found = transfer(pd.DataFrame(rows), HalvesOfSets(None))
        >>> one = found[(found["source_set"] == "one") & (found["target_set"] == "two")].iloc[0]
        >>> float(one["spearman"]), round(float(one["p"]), 4)
        (1.0, 0.0028)
    """
    table = _few_sets(table.assign(panel=panel_names(table)))
    apart = _Apart(table, halves.records)
    runs = find_clusters(table).labels["run"]
    rows: list[dict[str, Any]] = []
    between: list[_Cell] = []
    within: list[_Cell] = []
    for values, part in table.groupby(WAY, sort=False, dropna=False):
        way = dict(zip(WAY, values, strict=True))
        if controls or not is_control(str(way["measure"])):
            for cell, row in _pairs(way, part, apart, runs, len(rows)):
                rows.append(row)
                between += [cell] if cell is not None else []
            for cell, row in _diagonal(way, part, halves, runs, len(rows)):
                rows.append(row)
                within += [cell] if cell is not None else []
        if advance is not None:
            advance()
    found = pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"spearman": float, "p": float, "p_adjusted": float}
    )
    numbers = ["spearman", "p", "p_adjusted"]
    for cells in (between, within):
        for place, answer in _tested(cells, seed).items():
            found.loc[place, numbers] = answer
    baseline = _baseline(table, apart, runs, seed)
    baseline["p_adjusted"] = holm(baseline["p"].to_numpy(float))
    both = pd.concat([found, baseline], ignore_index=True) if rows else found
    return both.astype(dict.fromkeys(("n", *numbers), float))


def _few_sets(table: pd.DataFrame) -> pd.DataFrame:
    return table if table["panel"].nunique() <= MOST_SETS else table[table["subset"] == ""]


class _Apart:
    """Tells whether two sets share no trial, from the scores beside the table; by their names without them."""

    def __init__(self, table: pd.DataFrame, records: Records | None) -> None:
        firsts = table.drop_duplicates("panel").set_index("panel")
        self.sets = firsts["set"].to_dict()
        self.trials: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        for panel, row in firsts.iterrows() if records is not None else ():
            assert records is not None
            complete = {"spec_hash": "", "trials_hash": ""} | row.to_dict()
            scores = records.scores(complete)
            if scores is not None:
                paths = frozenset(scores["path"]) - {""} if "path" in scores else frozenset()
                self.trials[str(panel)] = (paths, frozenset(scores["trial"]))

    def __call__(self, source: str, target: str) -> bool:
        same = self.sets[source] == self.sets[target]
        if source not in self.trials or target not in self.trials:
            return not same
        (paths, trials), (other_paths, other_trials) = self.trials[source], self.trials[target]
        if paths and other_paths:
            return not paths & other_paths
        return not (same and trials & other_trials)


def _blank(way: Mapping[str, Any], source: str, target: str) -> dict[str, Any]:
    return {
        **dict.fromkeys(COLUMNS, math.nan),
        **way,
        "source_set": source,
        "target_set": target,
        "n": 0,
    }


def _wide(part: pd.DataFrame, column: str) -> pd.DataFrame:
    wide = part.pivot_table(index="sha256", columns="panel", values=column, aggfunc="first", sort=False)
    return wide.reindex(sorted(wide.index)).replace([np.inf, -np.inf], np.nan)


def _pairs(
    way: Mapping[str, Any], part: pd.DataFrame, apart: _Apart, runs: pd.Series, start: int
) -> Iterator[tuple[_Cell | None, dict[str, Any]]]:
    """Yield each pair of different sets with its row; no cell where there is nothing to correlate."""
    x, y = _wide(part, "value"), _wide(part, "eer")
    complete = x.index.equals(y.index) and bool(x.notna().all(axis=None) and y.notna().all(axis=None))
    for source in x.columns:
        for target in y.columns:
            if source == target:
                continue
            row = _blank(way, source, target)
            cell = None
            if apart(source, target):
                one, other = x[[source]], y[[target]]
                if not complete:
                    both = pd.concat([one, other], axis=1).dropna()
                    one, other = both.iloc[:, [0]], both.iloc[:, [1]]
                cell = _cell(one, other, runs, start, tuple(way.values()), row)
            start += 1
            yield cell, row


def _diagonal(
    way: Mapping[str, Any], part: pd.DataFrame, halves: HalvesOfSets, runs: pd.Series, start: int
) -> Iterator[tuple[_Cell | None, dict[str, Any]]]:
    """Yield each set with itself, sharpness and error from different halves of its trials."""
    for panel, cells in part.groupby("panel", sort=False):
        finite = cells[np.isfinite(cells["value"]) & np.isfinite(cells["eer"])].sort_values("sha256")
        if finite.empty:
            continue
        row = _blank(way, str(panel), str(panel))
        split = halves.of(finite)
        cell = None
        if split is not None:
            # Halves may hold one row a run already, in the order in which runs appear.
            names = finite["sha256"]
            names = names[~runs.loc[names].duplicated().to_numpy()] if len(split.x) < len(names) else names
            x, y = (pd.DataFrame(side, index=names) for side in (split.x, split.y))
            cell = _cell(x, y, runs, start, tuple(way.values()), row)
        start += 1
        yield cell, row


def _cell(
    x: pd.DataFrame, y: pd.DataFrame, runs: pd.Series, place: int, way: tuple[Any, ...], row: dict[str, Any]
) -> _Cell | None:
    """Rank one value per run; None where ranks do not exist. The row learns how many runs there are."""
    own = runs.loc[x.index]
    numbers, labels = np.unique(own.to_numpy(), return_inverse=True)
    row["n"] = len(numbers)
    if len(numbers) < 3:
        return None
    zx, zy = (standardised_ranks(one_value_each(side.to_numpy(float), labels)) for side in (x, y))
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
    # A set that is constant on some splits is left out whole: the others would be a choice.
    return _Cell(place, zx, zy, tuple(numbers.tolist()), way) if usable.all() else None


def _tested(cells: list[_Cell], seed: int) -> dict[int, tuple[float, float, float]]:
    """Return correlation, p and adjusted p of every cell by its place."""
    families: dict[tuple[int, ...], list[_Cell]] = {}
    for cell in cells:
        families.setdefault(cell.runs, []).append(cell)
    tested = sum(len(runs) >= FEWEST for runs in families)
    found: dict[int, tuple[float, float, float]] = {}
    for runs, family in families.items():
        observed = np.array([(cell.x * cell.y).sum(axis=0) for cell in family])  # (cells, splits)
        p, adjusted = np.full(observed.shape, np.nan), np.full(observed.shape, np.nan)
        if len(runs) >= FEWEST:
            for split in range(observed.shape[1]):
                p[:, split], adjusted[:, split] = _permuted(family, observed[:, split], split, seed)
        for index, cell in enumerate(family):
            own = [combined(side[index].tolist()) for side in (p, adjusted)]
            middle = round(float(np.median(observed[index])), 12)
            found[cell.place] = (middle, own[0], min(1.0, own[1] * tested))
    return found


def _permuted(
    family: list[_Cell], observed: np.ndarray, split: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return p and max-T p of cells with the same runs, under orders that all of them share."""
    n = len(family[0].runs)
    order = orders(n, rng=seed)
    exact = n <= EXACT_UP_TO
    highest = np.zeros(len(order))
    extreme = np.zeros(len(family))
    for way in dict.fromkeys(cell.way for cell in family):
        own = [index for index, cell in enumerate(family) if cell.way == way]
        x, of_x = np.unique(
            np.array([family[index].x[:, split] for index in own]), axis=0, return_inverse=True
        )
        y, of_y = np.unique(
            np.array([family[index].y[:, split] for index in own]), axis=0, return_inverse=True
        )
        start = 0
        for block in blocks(order, max(1, permutation.AT_ONCE // (len(x) * (n + len(y))))):
            null = np.abs((x[:, block].reshape(-1, n) @ y.T).reshape(len(x), len(block), len(y)))
            chosen = null[of_x.ravel(), :, of_y.ravel()]  # (cells, orders)
            extreme[own] += (chosen >= np.abs(observed[own, None]) - SAME).sum(axis=1)
            stop = start + len(block)
            highest[start:stop] = np.maximum(highest[start:stop], chosen.max(axis=0))
            start = stop
    p = extreme / len(order) if exact else (extreme + 1) / (len(order) + 1)
    return p, permutation.max_t_p(observed, highest, exact=exact)


def _baseline(table: pd.DataFrame, apart: _Apart, runs: pd.Series, seed: int) -> pd.DataFrame:
    """Return what the error rate of the source itself says of the target's, once for each m and preset."""
    rows: list[dict[str, Any]] = []
    for (m, preset), part in table.groupby(["m", "preset"], sort=False, dropna=False):
        way = {"measure": EER_ONLY, "rho": math.nan, "m": m, "preset": preset}
        rates = part.assign(value=part["eer"])
        for cell, row in _pairs(way, rates, apart, runs, 0):
            if cell is not None:
                r = float((cell.x * cell.y).sum())
                null = permutation.joint_null(cell.x, cell.y, rng=seed)[:, 0] if row["n"] >= FEWEST else None
                row["spearman"] = round(r, 12)
                row["p"] = math.nan if null is None else p_of(r, null, exact=row["n"] <= EXACT_UP_TO)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def in_domain_sets(table: pd.DataFrame) -> list[str]:
    """Return the sets that are of every detector's own domain.

    Args:
        table: Rows of a results table.

    Returns:
        Names of sets, "set/subset" for subsets, in the order that all figures have.

    Example:
        >>> in_domain_sets(pd.DataFrame({"set": ["a", "b"], "subset": "", "domain": ["id", "ood"], "sha256": "f",
        ...     "eer": 0.1}))
        ['a']
    """
    panels = pd.Series(panel_names(table), index=table.index)
    own = {str(name) for name, domains in table["domain"].groupby(panels) if set(domains) == {"id"}}
    return [name for name in by_shift(table) if name in own]


def say_transfer(found: pd.DataFrame, in_domain: list[str]) -> str:
    """Say what sharpness on the in-domain set tells of the error on others.

    Args:
        found: Of `transfer`.
        in_domain: Sets of the detectors' own domain.

    Returns:
        A paragraph of Markdown; "" without an in-domain set or another one to tell of.
    """
    off = found[found["source_set"].isin(in_domain) & ~found["target_set"].isin(in_domain)]
    off = off[off["spearman"].notna()]
    sharp = off[off["measure"] != EER_ONLY]
    if sharp.empty:
        return ""
    targets = list(dict.fromkeys(sharp["target_set"]))
    words = (
        f"Before there are labels of new speech: sharpness on the in-domain {listed(in_domain)} against the error on "
        f"{listed(targets)}, no trial in both."
    )
    best = sharp.iloc[int(sharp["spearman"].abs().to_numpy().argmax())]
    way = named(str(best["measure"]), float(best["rho"]))
    held = int((sharp["p_adjusted"] <= 0.05).sum())
    adjusted = (
        "no p-value, fewer than 5 runs"
        if math.isnan(best["p_adjusted"])
        else f"p = {best['p_adjusted']:.2g} after max-T over all pairs of sets and ways"
    )
    words += (
        f" {held} of {counted(len(sharp), 'correlation')} hold; the strongest is {way} from {best['source_set']} to "
        f"{best['target_set']}, Spearman {best['spearman']:.2f} ({adjusted}, n = {best['n']:.0f})."
    )
    rival = off[(off["measure"] == EER_ONLY) & (off["source_set"] == best["source_set"])]
    rival = rival[(rival["target_set"] == best["target_set"]) & (rival["preset"] == best["preset"])]
    rival = rival[(rival["m"] == best["m"]) | (rival["m"].isna() & pd.isna(best["m"]))]
    if len(rival):
        more = abs(float(rival["spearman"].iloc[0])) >= abs(float(best["spearman"]))
        words += (
            f" The error rate on {best['source_set']} itself gives {rival['spearman'].iloc[0]:.2f} there"
            f"{', so that sharpness adds nothing that it does not tell' if more else ''}."
        )
    return words + " transfer.csv has every pair."
