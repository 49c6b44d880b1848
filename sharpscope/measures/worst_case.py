r"""Worst-case sharpness: how much the loss can rise within a radius of the trained weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sharpscope.measures.group import Group
from sharpscope.parameters import dot

Values = dict[float | None, float]

# Below this a group has no usable direction: every trial is saturated, the surface is flat in float32.
FLAT = 1e-30


def sam(group: Group, radii: Sequence[float], *, objective: str = "label") -> Values:
    r"""First-order worst-case rise of the loss within an l2 ball, one value per radius.

    .. math::
        S(\rho) = L_G(w + \rho\, g / \lVert g \rVert_2) - L_G(w), \qquad g = \nabla L_G(w)

    One normalised-gradient step approximates the inner maximum (Foret et al., 2021, eq. 2); averaged over
    groups of m it is the m-sharpness of Huang et al. (2025). It depends on m, on the scale of the logits and
    on the parametrisation: compare equal m only. Cost: the shared 3 F, then 1 F per radius.

    Args:
        group: The trials.
        radii: rho, in units of the weights.
        objective: Which loss is perturbed and differenced.

    Returns:
        The rise in nats per radius; 0 where the gradient vanishes.

    Example:
        For L(w) = w^2 / 2 at w = 1 the rise is rho + rho^2 / 2 (``tests/test_measures.py``).
    """
    gradient = group.gradient(objective)
    norm = dot(gradient, gradient) ** 0.5
    if norm < FLAT:
        return dict.fromkeys(radii, 0.0)
    return {rho: group.rise(gradient, rho / norm, objective=objective) for rho in radii}


def asam(group: Group, radii: Sequence[float], *, objective: str = "label", eta: float = 0.0) -> Values:
    r"""First-order worst-case rise within an ellipsoid scaled by the weights, one value per radius.

    .. math::
        S(\rho) = L_G\!\left(w + \rho\,\frac{T^2 g}{\lVert T g \rVert_2}\right) - L_G(w),
        \qquad T = \mathrm{diag}(|w| + \eta)

    Adaptive sharpness, elementwise (Kwon et al., 2021). With eta = 0 it does not change when layers or nodes
    are rescaled without changing the function. Every live parameter is scaled by its own size, biases and
    normalisation included. Radii are not comparable with those of `sam`. Cost: as `sam`.

    Args:
        group: The trials.
        radii: rho, without unit.
        objective: Which loss is perturbed and differenced.
        eta: Added to the absolute weight.

    Returns:
        The rise in nats per radius; 0 where the scaled gradient vanishes.

    Example:
        For L(w) = w^2 / 2 at w = 2: T g = 4, the step is 2 rho, the rise 4 rho + 2 rho^2.
    """
    gradient = group.gradient(objective)
    scaled = [(w.abs() + eta) * g for w, g in zip(group.live.trained, gradient, strict=True)]
    norm = dot(scaled, scaled) ** 0.5
    if norm < FLAT:
        return dict.fromkeys(radii, 0.0)
    direction = [(w.abs() + eta) * s for w, s in zip(group.live.trained, scaled, strict=True)]
    return {rho: group.rise(direction, rho / norm, objective=objective) for rho in radii}


def sam_linf(group: Group, radii: Sequence[float], *, objective: str = "label") -> Values:
    r"""First-order worst-case rise when no weight moves by more than rho.

    .. math:: S(\rho) = L_G(w + \rho\,\mathrm{sign}(g)) - L_G(w)

    The l-infinity form of Foret et al. (2021). Cost: as `sam`.

    Args:
        group: The trials.
        radii: rho, in units of the weights.
        objective: Which loss is perturbed and differenced.

    Returns:
        The rise in nats per radius.

    Example:
        For L(w) = (3 w_1 + 4 w_2) the rise is 7 rho.
    """
    direction = [g.sign() for g in group.gradient(objective)]
    return {rho: group.rise(direction, rho, objective=objective) for rho in radii}


def asam_linf(group: Group, radii: Sequence[float], *, objective: str = "label") -> Values:
    r"""First-order worst-case rise when each weight moves by at most rho times its size.

    .. math:: S(\rho) = L_G(w + \rho\,|w| \odot \mathrm{sign}(g)) - L_G(w)

    The adaptive l-infinity form (Kwon et al., 2021; Andriushchenko et al., 2023). Cost: as `sam`.

    Args:
        group: The trials.
        radii: rho, a fraction of each weight.
        objective: Which loss is perturbed and differenced.

    Returns:
        The rise in nats per radius.

    Example:
        For L(w) = 3 w_1 at w = 2 the rise is 6 rho.
    """
    pairs = zip(group.live.trained, group.gradient(objective), strict=True)
    direction = [w.abs() * g.sign() for w, g in pairs]
    return {rho: group.rise(direction, rho, objective=objective) for rho in radii}


def asam_filterwise(group: Group, radii: Sequence[float], *, objective: str = "label") -> Values:
    r"""First-order worst-case rise in an ellipsoid scaled by the norm of each filter.

    .. math:: T_j = \lVert w_{f(j)} \rVert_2

    where f(j) is the filter (output channel or row) that weight j belongs to; one-dimensional parameters are
    scaled elementwise (Kwon et al., 2021). Unchanged when whole layers are rescaled, not when single nodes
    are. Cost: as `sam`.

    Args:
        group: The trials.
        radii: rho, without unit.
        objective: Which loss is perturbed and differenced.

    Returns:
        The rise in nats per radius; 0 where the scaled gradient vanishes.

    Example:
        For one filter w = (3, 4) and gradient (1, 0): T = 5, T g has norm 5, the step is (5 rho, 0).
    """
    scales = [_filter_norm(w) for w in group.live.trained]
    scaled = [t * g for t, g in zip(scales, group.gradient(objective), strict=True)]
    norm = dot(scaled, scaled) ** 0.5
    if norm < FLAT:
        return dict.fromkeys(radii, 0.0)
    direction = [t * s for t, s in zip(scales, scaled, strict=True)]
    return {rho: group.rise(direction, rho / norm, objective=objective) for rho in radii}


def _filter_norm(weight: torch.Tensor) -> torch.Tensor:
    if weight.dim() < 2:
        return weight.abs()
    norms: torch.Tensor = weight.flatten(1).norm(dim=1)  # (filters,)
    return norms.view(-1, *[1] * (weight.dim() - 1)).expand_as(weight)
