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
    """Return the Euclidean norm over all, in float64.

    Args:
        tensors: One per parameter, None where there is none.

    Returns:
        The norm; 1e-12 when it is smaller, so that nothing is divided by zero.

    Example:
        >>> norm([torch.tensor([3.0]), None, torch.tensor([4.0])])
        5.0
    """
    squares = sum(float(t.double().square().sum()) for t in tensors if t is not None)
    return max(math.sqrt(squares), 1e-12)


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
    """Return whether nothing overflowed.

    Args:
        tensors: One per parameter.

    Returns:
        True when all values are finite.
    """
    return all(bool(torch.isfinite(t).all()) for t in tensors if t is not None)


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
