"""Every measure under its name: what is computed for one group of trials; `measure` averages over groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sharpscope.errors import unknown_name
from sharpscope.measures import controls, worst_case
from sharpscope.measures.group import Group

FORET = "Foret et al. (2021)"
KWON = "Kwon et al. (2021)"


class Measure(NamedTuple):
    """A registered measure.

    Attributes:
        function: (group, radii) to values by radius, None where there is no radius.
        summary: One line for `sharpscope measures`.
        reference: Author and year.
        families: Names under which `--measures` also selects it.
        radius: Whether it is taken at every rho.
        objectives: Losses whose gradients it needs from the shared pass.
        cost: Forward passes (F) per trial beyond scoring; R is the number of radii.
        invariant_to: What leaves it unchanged: "layer" and "node" rescaling, "logits" scale, "labels".
    """

    function: Callable[[Group, Sequence[float]], dict[float | None, float]]
    summary: str
    reference: str
    families: tuple[str, ...]
    radius: bool
    objectives: tuple[str, ...]
    cost: str
    invariant_to: tuple[str, ...] = ()


_SHARED = "2 shared + R"
_FREE = "0"

MEASURES: dict[str, Measure] = {
    "sam": Measure(
        worst_case.sam,
        "first-order worst case in an l2 ball",
        FORET,
        ("paper", "default"),
        True,
        ("label",),
        _SHARED,
    ),
    "asam": Measure(
        worst_case.asam,
        "the same, each weight scaled by its size",
        KWON,
        ("default",),
        True,
        ("label",),
        _SHARED,
        ("layer", "node"),
    ),
    "sam_matched": Measure(
        partial(worst_case.sam, objective="matched"),
        "sam after dividing the logits by their root mean square margin",
        FORET,
        ("scale_free",),
        True,
        ("matched",),
        "1 + 2 + R",
        ("logits",),
    ),
    "asam_matched": Measure(
        partial(worst_case.asam, objective="matched"),
        "asam after dividing the logits by their root mean square margin",
        KWON,
        ("scale_free",),
        True,
        ("matched",),
        "1 + 2 + R",
        ("layer", "node", "logits"),
    ),
    "asam_filterwise": Measure(
        worst_case.asam_filterwise,
        "worst case scaled by the norm of each filter",
        KWON,
        ("worst_case",),
        True,
        ("label",),
        _SHARED,
        ("layer",),
    ),
    "sam_linf": Measure(
        worst_case.sam_linf,
        "worst case in an l-infinity ball",
        FORET,
        ("worst_case",),
        True,
        ("label",),
        _SHARED,
    ),
    "asam_linf": Measure(
        worst_case.asam_linf,
        "worst case when each weight moves by a fraction of its size",
        KWON,
        ("worst_case",),
        True,
        ("label",),
        _SHARED,
        ("layer", "node"),
    ),
    "loss": Measure(
        controls.loss,
        "cross-entropy, in nats",
        "",
        ("paper", "default", "controls"),
        False,
        (),
        _FREE,
        ("layer", "node"),
    ),
    "grad_norm": Measure(
        controls.grad_norm,
        "norm of the group's gradient",
        "",
        ("paper", "default", "controls"),
        False,
        ("label",),
        "2 shared",
    ),
    "param_norm": Measure(
        controls.param_norm,
        "norm of the live weights",
        "",
        ("default", "controls"),
        False,
        (),
        _FREE,
        ("labels",),
    ),
    "entropy": Measure(
        controls.entropy,
        "entropy of the detector's output, in nats",
        "",
        ("default", "controls"),
        False,
        (),
        _FREE,
        ("layer", "node", "labels"),
    ),
    "margin": Measure(
        controls.margin,
        "mean margin of the right class",
        "",
        ("default", "controls"),
        False,
        (),
        _FREE,
        ("layer", "node"),
    ),
    "confidence": Measure(
        controls.confidence,
        "mean absolute logit difference",
        "",
        ("controls",),
        False,
        (),
        _FREE,
        ("layer", "node", "labels"),
    ),
    "saturated": Measure(
        controls.saturated,
        "share of trials at which float32 cross-entropy is exactly zero",
        "",
        ("controls",),
        False,
        (),
        _FREE,
        ("layer", "node"),
    ),
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
