"""What a reviewer asks next: does it hang on one checkpoint, on the loss, on noise; does it rise under shift?

Every answer is a row of one tidy table. All of them are about the mean of within-set correlations, whose unit of
evidence is the checkpoint; sets and cells are never counted as if they were independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.comparisons import checkpoints_by_sets, williams
from sharpscope.analysis.confounding import (
    attenuation_bound,
    mean_partial,
    n_orders,
    partial_given_noisy,
)
from sharpscope.analysis.field_measures import granulated_kendall
from sharpscope.analysis.given_loss import given_over_sets
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.permutation import AT_ONCE
from sharpscope.analysis.rank_correlation import (
    EXACT_UP_TO,
    FEWEST,
    blocks,
    orders,
    p_of,
    spearman,
    standardised_ranks,
)
from sharpscope.analysis.reliability import split_halves
from sharpscope.results.measure_facts import covariates, facts_of
from sharpscope.results.measured_rates import WILLIAMS_SPREADS

COLUMNS = (
    "question",
    "measure",
    "rho",
    "m",
    "preset",
    "set",
    "given",
    "n",
    "estimate",
    "low",
    "high",
    "p",
    "note",
)
_BLANK: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan) | {"set": "", "given": "", "note": ""}
FEWEST_SETS = 5
# Beyond, questions that cost the square of checkpoints are not asked.
MOST_CHECKPOINTS = 200
# Equal mean error rates differ in the last place with the order of the sum, and would count as a rank apart.
DIGITS = 12
# Under no effect the test of Freedman and Lane rejects 24 % at a reliability of .95, 42 % at .9 (12 checkpoints).
NO_TEST = "no p-value: a covariate with noise of its own lets part of its effect through"


class Cells(NamedTuple):
    """One measure on the checkpoints that have a number on every set.

    Attributes:
        x: Values, checkpoints x sets.
        y: EERs, the same shape.
        checkpoints: One row per checkpoint: arch, recipe, seed.
        places: Names of the sets.
        corpora: The corpus of each: subsets of one are not sets of their own.
        domains: Their domain, "id", "ood" or "".
        noise: Mean squared standard errors of values and EERs, each of shape (sets,).
    """

    x: np.ndarray
    y: np.ndarray
    checkpoints: pd.DataFrame
    places: list[str]
    corpora: list[str]
    domains: list[str]
    noise: tuple[np.ndarray, np.ndarray]


def ask(
    results: pd.DataFrame,
    *,
    whole: pd.DataFrame | None = None,
    halves: HalvesOfSets | None = None,
    seed: int = 0,
    advance: Callable[[], object] | None = None,
) -> pd.DataFrame:
    """Answer every question that the table allows, for every measure.

    Args:
        results: Rows of a results table without duplicates.
        whole: The same rows of all trials where ``results`` are of halves: reliability is asked of them.
        halves: Of the table's sets, from the records beside it, or None.
        seed: Of random orders.
        advance: Called after every measure.

    Returns:
        One row per answer, columns ``COLUMNS``.
    """
    rows: list[dict[str, Any]] = []
    whole = results if whole is None else whole
    for preset, part in results.groupby("preset", sort=False, dropna=False):
        known = _known(part)
        for way, cells in known.items():
            rows += [_head(way, preset) | answer for answer in _answers(way, cells, known, seed)]
            if advance is not None:
                advance()
        same = whole["preset"].isna() if pd.isna(preset) else whole["preset"] == preset
        lines = dict(list(whole[same].groupby(["measure", "rho", "m"], sort=False, dropna=False)))
        entire = {way: found for way, own in lines.items() if (found := _cells(own)) is not None}
        for way, cells in entire.items():
            answers = [*_reliability(cells), *_given(way, cells, entire, lines, halves)]
            rows += [_head(way, preset) | answer for answer in answers]
    if halves is not None and results["sha256"].nunique() <= MOST_CHECKPOINTS:
        rows += [_BLANK | answer for answer in split_halves(whole, halves)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _head(way: tuple[Any, ...], preset: Any) -> dict[str, Any]:
    return _BLANK | dict(zip(("measure", "rho", "m"), way, strict=True)) | {"preset": preset}


def _known(part: pd.DataFrame) -> dict[tuple[Any, ...], Cells]:
    """Return the cells of every way of measuring."""
    ways = part.groupby(["measure", "rho", "m"], sort=False, dropna=False)
    return {way: cells for way, lines in ways if (cells := _cells(lines)) is not None}


def _cells(lines: pd.DataFrame) -> Cells | None:
    value, eer = checkpoints_by_sets(lines)
    kept = value.index[value.notna().all(axis=1)]
    if len(kept) < FEWEST or not len(value.columns):
        return None
    first = lines.drop_duplicates("sha256").set_index("sha256").loc[kept, ["arch", "recipe", "seed"]]
    lines = lines[lines["sha256"].isin(kept)].assign(place=lines["set"] + "\0" + lines["subset"])
    by_place = lines.groupby("place", sort=False)
    domains = {place: "".join(sorted(set(rows["domain"]) - {""})) for place, rows in by_place}
    spread = (lines["eer_high"] - lines["eer_low"]) / (2 * 1.96)
    squares = lines.assign(of_value=lines["stderr"] ** 2, of_eer=spread**2).groupby("place")[
        ["of_value", "of_eer"]
    ]
    noise = squares.mean().loc[list(value.columns)]
    return Cells(
        value.loc[kept].to_numpy(float),
        eer.loc[kept].to_numpy(float),
        first.reset_index(drop=True),
        [place.replace("\0", " ").strip() for place in value.columns],
        [place.split("\0")[0] for place in value.columns],
        [domains[place] for place in value.columns],
        (noise["of_value"].to_numpy(float), noise["of_eer"].to_numpy(float)),
    )


def _answers(
    way: tuple[Any, ...], cells: Cells, known: dict[tuple[Any, ...], Cells], seed: int
) -> Iterator[dict[str, Any]]:
    yield from _robust(cells)
    yield from _granulated(cells)
    yield from _shift(cells, seed)
    yield from _against_loss(way, cells, known)


def mean_within(x: np.ndarray, y: np.ndarray) -> float:
    """Mean over sets of the within-set Spearman correlation; sets with one value only are left out.

    Args:
        x: The measure, checkpoints x sets.
        y: EER, the same shape.

    Returns:
        The mean; NaN without a usable set.

    Example:
        >>> mean_within(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]), np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
        0.0
    """
    found = (standardised_ranks(x) * standardised_ranks(y)).sum(axis=0)
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else math.nan


def _robust(cells: Cells) -> Iterator[dict[str, Any]]:
    """Leave out each checkpoint, each architecture; name the set where the correlation is lowest."""
    n = len(cells.x)
    within = [spearman(cells.x[:, j], cells.y[:, j]) for j in range(cells.x.shape[1])]
    whole = mean_within(cells.x, cells.y)
    if len(within) > 1 and any(map(math.isfinite, within)):
        lowest = int(np.nanargmin(within))
        yield {"question": "lowest_set", "set": cells.places[lowest], "n": n, "estimate": within[lowest]}
    # Beyond some hundred checkpoints none of them can turn the answer, and n answers cost n squared.
    if n <= MOST_CHECKPOINTS:
        without = [
            mean_within(np.delete(cells.x, i, axis=0), np.delete(cells.y, i, axis=0)) for i in range(n)
        ]
        yield {"question": "leave_one_checkpoint_out", "n": n, "estimate": whole} | _range(without)
    arch = cells.checkpoints["arch"].to_numpy()
    kept = {name: arch != name for name in np.unique(arch) if (arch != name).sum() >= FEWEST}
    if kept and len(np.unique(arch)) > 1:
        without = [mean_within(cells.x[rows], cells.y[rows]) for rows in kept.values()]
        low = list(kept)[int(np.nanargmin(without))] if np.isfinite(without).any() else ""
        yield {
            "question": "leave_one_architecture_out",
            "n": n,
            "estimate": whole,
            "note": f"lowest without {low}",
        } | _range(without)


def _range(values: list[float]) -> dict[str, float]:
    finite = [value for value in values if math.isfinite(value)]
    return {"low": min(finite, default=math.nan), "high": max(finite, default=math.nan)}


def _granulated(cells: Cells) -> Iterator[dict[str, Any]]:
    """Kendall's tau between checkpoints that differ in architecture or recipe only (Jiang et al., 2020), over sets."""
    if len(cells.x) > MOST_CHECKPOINTS:
        return
    names = ("arch", "recipe")
    settings = cells.checkpoints[list(names)].astype(str).to_numpy(dtype=str)
    psis, axes = [], []
    for j in range(cells.x.shape[1]):
        psi, each = granulated_kendall(cells.x[:, j], cells.y[:, j], settings)
        psis.append(psi)
        axes.append(each)
    if np.isfinite(psis).any():
        with np.errstate(invalid="ignore"):
            each = [float(np.nanmean(a)) if np.isfinite(a).any() else math.nan for a in np.array(axes).T]
        parts = [
            f"{name} {value:.2f}" for name, value in zip(names, each, strict=True) if math.isfinite(value)
        ]
        yield {
            "question": "granulated_kendall",
            "n": len(cells.x),
            "estimate": float(np.nanmean(psis)),
            "note": ", ".join(parts),
        }


def _tested(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    zx, zy = standardised_ranks(x), standardised_ranks(y)
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
    if not usable.any():
        return {}
    zx, zy = zx[:, usable], zy[:, usable]
    return {"estimate": float((zx * zy).sum(axis=0).mean()), "p": _joint_p(zx, zy, seed)}


def _joint_p(zx: np.ndarray, zy: np.ndarray, seed: int) -> float:
    n = len(zx)
    order = orders(n, rng=seed, n_permutations=n_orders(zx))
    rows = max(1, AT_ONCE // zx.size)
    null = np.concatenate([np.einsum("bns,ns->b", zx[block], zy) for block in blocks(order, rows)])
    return p_of(float((zx * zy).sum()), null, exact=n <= EXACT_UP_TO)


def _given(
    way: tuple[Any, ...],
    cells: Cells,
    known: dict[tuple[Any, ...], Cells],
    lines: dict[tuple[Any, ...], pd.DataFrame],
    halves: HalvesOfSets | None,
) -> Iterator[dict[str, Any]]:
    """What is left of the correlation once a control or the in-domain EER is accounted for."""
    n = len(cells.x)
    if n < FEWEST + 1 or n > MOST_CHECKPOINTS:
        return
    for name in covariates():
        beside = next((w for w in known if w[0] == name and w[2] == way[2]), None)
        if name == way[0] or beside is None:
            continue
        other = known[beside]
        if other.x.shape != cells.x.shape or other.places != cells.places:
            continue
        if same := facts_of(name).same_as:
            note = f"to first order the same quantity as {same}, not a confounder"
            agree = mean_within(cells.x, other.x)
            yield {"question": "same_quantity", "given": name, "n": n, "estimate": agree, "note": note}
            continue
        found = given_over_sets(lines[way], lines[beside], halves)
        if found is not None and math.isfinite(found.estimate):
            low, high = found.interval(0.95)
            numbers = {"n": found.n, "estimate": found.estimate, "low": low, "high": high, "p": found.p}
            note = f"across halves, the {name} of the other half as instrument; at most {found.adds_at_most():.2f}"
            yield {"question": "partial", "given": name, "note": note} | numbers
            continue
        estimate = mean_partial(cells.x, cells.y, other.x)
        if math.isfinite(estimate):
            note = _of_covariate(name, cells, other) if found is None else f"{NO_TEST}; {found.note}"
            yield {"question": "partial", "given": name, "n": n, "estimate": estimate, "note": note}
    inside = [j for j, domain in enumerate(cells.domains) if domain == "id"]
    outside = [j for j, domain in enumerate(cells.domains) if domain == "ood"]
    if len(inside) and len(outside):
        own = cells.y[:, inside].mean(axis=1, keepdims=True).round(DIGITS)
        estimate = mean_partial(cells.x[:, outside], cells.y[:, outside], own)
        if math.isfinite(estimate):
            row = {"question": "partial", "given": "in-domain EER", "n": n, "estimate": estimate}
            yield row | {"note": NO_TEST}


def _of_covariate(name: str, cells: Cells, other: Cells) -> str:
    """Say why a partial correlation is no test here, and what it is once the covariate's own noise is taken out."""
    found = []
    spread = other.x.var(axis=0, ddof=1)
    for j, variance in enumerate(spread):
        own, of_x, of_y = (
            spearman(a[:, j], b[:, j])
            for a, b in ((cells.x, cells.y), (cells.x, other.x), (cells.y, other.x))
        )
        reliability = 1 - other.noise[0][j] / variance if variance > 0 else math.nan
        found.append(partial_given_noisy(own, of_x, of_y, reliability))
    if not np.isfinite(found).all():
        return NO_TEST
    return f"{NO_TEST}; {np.mean(found):.2f} once the noise of the {name} is taken out by its standard errors"


def _shift(cells: Cells, seed: int) -> Iterator[dict[str, Any]]:
    """Within one checkpoint, are the corpora with more errors the sharper ones? Labels of corpora are permuted jointly.

    Subsets of one corpus go together; they count once, by their means.
    """
    names = list(dict.fromkeys(cells.corpora))
    k, places = len(names), len(cells.places)
    if k < FEWEST_SETS:
        if places > 1:
            note = f"{k} {'corpus' if k == 1 else 'corpora'}; fewer than 5 cannot reach 5 %"
            yield {"question": "shift", "n": k, "note": note}
        return
    own = np.array([[corpus == name for name in names] for corpus in cells.corpora], dtype=float)
    x, y = (values @ (own / own.sum(axis=0)) for values in (cells.x, cells.y))
    if k < places:
        x, y = x.round(DIGITS), y.round(DIGITS)
    # A checkpoint is now a column, a corpus a row: the same test on the transposed table.
    yield {"question": "shift", "n": k, "note": f"corpora, within {len(cells.x)} checkpoints"} | _tested(
        x.T, y.T, seed
    )


def _reliability(cells: Cells) -> Iterator[dict[str, Any]]:
    r"""How much of the spread between checkpoints is not noise: :math:`1 - \overline{\mathrm{SE}^2} / s^2`."""
    values = []
    for name, column, noise in (("measure", cells.x, cells.noise[0]), ("EER", cells.y, cells.noise[1])):
        spread = column.var(axis=0, ddof=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            each = np.clip(1 - noise / spread, 0, 1)
        usable = each[np.isfinite(each)]
        if len(usable):
            values.append(float(usable.mean()))
            yield {"question": "reliability", "given": name, "n": len(cells.x), "estimate": values[-1]}
    if len(values) == 2:
        yield {
            "question": "attenuation_bound",
            "given": "intervals",
            "n": len(cells.x),
            "estimate": attenuation_bound(values),
            "note": "largest correlation that this much noise lets through",
        }


def _against_loss(
    way: tuple[Any, ...], cells: Cells, known: dict[tuple[Any, ...], Cells]
) -> Iterator[dict[str, Any]]:
    """Williams' test against the loss, set by set."""
    loss = next((c for w, c in known.items() if w[0] == "loss" and w[2] == way[2]), None)
    if way[0] == "loss" or loss is None or loss.x.shape != cells.x.shape or loss.places != cells.places:
        return
    for j, place in enumerate(cells.places):
        own, other = spearman(cells.x[:, j], cells.y[:, j]), spearman(loss.x[:, j], cells.y[:, j])
        found = williams(own, other, spearman(cells.x[:, j], loss.x[:, j]), len(cells.x))
        if math.isfinite(found.p):
            yield {
                "question": "better_than_loss",
                "set": place,
                "given": "loss",
                "n": len(cells.x),
                "estimate": own - other,
                "p": found.p,
                "note": "difference of Spearman's correlations, Williams (1959), approximate: where spreads of "
                f"checkpoints differ {WILLIAMS_SPREADS.words} of studies without an effect reject at 5 %",
            }
