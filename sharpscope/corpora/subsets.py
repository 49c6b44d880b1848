"""Conditions of a set as sets: each alone, or more and more of them with the class counts held fixed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sharpscope.corpora.trials import TrialSet
from sharpscope.errors import UsageError, unknown_name

CONDITIONS = ("attack", "codec", "language", "speaker")


def _column(trials: TrialSet, by: str) -> pd.Series:
    if by not in CONDITIONS:
        raise unknown_name("condition", by, CONDITIONS)
    column = trials.table[by]
    if not (column != "").any():
        known = [name for name in CONDITIONS if (trials.table[name] != "").any()]
        raise UsageError(
            f"set '{trials.name}' does not tell the {by} of its trials; it tells {', '.join(known) or 'none'}"
        )
    return column


def _shared(trials: TrialSet, column: pd.Series) -> np.ndarray:
    """Tell which trials belong to every condition: the bona fide ones, where they have none of their own."""
    bonafide = (trials.table["label"] == "bonafide").to_numpy()
    return bonafide & (not (column[bonafide] != "").any())


def _named(trials: TrialSet, rows: np.ndarray, name: str, *notes: str) -> TrialSet:
    subset = f"{trials.subset}/{name}" if trials.subset else name
    table = trials.table.iloc[np.sort(rows)].reset_index(drop=True)
    return trials._replace(table=table, subset=subset, notes=(*trials.notes, *notes))


def subsets(trials: TrialSet, by: str = "attack") -> list[TrialSet]:
    """Split a set by a condition.

    Bona fide speech has no attack: it is shared by all. Where both classes name the condition (speakers,
    languages), each subset has its own. Values with only one class are left out, since they have no EER.

    Args:
        trials: The set.
        by: "attack", "codec", "language" or "speaker".

    Returns:
        One set per value, in the order of the values, called ``attack=A07`` and so on; each names in its notes what
        was left out.

    Raises:
        UsageError: If the condition is unknown, not told by the set, or no value has both classes.

    Example:
        >>> table = pd.DataFrame({"trial": list("abc"), "label": ["bonafide", "spoof", "spoof"],
        ...                       "attack": ["", "A1", "A2"]})
        >>> [(part.subset, len(part.table)) for part in subsets(TrialSet("x", "", table, 0, ()))]
        [('attack=A1', 2), ('attack=A2', 2)]
    """
    column = _column(trials, by)
    shared = _shared(trials, column)
    spoof = (trials.table["label"] == "spoof").to_numpy()
    parts, lacking = [], []
    for value in sorted(set(column) - {""}):
        rows = np.flatnonzero((column == value).to_numpy() | shared)
        if 0 < spoof[rows].sum() < len(rows):
            parts.append((value, rows))
        else:
            lacking.append(value)
    notes = [f"no subset for {by} {', '.join(lacking[:10])}: only one class"] if lacking else []
    unknown = int(((column == "").to_numpy() & ~shared).sum())
    notes += [f"{unknown} trials of unknown {by} in no subset"] if unknown else []
    if not parts:
        raise UsageError(f"set '{trials.name}': no {by} has trials of both classes; {'; '.join(notes)}")
    return [_named(trials, rows, f"{by}={value}", *notes) for value, rows in parts]


def grow(
    trials: TrialSet,
    by: str = "attack",
    *,
    seed: int = 0,
    repeats: int = 5,
    per_class: int | None = None,
) -> list[TrialSet]:
    r"""Make sets of more and more conditions that differ in nothing else (after Huang et al., 2025, Figure 1).

    In every repeat the K conditions stand in a random order, and set k holds the first k of them with
    :math:`n` spoofed trials in all, :math:`n/k` from each (to one trial); the bona fide ones are drawn alike, or
    are the same :math:`n` in all sets where they have no condition. Size and class ratio thus stay as they are,
    and only the number of conditions grows. Trials of a condition come in one random order per repeat, so those
    drawn for k + 1 are among those drawn for k.

    Args:
        trials: The set.
        by: "attack", "codec", "language" or "speaker".
        seed: Seeds orders and draws.
        repeats: Random orders.
        per_class: n, the trials of each class; conditions with fewer are left out. None takes the smallest
            condition's count.

    Returns:
        ``repeats`` x K sets, called ``order1/attacks=3`` and so on.

    Raises:
        UsageError: If fewer than two conditions are left, n is too small for one trial each, or repeats is below 1.

    Example:
        >>> table = pd.DataFrame({"trial": range(6), "label": ["bonafide"] * 2 + ["spoof"] * 4,
        ...                       "attack": ["", "", "A1", "A1", "A2", "A2"]})
        >>> designs = grow(TrialSet("x", "", table, 0, ()), repeats=1)
        >>> [(d.subset, sorted(d.table["label"])) for d in designs]  # doctest: +NORMALIZE_WHITESPACE
        [('order1/attacks=1', ['bonafide', 'bonafide', 'spoof', 'spoof']),
         ('order1/attacks=2', ['bonafide', 'bonafide', 'spoof', 'spoof'])]
    """
    if repeats < 1:
        raise UsageError(f"--orders is {repeats}; at least one is needed")
    column = _column(trials, by)
    shared = _shared(trials, column)
    spoof = (trials.table["label"] == "spoof").to_numpy()
    rows = {
        value: (
            np.flatnonzero((column == value).to_numpy() & ~spoof),
            np.flatnonzero((column == value).to_numpy() & spoof),
        )
        for value in sorted(set(column) - {""})
    }
    own_bonafide = not shared.any()
    sizes = {value: min(map(len, both)) if own_bonafide else len(both[1]) for value, both in rows.items()}
    n = per_class if per_class is not None else min((size for size in sizes.values() if size), default=0)
    n = n if own_bonafide else min(n, int(shared.sum()))
    kept = [value for value, size in sizes.items() if size >= max(n, 1)]
    if len(kept) < 2 or n < len(kept):
        raise UsageError(
            f"set '{trials.name}': {len(kept)} values of {by} have {n} trials of each class, of {len(rows)}; at least "
            f"two are needed, and one trial for each. Give another number of trials per class"
        )
    left = [value for value in rows if value not in kept]
    notes = (f"{n} trials of each class in every step",) + (
        (f"left out for too few trials: {', '.join(left[:10])}",) if left else ()
    )
    rng = np.random.default_rng(seed)
    designs = []
    for repeat in range(1, repeats + 1):
        order = [kept[i] for i in rng.permutation(len(kept))]
        drawn = {value: tuple(rng.permutation(part) for part in rows[value]) for value in order}
        reals = rng.permutation(np.flatnonzero(shared))[:n]
        for k in range(1, len(order) + 1):
            # The first n mod k conditions give one trial more.
            shares = [n // k + (i < n % k) for i in range(k)]
            parts = [drawn[value][1][:share] for value, share in zip(order[:k], shares, strict=True)]
            if own_bonafide:
                parts += [drawn[value][0][:share] for value, share in zip(order[:k], shares, strict=True)]
            else:
                parts.append(reals)
            designs.append(
                _named(trials, np.concatenate(parts), f"order{repeat}/{by}s={k}", *notes, "+".join(order[:k]))
            )
    return designs
