"""Two halves of a set that share no speaker and no pair: sharpness comes from one, the error rate from the other.

Trials of one speaker are hard or easy together, and for one detector more than for another. A half that shares speakers
with the other shares that too, and a correlation across halves would take it for one of the detectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# What keeps trials together, the strongest first. A corpus of one speaker still has pairs.
LINKS = (("speaker", "pair"), ("speaker",), ("pair",))
# A half with fewer groups has no spread, and a half below this share of all leaves the other side too little.
FEWEST_GROUPS = 2
SMALLEST_SHARE = 0.3
# Speakers among whom exchanges are tried; of more the first dealing is as even.
MOST_EXCHANGED = 500
# Groups that drawing inside halves may cost beside one: a tenth.
MOST_LOST = 0.1


def draw_trial_halves(table: pd.DataFrame, labels: np.ndarray, m: int, *, seed: int = 0) -> np.ndarray | None:
    """Put every trial into one of two halves, speakers and pairs whole, balanced by class and attack.

    Trials that share a speaker, or the recording that a fake was made from, stay together. Where that leaves one half
    too small (a corpus of one speaker), speakers alone are kept together, then pairs alone.

    Args:
        table: The trials, columns ``speaker``, ``pair``, ``attack`` with "" for what is not known.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        m: Trials in a group: both halves must hold two groups.
        seed: Of the order in which equals are dealt out.

    Returns:
        Shape (n,), 0 or 1; None where nothing is known that keeps trials together, or where no halves can be made.

    Example:
        >>> table = pd.DataFrame({"speaker": list("aabbccdd"), "pair": "", "attack": ""})
        >>> halves = draw_trial_halves(table, np.tile([1, 0], 4), 2)
        >>> np.ptp(halves.reshape(4, 2), axis=1).tolist(), int(halves.sum())
        ([0, 0, 0, 0], 4)
    """
    for names in LINKS:
        units = _units([table[name].to_numpy(str) for name in names if name in table])
        if units is None:
            continue
        halves = _deal(units, _kinds(table, labels), seed)
        if _enough(halves, labels, m):
            return halves
    return None


def _units(columns: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return which trials belong together: linked by an equal cell, however many steps away; None where none are."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    known = [column for column in columns if len(np.unique(column[column != ""])) < (column != "").sum()]
    if not known:
        return None
    n = len(known[0])
    rows, ends, size = [], [], n
    for column in known:
        inside = np.flatnonzero(column != "")
        names, code = np.unique(column[inside], return_inverse=True)
        rows.append(inside)
        ends.append(size + code)
        size += len(names)
    i, j = np.concatenate(rows), np.concatenate(ends)
    graph = coo_matrix((np.ones(len(i), dtype=np.int8), (i, j)), shape=(size, size))
    found: np.ndarray = connected_components(graph, directed=False)[1][:n]
    return np.unique(found, return_inverse=True)[1]


def _kinds(table: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    """Return one number per trial for its class and attack, bona fide 0."""
    attack = table["attack"].to_numpy(str) if "attack" in table else np.full(len(labels), "")
    own = np.unique(attack, return_inverse=True)[1] + 1
    kinds: np.ndarray = np.unique(np.where(labels == 1, 0, own), return_inverse=True)[1]
    return kinds


def _deal(units: np.ndarray, kinds: np.ndarray, seed: int) -> np.ndarray:
    """Return a half for every trial: units that hold the same take turns, then the others where their kinds lack."""
    rng = np.random.default_rng(seed)
    # Units hold the same if the sums of a random number for each of their trials' kinds agree.
    key = np.zeros(units.max() + 1, dtype=np.uint64)
    np.add.at(key, units, rng.integers(2**63, size=kinds.max() + 1, dtype=np.uint64)[kinds])
    profile = np.unique(key, return_inverse=True)[1]
    order = rng.permutation(len(key))
    order = order[np.argsort(profile[order], kind="stable")]
    sizes = np.bincount(profile)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    half = np.zeros(len(key), dtype=np.int8)
    half[order] = place % 2
    # The last of an odd number has no partner.
    alone = order[(place == sizes[profile[order]] - 1) & (place % 2 == 0)]
    half[alone] = _where_they_lack(_counts_of(alone, units, kinds), rng)
    dealt: np.ndarray = half[units]
    return dealt


def _counts_of(alone: np.ndarray, units: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return how many trials of each kind some units hold, (units, kinds)."""
    number = np.full(units.max() + 1, -1)
    number[alone] = np.arange(len(alone))
    inside = number[units] >= 0
    counts = np.zeros((len(alone), kinds.max() + 1))
    np.add.at(counts, (number[units[inside]], kinds[inside]), 1)
    return counts


def _where_they_lack(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a half for each unit, the largest first: the one that leaves the kinds of both halves more alike."""
    # Bona fide and spoof trials as a whole weigh as much as all kinds of attack together.
    columns = np.column_stack([counts, counts[:, 1:].sum(axis=1)])
    columns[:, [0, -1]] *= np.sqrt(counts.shape[1])
    gap = np.zeros(columns.shape[1])
    half = np.zeros(len(counts), dtype=np.int8)
    for unit in np.argsort(-counts.sum(axis=1), kind="stable"):
        ahead = float(gap @ columns[unit])
        half[unit] = int(ahead > 0) if ahead != 0 else int(rng.integers(2))
        gap += columns[unit] * (1 - 2 * int(half[unit]))
    _exchange(half, columns)
    return half


def _exchange(half: np.ndarray, columns: np.ndarray) -> None:
    r"""Move the two units whose moving makes the halves most alike, in place, until none does.

    With :math:`s_u = \pm 1` the half of unit u and :math:`g = \sum_u s_u c_u` the gap of the halves, moving u and v
    changes :math:`|g|^2` by :math:`-4 s_u g c_u - 4 s_v g c_v + 4 |s_u c_u + s_v c_v|^2`; u = v stands for one move.
    """
    if len(columns) > MOST_EXCHANGED:
        return
    products = columns @ columns.T
    lengths = np.diag(products)
    for _ in range(len(columns)):
        sign = 1.0 - 2 * half
        pull = sign * (columns @ (sign @ columns))
        change = (
            8 * np.outer(sign, sign) * products
            - 4 * (pull[:, None] + pull)
            + 4 * (lengths[:, None] + lengths)
        )
        np.fill_diagonal(change, 4 * (lengths - pull))
        u, v = np.unravel_index(int(change.argmin()), change.shape)
        if not change[u, v] < -1e-9:
            return
        half[[u, v]] = 1 - half[[u, v]]


def groups_of_halves(halves: np.ndarray, labels: np.ndarray, m: int) -> np.ndarray:
    """Return how many groups of m, half bona fide and half spoof, either half gives.

    Args:
        halves: Shape (n,), 0 or 1.
        labels: Shape (n,), 1 = bona fide, 0 = spoof.
        m: Trials in a group.

    Returns:
        Two numbers.

    Example:
        >>> groups_of_halves(np.array([0, 0, 1, 1]), np.array([1, 0, 1, 0]), 2).tolist()
        [1, 1]
    """
    each = [min(int((labels[halves == h] == 1).sum()), int((labels[halves == h] == 0).sum())) for h in (0, 1)]
    return np.array(each) // max(1, m // 2)


def _enough(halves: np.ndarray, labels: np.ndarray, m: int) -> bool:
    """Tell whether both halves can be used and little is lost by drawing groups inside them."""
    inside = groups_of_halves(halves, labels, m)
    whole = int(groups_of_halves(np.zeros_like(halves), labels, m)[0])
    lost_few = whole - inside.sum() <= 1 + MOST_LOST * whole
    return bool(inside.min() >= max(FEWEST_GROUPS, SMALLEST_SHARE * inside.sum()) and lost_few)
