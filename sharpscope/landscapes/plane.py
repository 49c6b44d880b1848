r"""Directions in weight space that make slices of loss surfaces comparable (Li et al., 2018).

Drawn standard normal from one seed, so every checkpoint of a shape gets the same draw; zero on biases and
normalisation layers; the second made orthogonal to the first filter by filter, before each filter is scaled to
the norm of the filter it moves. Being orthogonal within every filter, the two stay orthogonal after scaling.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures.parameters import Direction, LiveParameters, dot

AXES = ("random", "sam")


class Plane(NamedTuple):
    """One or two directions through the trained weights.

    Attributes:
        directions: One list of tensors per axis, one tensor per live parameter.
        names: "random" (a step of 1 moves each filter by its own norm) or "sam" (a step is the radius rho).
        cosine: Between the two directions; 0 for one.
    """

    directions: tuple[list[Tensor], ...]
    names: tuple[str, ...]
    cosine: float


def filters(tensor: Tensor) -> Tensor:
    """View a weight as one row per filter: output channel of a convolution, output row of a matrix.

    Args:
        tensor: At least 2-D; its first axis counts filters.

    Returns:
        Shape (filters, values of each).

    Example:
        >>> filters(torch.zeros(8, 4, 3, 3)).shape
        torch.Size([8, 36])
    """
    return tensor.reshape(tensor.shape[0], -1)


def gaussian(live: LiveParameters, seed: int, index: int) -> list[Tensor]:
    """Draw a standard normal direction in float64, zero where a parameter has fewer than two axes.

    Args:
        live: Gives the shapes.
        seed: Of the plane.
        index: Number of the direction.

    Returns:
        One float64 tensor per live parameter, on the CPU: the same on every device.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + index) & 0x7FFF_FFFF_FFFF_FFFF)
    return [
        torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        if tensor.ndim > 1
        else torch.zeros(tensor.shape, dtype=torch.float64)
        for tensor in live.trained
    ]


def orthogonalise(direction: Direction, against: Direction) -> list[Tensor]:
    r"""Take from every filter of a direction its part along another.

    .. math:: d_f - \frac{\langle d_f, e_f\rangle}{\langle e_f, e_f\rangle} e_f

    Args:
        direction: d, float64.
        against: e, float64.

    Returns:
        A direction with inner product 0 in every filter; a filter of one value becomes 0.

    Example:
        >>> orthogonalise([torch.tensor([[1.0, 1.0]])], [torch.tensor([[2.0, 0.0]])])
        [tensor([[0., 1.]])]
    """
    found = []
    for d, e in zip(direction, against, strict=True):
        if d.ndim < 2:
            found.append(d.clone())
            continue
        rows, other = filters(d), filters(e)
        norms = other.square().sum(dim=1, keepdim=True)
        share = torch.where(norms > 0, (rows * other).sum(dim=1, keepdim=True) / norms.clamp_min(1e-300), 0.0)
        found.append((rows - share.to(rows.dtype) * other).reshape(d.shape))
    return found


def filter_normalise(direction: Direction, live: LiveParameters) -> list[Tensor]:
    r"""Scale every filter to the norm of the filter it moves: :math:`d_f \lVert w_f \rVert / \lVert d_f \rVert`.

    Args:
        direction: Float64, one tensor per live parameter.
        live: Gives the trained weights.

    Returns:
        A direction of the weights' type and device.
    """
    scaled = []
    for d, weight in zip(direction, live.trained, strict=True):
        if d.ndim > 1:
            rows = filters(d)
            norms = rows.norm(dim=1, keepdim=True)
            wanted = filters(weight.detach().cpu().double()).norm(dim=1, keepdim=True)
            # What orthogonalising left of a filter of one value is rounding, not a direction.
            rows = torch.where(norms > 1e-9, rows * wanted / norms.clamp_min(1e-9), 0.0)
            d = rows.reshape(d.shape)
        scaled.append(d.to(weight.device, weight.dtype))
    return scaled


def make_plane(
    live: LiveParameters, names: tuple[str, ...], *, seed: int = 0, gradient: Direction | None = None
) -> Plane:
    """Return the directions of a slice.

    Args:
        live: The trained weights.
        names: One or two of ``AXES``.
        seed: Of the random directions.
        gradient: Gradient of the loss that is drawn; needed for the axis "sam".

    Returns:
        The plane.

    Raises:
        UsageError: If an axis is unknown or "sam" is named twice.
        SharpscopeError: If the gradient is zero, or a random direction has nothing to move.
    """
    if not 1 <= len(names) <= 2 or any(name not in AXES for name in names) or names.count("sam") > 1:
        raise UsageError(f"the axes are {', '.join(names)}; allowed: random, or sam once, or both")
    directions: list[list[Tensor]] = []
    for index, name in enumerate(names):
        if name == "sam":
            directions.append(_ascent(live, gradient))
            continue
        drawn = gaussian(live, seed, index)
        before = [d for d, n in zip(directions, names, strict=False) if n == "random"]
        if before:
            drawn = orthogonalise(drawn, [d.cpu().double() for d in before[0]])
        directions.append(filter_normalise(drawn, live))
        if not any(bool(d.any()) for d in directions[-1]):
            raise SharpscopeError("no live parameter has two axes: there is no filter to move at random")
    if len(directions) == 2 and "sam" in names:
        fixed = names.index("sam")
        directions[1 - fixed] = _reject(directions[1 - fixed], directions[fixed])
    cosine = 0.0
    if len(directions) == 2:
        a, b = directions
        cosine = dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))
    return Plane(tuple(directions), names, cosine)


def _ascent(live: LiveParameters, gradient: Direction | None) -> list[Tensor]:
    """Return the unit vector of steepest ascent, along which SAM looks."""
    if gradient is None:
        raise UsageError("the axis sam needs the gradient of the loss")
    norm = math.sqrt(dot(gradient, gradient))
    if not (norm > 0 and math.isfinite(norm)):
        raise SharpscopeError(f"the gradient's norm is {norm}: there is no direction of steepest ascent")
    return [(g.double() / norm).to(t.dtype) for g, t in zip(gradient, live.trained, strict=True)]


def _reject(direction: Direction, against: Direction) -> list[Tensor]:
    """Take from a whole direction its part along another."""
    share = dot(direction, against) / dot(against, against)
    return [(d.double() - share * e.double()).to(d.dtype) for d, e in zip(direction, against, strict=True)]
