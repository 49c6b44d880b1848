"""What a pickle holds, as inert values: nothing here can import or run anything."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch


class Damaged(ValueError):
    """A file contradicts itself; the message says where, for a reader."""


class Source(Protocol):
    """Where the numbers of storages lie."""

    def read(self, key: str, size: int) -> torch.Tensor:
        """Return at least the first ``size`` bytes of a storage, in memory that torch laid out."""


class Global:
    """The name of a class or function, never looked up.

    Args:
        name: ``module.name``.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Placeholder:
    """An object that a pickle describes, kept as the description.

    Args:
        name: Of its class, or of the function that would have made it.
        arguments: What that would have been called with.
    """

    __slots__ = ("arguments", "entries", "items", "name", "state")

    def __init__(self, name: str, arguments: Any = ()) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None
        self.items: dict[Any, Any] = {}
        self.entries: list[Any] = []


class Storage:
    """Numbers in a file that are not read yet.

    Args:
        dtype: Of the numbers; None for plain bytes.
        key: Of the storage in its file.
        count: How many numbers it is said to hold.
        start: First of them, for a view of another storage.
    """

    __slots__ = ("count", "dtype", "key", "source", "start")

    def __init__(self, dtype: torch.dtype | None, key: str, count: int, start: int = 0) -> None:
        self.dtype = dtype
        self.key = key
        self.count = count
        self.start = start
        self.source: Source | None = None

    @property
    def size(self) -> int:
        """Bytes from the start of the underlying storage to the end of this one."""
        return (self.start + self.count) * (self.dtype or torch.uint8).itemsize


class Stored:
    """A tensor that is not read yet.

    Args:
        storage: Its numbers.
        offset: Of the first element, in elements.
        shape: Lengths of its axes.
        strides: Steps of its axes, in elements.
        dtype: Of its elements.
    """

    __slots__ = ("dtype", "offset", "shape", "storage", "strides")

    def __init__(
        self,
        storage: Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
        self.dtype = dtype


class Odd:
    """A tensor that is no dense array of numbers.

    Args:
        kind: What it is, in words ("sparse", "quantised", "without data").
    """

    __slots__ = ("kind", "shape")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.shape: tuple[int, ...] = ()


class Array:
    """An array of numpy under construction: pickles fill it in a second step."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: np.ndarray[Any, Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes; () while it holds nothing."""
        return () if self.value is None else self.value.shape


class DType:
    """A dtype of numpy.

    Args:
        code: As numpy writes it ("f8").
    """

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="


def numbers_of(tensor: Any) -> int:
    """Return how many numbers a tensor of any of these kinds claims.

    Args:
        tensor: Anything with a shape.

    Returns:
        The product of its lengths.

    Example:
        >>> numbers_of(torch.zeros(2, 3))
        6
    """
    count = 1
    for length in tensor.shape:
        count *= int(length)
    return count
