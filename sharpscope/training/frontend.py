"""Self-supervised front-ends as their authors train them: dropout by place, layerdrop, gradients and rates by layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError
from sharpscope.training.recipe import Recipe

# The published models of fairseq: with the norms of the transformer last (Base) and first (Large, XLS-R).
AUTHORS = {
    "base": {"dropout": 0.1, "attention_dropout": 0.1, "activation_dropout": 0.0, "input_dropout": 0.1,
             "grad_mult": 0.1},
    "large": {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "input_dropout": 0.0,
              "grad_mult": 1.0},
}  # fmt: skip
LAYER = re.compile(r"frontend\.encoder\.layers\.(\d+)\.")


def frontend_of(network: nn.Module) -> Any:
    """Return the self-supervised front-end of a network.

    Args:
        network: Any detector.

    Returns:
        The front-end, a network of transformers; None where there is none.
    """
    own = getattr(network, "frontend", None)
    return own if isinstance(own, nn.Module) and hasattr(own, "feature_extractor") else None


def settings(recipe: Recipe, frontend: Any) -> dict[str, float]:
    """Return how a front-end is trained: what the recipe says, else what its authors did for models of its kind.

    Args:
        recipe: The recipe.
        frontend: A network of transformers.

    Returns:
        Values by key of the section ``[frontend]``.
    """
    kind = "large" if getattr(frontend.config, "do_stable_layer_norm", False) else "base"
    given = recipe["frontend"]
    return {name: AUTHORS[kind].get(name, value) if value == -1 else value for name, value in given.items()}


def prepare(recipe: Recipe, network: nn.Module) -> dict[str, float]:
    """Set dropout, layerdrop, the gradient of the convolutions and checkpointing of a network's front-end.

    Args:
        recipe: The recipe.
        network: Changed in place; left alone where it has no front-end.

    Returns:
        What was set, by key; empty without a front-end.

    Raises:
        UsageError: If the recipe says something about a front-end and there is none, or drops layers of a head that
            needs all of them.
    """
    frontend = frontend_of(network)
    if frontend is None:
        _nothing_said(recipe)
        return {}
    values = settings(recipe, frontend)
    if values["layerdrop"] and getattr(network, "all_layers", False):
        raise UsageError(
            f"frontend.layerdrop is {values['layerdrop']}, and {recipe['model']['arch']} needs the features of every "
            "layer in every step; set it to 0"
        )
    set_dropout(frontend, values)
    frontend.config.layerdrop = values["layerdrop"]
    _scale_gradient(frontend.feature_extractor, values["grad_mult"])
    if recipe["frontend"]["checkpointing"]:
        # transformers 5 has another name for it and warns of the old one.
        enable = getattr(frontend, "activation_checkpointing_enable", frontend.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
    return values


def _nothing_said(recipe: Recipe) -> None:
    plain = Recipe({})["frontend"]
    said = [name for name, value in recipe["frontend"].items() if value != plain[name]]
    if said:
        raise UsageError(
            f"frontend.{said[0]} is {recipe['frontend'][said[0]]}, and {recipe['model']['arch']} has no "
            "self-supervised front-end; leave out the section [frontend]"
        )


def set_dropout(frontend: nn.Module, values: dict[str, float]) -> None:
    """Set the dropouts of a front-end, each at its place.

    Args:
        frontend: A network of transformers.
        values: ``dropout``, ``attention_dropout``, ``activation_dropout``, ``input_dropout``.
    """
    for name, module in frontend.named_modules():
        if isinstance(module, nn.Dropout):
            if name.startswith("feature_projection."):
                module.p = values["input_dropout"]
            elif name.endswith(".intermediate_dropout"):
                module.p = values["activation_dropout"]
            else:
                module.p = values["dropout"]
        elif name.endswith(".attention") and isinstance(getattr(module, "dropout", None), float):
            module.dropout = values["attention_dropout"]  # type: ignore[assignment]


def _scale_gradient(convolutions: nn.Module, factor: float) -> None:
    """Multiply the gradient that reaches the convolutions; the features stay bit for bit as they are."""
    if factor == 0:
        convolutions.requires_grad_(False)
        return
    if factor == 1:
        return

    def scale(_: nn.Module, __: Any, features: Tensor) -> None:
        if features.requires_grad:
            features.register_hook(lambda gradient: gradient * factor)  # type: ignore[no-untyped-call]

    convolutions.register_forward_hook(scale)


def hold(frontend: nn.Module, held: Callable[[], bool]) -> None:
    """Let no gradient into a front-end for a while; what is behind it is trained meanwhile.

    Its parameters keep their place in the optimiser and have no gradient, so no step and no decay moves them
    (``freeze_finetune_updates`` of fairseq).

    Args:
        frontend: Changed in place.
        held: Tells before each pass whether the front-end stays as it is.
    """
    forward = frontend.forward

    def forward_held(*args: Any, **kwargs: Any) -> Any:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not held()):
            return forward(*args, **kwargs)

    frontend.forward = forward_held


def parameter_groups(recipe: Recipe, network: nn.Module) -> list[dict[str, Any]]:
    r"""Return the trained parameters in groups, each with the factor on its learning rate.

    Layer l of L of a front-end has the rate :math:`s\, d^{\,L - 1 - l}` times that of the head, everything before the
    first layer :math:`s\, d^{\,L}`, with s ``frontend.lr_scale`` and d ``frontend.layer_decay``.

    Args:
        recipe: The recipe.
        network: What is trained.

    Returns:
        Groups of a torch optimiser with ``scale`` beside ``params``; one where every factor is 1.
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    frontend, given = frontend_of(network), recipe["frontend"]
    if frontend is None or (given["lr_scale"] == 1 and given["layer_decay"] == 1):
        return [{"params": [p for _, p in named], "scale": 1.0}]
    depth = len(frontend.encoder.layers)
    groups: dict[float, list[nn.Parameter]] = {}
    for name, p in named:
        groups.setdefault(_rate(name, depth, given, bool(frontend.config.do_stable_layer_norm)), []).append(p)
    return [{"params": parameters, "scale": scale} for scale, parameters in groups.items()]


def _rate(name: str, depth: int, given: dict[str, Any], norms_first: bool) -> float:
    """Return the factor of one parameter's rate."""
    if not name.startswith("frontend."):
        return 1.0
    layer = LAYER.match(name)
    # Where norms come first there is one more behind the last layer; elsewhere it lies before the first.
    last = norms_first and name.startswith("frontend.encoder.layer_norm.")
    above = depth - 1 - int(layer[1]) if layer else 0 if last else depth
    return float(given["lr_scale"] * given["layer_decay"] ** above)
