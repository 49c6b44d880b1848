"""Measures of other losses than the labelled one: scale-free outputs, and the detector's own predictions.

`matched` divides the logits by their root mean square margin in the group, so that a detector is not called
sharp for being confident. (Normalising the logits of each trial, as Andriushchenko et al. (2023) do for many
classes, leaves nothing but a sign when there are two.) `predicted` and `entropy` need no labels: a lab can rank
checkpoints on unlabelled audio. What is lost is the error itself: where the detector is confidently wrong both
losses are small and so is their sharpness, while the labelled loss is steep there.
"""

from __future__ import annotations

from sharpscope.measures import average, controls, curvature, geometry, multi_step, worst_case
from sharpscope.measures.registry import Measure, under_objective

_BASES: dict[str, Measure] = {
    **{name: worst_case.MEASURES[name] for name in ("sam", "asam", "sam_linf", "asam_linf")},
    **{name: multi_step.MEASURES[name] for name in ("sam_apgd", "asam_apgd")},
    **{name: average.MEASURES[name] for name in ("average", "average_adaptive")},
    **{
        name: curvature.MEASURES[name]
        for name in ("lambda_max", "lambda_max_adaptive", "trace", "trace_adaptive")
    },
    "grad_norm": controls.MEASURES["grad_norm"],
    "grad_norm_adaptive": geometry.MEASURES["grad_norm_adaptive"],
}


def _adaptive(measure: Measure) -> bool:
    return "layer" in measure.invariant_to


MEASURES: dict[str, Measure] = {
    **{
        f"{name}_matched": under_objective(
            measure,
            "matched",
            families=("scale_free",),
            summary="logits divided by their root mean square margin",
            gains=("logits", "head") if _adaptive(measure) else ("logits",),
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
