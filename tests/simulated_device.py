"""A GPU that is not there: numbers lie on the CPU, and torch is told that they lie on ``cuda:0``.

Inside `simulated` tensors say that they are CUDA's and `torch.cuda` answers, so that every branch on it is taken;
autocast casts what it casts on a GPU, and the device has random numbers and memory of its own. Every operation is
watched: one that mixes devices is refused as a GPU would refuse it, and whatever makes the host wait for the device
is counted. Kernels are those of the CPU: nothing here says how a GPU rounds.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

DEVICE = "cuda:0"
# What torch itself is told: a name that it knows and nobody uses, whose gradients it takes without a driver.
INNER = "lazy:0"
NAME = "Simulated GPU"
MEMORY = 80 * 1024**3
aten = torch.ops.aten

# What brings a value from the device to the host, which must wait for it.
WAITING = {
    aten._local_scalar_dense.default: "item",
    aten.equal.default: "equal",
    aten.nonzero.default: "nonzero",
    aten.masked_select.default: "nonzero",
    aten.bincount.default: "bincount",
    aten._unique2.default: "unique",
}
INDEXING = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}
# A copy is what crosses from one device to the other.
COPYING = {aten.copy_.default, aten._foreach_copy_.default}


class OnDevice(Tensor):
    """A tensor that says it lies on the simulated device."""

    held: Tensor
    memory: _Memory

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        made: OnDevice = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=INNER,
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where it says it lies."""
        return torch.device(DEVICE)

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """What a GPU's tensor says."""
        return True

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def untyped_storage(self) -> Any:
        """Return the storage that really holds the numbers."""
        return self.held.untyped_storage()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Go into a file as what is held."""
        return self.held.__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:
        return f"OnDevice({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation that the mode did not see: one inside of another."""
        return run(func, args, kwargs or {}, Watch())


def _inside(item: Any) -> Any:
    if isinstance(item, OnDevice):
        return item.held
    return torch.device("cpu") if _is_there(item) else item


def _is_there(item: Any) -> bool:
    return isinstance(item, torch.device) and item.type in ("cuda", "lazy")


def _leaves(item: Any, found: list[Any]) -> list[Any]:
    """Collect what lists, tuples and dicts hold; torch's own function for it takes longer than most kernels."""
    if isinstance(item, list | tuple):
        for one in item:
            _leaves(one, found)
    elif isinstance(item, dict):
        _leaves(list(item.values()), found)
    else:
        found.append(item)
    return found


def _each(change: Callable[[Any], Any], item: Any) -> Any:
    if type(item) in (list, tuple):
        return type(item)(_each(change, one) for one in item)
    if isinstance(item, dict):
        return {name: _each(change, one) for name, one in item.items()}
    return change(item)


@functools.cache
def _gives_back_its_input(func: Any) -> bool:
    return any(value.alias_info is not None for value in func._schema.returns)


def run(func: Any, args: Any, kwargs: dict[str, Any], watch: Watch) -> Any:
    """Run one operation of torch: where its tensors lie, what it waits for, and where its result goes."""
    flat = _leaves(kwargs, _leaves(args, []))
    tensors = [item for item in flat if isinstance(item, Tensor)]
    here = any(isinstance(item, OnDevice) for item in tensors)
    target = next((item for item in flat if isinstance(item, torch.device)), None)
    there = _is_there(target) if target is not None else here
    if not (here or there):
        return func(*args, **kwargs)
    watch.look(func, args, kwargs, tensors, there)
    inner = (_each(_inside, args), _each(_inside, kwargs))
    if there and torch.Tag.nondeterministic_seeded in func.tags and not kwargs.get("generator"):
        with watch.own_random_numbers():
            out = func(*inner[0], **inner[1])
    else:
        out = func(*inner[0], **inner[1])
    if not there:
        return out
    wrapped = _each(lambda t: watch.placed(t) if isinstance(t, Tensor) else t, out)
    if here and _gives_back_its_input(func):
        return return_and_correct_aliasing(func, args, kwargs, wrapped)
    return wrapped


class Watch(TorchDispatchMode):
    """Sees every operation.

    Attributes:
        waits: Why a host waited, and how often.
        calls: What `torch.cuda` was asked, and how often.
        random: State of the device's own random numbers.
        held: Bytes on the device, now.
        peak: The most so far.
        limit: Bytes that fit on it; what asks for more is out of memory.
        total: Bytes that it says it has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.random = torch.Generator().get_state()
        self.held = self.peak = 0
        self.limit = self.total = MEMORY
        self._owners: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, dict(kwargs or {}), self)

    @property
    def count(self) -> int:
        """How often the host has waited."""
        return sum(self.waits.values())

    def look(self, func: Any, args: Any, kwargs: dict[str, Any], tensors: list[Tensor], there: bool) -> None:
        """Refuse what mixes devices and count what waits."""
        strangers = [t for t in tensors if not isinstance(t, OnDevice) and t.dim()]
        known = [t for t in tensors if isinstance(t, OnDevice)]
        if func in WAITING:
            self.waits[WAITING[func]] += 1
        if func in INDEXING:
            # Indices may come from the CPU, and those that are masks are counted first.
            chosen = [i for i in args[1] if i is not None]
            self.waits["mask"] += any(isinstance(i, OnDevice) and i.dtype == torch.bool for i in chosen)
            strangers = [t for t in strangers if not any(t is i for i in chosen)]
        if func is aten._to_copy.default or func in COPYING:
            blocking = not (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
            if func is aten._to_copy.default:
                crosses = bool(known) != there
                back = not there
            else:
                back = not isinstance(tensors[0], OnDevice)
                crosses = bool(strangers) and bool(known)
            # Memory of the host that is not pinned makes even a copy that may go on wait.
            if crosses and (blocking or back):
                self.waits["to the host" if back else "to the device"] += 1
        elif known and strangers:
            raise RuntimeError(f"{func}: expected all tensors on one device, found {DEVICE} and cpu")

    @contextmanager
    def own_random_numbers(self) -> Iterator[None]:
        """Draw from the device's own random numbers inside, as a GPU does."""
        host = torch.get_rng_state()
        torch.set_rng_state(self.random)
        try:
            yield
        finally:
            self.random = torch.get_rng_state()
            torch.set_rng_state(host)

    def placed(self, held: Tensor) -> OnDevice:
        """Return a tensor on the device; its memory counts until nothing holds it."""
        if torch._is_zerotensor(held):  # zeros that autograd did not write out
            held = torch.zeros(held.shape, dtype=held.dtype)
        storage = held.untyped_storage()
        address, size = storage.data_ptr(), storage.nbytes()
        if not self._owners[address]:
            if self.held + size > self.limit:
                raise torch.OutOfMemoryError(
                    f"the simulated device holds {self.held} bytes and {size} more were asked for"
                )
            self.held += size
            self.peak = max(self.peak, self.held)
        self._owners[address] += 1
        made = OnDevice(held)
        made.memory = _Memory(self, address, size)
        return made

    def let_go(self, address: int, size: int) -> None:
        """Count memory that one tensor less holds."""
        self._owners[address] -= 1
        if not self._owners[address]:
            self.held -= size


class _Memory:
    """Goes with the tensor that holds it."""

    def __init__(self, watch: Watch, address: int, size: int) -> None:
        self.watch = watch
        self.address = address
        self.size = size

    def __del__(self) -> None:
        self.watch.let_go(self.address, self.size)


class _Calls(TorchFunctionMode):
    """What torch would do behind the back of the watch, because the name it knows is another one."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in MAKING:
            device = kwargs.pop("device", None)
            made = func(*args, **kwargs)
            return made if device is None else _moved(made, device)
        if func is Tensor.to:
            return _moved(*args, **kwargs)
        if torch.is_autocast_enabled("cuda") and (func in HALF or func in WHOLE):
            return _cast_and_run(func, args, kwargs)
        if func is Tensor.tolist and isinstance(args[0], OnDevice):
            return args[0].cpu().tolist()
        return func(*args, **kwargs)


MAKING = {torch.tensor, torch.as_tensor, torch.asarray}
# What autocast on a GPU runs in half precision, and what in float32.
HALF = {
    *(
        torch.conv1d,
        torch.conv2d,
        torch.conv_transpose1d,
        torch.conv_transpose2d,
        functional.linear,
        torch.einsum,
    ),
    *(
        torch.matmul,
        torch.bmm,
        torch.mm,
        torch.addmm,
        torch.baddbmm,
        Tensor.matmul,
        Tensor.__matmul__,
        Tensor.bmm,
    ),
}
WHOLE = {
    *(functional.softmax, torch.softmax, Tensor.softmax, functional.log_softmax, torch.log_softmax),
    *(
        functional.layer_norm,
        functional.cross_entropy,
        torch.exp,
        torch.log,
        torch.norm,
        torch.sum,
        Tensor.sum,
    ),
}


def _cast_and_run(func: Any, args: Any, kwargs: Any) -> Any:
    """Run an operation as autocast does: factors are rounded, and sums are taken in float32 as by a GPU's units."""
    kind = torch.get_autocast_dtype("cuda") if func in HALF else torch.float32

    def cast(item: Any) -> Any:
        floating = isinstance(item, OnDevice) and item.is_floating_point() and item.dtype != torch.float64
        return item.to(dtype=kind).to(dtype=torch.float32) if floating else item

    out = func(*_each(cast, args), **_each(cast, kwargs))
    return out.to(dtype=kind) if isinstance(out, OnDevice) else out


def _moved(tensor: Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
    """Return ``tensor.to(...)``, which is the tensor itself where nothing changes."""
    if args and isinstance(args[0], Tensor):
        args, kwargs = (), {"device": args[0].device, "dtype": args[0].dtype, **kwargs}
    device, dtype, going_on, layout = torch._C._nn._parse_to(*args, **kwargs)
    there = isinstance(tensor, OnDevice)
    target = None if device is None else torch.device(DEVICE if device.type == "cuda" else device)
    if target is None or (there and target.type == "cuda"):
        target = torch.device(INNER) if there else tensor.device
    more = {} if layout is None else {"memory_format": layout}
    moved: Tensor = tensor.to(target, dtype or tensor.dtype, going_on, copy, **more)
    return moved


class _Generator(torch.Generator):
    """Random numbers of the CPU for whatever device is asked."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        return super().__new__(cls, device="cpu")


def _answers(watch: Watch) -> dict[str, Any]:
    """What `torch.cuda` says of the simulated device."""

    def set_states(states: list[Tensor]) -> None:
        watch.random = states[0].clone()

    def seed(number: int) -> None:
        watch.random = torch.Generator().manual_seed(number).get_state()

    def synchronize(*_: Any) -> None:
        watch.waits["synchronize"] += 1

    def reset_peak(*_: Any) -> None:
        watch.peak = watch.held

    def facts(*_: Any) -> SimpleNamespace:
        return SimpleNamespace(name=NAME, total_memory=watch.total, major=9, minor=0, multi_processor_count=1)

    return {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda *_: None,
        "get_device_properties": facts,
        "get_device_name": lambda *_: NAME,
        "get_device_capability": lambda *_: (9, 0),
        "is_current_stream_capturing": lambda: False,
        "synchronize": synchronize,
        "empty_cache": lambda: None,
        "memory_allocated": lambda *_: watch.held,
        "max_memory_allocated": lambda *_: watch.peak,
        "reset_peak_memory_stats": reset_peak,
        "get_rng_state_all": lambda: [watch.random.clone()],
        "set_rng_state_all": set_states,
        "manual_seed_all": seed,
        "is_bf16_supported": lambda *_: True,
    }


@contextmanager
def simulated() -> Iterator[Watch]:
    """Make the simulated device usable inside.

    Yields:
        The watch, with its counts.
    """
    watch = Watch()

    def counted(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **kwargs: Any) -> Any:
            watch.calls[name] += 1
            return answer(*args, **kwargs)

        return asked

    def load(file: Any, map_location: Any = None, **kwargs: Any) -> Any:
        found = real_load(file, map_location="cpu", **kwargs)
        if map_location is None or torch.device(map_location).type != "cuda":
            return found
        return _each(lambda t: t.to(map_location) if isinstance(t, Tensor) else t, found)

    def pinned(tensor: Tensor, *_: Any) -> Tensor:
        watch.calls["pin_memory"] += 1
        return tensor

    def meet(backend: str, *args: Any, **kwargs: Any) -> None:
        # What goes over the wires of a GPU goes over the CPU's; who asked for which is counted.
        watch.calls[backend] += 1
        real_meet("gloo", *args, **kwargs)

    real_load, real_meet = torch.load, torch.distributed.init_process_group
    with pytest.MonkeyPatch.context() as patch:
        for name, answer in _answers(watch).items():
            patch.setattr(torch.cuda, name, counted(name, answer))
        patch.setattr(torch.backends.cudnn, "is_acceptable", lambda _: False)
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(torch, "load", load)
        patch.setattr(torch.distributed, "init_process_group", meet)
        patch.setattr(Tensor, "pin_memory", pinned)
        patch.setattr(torch.accelerator, "is_available", lambda: True)
        patch.setattr(torch.accelerator, "current_accelerator", lambda *_, **__: torch.device("cuda"))
        stream = SimpleNamespace(is_capturing=lambda: False)
        patch.setattr(torch.accelerator, "current_stream", lambda *_: stream)
        patch.setattr(torch.accelerator, "set_device_index", lambda *_: None)
        patch.setattr(torch.accelerator, "current_device_index", lambda: 0)
        swapping = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            with watch, _Calls():
                yield watch
        finally:
            torch.__future__.set_swap_module_params_on_conversion(swapping)
