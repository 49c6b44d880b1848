r"""Geometry from gradients alone: Fisher information, Fisher-Rao norm, relative flatness, and who carries the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sharpscope.errors import SharpscopeError
from sharpscope.measures.derivatives import trial_gradients
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import signed_margin
from sharpscope.measures.parameters import block_of, dot
from sharpscope.measures.registry import Definition, Values
from sharpscope.measures.scaling import Scaling, scaled, scales
from sharpscope.measures.worst_case import FLAT, scaled_squares


def _mean(group: Group, per_trial: Tensor) -> Values:
    return {None: float((per_trial * group.weights).sum())}


def _error(group: Group) -> Tensor:
    """The probability of the wrong class, shape (m,): what a trial's gradient is multiplied by."""
    return torch.sigmoid(-signed_margin(group.logits, group.labels))


def _variance(group: Group) -> Tensor:
    r"""The variance of the predicted label, :math:`p_i (1 - p_i)`, shape (m,); needs no labels."""
    margin = signed_margin(group.logits, group.labels)
    return torch.sigmoid(margin) * torch.sigmoid(-margin)


def fisher_trace(group: Group, radii: Sequence[float] = (), *, scaling: Scaling = "none") -> Values:
    r"""Trace of the Fisher information, which for this loss is that of the Gauss-Newton matrix too.

    .. math::
        \mathrm{tr}\, F = \sum_i a_i \sum_c p_{ic} \lVert \nabla \log p_{ic} \rVert^2
        = \sum_i a_i\, p_i (1 - p_i) \lVert \nabla \Delta_i \rVert^2

    with Delta the logit difference: exact, nothing is sampled, and no labels are needed beyond the balance of
    classes in the weights a. Cost: 3 F in batches of one trial, shared by this family.

    Args:
        group: The trials.
        radii: Not used.
        scaling: "elementwise" gives the sum of w_j^2 F_jj, which rescaling layers or nodes leaves unchanged.

    Returns:
        One value, at least 0.

    Example:
        For logits (0, w x) it is p (1 - p) x^2.
    """
    found = trial_gradients(group)
    return _mean(group, _variance(group) * (found.scaled if scaling == "elementwise" else found.squared))


def fisher_trace_empirical(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Trace of the empirical Fisher, :math:`\sum_i a_i \lVert \nabla l_i \rVert^2`, with the given labels.

    It is the mean squared norm of the trials' gradients, not the squared norm of their mean (`grad_norm`).
    Cost: shared with `fisher_trace`.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, at least 0.

    Example:
        For logits (0, w x) and a bona fide trial it is (1 - p)^2 x^2.
    """
    return _mean(group, _error(group).square() * trial_gradients(group).squared)


def fisher_rao(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Fisher-Rao norm of the weights, :math:`\sum_i a_i \langle w, \nabla l_i \rangle^2` (Liang et al., 2019).

    By its definition, so that it holds for networks that are not homogeneous too (for those without biases it
    equals the known closed form). Unchanged when layers or nodes are rescaled. Cost: shared with
    `fisher_trace`.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, in squared nats.

    Example:
        For logits (0, w x) and a bona fide trial it is (1 - p)^2 w^2 x^2.
    """
    return _mean(group, (_error(group) * trial_gradients(group).along).square())


def relative_flatness(group: Group, radii: Sequence[float] = ()) -> Values:
    r"""Relative flatness of the last layer (Petzka et al., 2021, definition 3), in closed form.

    .. math::
        \kappa = \sum_{s,s'} \langle w_s, w_{s'} \rangle\, \mathrm{tr}(H_{s,s'})
        = \lVert w_1 - w_0 \rVert^2 \sum_i a_i\, p_i (1 - p_i) \lVert \phi_i \rVert^2

    with phi the input of the last layer. Despite its name it is large for a sharp minimum. Unchanged when whole
    layers are rescaled, but not when single nodes below the last layer are. Cost: shared with `fisher_trace`.

    Args:
        group: The trials.
        radii: Not used.

    Returns:
        One value, at least 0.

    Raises:
        SharpscopeError: If the logits do not come from a linear layer with live weights.

    Example:
        For logits (0, w x) it is p (1 - p) w^2 x^2.
    """
    found = trial_gradients(group)
    if not math.isfinite(found.head):
        raise SharpscopeError(
            "relative_flatness needs a detector whose two logits come from a linear layer with live weights, and "
            "none of this one's parameters is such a layer; leave the measure out of --measures"
        )
    return _mean(group, found.head * _variance(group) * found.features)


def scaled_gradient_norm(group: Group, radii: Sequence[float] = (), *, objective: str = "label") -> Values:
    r"""Norm of the gradient in scaled coordinates, :math:`\lVert |w| \odot g \rVert_2`.

    To first order `asam` is rho times this number. Cost: the shared backward.

    Args:
        group: The trials.
        radii: Not used.
        objective: Which loss.

    Returns:
        One value.

    Example:
        For L(w) = w^2 / 2 at w = 2 it is 4.
    """
    return {None: math.sqrt(float(scaled_squares(group, "elementwise", objective=objective).sum()))}


class Block(NamedTuple):
    """What one block of the network contributes to a step.

    Attributes:
        name: The common beginning of its parameters' names.
        weights: How many live weights it has.
        share: Share of the squared gradient, so of the squared step; all blocks add up to 1.
        rise: Rise of the loss by this block's part of the step alone, in nats.
    """

    name: str
    weights: int
    share: float
    rise: float


def blocks(group: Group, rho: float, *, scaling: Scaling = "none") -> list[Block]:
    r"""Decompose the one-step ascent direction by block: which layers carry the sharpness.

    The step of `sam` or `asam` is cut into the blocks' parts; each part's rise is measured with the others at
    rest. To first order the rise of a block is its share of that of the whole. Cost: 1 F per block.

    Args:
        group: The trials, made with the objective "label".
        rho: Radius of the whole step.
        scaling: "none" for `sam`, "elementwise" for `asam`.

    Returns:
        The blocks in the network's order; see `block_of`.

    Example:
        For L(w) = 3 w_1 + 4 w_2 with each weight a block the shares are 0.36 and 0.64.
    """
    by = scales(group.live.trained, scaling)
    gradient = scaled(group.gradient(), by)
    length = math.sqrt(dot(gradient, gradient))
    members: dict[str, list[int]] = {}
    for index, name in enumerate(group.live.names):
        members.setdefault(block_of(name), []).append(index)
    found = []
    for name, indices in members.items():
        part = [gradient[i] for i in indices]
        count = sum(tensor.numel() for tensor in part)
        if length < FLAT:
            found.append(Block(name, count, 0.0, 0.0))
            continue
        only = [g if i in indices else torch.zeros_like(g) for i, g in enumerate(gradient)]
        rise = group.rise(scaled(only, by), rho / length)
        found.append(Block(name, count, dot(part, part) / length**2, rise))
    return found


def layers(group: Group, radii: Sequence[float] = (), *, scaling: Scaling = "none") -> Values:
    r"""Share of each block in the squared ascent direction, :math:`\lVert g_b \rVert^2 / \lVert g \rVert^2`.

    To first order it is the share of the block in `sam` (or `asam`); `blocks` measures each block's rise.
    Cost: the shared backward.

    Args:
        group: The trials.
        radii: Not used.
        scaling: "none" for `sam`, "elementwise" for `asam`.

    Returns:
        One value a block with live parameters, by name (see `block_of`); they add up to 1, or are all 0 where the
        gradient vanishes.

    Example:
        For L(w) = 3 w_1 + 4 w_2 with each weight a block the shares are 0.36 and 0.64.
    """
    squares: Values = {}
    for name, square in zip(group.live.names, scaled_squares(group, scaling).tolist(), strict=True):
        squares[block_of(name)] = squares.get(block_of(name), 0.0) + square
    total = math.fsum(squares.values())
    return {name: square / total if total**0.5 >= FLAT else 0.0 for name, square in squares.items()}


def effective_parameters(group: Group, radii: Sequence[float] = (), *, scaling: Scaling = "none") -> Values:
    r"""Over how many parameter tensors the ascent direction spreads, :math:`1 / \sum_b s_b^2`.

    s_b is the share of tensor b in the squared gradient (the participation ratio): 1 when a single tensor
    carries the whole step, their number when all carry the same. `blocks` says which they are. Cost: the
    shared backward.

    Args:
        group: The trials.
        radii: Not used.
        scaling: "none" for `sam`, "elementwise" for `asam`.

    Returns:
        One value, at least 1; 0 where the gradient vanishes.

    Example:
        For one tensor it is 1.
    """
    squares = scaled_squares(group, scaling).tolist()
    total = math.fsum(squares)
    if total**0.5 < FLAT:
        return {None: 0.0}
    return {None: 1.0 / math.fsum((square / total) ** 2 for square in squares)}


def _scaled_fisher_trace(group: Group, radii: Sequence[float] = ()) -> Values:
    return fisher_trace(group, scaling="elementwise")


def _scaled_layers(group: Group, radii: Sequence[float] = ()) -> Values:
    return layers(group, scaling="elementwise")


def _scaled_effective_parameters(group: Group, radii: Sequence[float] = ()) -> Values:
    return effective_parameters(group, scaling="elementwise")


_UNCHANGED = ("layer", "node")
_LABEL = ("label",)

MEASURES: dict[str, Definition] = {
    "fisher_trace": Definition(
        fisher_trace,
        "trace of the Fisher information, exact for two classes",
        "Fisher (1922)",
        (),
        ("labels",),
    ),
    "fisher_trace_adaptive": Definition(
        _scaled_fisher_trace, "sum of w_j^2 F_jj", "Fisher (1922)", (), (*_UNCHANGED, "labels")
    ),
    "fisher_trace_empirical": Definition(
        fisher_trace_empirical, "mean squared norm of the trials' gradients", "", ()
    ),
    "fisher_rao": Definition(
        fisher_rao, "Fisher-Rao norm of the weights", "Liang et al. (2019)", (), _UNCHANGED
    ),
    "relative_flatness": Definition(
        relative_flatness,
        "relative flatness of the last layer, closed form",
        "Petzka et al. (2021)",
        (),
        ("layer", "labels"),
    ),
    "grad_norm_adaptive": Definition(
        scaled_gradient_norm, "norm of |w| times the gradient", "", _LABEL, _UNCHANGED
    ),
    "sam_layers": Definition(
        layers,
        "share of each block of the network in the step of sam, a row a block",
        "",
        _LABEL,
        blocks=True,
    ),
    "asam_layers": Definition(
        _scaled_layers,
        "share of each block of the network in the step of asam, a row a block",
        "",
        _LABEL,
        _UNCHANGED,
        blocks=True,
    ),
    "effective_parameters": Definition(
        effective_parameters, "over how many parameter tensors the step of sam spreads", "", _LABEL
    ),
    "effective_parameters_adaptive": Definition(
        _scaled_effective_parameters,
        "over how many parameter tensors the step of asam spreads",
        "",
        _LABEL,
        _UNCHANGED,
    ),
}
