"""Facts about measures, in one table without torch: family, role, unit, name of an axis, direction, radius, cost.

The registry of functions takes families, radius and cost from here; the words of a summary, comparisons, figures,
tables and documentation take roles, directions, units and labels. There is no other list of measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

SHARPNESS, CONTROL = "sharpness", "control"
RISES, FALLS = "rises", "falls"
# Forward passes beside the shared gradients, as `sharpscope measures` lists them; R is the number of radii.
_SHARED = "2 shared + R"
_GRADIENT = "2 shared"
_FREE = "0"
_APGD = "R x 126"
_AVERAGE = "R x 20"
_GEOMETRY = "3, shared by geometry"
_LANCZOS = "up to 180"
_TRACE = "270"


class MeasureFacts(NamedTuple):
    """What is known of a measure without computing it.

    Attributes:
        families: Names under which ``--measures`` also selects it.
        cost: Forward passes per trial beyond scoring; R is the number of radii.
        radius: Whether it is taken at every rho.
        unit: Of its values; "" where it has none.
        label: What an axis calls it, in words; "" leaves the measure's own name.
        role: "sharpness", or "control" for a quantity that sharpness must beat.
        direction: "rises" or "falls": how it goes with the error rate where it works as its authors think.
        same_as: The measure that it is the same quantity as, to first order; "" where there is none.
    """

    families: tuple[str, ...]
    cost: str
    radius: bool = True
    unit: str = ""
    label: str = ""
    role: str = SHARPNESS
    direction: str = RISES
    same_as: str = ""


def _control(
    families: tuple[str, ...], cost: str, unit: str, label: str, direction: str = RISES, same_as: str = ""
) -> MeasureFacts:
    return MeasureFacts(families, cost, False, unit, label, CONTROL, direction, same_as)


def _without_radius(families: tuple[str, ...], cost: str, unit: str = "", label: str = "") -> MeasureFacts:
    return MeasureFacts(families, cost, False, unit, label)


_BASE: dict[str, MeasureFacts] = {
    "sam": MeasureFacts(("paper", "default"), _SHARED, unit="nats", label="Sharpness"),
    "asam": MeasureFacts(("default",), _SHARED, unit="nats", label="Adaptive sharpness"),
    "asam_eta": MeasureFacts(("worst_case",), _SHARED, unit="nats"),
    "asam_filterwise": MeasureFacts(("worst_case",), _SHARED, unit="nats", label="Filter-wise sharpness"),
    "sam_linf": MeasureFacts(("worst_case",), _SHARED, unit="nats"),
    "asam_linf": MeasureFacts(("worst_case",), _SHARED, unit="nats"),
    "keskar": MeasureFacts(("worst_case", "scale_free"), _SHARED, unit="%", label="Keskar's sharpness"),
    "sam_relative": MeasureFacts(("scale_free",), _SHARED, unit="share of the loss"),
    "asam_relative": MeasureFacts(("scale_free",), _SHARED, unit="share of the loss"),
    "loss": _control(("paper", "default", "controls"), _FREE, "nats", "Loss"),
    "grad_norm": _control(("paper", "default", "controls"), _GRADIENT, "", "Gradient norm", same_as="sam"),
    "param_norm": _control(("default", "controls"), _FREE, "", "Weight norm"),
    "entropy": _control(("default", "controls", "label_free"), _FREE, "nats", "Entropy"),
    "margin": _control(("default", "controls"), _FREE, "logits", "Margin", FALLS),
    "confidence": _control(("controls", "label_free"), _FREE, "logits", "Confidence", FALLS),
    "saturated": _control(("controls",), _FREE, "share of trials", "Saturated trials", FALLS),
    "brier": _control(("controls",), _FREE, "", "Brier score"),
    "overconfidence": _control(("controls",), _FREE, "", "Overconfidence"),
    "kernel_calibration_error": _control(("controls",), _FREE, "", "Calibration error"),
    "accuracy": _control(("controls",), _FREE, "share of trials", "Accuracy", FALLS),
    **{
        f"{base}_apgd{end}": MeasureFacts(
            ("n_step",),
            f"with {base}_apgd" if end else _APGD,
            unit="share of steps" if end == "_converged" else "nats",
        )
        for base in ("sam", "asam", "sam_linf", "asam_linf")
        for end in ("", "_gap", "_converged")
    },
    **{
        f"average{scaled}{end}": MeasureFacts(
            ("average_case", "curvature") if end == "_trace" else ("average_case",),
            f"with average{scaled}" if end else _AVERAGE,
            unit="" if end == "_trace" else "nats",
            label="" if end else "Average-case sharpness",
        )
        for scaled in ("", "_adaptive")
        for end in ("", "_stderr", "_trace")
    },
    **{
        f"{name}{scaled}": _without_radius(
            ("curvature",), _LANCZOS if name == "lambda_max" else f"with lambda_max{scaled}", "", label
        )
        for scaled in ("", "_adaptive")
        for name, label in (
            ("lambda_max", "Largest eigenvalue"),
            ("lambda_min", "Smallest eigenvalue"),
            ("lambda_residual", ""),
        )
    },
    **{
        name: facts
        for scaled in ("", "_adaptive")
        for name, facts in (
            (f"trace{scaled}", _without_radius(("curvature",), _TRACE, "", "Trace of the Hessian")),
            (f"trace{scaled}_stderr", _without_radius(("curvature",), f"with trace{scaled}")),
            (f"gradient_curvature{scaled}", _without_radius(("curvature",), "2 shared + 9")),
        )
    },
    "trace_sketched": _without_radius(("curvature",), _TRACE, "", "Trace of the Hessian"),
    "fisher_trace": _without_radius(("geometry", "label_free"), _GEOMETRY, "squared nats", "Fisher trace"),
    "fisher_trace_adaptive": _without_radius(("geometry", "label_free"), _GEOMETRY, "squared nats"),
    "fisher_trace_empirical": _without_radius(("geometry",), _GEOMETRY, "squared nats"),
    "fisher_rao": _without_radius(("geometry",), _GEOMETRY, "", "Fisher-Rao norm"),
    "relative_flatness": _without_radius(("geometry", "label_free"), _GEOMETRY, "", "Relative flatness"),
    "grad_norm_adaptive": _without_radius(("geometry",), _GRADIENT)._replace(same_as="asam"),
    "sam_layers": _without_radius(("layers",), _GRADIENT, "share of the step"),
    "asam_layers": _without_radius(("layers",), _GRADIENT, "share of the step"),
    "effective_parameters": _without_radius(("geometry",), _GRADIENT, "tensors"),
    "effective_parameters_adaptive": _without_radius(("geometry",), _GRADIENT, "tensors"),
}
# Measures that are also taken of another loss than the labelled one; the loss is what the name ends in.
VARIED = (
    "sam",
    "asam",
    "sam_linf",
    "asam_linf",
    "sam_apgd",
    "asam_apgd",
    "average",
    "average_adaptive",
    "lambda_max",
    "lambda_max_adaptive",
    "trace",
    "trace_adaptive",
    "grad_norm",
    "grad_norm_adaptive",
)
OBJECTIVES = {"matched": "scale_free", "predicted": "label_free", "entropy": "label_free"}


def _varied() -> Iterator[tuple[str, MeasureFacts]]:
    for objective, family in OBJECTIVES.items():
        for name in VARIED:
            base = _BASE[name]
            same = f"{base.same_as}_{objective}" if base.same_as else ""
            label = f"{base.label}, {objective}" if base.label else ""
            yield (
                f"{name}_{objective}",
                base._replace(
                    families=(family,),
                    cost=base.cost.replace("2 shared", f"2 for {objective}"),
                    label=label,
                    role=SHARPNESS,
                    same_as=same,
                ),
            )


FACTS: dict[str, MeasureFacts] = {**_BASE, **dict(_varied())}


def facts_of(measure: str) -> MeasureFacts:
    """Return what is known of a measure; of one that a plug-in or a caller adds without facts, that it is of sharpness.

    Args:
        measure: As it stands in the column ``measure``, with or without a block in brackets.

    Returns:
        The facts.

    Example:
        >>> facts_of("margin").direction, facts_of("sam_layers[out]").unit, facts_of("mine").role
        ('falls', 'share of the step', 'sharpness')
    """
    name = measure.partition("[")[0]
    return FACTS.get(name, MeasureFacts((), "", False))


def is_control(measure: str) -> bool:
    """Tell whether a measure is a quantity that sharpness must beat, and no sharpness itself.

    Args:
        measure: Its name.

    Returns:
        Whether it is a control.

    Example:
        >>> is_control("accuracy"), is_control("sam")
        (True, False)
    """
    return facts_of(measure).role == CONTROL


def covariates() -> tuple[str, ...]:
    """Return what could stand behind sharpness and error alike: the controls that are measured without being asked for.

    Returns:
        Names, the loss first.

    Example:
        >>> covariates()
        ('loss', 'grad_norm', 'param_norm', 'entropy', 'margin')
    """
    return tuple(
        name for name, facts in FACTS.items() if facts.role == CONTROL and "default" in facts.families
    )


def falls_with_error(measure: str) -> bool:
    """Tell whether a larger value goes with a smaller error rate.

    Args:
        measure: Its name.

    Returns:
        True for margins, confidence, saturation and accuracy.

    Example:
        >>> falls_with_error("accuracy"), falls_with_error("loss")
        (True, False)
    """
    return facts_of(measure).direction == FALLS


def register_facts(facts: Mapping[str, MeasureFacts]) -> None:
    """Add facts of measures that are not of this package.

    Args:
        facts: By name.
    """
    FACTS.update(facts)
