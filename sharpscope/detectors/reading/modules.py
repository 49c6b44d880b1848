"""Walks through inert values, and the state dict of a network that was pickled whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from sharpscope.detectors.reading.values import Array, Damaged, Odd, Placeholder, Stored

# More levels, modules or values than any file that training writes.
DEEPEST = 60
MOST_VALUES = 500_000
MOST_MODULES = 20_000
LONGEST_NAME = 1_000
TENSORS = (Stored, Odd, Array, Tensor)


def every(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk through containers and placeholders, each object once, from the outside in.

    Args:
        value: Inert values.

    Yields:
        The keys that lead to a value, and the value.
    """
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    count = 0
    while waiting and count < MOST_VALUES:
        following: list[tuple[tuple[str, ...], Any]] = []
        for path, node in waiting:
            count += 1
            yield path, node
            if len(path) < DEEPEST and id(node) not in seen:
                seen.add(id(node))
                following.extend(((*path, name), child) for name, child in children(node))
        waiting = following


def shown(key: Any) -> str:
    """Return a key as text; a number of thousands of digits cannot be written out.

    Args:
        key: Of a dictionary in a file.

    Returns:
        At most 200 letters.
    """
    if isinstance(key, str):
        return key[:200]
    return str(key) if isinstance(key, int) and abs(key) < 10**18 else "?"


def children(node: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over what a container or placeholder holds.

    Args:
        node: Any inert value.

    Yields:
        A name, as it would be written on a command line, and the value.
    """
    if isinstance(node, dict):
        for key, child in node.items():
            yield shown(key), child
    elif isinstance(node, list | tuple):
        for index, child in enumerate(node):
            if not isinstance(child, str | int | float):
                yield str(index), child
    elif isinstance(node, Placeholder):
        for name, part in (("items", node.items), ("entries", node.entries), ("arguments", node.arguments)):
            yield from children(part) if isinstance(part, dict | list | tuple) else ((name, part),)
        yield from children(node.state) if isinstance(node.state, dict) else (("state", node.state),)


def attributes(node: Any) -> Mapping[Any, Any]:
    """Return the attributes of a pickled object.

    Args:
        node: Any inert value.

    Returns:
        Values by name; empty for what is no object.
    """
    state = node.state if isinstance(node, Placeholder) else None
    # Objects with slots have two dictionaries.
    if isinstance(state, tuple) and state and isinstance(state[0], dict):
        state = state[0]
    return state if isinstance(state, dict) else {}


def is_module(node: Any) -> bool:
    """Tell whether a pickled object is a network of torch.

    Args:
        node: Any inert value.

    Returns:
        True when it has the three dictionaries that every module has.
    """
    held = attributes(node)
    return all(isinstance(items(held.get(name)), dict) for name in ("_parameters", "_buffers", "_modules"))


def items(node: Any) -> Any:
    """Return the items of a dictionary of any class, or the value itself."""
    return node.items if isinstance(node, Placeholder) else node


def state_dict_of(module: Any) -> dict[str, Any]:
    """Collect the tensors of a pickled network under the names that its state_dict() has.

    Args:
        module: A placeholder for which `is_module` holds.

    Returns:
        Tensors by name; buffers that are not part of a state dict are left out.
    """
    state: dict[str, Any] = {}
    waiting: list[tuple[str, int, Any]] = [("", 0, module)]
    visited = 0
    while waiting:
        prefix, depth, node = waiting.pop()
        visited += 1
        if visited > MOST_MODULES or len(prefix) > LONGEST_NAME:
            raise Damaged("a network of modules without end")
        held = attributes(node)
        hidden = held.get("_non_persistent_buffers_set")
        unsaved = {name for name in hidden if isinstance(name, str)} if isinstance(hidden, list) else set()
        for kind in ("_parameters", "_buffers"):
            for name, tensor in items(held[kind]).items():
                saved = kind == "_parameters" or name not in unsaved
                if saved and isinstance(tensor, TENSORS) and isinstance(name, str):
                    state[f"{prefix}{name[:LONGEST_NAME]}"] = tensor
        inner = [(n, m) for n, m in items(held["_modules"]).items() if is_module(m) and depth < DEEPEST]
        # The last in, first out: turned round, the names come in the order of the network.
        waiting.extend((f"{prefix}{name}.", depth + 1, child) for name, child in reversed(inner))
    return state
