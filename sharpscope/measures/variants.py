"""Measures of other losses than the labelled one: scale-free outputs, and the detector's own predictions.

`matched` divides the logits by their root mean square margin in the group, so that a detector is not called
sharp for being confident. (Normalising the logits of each trial, as Andriushchenko et al. (2023) do for many
classes, leaves nothing but a sign when there are two.) `predicted` and `entropy` need no labels: a lab can rank
checkpoints on unlabelled audio. What is lost is the error itself: where the detector is confidently wrong both
losses are small and so is their sharpness, while the labelled loss is steep there.
"""

from __future__ import annotations

from sharpscope.measures import average, controls, curvature, geometry, multi_step, worst_case
from sharpscope.measures.registry import Definition, under_objective
from sharpscope.results.measure_facts import OBJECTIVES, VARIED

_DEFINED = {
    **worst_case.MEASURES,
    **multi_step.MEASURES,
    **average.MEASURES,
    **curvature.MEASURES,
    **controls.MEASURES,
    **geometry.MEASURES,
}


def _gains(definition: Definition, objective: str) -> tuple[str, ...]:
    """Return what the other loss leaves unchanged beside what the measure does."""
    if objective != "matched":
        return ("labels",)
    return ("logits", "head") if "layer" in definition.invariant_to else ("logits",)


_SUMMARIES = {
    "matched": "logits divided by their root mean square margin",
    "predicted": "against the detector's own decisions",
    "entropy": "of the entropy of its own output",
}

MEASURES: dict[str, Definition] = {
    f"{name}_{objective}": under_objective(
        _DEFINED[name], objective, summary=_SUMMARIES[objective], gains=_gains(_DEFINED[name], objective)
    )
    for objective in OBJECTIVES
    for name in VARIED
}
