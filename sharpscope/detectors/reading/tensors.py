"""Inert values to tensors, once it is known which of them are the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sharpscope.detectors.reading.archive import MAXIMUM_BYTES
from sharpscope.detectors.reading.values import Array, Damaged, Odd, Source, Storage, Stored, numbers_of

# A few names may share one storage (tied weights); a file in which all do is made to fill the memory.
MAXIMUM_SHARING = 4
SPARE_BYTES = 64 * 1024**2


def read_tensors(state: Mapping[str, Any], source: Source | None) -> dict[str, Tensor]:
    """Read the numbers of a state dict.

    Args:
        state: Inert tensors by name.
        source: Where their numbers lie.

    Returns:
        Tensors by name, on the CPU; those that shared a storage still do.

    Raises:
        Damaged: If numbers are missing, or the tensors claim more than the file stores.
    """
    check_claims(state)
    read: dict[int, Tensor] = {}
    tensors = {}
    for name, value in state.items():
        try:
            tensors[name] = _tensor(name, value, source, read)
        except Damaged:
            raise
        except Exception as error:  # what torch and numpy say of impossible sizes
            raise Damaged(f"{name[:80]} cannot be read ({type(error).__name__})") from error
    return tensors


def check_claims(state: Mapping[str, Any]) -> None:
    """Check that tensors claim no more than they store: any use of one would fill the memory.

    Args:
        state: Inert tensors by name.

    Raises:
        Damaged: If they do.
    """
    claimed, stored = 0, 0
    seen: set[Any] = set()
    for value in state.values():
        claimed += numbers_of(value) * _width(value)
        own = _place(value)
        if own not in seen:
            seen.add(own)
            stored += _stored(value)
    if claimed > MAXIMUM_BYTES or stored > MAXIMUM_BYTES:
        raise Damaged(
            f"its tensors claim {max(claimed, stored) / 1024**3:,.0f} GiB, more than a detector has"
        )
    if claimed > MAXIMUM_SHARING * stored + SPARE_BYTES:
        raise Damaged(f"its tensors claim {claimed:,} bytes and the file stores {stored:,}")


def _place(value: Any) -> Any:
    if isinstance(value, Stored):
        return (id(value.storage.source), value.storage.key)
    return id(value)


def _stored(value: Any) -> int:
    if isinstance(value, Stored):
        return value.storage.size
    if isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta:
        return value.untyped_storage().nbytes()
    return numbers_of(value) * _width(value)


def _width(value: Any) -> int:
    if isinstance(value, Stored):
        return value.dtype.itemsize
    if isinstance(value, Tensor):
        return value.element_size()
    return value.value.itemsize if isinstance(value, Array) and value.value is not None else 1


def _tensor(name: str, value: Any, source: Source | None, read: dict[int, Tensor]) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Odd):
        raise Damaged(f"{name[:80]} is {value.kind}; dense floating-point weights are needed")
    if isinstance(value, Array):
        return _from_numpy(name, value.value)
    base = _bytes_of(value.storage, source, read)
    first = value.storage.start * (value.storage.dtype or torch.uint8).itemsize
    numbers = base[first:] if first else base
    if numbers.numel() % value.dtype.itemsize:
        numbers = numbers[: numbers.numel() // value.dtype.itemsize * value.dtype.itemsize]
    typed = numbers.view(value.dtype) if numbers.numel() else torch.empty(0, dtype=value.dtype)
    return torch.as_strided(typed, value.shape, value.strides, value.offset)


def _bytes_of(storage: Storage, source: Source | None, read: dict[int, Tensor]) -> Tensor:
    """Return the bytes of a storage, read once for all tensors on it."""
    origin = storage.source or source
    if origin is None:
        raise Damaged("a plain pickle whose tensors point at numbers that are not in it")
    key = hash((id(origin), storage.key))
    if key not in read or read[key].numel() < storage.size:
        read[key] = origin.read(storage.key, storage.size)
    return read[key]


def _from_numpy(name: str, array: np.ndarray[Any, Any] | None) -> Tensor:
    if array is None or array.dtype.kind not in "biufc":
        raise Damaged(f"{name[:80]} is an array of objects or text; numbers are needed")
    native = array.astype(array.dtype.newbyteorder("="), copy=True)
    try:
        return torch.from_numpy(native)
    except TypeError as error:
        raise Damaged(f"{name[:80]} is an array of {array.dtype}, which torch does not have") from error


def plain(value: Any, depth: int = 0) -> Any:
    """Return a record as plain data: what is no text, number or container becomes its type's name.

    Args:
        value: Inert values.
        depth: How deep this value lies.

    Returns:
        Dictionaries, lists, tuples and scalars.

    Example:
        >>> plain({"rho": 0.05, "by": object()})
        {'rho': 0.05, 'by': '<object>'}
    """
    if isinstance(value, str | int | float | bool | type(None)):
        return value
    if depth < 20 and isinstance(value, dict):
        return {key: plain(child, depth + 1) for key, child in value.items() if isinstance(key, str)}
    if depth < 20 and isinstance(value, list | tuple):
        return type(value)(plain(child, depth + 1) for child in value)
    return f"<{getattr(value, 'name', type(value).__name__)}>"
