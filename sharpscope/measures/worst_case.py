r"""Worst-case sharpness in one step: how much the loss can rise within a radius of the trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, overload

import torch
from torch import Tensor

from sharpscope.measures.group import Group
from sharpscope.measures.parameters import Direction, dot, products
from sharpscope.measures.registry import FORET, KWON, Definition, Values
from sharpscope.measures.scaling import Scaling, scaled, scales

Norm = Literal["l2", "linf"]

# Below this a group has no usable direction: every trial is saturated, the surface is flat in float32.
FLAT = 1e-30
# Numbers of a step that are made at once on a CPU: 1 MiB, which a processor's cache holds several times.
STEPPED_IN_CACHE = 2**18


def ascent_direction(gradient: Sequence[Tensor], norm: Norm) -> list[Tensor] | None:
    r"""Return the step of unit length along which the loss rises fastest.

    Args:
        gradient: In the coordinates in which the neighbourhood is a ball.
        norm: "l2" gives :math:`g / \lVert g \rVert_2`, "linf" gives sign(g).

    Returns:
        One tensor per parameter; None where the gradient vanishes.

    Example:
        >>> import torch
        >>> ascent_direction([torch.tensor([3.0, -4.0])], "linf")[0].tolist()
        [1.0, -1.0]
    """
    length = dot(gradient, gradient) ** 0.5
    if length < FLAT:
        return None
    if norm == "linf":
        return [g.sign() for g in gradient]
    return [g / length for g in gradient]


def scaled_squares(group: Group, scaling: Scaling, eta: float = 0.0, objective: str = "label") -> Tensor:
    r"""Squared norm of each parameter's gradient in scaled coordinates, :math:`\lVert T_b g_b \rVert^2`.

    Kept in the group's cache; the scaled gradient itself is held in parts only.

    Args:
        group: The trials.
        scaling: T; see `scales`.
        eta: Added to T.
        objective: Which loss.

    Returns:
        Shape (n,), float64, on the CPU, one number per live parameter.
    """
    if scaling == "none":
        return group.gradient_squares(objective)
    key = ("scaled squares", scaling, eta, objective)
    if key not in group.cache:
        gradient = group.gradient(objective)
        found = []
        for part in group.live.parts:
            there = scaled(gradient[part], scales(group.live.trained[part], scaling, eta))
            found.append(products(there, there))
        group.cache[key] = torch.cat(found)
    squares: Tensor = group.cache[key]
    return squares


class Ascent(Sequence[Tensor]):
    r"""The step of unit length along which the loss rises fastest, T v, made anew wherever it is read.

    A whole step of a large network is as large as its weights; whoever moves them needs a part at a time.

    Args:
        group: The trials.
        norm: Of the neighbourhood in whitened coordinates.
        scaling: T; see `scales`.
        eta: Added to T.
        objective: Which loss rises.
        length: :math:`\lVert T g \rVert_2`.
    """

    def __init__(
        self, group: Group, norm: Norm, scaling: Scaling, eta: float, objective: str, length: float
    ) -> None:
        self.trained = group.live.trained
        self.gradient = group.gradient(objective)
        self.norm = norm
        self.scaling = scaling
        self.eta = eta
        self.length = length

    def __len__(self) -> int:
        return len(self.gradient)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(index)
        part = index if isinstance(index, slice) else slice(index, index + 1 or None)
        if self.gradient[0].device.type == "cpu" and self.scaling != "filterwise":
            step = [
                self._in_pieces(g, w) for g, w in zip(self.gradient[part], self.trained[part], strict=True)
            ]
        else:
            step = self._steps(self.gradient[part], self.trained[part])
        return step if isinstance(index, slice) else step[0]

    def _steps(self, gradient: Sequence[Tensor], trained: Sequence[Tensor]) -> list[Tensor]:
        by = scales(trained, self.scaling, self.eta)
        step = scaled(gradient, by)
        step = [g.sign() for g in step] if self.norm == "linf" else [g / self.length for g in step]
        if by is not None:
            torch._foreach_mul_(step, by)
        return step

    def _in_pieces(self, gradient: Tensor, trained: Tensor) -> Tensor:
        """Make the step of a tensor piece by piece: what lies between is read from the cache, not from memory."""
        if gradient.numel() <= STEPPED_IN_CACHE or not (gradient.is_contiguous() and trained.is_contiguous()):
            return self._steps([gradient], [trained])[0]
        step = torch.empty_like(gradient)
        cut = (torch.split(t.view(-1), STEPPED_IN_CACHE) for t in (step, gradient, trained))
        for out, g, w in zip(*cut, strict=True):
            out.copy_(self._steps([g], [w])[0])
        return step


def steepest_step(
    group: Group, norm: Norm = "l2", scaling: Scaling = "none", eta: float = 0.0, objective: str = "label"
) -> Direction | None:
    """Return the step of unit length along which a group's loss rises fastest.

    Args:
        group: The trials.
        norm: Of the neighbourhood in whitened coordinates.
        scaling: T; see `scales`.
        eta: Added to T.
        objective: Which loss rises.

    Returns:
        One tensor per live parameter, whole where it is small; None where the gradient vanishes.
    """
    length = float(scaled_squares(group, scaling, eta, objective).sum()) ** 0.5
    if length < FLAT:
        return None
    step = Ascent(group, norm, scaling, eta, objective, length)
    return step[:] if len(group.live.parts) == 1 else step


def first_order(
    group: Group,
    radii: Sequence[float],
    *,
    norm: Norm = "l2",
    scaling: Scaling = "none",
    eta: float = 0.0,
    objective: str = "label",
) -> Values:
    r"""Rise of the loss at the boundary of a neighbourhood, in the direction of steepest ascent.

    .. math::
        S(\rho) = L_G(w + \rho\, T v) - L_G(w), \qquad
        v = T g / \lVert T g \rVert_2 \ \text{(l2)}, \quad v = \mathrm{sign}(T g)\ \text{(linf)}

    Values are kept in the group's cache, so that measures built on them cost nothing more.

    Args:
        group: The trials.
        radii: rho.
        norm: Of the neighbourhood in whitened coordinates.
        scaling: T; see `scales`.
        eta: Added to T.
        objective: Which loss is perturbed and differenced.

    Returns:
        The rise in nats per radius; 0 where the gradient vanishes.
    """
    key = ("first_order", norm, scaling, eta, objective)
    missing = [rho for rho in radii if (*key, rho) not in group.cache]
    if missing:
        direction = steepest_step(group, norm, scaling, eta, objective)
        with group.restored_at_end():
            for rho in missing:
                rise = 0.0 if direction is None else group.rise(direction, rho, objective=objective)
                group.cache[(*key, rho)] = rise
    return {rho: group.cache[(*key, rho)] for rho in radii}


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
        For L(w) = w^2 / 2 at w = 1 the rise is rho + rho^2 / 2 (``tests/measures/test_measures.py``).
    """
    return first_order(group, radii, objective=objective)


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
    return first_order(group, radii, scaling="elementwise", eta=eta, objective=objective)


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
    return first_order(group, radii, norm="linf", objective=objective)


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
    return first_order(group, radii, norm="linf", scaling="elementwise", objective=objective)


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
    return first_order(group, radii, scaling="filterwise", objective=objective)


def relative_rise(
    group: Group, radii: Sequence[float], *, scaling: Scaling = "none", objective: str = "label"
) -> Values:
    r"""First-order sharpness as a share of the loss, :math:`S(\rho) / L_G(w)`.

    A detector under shift has a high loss, and with it a high gradient and a high sharpness; the share takes
    the first of these out. Cost: none beside `sam` or `asam`.

    Args:
        group: The trials.
        radii: rho.
        scaling: "none" for `sam`, "elementwise" for `asam`.
        objective: Which loss.

    Returns:
        One value per radius, without unit; 0 where the loss itself is 0 in float64.

    Example:
        For L(w) = w^2 / 2 at w = 1 it is 2 rho + rho^2.
    """
    loss = group.loss(objective)
    rises = first_order(group, radii, scaling=scaling, objective=objective)
    return {rho: rise / loss if loss > 0.0 else 0.0 for rho, rise in rises.items()}


def keskar(group: Group, radii: Sequence[float], *, objective: str = "label") -> Values:
    r"""Rise within a box scaled by the weights, in per cent of one plus the loss.

    .. math:: 100 \, \frac{\max_{|\epsilon_i| \le \rho (|w_i| + 1)} L_G(w + \epsilon) - L_G(w)}{1 + L_G(w)}

    The epsilon-sharpness of Keskar et al. (2017) with the maximum taken by one step. Cost: as `sam`.

    Args:
        group: The trials.
        radii: rho, their epsilon.
        objective: Which loss.

    Returns:
        One value per radius, in per cent.

    Example:
        For L(w) = w^2 / 2 at w = 1 the step is 2 rho: 100 (2 rho + 2 rho^2) / 1.5.
    """
    rises = first_order(group, radii, norm="linf", scaling="elementwise", eta=1.0, objective=objective)
    return {rho: 100.0 * rise / (1.0 + group.loss(objective)) for rho, rise in rises.items()}


_LAYER_NODE = ("layer", "node")
_LABEL = ("label",)

MEASURES: dict[str, Definition] = {
    "sam": Definition(sam, "first-order worst case in an l2 ball", FORET, _LABEL),
    "asam": Definition(asam, "the same, each weight scaled by its size", KWON, _LABEL, _LAYER_NODE),
    "asam_eta": Definition(partial(asam, eta=0.01), "asam with eta = 0.01 as in its code", KWON, _LABEL),
    "asam_filterwise": Definition(
        asam_filterwise, "worst case scaled by the norm of each filter", KWON, _LABEL, ("layer",)
    ),
    "sam_linf": Definition(sam_linf, "worst case in an l-infinity ball", FORET, _LABEL),
    "asam_linf": Definition(
        asam_linf, "worst case when each weight moves by a fraction of its size", KWON, _LABEL, _LAYER_NODE
    ),
    "keskar": Definition(
        keskar, "worst case in a box of |w| + 1, in per cent of 1 + loss", "Keskar et al. (2017)", _LABEL
    ),
    "sam_relative": Definition(relative_rise, "sam as a share of the loss", FORET, _LABEL),
    "asam_relative": Definition(
        partial(relative_rise, scaling="elementwise"),
        "asam as a share of the loss",
        KWON,
        _LABEL,
        _LAYER_NODE,
    ),
}
