r"""Whitened coordinates: a neighbourhood scaled by the weights is a ball in :math:`u = T^{-1} \delta`.

Working with u (the step is T u, its gradient T g) makes every projection a plain one and needs no division by
a weight, so a weight that is exactly zero stays where it is instead of turning the projection into 0/0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

Scaling = Literal["none", "elementwise", "filterwise"]


def scales(weights: Sequence[Tensor], kind: Scaling, eta: float = 0.0) -> list[Tensor] | None:
    r"""Return the diagonal of T: how far each weight may move, relative to the others.

    Args:
        weights: The trained parameters.
        kind: "none" (T = I), "elementwise" (:math:`|w| + \eta`), or "filterwise" (the norm of the output channel
            or row that a weight belongs to, plus eta; one-dimensional parameters elementwise).
        eta: Added to every scale.

    Returns:
        One tensor per parameter; None for T = I.

    Example:
        >>> import torch
        >>> scales([torch.tensor([[3.0, -4.0]])], "filterwise")[0].tolist()
        [[5.0, 5.0]]
    """
    if kind == "none":
        return None
    if kind == "elementwise":
        return [w.abs() + eta if eta else w.abs() for w in weights]
    return [_filter_norm(w) + eta for w in weights]


def _filter_norm(weight: Tensor) -> Tensor:
    if weight.dim() < 2:
        return weight.abs()
    norms: Tensor = weight.flatten(1).norm(dim=1)  # (filters,)
    return norms.view(-1, *[1] * (weight.dim() - 1)).expand_as(weight)


def scaled(direction: Sequence[Tensor], by: Sequence[Tensor] | None) -> list[Tensor]:
    """Return T times a direction.

    Args:
        direction: One tensor per parameter.
        by: What `scales` returned.

    Returns:
        Tensors of the same shapes.
    """
    return list(direction) if by is None else [t * d for t, d in zip(by, direction, strict=True)]
