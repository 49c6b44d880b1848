"""What a registered measure is; each family's file lists its own under ``MEASURES``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from sharpscope.measures.group import Group

FORET = "Foret et al. (2021)"
KWON = "Kwon et al. (2021)"
ANDRIUSHCHENKO = "Andriushchenko et al. (2023)"

Values = dict[float | str | None, float]
GroupFunction = Callable[[Group, Sequence[float]], Values]


class Measure(NamedTuple):
    """A registered measure.

    Attributes:
        function: (group, radii) to values by radius, None where there is no radius; by block where it is of blocks.
        summary: One line for `sharpscope measures`.
        reference: Author and year.
        families: Names under which `--measures` also selects it.
        radius: Whether it is taken at every rho.
        objectives: Losses whose gradients it needs from the shared pass.
        cost: Forward passes (F) per trial beyond scoring; R is the number of radii.
        invariant_to: What leaves it unchanged: "layer" and "node" rescaling, "logits" times a constant
            outside the weights, "head" (the last layer's weights and biases doubled), flipped "labels".
        blocks: Whether there is a value for each block of the network, in a row of its own.
    """

    function: GroupFunction
    summary: str
    reference: str
    families: tuple[str, ...]
    radius: bool
    objectives: tuple[str, ...]
    cost: str
    invariant_to: tuple[str, ...] = ()
    blocks: bool = False


SHARED = "2 shared + R"
FREE = "0"


def under_objective(
    measure: Measure, objective: str, *, families: tuple[str, ...], summary: str, gains: tuple[str, ...]
) -> Measure:
    """Return a measure of another loss: the same function with ``objective`` bound.

    Args:
        measure: A measure whose function takes ``objective``.
        objective: Name of the other loss.
        families: Families of the variant.
        summary: What differs, appended to the summary.
        gains: Invariances that the loss adds.

    Returns:
        The variant.
    """
    return measure._replace(
        function=cast("GroupFunction", partial(cast("Any", measure.function), objective=objective)),
        summary=f"{measure.summary}; {summary}",
        families=families,
        objectives=(objective,) if measure.objectives else (),
        cost=measure.cost.replace("2 shared", f"2 for {objective}"),
        invariant_to=tuple(dict.fromkeys((*measure.invariant_to, *gains))),
    )
