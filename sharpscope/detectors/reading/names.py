"""The names of weights without what wrappers and training loops put around and beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

Value = TypeVar("Value")

# Where a network was an attribute of something larger: stripped where every name begins so.
PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "detect_model.",
    "detector.",
    "_forward_module.",
    "_fsdp_wrapped_module.",
)
# Names that only wrappers give; they may stand around any part of a network.
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
# DataParallel's name, which a network of one's own might use too.
PARALLEL = "module"
# Entries beside the network: losses, metrics, counters.
ASIDE = re.compile(
    r"(criterion|criterions|criteria|loss|losses|loss_?fn|loss_?func|loss_?function|ce_loss|bce_loss|objective|"
    r"metric|metrics|(train|val|valid|test)_(acc|accuracy|metric|metrics|eer|auc|auroc|f1|loss))\..+|"
    r"n_averaged|num_updates|decay|global_step|epoch|step|class_weights?|loss_weights?|pos_weight|"
    r"loss|losses|(\w+_)?rng_state|(best|train|val|valid|dev|test|eval)_\w+|accuracy|acc|eer"
)
# A second network under one of these words is an average or a teacher of the first.
AVERAGES = {
    "ema",
    "average",
    "averaged",
    "avg",
    "swa",
    "teacher",
    "student",
    "target",
    "momentum",
    "shadow",
    "online",
}


class Plain(NamedTuple):
    """Weights under plain names.

    Attributes:
        state: Values by plain name.
        prefix: What was removed before every name.
        inside: Wrappers that were removed inside names.
        aside: Entries that belong to the training, under the names that they have in the file.
        original: The name in the file, by plain name.
    """

    state: dict[str, Any]
    prefix: str
    inside: tuple[str, ...]
    aside: dict[str, Any]
    original: dict[str, str]


def strip_prefixes(state: Mapping[str, Value]) -> tuple[dict[str, Value], str]:
    """Remove what wrappers put before every name (``module.``, ``model.``, ...), as often as they did.

    Args:
        state: Tensors by name.

    Returns:
        The tensors under their own names, and what was removed.

    Example:
        >>> strip_prefixes({"module.module.a": 1, "module.module.b": 2})
        ({'a': 1, 'b': 2}, 'module.module.')
    """
    names, removed = list(state), ""
    while names and (prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in names)), "")):
        names = [name.removeprefix(prefix) for name in names]
        removed += prefix
    return dict(zip(names, state.values(), strict=True)), removed


def plain_names(state: Mapping[str, Any]) -> Plain:
    """Bring weights to the names that the network itself gives them.

    Args:
        state: Values by the names in a file.

    Returns:
        The weights, what was removed around their names, and what lay beside them.

    Example:
        >>> found = plain_names({"module.a._orig_mod.w": 1, "module.b": 2, "n_averaged": 3})
        >>> found.state, found.prefix, found.inside, found.aside
        ({'a.w': 1, 'b': 2}, 'module.', ('_orig_mod',), {'n_averaged': 3})
    """
    current = {name: name for name in state}  # the plain name so far, by the name in the file
    aside: dict[str, Any] = {}
    prefix = ""
    while True:
        beside = [name for name, short in current.items() if ASIDE.fullmatch(short)]
        rest = {name: short for name, short in current.items() if name not in beside}
        if beside and len(beside) <= len(rest):
            aside.update({name: state[name] for name in beside})
            current = rest
        stripped, removed = strip_prefixes({short: name for name, short in current.items()})
        current = {name: short for short, name in stripped.items()}
        prefix += removed
        if not removed:
            break
    current, inside = _without_wrappers(current)
    return Plain(
        {short: state[name] for name, short in current.items()},
        prefix,
        inside,
        aside,
        {short: name for name, short in current.items()},
    )


def _without_wrappers(current: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Remove wrappers inside names, as long as all names stay different."""
    inside: list[str] = []
    for wrapper in (*WRAPPERS, PARALLEL):
        shorter = {name: _without(short, wrapper) for name, short in current.items()}
        if shorter != current and len(set(shorter.values())) == len(current):
            current = shorter
            inside.append(wrapper)
    return current, tuple(inside)


def _without(name: str, wrapper: str) -> str:
    if wrapper not in name:
        return name
    *levels, last = name.split(".")
    return ".".join([*(level for level in levels if level != wrapper), last])


def overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tell whether two sets of weights are of one network: the same names with the same shapes.

    Args:
        first: Weights under plain names.
        second: Weights under plain names.

    Returns:
        True when a quarter of the first, or all of the smaller, is in the other too.
    """
    shared = [
        name for name in first.keys() & second.keys() if tuple(first[name].shape) == tuple(second[name].shape)
    ]
    return bool(shared) and (4 * len(shared) >= len(first) or len(shared) == min(len(first), len(second)))


def networks_inside(state: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Find two versions of one network in the names of one state dict, as students and teachers lie there.

    Args:
        state: Weights under plain names.

    Returns:
        For each version its names, from the version's plain name to the name in ``state``; empty when there is but one.

    Example:
        >>> import torch
        >>> weights = {"student.w": torch.ones(2), "teacher.w": torch.ones(2)}
        >>> networks_inside(weights)
        {'student': {'w': 'student.w'}, 'teacher': {'w': 'teacher.w'}}
    """
    groups: dict[str, dict[str, str]] = {}
    for name in state:
        first, dot, rest = name.partition(".")
        if dot:
            groups.setdefault(first, {})[rest] = name
    versions: dict[str, dict[str, str]] = {}
    for group, names in groups.items():
        if not AVERAGES & set(re.split(r"[_\-\d]+", group.lower())):
            continue
        own = _plain_group(state, names)
        others = {g: _plain_group(state, n) for g, n in groups.items() if g != group}
        others["."] = {name: name for name in state if name not in names.values()}
        for other, theirs in others.items():
            if _same_network(state, own, theirs):
                versions.setdefault(other, theirs)
                versions.setdefault(group, own)
                break
    return {key: versions[key] for key in (".", *groups) if key in versions}


def _plain_group(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    found = plain_names({short: state[name] for short, name in names.items()})
    return {short: names[original] for short, original in found.original.items()}


def _same_network(state: Mapping[str, Any], first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    """Compare two groups without the dots in their names: one way of averaging removes them."""
    one, two = (
        {short.replace(".", ""): state[name] for short, name in group.items()} for group in (first, second)
    )
    return overlap(one, two)
