"""A pickle machine that imports nothing and calls nothing from a pickle.

Python's pickle is a program for a stack machine whose instructions import names and call them. Here the same
instructions build plain containers; a global stays a name, a call is carried out only where this package itself
knows the function (see `rebuild`), and everything else is written down in a `Placeholder`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from sharpscope.detectors.reading.rebuild import build, call, persistent
from sharpscope.detectors.reading.values import Damaged, Global, Placeholder, Storage

# A state dict takes about thirty instructions a tensor, its optimiser as many again.
MAXIMUM_STEPS = 2_000_000
# Keys of dictionaries are hashed, and hashing deep tuples can take for ever: only flat short ones are.
LONGEST_KEY = 8
# What calls may be given beyond twice the bytes read so far.
SPARE_WEIGHT = 16 * 1024**2
# An entry of a list costs about as much as so many bytes.
ENTRY_WEIGHT = 32
# How plain pickle writes a tensor's storage: the bytes of a small checkpoint.
EMBEDDED = "torch.storage._load_from_bytes"
SCALARS = (str, bytes, int, float, bool, type(None))
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,
}
VALUES = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    }
)
READS = frozenset({"GET", "BINGET", "LONG_BINGET"})
WRITES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
NOTHING = frozenset({"PROTO", "FRAME", "READONLY_BUFFER"})


class Machine:
    """Reads one pickle after the other from a stream.

    Args:
        stream: Positioned at the start of a pickle.
        embedded: Reads a storage that was pickled as bytes; None where a pickle may hold none.
    """

    def __init__(self, stream: BinaryIO, embedded: Callable[[bytes], Storage] | None = None) -> None:
        self.stream = stream
        self._embedded = embedded
        self._parsed: dict[int, tuple[bytes, Storage]] = {}
        self._weight = 0
        # Every name that the pickles mention, for messages.
        self.names: dict[str, None] = {}
        self.steps = 0
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[Any, Any] = {}

    def load(self) -> Any:
        """Read the next pickle.

        Returns:
            Plain containers, scalars and the inert values of `values`.

        Raises:
            Damaged: If it is cut off, contradicts itself or is too long.
        """
        self._stack, self._marks, self._memo = [], [], {}
        for opcode, argument, _ in pickletools.genops(self.stream):
            self.steps += 1
            if self.steps > MAXIMUM_STEPS:
                raise Damaged(f"more than {MAXIMUM_STEPS:,} instructions of pickle")
            if opcode.name == "STOP":
                return self._stack.pop()
            self._step(opcode.name, argument)
        raise Damaged("the pickle has no end")

    def _step(self, name: str, argument: Any) -> None:
        if name in VALUES:
            self._stack.append(argument)
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name]())
        elif name in WRITES:
            self._memo[int(argument)] = self._stack[-1]
        elif name in READS:
            self._stack.append(self._memo[int(argument)])
        elif name in TUPLES:
            count = TUPLES[name]
            if len(self._stack) < count:
                raise Damaged("a tuple of more values than there are")
            self._stack[-count:] = [tuple(self._stack[-count:])]
        elif name not in NOTHING:
            action = ACTIONS.get(name)
            if action is None:
                raise Damaged(f"an instruction that no checkpoint has ({name})")
            action(self, argument)

    def _since_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._marks.pop()
        return values

    def _mark(self, _: Any) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _repeat(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _memoise(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _tuple(self, _: Any) -> None:
        values = self._since_mark()
        self._stack.append(tuple(values))

    def _list(self, _: Any) -> None:
        values = self._since_mark()
        self._stack.append(values)

    def _dict(self, _: Any) -> None:
        values = self._since_mark()
        self._stack.append({})
        self._set_pairs(values)

    def _append(self, _: Any) -> None:
        self._extend([self._stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Placeholder):
            target.entries.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise Damaged(f"entries for a {type(target).__name__}")

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_pairs([key, value])

    def _set_items(self, _: Any) -> None:
        self._set_pairs(self._since_mark())

    def _set_pairs(self, values: list[Any]) -> None:
        target = self._stack[-1]
        items = target.items if isinstance(target, Placeholder) else target
        if not isinstance(items, dict) or len(values) % 2:
            raise Damaged(f"items for a {type(target).__name__}")
        for index in range(0, len(values), 2):
            items[_key(values[index])] = values[index + 1]

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Damaged("a name that is no text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        full = f"{module}.{name}"[:200]
        self.names[full] = None
        self._stack.append(Global(full))

    def _extension(self, argument: int) -> None:
        self._stack.append(Placeholder(f"extension {argument}"))

    def _weigh(self, arguments: Any) -> None:
        """Refuse a pickle that hands the same large value to one call after the other."""
        if isinstance(arguments, tuple):
            sizes = [len(a) for a in arguments if isinstance(a, str | bytes | bytearray)]
            sizes += [ENTRY_WEIGHT * len(a) for a in arguments if isinstance(a, list | tuple)]
            self._weight += sum(sizes)
            if self._weight > SPARE_WEIGHT + 2 * self.stream.tell():
                raise Damaged("calls on more data than the file holds")

    def _reduce(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._weigh(arguments)
        if self._embedded is not None and isinstance(function, Global) and function.name == EMBEDDED:
            self._stack.append(self._storage_of(arguments, self._embedded))
        else:
            self._stack.append(call(function, arguments))

    def _storage_of(self, arguments: Any, read: Callable[[bytes], Storage]) -> Storage:
        """Read a storage that was pickled as bytes, each such bytes once."""
        data = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if not isinstance(data, bytes):
            raise Damaged("a storage that is no bytes")
        if id(data) not in self._parsed:
            self._parsed[id(data)] = (data, read(data))
        return self._parsed[id(data)][1]

    def _new_with_names(self, _: Any) -> None:
        names, arguments, function = self._stack.pop(), self._stack.pop(), self._stack.pop()
        made = call(function, arguments)
        if isinstance(made, Placeholder) and isinstance(names, dict) and names:
            made.state = names
        self._stack.append(made)

    def _instance(self, argument: str) -> None:
        arguments = tuple(self._since_mark())
        self._global(argument)
        self._stack.append(call(self._stack.pop(), arguments))

    def _object(self, _: Any) -> None:
        function, *arguments = self._since_mark()
        self._stack.append(call(function, tuple(arguments)))

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        self._weigh(state)
        build(self._stack[-1], state)

    def _persistent(self, argument: Any) -> None:
        self._stack.append(persistent(argument))

    def _persistent_from_stack(self, _: Any) -> None:
        self._stack.append(persistent(self._stack.pop()))


ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "MARK": Machine._mark,
    "POP": Machine._pop,
    "POP_MARK": Machine._pop_mark,
    "DUP": Machine._repeat,
    "MEMOIZE": Machine._memoise,
    "TUPLE": Machine._tuple,
    "LIST": Machine._list,
    "FROZENSET": Machine._list,
    "DICT": Machine._dict,
    "APPEND": Machine._append,
    "APPENDS": Machine._appends,
    "ADDITEMS": Machine._appends,
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "GLOBAL": Machine._global,
    "STACK_GLOBAL": Machine._stack_global,
    "EXT1": Machine._extension,
    "EXT2": Machine._extension,
    "EXT4": Machine._extension,
    "REDUCE": Machine._reduce,
    "NEWOBJ": Machine._reduce,
    "NEWOBJ_EX": Machine._new_with_names,
    "INST": Machine._instance,
    "OBJ": Machine._object,
    "BUILD": Machine._build,
    "PERSID": Machine._persistent,
    "BINPERSID": Machine._persistent_from_stack,
}


def _key(key: Any) -> Any:
    """Return a key whose hash is cheap: a scalar or a short flat tuple; anything else by its identity."""
    if isinstance(key, SCALARS):
        return key
    if isinstance(key, tuple) and len(key) <= LONGEST_KEY and all(isinstance(k, SCALARS) for k in key):
        return key
    return Placeholder("a key")
