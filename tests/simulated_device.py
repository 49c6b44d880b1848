"""A device that is not there: numbers lie on the CPU, and torch is told that they lie on ``lazy:0``.

Inside `simulated` every operation is watched: one that mixes devices is refused as a GPU would refuse it, and whatever
makes the host wait for the device is counted. Values are those of the CPU, bit for bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

# A name that torch knows and nobody uses: its engine takes gradients there without a driver.
DEVICE = "lazy:0"
aten = torch.ops.aten

# What brings a value from the device to the host, which must wait for it.
WAITING = {
    aten._local_scalar_dense.default: "item",
    aten.equal.default: "equal",
    aten.nonzero.default: "nonzero",
}
# Indices may lie on the CPU, and a copy is what crosses from one to the other.
MIXING = {
    aten.index.Tensor,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten.copy_.default,
    aten._foreach_copy_.default,
}


class OnDevice(Tensor):
    """A tensor that says it lies on the simulated device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        made: OnDevice = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def untyped_storage(self) -> Any:
        """Return the storage that really holds the numbers."""
        return self.held.untyped_storage()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation that the mode did not see: one inside of another."""
        return run(func, args, kwargs or {}, Counter())


def _inside(item: Any) -> Any:
    return item.held if isinstance(item, OnDevice) else item


def run(func: Any, args: Any, kwargs: dict[str, Any], waits: Counter[str]) -> Any:
    """Run one operation of torch: where its tensors lie, what it waits for, and where its result goes."""
    flat, _ = tree_flatten((args, kwargs))
    tensors = [item for item in flat if isinstance(item, Tensor)]
    here = [item for item in tensors if isinstance(item, OnDevice)]
    target = kwargs.get("device")
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    there = torch.device(target).type == "lazy" if target is not None else bool(here)
    if here:
        strangers = [t for t in tensors if not isinstance(t, OnDevice) and t.dim()]
        if strangers and func not in MIXING:
            raise RuntimeError(f"{func}: expected all tensors on one device, found {DEVICE} and cpu")
        if func in WAITING:
            waits[WAITING[func]] += 1
        if func is aten._to_copy.default and not there and target is not None:
            waits["to the host"] += 1
        if func is aten.copy_.default and not isinstance(args[0], OnDevice):
            waits["to the host"] += 1
    out = func(*tree_map(_inside, args), **tree_map(_inside, kwargs))
    if not there:
        return out
    wrapped = tree_map(lambda t: OnDevice(t) if isinstance(t, Tensor) else t, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if here else wrapped


class Watch(TorchDispatchMode):
    """Sees every operation; `waits` counts those for which a host waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, dict(kwargs or {}), self.waits)

    @property
    def count(self) -> int:
        """How often the host has waited."""
        return sum(self.waits.values())


class _Generator(torch.Generator):
    """Random numbers of the CPU for whatever device is asked."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        return super().__new__(cls, device="cpu")


class _Autocast(torch.autocast):
    """Knows the simulated device by the rules of a CPU."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "lazy" else device_type, *args, **kwargs)


@contextmanager
def simulated() -> Iterator[Watch]:
    """Make the simulated device usable inside.

    Yields:
        The watch, with its counts.
    """
    with pytest.MonkeyPatch.context() as patch, Watch() as watch:
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(torch, "autocast", _Autocast)
        yield watch
