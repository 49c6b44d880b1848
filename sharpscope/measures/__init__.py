"""Every measure under its name: what is computed for one group of trials; `measure` averages over groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sharpscope.errors import unknown_name
from sharpscope.measures import (
    average,
    calibration,
    controls,
    curvature,
    geometry,
    multi_step,
    variants,
    worst_case,
)
from sharpscope.measures.registry import Measure

__all__ = ["MEASURES", "Measure", "describe", "families", "select_measures"]

MEASURES: dict[str, Measure] = {
    **worst_case.MEASURES,
    **controls.MEASURES,
    **multi_step.MEASURES,
    **average.MEASURES,
    **curvature.MEASURES,
    **geometry.MEASURES,
    **calibration.MEASURES,
    **variants.MEASURES,
}


def families() -> dict[str, list[str]]:
    """Return the families of measures and what they hold.

    Returns:
        Measure names per family; "all" holds every one.

    Example:
        >>> families()["paper"]
        ['sam', 'loss', 'grad_norm']
    """
    found: dict[str, list[str]] = {}
    for name, measure in MEASURES.items():
        for family in measure.families:
            found.setdefault(family, []).append(name)
    return {**found, "all": list(MEASURES)}


def select_measures(names: Sequence[str]) -> list[str]:
    """Expand names and families into measure names, in the registry's order.

    Args:
        names: Measures or families.

    Returns:
        Measure names without repetition.

    Raises:
        UsageError: If a name is neither a measure nor a family.

    Example:
        >>> select_measures(["asam", "paper"])
        ['sam', 'asam', 'loss', 'grad_norm']
    """
    known = families()
    chosen: set[str] = set()
    for name in names:
        if name not in known and name not in MEASURES:
            raise unknown_name("measure", name, [*MEASURES, *known])
        chosen.update(known.get(name, [name]))
    return [name for name in MEASURES if name in chosen]


def describe(names: Sequence[str]) -> list[dict[str, Any]]:
    """Describe measures in plain values, as `sharpscope measures` prints them.

    Args:
        names: Measures or families.

    Returns:
        One dictionary per measure, in the registry's order.

    Raises:
        UsageError: If a name is neither a measure nor a family.

    Example:
        >>> describe(["sam"])[0]["source"]
        'Foret et al. (2021)'
    """
    return [
        {
            "name": name,
            "summary": MEASURES[name].summary,
            "families": list(MEASURES[name].families),
            "radius": MEASURES[name].radius,
            "cost": MEASURES[name].cost,
            "invariant_to": list(MEASURES[name].invariant_to),
            "source": MEASURES[name].reference,
        }
        for name in select_measures(names)
    ]
