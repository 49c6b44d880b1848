"""What a registered measure is; each family's file defines its own under ``MEASURES``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from sharpscope.measures.group import Group
from sharpscope.results.measure_facts import FACTS

FORET = "Foret et al. (2021)"
KWON = "Kwon et al. (2021)"
ANDRIUSHCHENKO = "Andriushchenko et al. (2023)"

Values = dict[float | str | None, float]
GroupFunction = Callable[[Group, Sequence[float]], Values]


class Definition(NamedTuple):
    """How a measure is computed; what else is known of it stands in the table of facts.

    Attributes:
        function: (group, radii) to values by radius, None where there is no radius; by block where it is of blocks.
        summary: One line for `sharpscope measures`.
        reference: Author and year.
        objectives: Losses whose gradients it needs from the shared pass.
        invariant_to: What leaves it unchanged: "layer" and "node" rescaling, "logits" times a constant
            outside the weights, "head" (the last layer's weights and biases doubled), flipped "labels".
        blocks: Whether there is a value for each block of the network, in a row of its own.
    """

    function: GroupFunction
    summary: str
    reference: str
    objectives: tuple[str, ...]
    invariant_to: tuple[str, ...] = ()
    blocks: bool = False


class Measure(NamedTuple):
    """A registered measure: its definition and its facts.

    Attributes:
        function: See `Definition`.
        summary: See `Definition`.
        reference: See `Definition`.
        objectives: See `Definition`.
        invariant_to: See `Definition`.
        blocks: See `Definition`.
        families: Names under which `--measures` also selects it.
        cost: Forward passes (F) per trial beyond scoring; R is the number of radii.
        radius: Whether it is taken at every rho.
    """

    function: GroupFunction
    summary: str
    reference: str
    objectives: tuple[str, ...]
    invariant_to: tuple[str, ...]
    blocks: bool
    families: tuple[str, ...]
    cost: str
    radius: bool


def registered(definitions: Mapping[str, Definition]) -> dict[str, Measure]:
    """Join definitions with their facts.

    Args:
        definitions: By name.

    Returns:
        Measures by name.
    """
    return {
        name: Measure(*definition, FACTS[name].families, FACTS[name].cost, FACTS[name].radius)
        for name, definition in definitions.items()
    }


def under_objective(
    definition: Definition, objective: str, *, summary: str, gains: tuple[str, ...]
) -> Definition:
    """Return a measure of another loss: the same function with ``objective`` bound.

    Args:
        definition: A measure whose function takes ``objective``.
        objective: Name of the other loss.
        summary: What differs, appended to the summary.
        gains: Invariances that the loss adds.

    Returns:
        The variant.
    """
    return definition._replace(
        function=cast("GroupFunction", partial(cast("Any", definition.function), objective=objective)),
        summary=f"{definition.summary}; {summary}",
        objectives=(objective,) if definition.objectives else (),
        invariant_to=tuple(dict.fromkeys((*definition.invariant_to, *gains))),
    )
