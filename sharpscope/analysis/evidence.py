"""The correlation again with every piece of evidence counted once, over all sets: rows for the table of questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.analysis.clustered_tests import FEWEST, Answer, joint_test
from sharpscope.analysis.clusters import Clusters, cluster_labels
from sharpscope.analysis.comparisons import checkpoints_by_sets
from sharpscope.errors import unknown_name
from sharpscope.results.comparable import WAY
from sharpscope.results.measure_facts import is_control
from sharpscope.results.wording import listed

COLUMNS = ("question", "measure", "rho", "m", "preset", "given", "n", "estimate", "p", "note")
GROUPINGS = ("arch", "recipe")


def level_of_evidence(clusters: Clusters) -> tuple[str, str | None]:
    """Return which clusters are permuted, and inside what.

    Recipes where there are five: seeds and epochs of one recipe share what the recipe did. Fewer recipes leave runs,
    exchanged among those of their recipe only, since recipes differ in more than chance.

    Args:
        clusters: Of `find_clusters`.

    Returns:
        A level, and the level of the strata or None.

    Example:
        >>> from sharpscope.analysis.clusters import LEVELS
        >>> level_of_evidence(Clusters(pd.DataFrame({level: range(6) for level in LEVELS}), ""))
        ('recipe', None)
    """
    if clusters.labels["recipe"].nunique() >= FEWEST:
        return "recipe", None
    return "run", "recipe"


def evidence_rows(
    results: pd.DataFrame, clusters: Clusters, *, by: str | None = None, seed: int = 0
) -> pd.DataFrame:
    """Test every measure over all sets at once with clusters as one, and inside architectures or recipes.

    Args:
        results: Rows of a results table without duplicates.
        clusters: Of `find_clusters`.
        by: "arch" exchanges recipes inside architectures, "recipe" runs inside recipes of one architecture; None
            asks only the first question.
        seed: Of random orders.

    Returns:
        Columns ``COLUMNS``; the question is "clusters_as_one" or "within_arch", "within_recipe".

    Raises:
        UsageError: If the grouping is unknown.
    """
    if by not in (None, *GROUPINGS):
        raise unknown_name("grouping", str(by), GROUPINGS)
    rows = []
    for values, part in results.groupby(WAY, sort=False, dropna=False):
        x, y = checkpoints_by_sets(part)
        if not len(x):
            continue
        head = dict(zip(WAY, values, strict=True))
        rows += [head | answer for answer in _answers(x, y, clusters, by, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _answers(
    x: pd.DataFrame, y: pd.DataFrame, clusters: Clusters, by: str | None, seed: int
) -> Iterator[dict[str, Any]]:
    level, inside = level_of_evidence(clusters)
    found = _test(x, y, clusters, level, inside, seed)
    given = f"{level}s" if inside is None else f"{level}s inside {inside}s"
    yield {"question": "clusters_as_one", "given": given} | _row(found)
    if by is not None:
        unit = "recipe" if by == "arch" else "run"
        found = _test(x, y, clusters, unit, by, seed)
        yield {"question": f"within_{by}", "given": f"{unit}s inside {by}s"} | _row(found)


def _test(
    x: pd.DataFrame, y: pd.DataFrame, clusters: Clusters, level: str, inside: str | None, seed: int
) -> Answer:
    labels = cluster_labels(clusters, x.index, level)
    strata = None if inside is None else cluster_labels(clusters, x.index, inside)
    arch = cluster_labels(clusters, x.index, "arch")
    unequal = [spreads_differ(values.to_numpy(float), arch) for values in (x, y)]
    # Unequal in both is what an unstudentised test takes for a correlation.
    found = joint_test(
        x.to_numpy(float),
        y.to_numpy(float),
        labels=labels,
        strata=strata,
        seed=seed,
        studentised=all(unequal),
    )
    notes = [found.note] if found.note else []
    if all(unequal) and np.isfinite(found.p):
        notes.append("architectures vary unequally: studentised")
    return found._replace(note="; ".join(notes))


def _row(found: Answer) -> dict[str, Any]:
    return {"n": found.n, "estimate": found.estimate, "p": found.p, "note": found.note}


def warn_of_spreads(results: pd.DataFrame) -> str:
    """Say where architectures vary so unequally that permuting single checkpoints finds too much.

    Args:
        results: Rows of a results table without duplicates.

    Returns:
        A sentence without its full stop; "" where spreads are alike in sharpness or in error.

    Example:
        >>> way = {"measure": "sam", "rho": 0.05, "m": 8.0, "preset": "", "set": "s", "subset": ""}
        >>> rows = [way | {"sha256": f"{a}{i}", "arch": a, "value": scale * i, "eer": scale * i}
        ...     for a, scale in (("a", 1.0), ("b", 9.0)) for i in range(4)]
        >>> warn_of_spreads(pd.DataFrame(rows))[:57]
        'architectures differ more than threefold in how much both'
    """
    found = []
    for values, part in results.groupby(WAY, sort=False, dropna=False):
        measure = str(values[0])
        x, y = checkpoints_by_sets(part)
        if is_control(measure) or not len(x):
            continue
        arch = (
            part.drop_duplicates("sha256")
            .set_index("sha256")
            .loc[x.index, "arch"]
            .astype(str)
            .to_numpy(dtype=str)
        )
        if all(spreads_differ(frame.to_numpy(float), arch) for frame in (x, y)):
            found.append(measure)
    if not found:
        return ""
    return (
        f"architectures differ more than threefold in how much both {listed(list(dict.fromkeys(found)))} and the error "
        "rate vary; p-values of single sets, of the mean over sets and p_headline are approximate there (such studies "
        "without any effect reject 8 to 13 % instead of 5 %); clusters_as_one in questions.csv is studentised and holds"
    )


def spreads_differ(x: np.ndarray, groups: np.ndarray, *, times: float = 3.0) -> bool:
    """Tell whether some groups of checkpoints vary so much more than others that only a studentised test is fair.

    Args:
        x: Values, checkpoints x sets.
        groups: Group of each checkpoint, such as its architecture.
        times: How much larger the largest standard deviation must be than the smallest.

    Returns:
        True where it is, of groups with at least three checkpoints, on the median set.

    Example:
        >>> spreads_differ(np.array([[0.0], [1], [2], [0], [10], [20]]), np.array([0, 0, 0, 1, 1, 1]))
        True
    """
    sizes = {name: (groups == name) for name in np.unique(groups) if (groups == name).sum() >= 3}
    if len(sizes) < 2:
        return False
    spread = np.array([np.median(np.nanstd(x[inside], axis=0, ddof=1)) for inside in sizes.values()])
    return bool(spread.max() > times * max(float(spread.min()), 1e-300))
