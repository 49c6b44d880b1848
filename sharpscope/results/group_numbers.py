"""Whether groups of the same number are the same groups: values of groups are of no use beside other groups' trials."""

from __future__ import annotations

import pandas as pd


def same_groups(known: pd.DataFrame | None, scores: pd.DataFrame) -> bool:
    """Tell whether two records of the same trials number their groups alike; one of them may know fewer groups.

    Args:
        known: Scores that are there, or None.
        scores: Scores that take their place.

    Returns:
        False where a trial stands in different groups: a version before this drew them by another rule.

    Example:
        >>> one, other = pd.DataFrame({"group": [0, 0, -1]}), pd.DataFrame({"group": [0, 1, 1]})
        >>> same_groups(one, one), same_groups(one, other), same_groups(None, other)
        (True, False, True)
    """
    if known is None:
        return True
    if len(known) != len(scores):
        return False
    old, new = known["group"].to_numpy(), scores["group"].to_numpy()
    return bool(((old == new) | (old < 0) | (new < 0)).all())
