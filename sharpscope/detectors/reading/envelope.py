"""Where in a file the weights are: any nesting, and never a silent choice between two versions of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from sharpscope.detectors.reading.modules import TENSORS, every, is_module, items, state_dict_of
from sharpscope.detectors.reading.names import ASIDE, Plain, networks_inside, overlap, plain_names
from sharpscope.detectors.reading.values import Array, Odd, Stored, numbers_of
from sharpscope.errors import UsageError

# Where toolkits put the weights inside their file.
ENVELOPES = (
    "model",
    "state_dict",
    "model_state",
    "model_state_dict",
    "MODEL_STATE",
    "net",
    "network",
    "weights",
)
# What lies under such a word is the state of the training.
TRAINING = ("optim", "schedul", "scaler", "rng", "grad_", "amp")
# Beside the largest set of weights, one this small is a centre, a statistic or a head.
MINOR = 0.01
TOP = "."


class Candidate(NamedTuple):
    """Something in a file that may be the weights.

    Attributes:
        key: How --weights names it.
        path: The keys that lead to it.
        state: Inert tensors by the names in the file.
        plain: The same under plain names.
        pickled: Class of the network when it was pickled whole, else "".
    """

    key: str
    path: tuple[str, ...]
    state: dict[str, Any]
    plain: Plain
    pickled: str

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return sum(numbers_of(tensor) for tensor in self.state.values())

    @property
    def named(self) -> bool:
        """Whether it is where toolkits put weights: at the top, or under one of their words."""
        return not self.path or self.path[-1] in ENVELOPES


class Found(NamedTuple):
    """The weights of a file.

    Attributes:
        plain: Under plain names.
        envelope: Key that they were under, "" at the top.
        notes: What was decided on the way.
    """

    plain: Plain
    envelope: str
    notes: list[str]


def candidates_in(content: Any) -> tuple[list[Candidate], list[tuple[str, list[Any]]]]:
    """Find everything in a file that may be weights.

    Args:
        content: Inert values.

    Returns:
        Sets of named tensors, the largest first; and lists of tensors without names, with their keys.
    """
    found: list[Candidate] = []
    unnamed: list[tuple[str, list[Any]]] = []
    inside: set[tuple[str, ...]] = set()
    for path, node in every(content):
        if any(path[:length] in inside for length in range(len(path) + 1)):
            continue
        held = items(node)
        training = bool(path) and any(word in path[-1].lower() for word in TRAINING)
        if training or (isinstance(held, dict) and {"param_groups", "state"} <= held.keys()):
            inside.add(path)
        elif is_module(node):
            inside.add(path)
            _add(found, path, state_dict_of(node), node.name)
        elif isinstance(held, dict) and held:
            _add(found, path, _tensors(held), "")
        elif isinstance(node, list) and len(node) > 1 and all(isinstance(v, TENSORS) for v in node):
            unnamed.append((".".join(path), node))
    return sorted(found, key=lambda one: -one.numbers), unnamed


def _tensors(held: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a dictionary holds by name: tensors, or arrays where there is no tensor with axes."""
    named = {k: v for k, v in held.items() if isinstance(k, str) and isinstance(v, TENSORS)}
    tensors = {k: v for k, v in named.items() if not isinstance(v, Array)}
    return tensors if any(len(v.shape) or isinstance(v, Odd) for v in tensors.values()) else named


def _add(found: list[Candidate], path: tuple[str, ...], state: dict[str, Any], pickled: str) -> None:
    # Scores, seeds and counters are tensors too.
    if any(_is_weight(tensor) for tensor in state.values()):
        found.append(Candidate(".".join(path) or TOP, path, state, plain_names(state), pickled))


def _is_weight(tensor: Any) -> bool:
    if isinstance(tensor, Odd):
        return True
    dtype = tensor.value.dtype if isinstance(tensor, Array) and tensor.value is not None else None
    number = dtype.kind in "fc" if dtype is not None else False
    if isinstance(tensor, Stored | Tensor):
        number = tensor.dtype.is_floating_point or tensor.dtype.is_complex
    return number and len(tensor.shape) > 0


def open_envelope(where: str, content: Any, weights: str | None) -> Found | None:
    """Find the weights in a file.

    Args:
        where: The file, for messages.
        content: Inert values.
        weights: Key of the weights that the user wants; None where there is but one set.

    Returns:
        The weights; None when there are none.

    Raises:
        UsageError: If there are several versions and none is named, or there is none of that name.
    """
    found, unnamed = candidates_in(content)
    if not found:
        return None
    if weights is not None:
        return _named(where, found, weights)
    chosen = _only(where, found, unnamed)
    _check_inside(where, chosen)
    return _found(chosen, [one for one in found if one is not chosen])


def _only(where: str, found: list[Candidate], unnamed: list[tuple[str, list[Any]]]) -> Candidate:
    """Return the one set of weights that the file can mean, or ask."""
    networks = [one for one in found if not all(ASIDE.fullmatch(name) for name in one.state)] or found
    major = [one for one in networks if one.numbers >= MINOR * networks[0].numbers]
    usual = [one for one in major if one.named]
    if len(usual) > 1:
        # A head under a usual name beside the network under another is not the weights.
        raise _several(where, usual)
    if not usual and len(major) > 1:
        raise _several(where, major)
    chosen = (usual or major)[0]
    rivals = [one for one in found if one is not chosen and overlap(chosen.plain.state, one.plain.state)]
    if rivals:
        raise _several(where, [chosen, *rivals])
    for key, tensors in unnamed:
        if _same_shapes(chosen, tensors):
            raise UsageError(
                f"{where}: weights under {chosen.key}, and {len(tensors)} tensors of the same shapes without names "
                f"under {key}, probably their average; pass --weights {chosen.key} for the former (the latter cannot "
                "be read without the code that wrote it)"
            )
    return chosen


def _same_shapes(chosen: Candidate, tensors: list[Any]) -> bool:
    left = [tuple(tensor.shape) for tensor in chosen.plain.state.values()]
    for tensor in tensors:
        shape = tuple(tensor.shape)
        if shape not in left:
            return False
        left.remove(shape)
    return 4 * len(tensors) >= len(chosen.plain.state)


def _several(where: str, found: list[Candidate]) -> UsageError:
    keys = [one.key for one in found][:8]
    sizes = ", ".join(f"{len(one.state)} tensors of {one.numbers:,} numbers" for one in found[:8])
    return UsageError(
        f"{where}: weights under {' and under '.join(keys)} ({sizes}); say which with --weights {keys[0]}, "
        f"--weights {keys[-1]}, or with commas where they are parts of one network"
    )


def _check_inside(where: str, chosen: Candidate) -> None:
    versions = networks_inside(chosen.plain.state)
    if versions:
        listed = " or ".join(f"--weights {key}" for key in versions)
        sizes = ", ".join(f"'{key}' with {len(names)} tensors" for key, names in versions.items())
        raise UsageError(f"{where}: holds versions of one network under {sizes}; say which: {listed}")


def _found(chosen: Candidate, others: list[Candidate]) -> Found:
    notes = [f"weights under '{'.'.join(chosen.path)}'"] if chosen.path else []
    if chosen.pickled:
        notes.append(f"a whole pickled {chosen.pickled}: its tensors were taken, its code was not run")
    aside = list(chosen.plain.aside)
    if aside:
        notes.append(
            f"left aside: {', '.join(aside[:4])}{' ...' if len(aside) > 4 else ''} (of the training)"
        )
    if chosen.plain.inside:
        notes.append(f"{' and '.join(chosen.plain.inside)} removed inside names")
    unused = [f"{one.key} ({len(one.state)} tensors)" for one in others if one.numbers > 1]
    if unused:
        notes.append(f"beside the weights, not used: {', '.join(unused[:4])}")
    return Found(chosen.plain, ".".join(chosen.path), notes)


def _named(where: str, found: list[Candidate], weights: str) -> Found:
    """Return the weights of the key that the user names: a place in the file, a version, or several parts."""
    exact = [one for one in found if one.key == weights]
    loose = exact or [one for one in found if one.path and one.path[-1] == weights]
    if len(loose) == 1:
        return _found(loose[0], [])
    for one in found:
        versions = networks_inside(one.plain.state)
        if weights in versions:
            return _version(one, weights, versions)
    parts = [next((one for one in found if one.key == key), None) for key in weights.split(",")]
    if len(parts) > 1 and all(parts):
        return _joined([part for part in parts if part is not None])
    known = [one.key for one in found]
    for one in found:
        known += list(networks_inside(one.plain.state))
    raise UsageError(
        f"{where}: no weights under '{weights}'; --weights takes {', '.join(dict.fromkeys(known))}"
    )


def _version(one: Candidate, weights: str, versions: Mapping[str, dict[str, str]]) -> Found:
    names = versions[weights]
    dotted = {
        short.replace(".", ""): short
        for key, group in versions.items()
        for short in group
        if key != weights and "." in short
    }
    # Averages whose names lost their dots get them back from the weights beside them.
    restore = not any("." in short for short in names) and set(names) & dotted.keys()
    named = {dotted.get(short, short) if restore else short: full for short, full in names.items()}
    state = {short: one.plain.state[full] for short, full in named.items()}
    plain = Plain(state, one.plain.prefix, one.plain.inside, one.plain.aside, named)
    return Found(plain, ".".join(one.path), [f"of several versions, '{weights}' ({len(state)} tensors)"])


def _joined(parts: list[Candidate]) -> Found:
    state = {
        f"{part.path[-1] if part.path else ''}.{name}".lstrip("."): tensor
        for part in parts
        for name, tensor in part.plain.state.items()
    }
    plain = Plain(state, "", (), {}, {name: name for name in state})
    return Found(plain, "", [f"parts joined under their keys: {', '.join(part.key for part in parts)}"])
