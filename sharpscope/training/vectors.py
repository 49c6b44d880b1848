"""What the optimisers do with one tensor per parameter."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError


def not_negative(name: str, value: float) -> None:
    """Refuse a setting below zero.

    Args:
        name: Of the setting.
        value: Received.

    Raises:
        UsageError: If it is negative or not finite.
    """
    if not 0 <= value < float("inf"):
        raise UsageError(f"{name} is {value}; it must be a number, 0 or more")


def norm(tensors: list[Tensor | None]) -> float:
    """Return the Euclidean norm over all, in float64, by one look at the device.

    Args:
        tensors: One per parameter, None where there is none.

    Returns:
        The norm; 1e-12 when it is smaller, so that nothing is divided by zero; NaN or infinity where a value is not
        finite.

    Example:
        >>> norm([torch.tensor([3.0]), None, torch.tensor([4.0])])
        5.0
    """
    return _at_least(float(torch.linalg.vector_norm(_stacked(_norms(tensors)))))


def _at_least(value: float) -> float:
    # max() would take NaN for small.
    return value if not value < 1e-12 else 1e-12


def _norms(tensors: list[Tensor | None]) -> list[Tensor]:
    return [torch.linalg.vector_norm(t, dtype=torch.float64) for t in tensors if t is not None]


def _stacked(values: list[Tensor]) -> Tensor:
    """Stack numbers, on whichever devices, for one reduction."""
    if not values:
        return torch.zeros(1, dtype=torch.float64)
    return torch.stack([value.to(values[0].device) for value in values])


def dot(pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Return the inner product over all pairs, in float64, by one look at the device.

    Args:
        pairs: Tensors of equal shapes.

    Returns:
        The product.

    Example:
        >>> dot([(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))])
        11.0
    """
    return float(_stacked([(one.double() * other.double()).sum() for one, other in pairs]).sum())


def scaled(tensors: list[Tensor | None], factor: float) -> list[Tensor | None]:
    """Return every tensor times a number.

    Args:
        tensors: One per parameter.
        factor: The number.

    Returns:
        One per parameter.
    """
    return [None if t is None else t * factor for t in tensors]


def finite(tensors: list[Tensor | None]) -> bool:
    """Return whether nothing overflowed: the norm of everything tells, by one look at the device.

    Args:
        tensors: One per parameter.

    Returns:
        True when all values are finite.

    Example:
        >>> finite([torch.tensor([1.0]), None]), finite([torch.tensor([float("nan")])])
        (True, False)
    """
    return math.isfinite(norm(tensors))


def placed(tensors: list[Tensor | None] | None, like: list[nn.Parameter]) -> list[Tensor | None] | None:
    """Return a loaded state on the devices of the parameters.

    Args:
        tensors: One per parameter, or None.
        like: The parameters.

    Returns:
        One per parameter, or None.
    """
    if tensors is None:
        return None
    return [None if t is None else t.to(p.device, p.dtype) for t, p in zip(tensors, like, strict=True)]


def random_state() -> tuple[Tensor, list[Tensor]]:
    """Return the state of torch's random numbers, on the CPU and every GPU.

    Returns:
        The states.
    """
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), cuda


def set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    """Go back to a state, so that the second pass draws the same dropout and noise.

    Args:
        state: What `random_state` returned.
    """
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
