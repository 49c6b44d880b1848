"""Measures of other losses than the labelled one: scale-free outputs, and the detector's own predictions.

`matched` divides the logits by their root mean square margin in the group, so that a detector is not called
sharp for being confident. (Normalising the logits of each trial, as Andriushchenko et al. (2023) do for many
classes, leaves nothing but a sign when there are two.) `predicted` and `entropy` need no labels: a lab can rank
checkpoints on unlabelled audio. What is lost is the error itself: where the detector is confidently wrong both
losses are small and so is their sharpness, while the labelled loss is steep there.
"""

from __future__ import annotations

from sharpscope.measures import worst_case
from sharpscope.measures.registry import Measure, under_objective

_BASES: dict[str, Measure] = {
    name: worst_case.MEASURES[name] for name in ("sam", "asam", "sam_linf", "asam_linf")
}

MEASURES: dict[str, Measure] = {
    **{
        f"{name}_matched": under_objective(
            measure,
            "matched",
            families=("scale_free",),
            summary="logits divided by their root mean square margin",
            gains=("logits", "head") if "layer" in measure.invariant_to else ("logits",),
        )
        for name, measure in _BASES.items()
    },
    **{
        f"{name}_predicted": under_objective(
            measure,
            "predicted",
            families=("label_free",),
            summary="against the detector's own decisions",
            gains=("labels",),
        )
        for name, measure in _BASES.items()
    },
    **{
        f"{name}_entropy": under_objective(
            measure,
            "entropy",
            families=("label_free",),
            summary="of the entropy of its own output",
            gains=("labels",),
        )
        for name, measure in _BASES.items()
    },
}
