"""The calls of a pickle that are carried out, by code of this package: tensors, arrays and plain containers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sharpscope.detectors.reading.values import (
    Array,
    Damaged,
    DType,
    Global,
    Odd,
    Placeholder,
    Storage,
    Stored,
)

STORAGES: dict[str, torch.dtype | None] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "UntypedStorage": None,
}
# Larger than any storage of a detector; products of such numbers still fit 64 bits.
LARGEST_COUNT = 1 << 40
MOST_AXES = 16
NUMPY_CODE = re.compile(r"[biufcSU]\d{1,6}")


def call(function: Any, arguments: Any) -> Any:
    """Carry out a call that is known here, or write it down.

    Args:
        function: What a pickle would call; only a `Global` has a name.
        arguments: A tuple, or whatever a hostile pickle puts in its place.

    Returns:
        A tensor, array or container; a `Placeholder` for every other call.

    Raises:
        Damaged: If a known call has impossible arguments.
    """
    if not isinstance(function, Global):
        return Placeholder("a call of no name", arguments)
    known = CALLS.get(function.name)
    if known is None or not isinstance(arguments, tuple):
        return Placeholder(function.name, arguments)
    return known(*arguments)


def build(target: Any, state: Any) -> None:
    """Give an object the state that a pickle has for it; only inert values take one.

    Args:
        target: What was made before.
        state: Anything.
    """
    if isinstance(target, Placeholder):
        target.state = state
    elif isinstance(target, Array):
        target.value = _array_of(state)
    elif isinstance(target, DType) and isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
        target.order = state[1]


def persistent(identity: Any) -> Any:
    """Read a persistent identity, by which torch points at a storage.

    Args:
        identity: ``("storage", class, key, place, count)``, or anything else.

    Returns:
        A `Storage`, or a `Placeholder`.
    """
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        cls = identity[1] if isinstance(identity, tuple) and len(identity) > 1 else None
        # The older format puts a class, its file and its source beside whole pickled modules.
        return cls if isinstance(cls, Global) else Placeholder("a persistent identity")
    _, cls, key, _, count, *view = identity
    name = cls.name.rpartition(".")[2] if isinstance(cls, Global) else ""
    if name not in STORAGES or not isinstance(key, str | int):
        raise Damaged(f"a storage of an unknown kind ({name[:40] or type(cls).__name__})")
    storage = Storage(STORAGES[name], str(key), _whole(count))
    if view and isinstance(view[0], tuple) and len(view[0]) == 3:
        storage = Storage(storage.dtype, storage.key, _whole(view[0][2]), _whole(view[0][1]))
    return storage


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
        raise Damaged("a length or offset that is no number, negative or beyond all measure")
    return value


def _axes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) > MOST_AXES:
        raise Damaged("a shape that is none")
    return tuple(_whole(length) for length in value)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any, dtype: Any = None) -> Any:
    if not isinstance(storage, Storage):
        raise Damaged("a tensor without a storage")
    lengths, steps, first = _axes(shape), _axes(strides), _whole(offset)
    if len(lengths) != len(steps):
        raise Damaged("a tensor with more lengths than strides")
    kind = dtype or storage.dtype or torch.uint8
    last = first + sum((length - 1) * step for length, step in zip(lengths, steps, strict=True))
    held = storage.count if dtype is None else storage.size // kind.itemsize
    if 0 not in lengths and last >= held:
        raise Damaged("a tensor that reaches beyond its storage")
    return Stored(storage, first, lengths, steps, kind)


def _tensor_v3(
    storage: Any, offset: Any, shape: Any, strides: Any, _: Any, __: Any, dtype: Any, *___: Any
) -> Any:
    kind = _torch_dtype(dtype)
    return (
        Odd("of an unknown dtype") if kind is None else _tensor(storage, offset, shape, strides, dtype=kind)
    )


def _torch_dtype(value: Any) -> torch.dtype | None:
    name = value.name.removeprefix("torch.") if isinstance(value, Global) else ""
    found = getattr(torch, name, None) if re.fullmatch(r"[a-z0-9_]{3,20}", name) else None
    return found if isinstance(found, torch.dtype) else None


def _typed_storage(*arguments: Any) -> Any:
    return arguments[0] if arguments and isinstance(arguments[0], Storage) else Placeholder("torch.storage")


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _subclass(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    return call(function, arguments)


def _from_numpy(data: Any, *_: Any) -> Any:
    return data


def _ordered(*arguments: Any) -> Any:
    """Make a dictionary from nothing or, as Python 2 wrote it, from pairs."""
    pairs = arguments[0] if arguments else ()
    if not isinstance(pairs, list | tuple):
        return Placeholder("collections.OrderedDict", arguments)
    return {
        pair[0]: pair[1]
        for pair in pairs
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
    }


def _encode(text: Any, *_: Any) -> Any:
    return text.encode("latin-1") if isinstance(text, str) else Placeholder("_codecs.encode")


def _reconstructed(cls: Any = None, *_: Any) -> Placeholder:
    """Make an object as the oldest pickles do, which name its class as an argument."""
    return Placeholder(cls.name if isinstance(cls, Global) else "an object")


def _sequence(*arguments: Any) -> Any:
    value = arguments[0] if arguments else []
    return value if isinstance(value, list | tuple) else Placeholder("a sequence", arguments)


def _numpy_dtype(code: Any = "", *_: Any) -> Any:
    text = code.decode("latin-1") if isinstance(code, bytes) else code
    if isinstance(text, str) and NUMPY_CODE.fullmatch(text.lstrip("<>|=")):
        made = DType(text.lstrip("<>|="))
        made.order = text[0] if text[0] in "<>" else "="
        return made
    return Placeholder("numpy.dtype", (code,))


def _numbers(dtype: Any, data: Any, count: int) -> np.ndarray[Any, Any] | None:
    """Return ``count`` numbers out of bytes; None where they are objects, which are never made."""
    raw = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(dtype, DType) or not isinstance(raw, bytes | bytearray):
        return None
    kind = np.dtype(dtype.order + dtype.code)
    if kind.itemsize * count != len(raw) or not kind.itemsize:
        raise Damaged("an array whose bytes are not those of its shape")
    # A view: a pickle may ask for the same bytes a million times.
    return np.frombuffer(raw, kind)


def _scalar(dtype: Any, data: Any = b"", *_: Any) -> Any:
    numbers = _numbers(dtype, data, 1)
    return Placeholder("numpy scalar", (dtype,)) if numbers is None else numbers[0].item()


def _array_of(state: Any) -> np.ndarray[Any, Any] | None:
    if not isinstance(state, tuple) or len(state) < 4:
        return None
    shape, dtype, fortran, data = state[-4:]
    return _shaped(data, dtype, shape, bool(fortran))


def _shaped(data: Any, dtype: Any, shape: Any, fortran: bool) -> np.ndarray[Any, Any] | None:
    lengths = _axes(shape if isinstance(shape, tuple | list) else (shape,))
    count = 1
    for length in lengths:
        count *= length
    numbers = _numbers(dtype, data, count)
    return None if numbers is None else numbers.reshape(lengths, order="F" if fortran else "C")


def _empty_array(*_: Any) -> Array:
    return Array()


def _array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any = "C", *_: Any) -> Array:
    made = Array()
    made.value = _shaped(data, dtype, shape, order == "F")
    return made


def _odd(kind: str) -> Callable[..., Odd]:
    return lambda *_: Odd(kind)


CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch._tensor._rebuild_from_type_v2": _subclass,
    "torch._utils._rebuild_device_tensor_from_numpy": _from_numpy,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _from_numpy,
    "torch._utils._rebuild_sparse_tensor": _odd("sparse"),
    "torch._utils._rebuild_sparse_csr_tensor": _odd("sparse"),
    "torch._utils._rebuild_nested_tensor": _odd("nested"),
    "torch._utils._rebuild_qtensor": _odd("quantised"),
    "torch._utils._rebuild_meta_tensor_no_storage": _odd("without data"),
    "torch._utils._rebuild_wrapper_subclass": _odd("of a class of its own"),
    "torch.storage.TypedStorage": _typed_storage,
    "torch.Size": _sequence,
    "collections.OrderedDict": _ordered,
    "_codecs.encode": _encode,
    "copy_reg._reconstructor": _reconstructed,
    "copyreg._reconstructor": _reconstructed,
    "builtins.set": _sequence,
    "builtins.frozenset": _sequence,
    "builtins.list": _sequence,
    "builtins.tuple": _sequence,
    "__builtin__.set": _sequence,
    "numpy.dtype": _numpy_dtype,
    **{
        f"numpy.{core}.{name}": function
        for core in ("core", "_core")
        for name, function in (
            ("multiarray.scalar", _scalar),
            ("multiarray._reconstruct", _empty_array),
            ("numeric._frombuffer", _array_from_buffer),
        )
    },
}
