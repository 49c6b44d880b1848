"""Every measure under its name: what is computed for one group of trials; `measure` averages over groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sharpscope.errors import UsageError, unknown_name
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
from sharpscope.measures.registry import Definition, GroupFunction, Measure, registered
from sharpscope.plugins import MEASURES as MEASURE_PLUGINS
from sharpscope.plugins import load_plugins
from sharpscope.results.measure_facts import (
    CONTROL,
    FALLS,
    RISES,
    SHARPNESS,
    MeasureFacts,
    register_facts,
)

__all__ = [
    "MEASURES",
    "Definition",
    "GroupFunction",
    "Measure",
    "describe",
    "families",
    "register_measure",
    "select_measures",
]

MEASURES: dict[str, Measure] = registered(
    {
        **worst_case.MEASURES,
        **controls.MEASURES,
        **multi_step.MEASURES,
        **average.MEASURES,
        **curvature.MEASURES,
        **geometry.MEASURES,
        **calibration.MEASURES,
        **variants.MEASURES,
    }
)


def families() -> dict[str, list[str]]:
    """Return the families of measures and what they hold.

    Returns:
        Measure names per family; "all" holds every one.

    Example:
        >>> families()["paper"]
        ['sam', 'loss', 'grad_norm']
    """
    load_plugins(MEASURE_PLUGINS)
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
        if not isinstance(name, str):
            raise UsageError(
                f"measures are named, {type(name).__name__} {getattr(name, '__name__', '')!r} is not a name; give your "
                "function one with sharpscope.register_measure(name, function, summary=...), then ask for the name"
            )
        if name not in known and name not in MEASURES:
            raise unknown_name("measure", name, [*MEASURES, *known], see="sharpscope measures")
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


def register_measure(
    name: str,
    function: GroupFunction,
    *,
    summary: str,
    reference: str = "",
    families: Sequence[str] = (),
    objectives: Sequence[str] = ("label",),
    radius: bool = False,
    cost: str = "0",
    unit: str = "",
    label: str = "",
    direction: str = "rises",
    control: bool = False,
    invariant_to: Sequence[str] = (),
) -> None:
    """Add a measure under a name of its own, for `measure`, `correlate` and every figure.

    Args:
        name: As ``--measures`` and the results table have it.
        function: Takes a `Group` and the radii; returns a value for each radius, or ``{None: value}`` without one.
        summary: One line for `sharpscope measures`.
        reference: Author and year.
        families: Names under which ``--measures`` also selects it.
        objectives: Losses whose gradients it takes from the shared pass: label, matched, predicted, entropy.
        radius: Whether it is taken at every rho.
        cost: Forward passes per trial beyond scoring, such as "2 shared + R" or "3".
        unit: Of its values.
        label: What an axis calls it.
        direction: "rises" or "falls": how it goes with the error rate.
        control: Whether it is a quantity that sharpness must beat, and no sharpness itself.
        invariant_to: What leaves it unchanged: "layer", "node", "logits", "head", "labels".

    Raises:
        UsageError: If the name is taken or cannot stand in a table, or the direction is none of the two.

    Example:
        >>> register_measure("twice_loss", lambda group, radii: {None: 2 * group.loss()}, summary="twice the loss",
        ...                  objectives=())
        >>> select_measures(["twice_loss"])
        ['twice_loss']
        >>> MEASURES.pop("twice_loss").summary
        'twice the loss'
    """
    if name in MEASURES or name in {f for known in MEASURES.values() for f in known.families}:
        raise UsageError(f"a measure or family '{name}' is there already; choose another name")
    if not name.isidentifier():
        raise UsageError(f"a measure is called '{name}'; letters, digits and _ may be used")
    if direction not in (RISES, FALLS):
        raise UsageError(f"direction is '{direction}'; it is {RISES} or {FALLS}")
    role = CONTROL if control else SHARPNESS
    facts = MeasureFacts(tuple(families), cost, radius, unit, label, role, direction)
    register_facts({name: facts})
    definition = Definition(function, summary, reference, tuple(objectives), tuple(invariant_to))
    MEASURES.update(registered({name: definition}))
