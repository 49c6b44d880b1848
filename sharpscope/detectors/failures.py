"""What a user's network raised, in one line that says what it was given and how to wrap it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from sharpscope.errors import SharpscopeError


def describe_failure(error: Exception, shape: Sequence[int], module: nn.Module) -> SharpscopeError:
    """Return the error for a network that failed on its input.

    Args:
        error: What it raised.
        shape: Of what it was given, (B, T) for waves.
        module: The network.

    Returns:
        An error to raise.

    Example:
        >>> str(describe_failure(ValueError("3 dimensions"), (2, 8), nn.Identity())).split(";")[0]
        'the network Identity failed on an input of shape (2, 8) (ValueError: 3 dimensions)'
    """
    reason = (str(error).strip().splitlines() or [""])[0][:200]
    batch = shape[0]
    return SharpscopeError(
        f"the network {type(module).__name__} failed on an input of shape {tuple(shape)} ({type(error).__name__}: "
        f"{reason}); "
        f"it is given waves (B, T) and must return ({batch}, 2) or ({batch}, 1). Where it wants (B, 1, T) or features, "
        "wrap it in a module that converts them and name that with --model"
    )
