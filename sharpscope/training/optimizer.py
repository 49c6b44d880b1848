"""From a recipe to an optimiser, and its learning rate and radius at every step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from sharpscope.training import OPTIMIZERS
from sharpscope.training.frontend import parameter_groups
from sharpscope.training.recipe import Recipe
from sharpscope.training.sam import SAM

# Which keys of a recipe each method takes.
OPTIONS = {
    "sam": (),
    "asam": ("eta", "vectors"),
    "gsam": ("alpha",),
    "friendly-sam": ("sigma", "decay"),
    "looksam": ("alpha", "k"),
    "esam": ("beta", "gamma"),
}


def make_optimizer(recipe: Recipe, network: nn.Module) -> SAM:
    """Build what a recipe asks for.

    Args:
        recipe: The recipe.
        network: What is trained; frozen parameters are left out.

    Returns:
        The method around its base optimiser; without a method, SAM of radius 0, which is the base bit for bit.
    """
    values = recipe["optimizer"]
    parameters = parameter_groups(recipe, network)
    common: dict[str, Any] = {"lr": values["lr"], "weight_decay": values["weight_decay"]}
    base: torch.optim.Optimizer
    if values["base"] == "sgd":
        base = torch.optim.SGD(parameters, momentum=values["beta1"], **common)
    else:
        kind = torch.optim.Adam if values["base"] == "adam" else torch.optim.AdamW
        base = kind(parameters, betas=(values["beta1"], values["beta2"]), **common)
    if not recipe.sharp:
        return SAM(base, rho=0.0, network=network)
    options = {name: values[name] for name in OPTIONS[values["method"]]}
    if options.get("alpha") == -1:
        del options["alpha"]
    method = OPTIMIZERS[values["method"]].function
    return method(base, rho=values["rho"], network=network, masks=values["masks"], **options)


def rate_at(recipe: Recipe, step: int, total: int) -> float:
    r"""Return the learning rate of a step.

    After the warm-up, :math:`\eta_t = \eta_T + (\eta_0 - \eta_T) \tfrac{1}{2} (1 + \cos \pi t / T)`.

    Args:
        recipe: The recipe.
        step: t, from 0.
        total: T, steps of the run.

    Returns:
        The rate.

    Example:
        >>> recipe = Recipe({"optimizer": {"lr": 1.0}})
        >>> [round(rate_at(recipe, step, 4), 6) for step in (0, 2, 4)]
        [1.0, 0.5, 0.0]
    """
    schedule = recipe["schedule"]
    start, end, warmup = recipe["optimizer"]["lr"], schedule["lr_end"], schedule["warmup"]
    if step < warmup:
        return float(start * (step + 1) / warmup)
    if schedule["lr"] == "constant":
        return float(start)
    share = (step - warmup) / max(total - warmup, 1)
    return float(end + (start - end) * 0.5 * (1 + math.cos(math.pi * share)))


def radius_at(recipe: Recipe, step: int, total: int) -> float:
    """Return the radius of a step: fixed, or on a line from ``rho`` to ``rho_end``.

    Args:
        recipe: The recipe.
        step: From 0.
        total: Steps of the run.

    Returns:
        The radius.

    Example:
        >>> recipe = Recipe({"optimizer": {"method": "sam", "rho": 0.1, "rho_end": 0.0}})
        >>> radius_at(recipe, 5, 10)
        0.05
    """
    start, end = recipe["optimizer"]["rho"], recipe["optimizer"]["rho_end"]
    return float(start if end < 0 else start + (end - start) * step / max(total, 1))
