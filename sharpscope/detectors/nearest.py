"""Forks: which known architecture a file looks like, where in the file it stands, and which tensors differ."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sharpscope import detectors
from sharpscope.detectors.architecture import Architecture

# Share of an architecture's tensors that must be there before a file is said to look like it.
LIKE = 0.5
# Levels beside a network that its own scores do not pass through.
BESIDE = re.compile(
    r"classif|domain|head|aux|proj(ect|ection)s?(_|$)|criteri|loss|cent(er|re)|margin|speaker|codec|"
    r"discrimin|adversar|decoder|contrast|proto",
    re.IGNORECASE,
)
# Sizes of their self-supervised front-ends have to be told before they can be built; names tell them apart well.
UNBUILT = ("ssl-", "antideepfake", "tiny")


class Likeness(NamedTuple):
    """How a file compares with an architecture.

    Attributes:
        arch: Name of the architecture.
        prefix: What stands before its names in the file, "" where nothing does.
        state: The tensors under that prefix, by the architecture's names.
        shared: How many tensors of the architecture are there with their shapes.
        total: How many it has.
        different: Name, shape in the file and shape of the architecture, where they differ.
        missing: Names of the architecture that the file lacks.
        extra: Names in the file that it has no place for.
        renamed: Whether only the shapes are alike, under other names.
    """

    arch: str
    prefix: str
    state: Mapping[str, Tensor]
    shared: int
    total: int
    different: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    renamed: bool = False

    @property
    def whole(self) -> bool:
        """Whether the architecture is there as it is, and what is there besides stands beside it."""
        return not (self.renamed or self.different or self.missing) and all(
            BESIDE.search(name.split(".")[0]) for name in self.extra
        )


def _prefixes(names: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield "" and every level of names down to the second, with its dot."""
    yield ""
    parts = [name.split(".") for name in names]
    yield from dict.fromkeys(f"{part[0]}." for part in parts if len(part) > 2)
    yield from dict.fromkeys(f"{part[0]}.{part[1]}." for part in parts if len(part) > 3)


def _outline(entry: Architecture, arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]] | None:
    """Return names and shapes of an architecture without its memory; None where it cannot be built so."""
    try:
        with torch.device("meta"):
            state = entry.build(**arguments).state_dict()
    except Exception:  # sizes read off a foreign file may make no network
        return None
    return {name: tuple(t.shape) for name, t in state.items() if not name.endswith("num_batches_tracked")}


@functools.cache
def _usual(arch: str) -> dict[str, tuple[int, ...]]:
    """Return the outline of an architecture in its usual size; empty where it has none."""
    return _outline(detectors.ARCHITECTURES[arch], {}) or {}


def compare(state: Mapping[str, Tensor], arch: str, prefix: str = "") -> Likeness | None:
    """Compare the tensors under a prefix with an architecture of the sizes that they imply.

    Args:
        state: All tensors by name.
        arch: Name in ``ARCHITECTURES``.
        prefix: What to remove; tensors without it count as extra.

    Returns:
        How they compare; None where hardly a name agrees, or the architecture cannot be built.
    """
    entry = detectors.ARCHITECTURES[arch]
    inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    try:
        told = (entry.matches(inside) if entry.matches is not None else None) or {}
        renamed = entry.rename(inside)
    except Exception:  # written for files of that architecture; another one's may lack what they look at
        return None
    held = {n: tuple(t.shape) for n, t in renamed.items() if not n.endswith("num_batches_tracked")}
    # Names cost nothing to compare; sizes are looked at only where enough names agree.
    usual = _usual(arch)
    if len(usual.keys() & held.keys()) < LIKE / 2 * len(usual):
        return None
    own = _outline(entry, told) if told else usual
    if not own:
        return None
    shared = [name for name in own if held.get(name) == own[name]]
    different = tuple((n, held[n], own[n]) for n in own if n in held and held[n] != own[n])
    outside = [name for name in state if not name.startswith(prefix)]
    extra = tuple([name for name in held if name not in own] + outside)
    missing = tuple(name for name in own if name not in held)
    return Likeness(arch, prefix, renamed, len(shared), len(own), different, missing, extra)


def nearest(state: Mapping[str, Tensor]) -> Likeness | None:
    """Find the known architecture that a file of none looks most like.

    Args:
        state: Tensors by name.

    Returns:
        How they compare; None when it looks like none.
    """
    best: Likeness | None = None
    for arch, entry in detectors.ARCHITECTURES.items():
        if entry.by_name or entry.matches is None or arch.startswith(UNBUILT):
            continue
        for prefix in _prefixes(state):
            found = compare(state, arch, prefix)
            if found and (best is None or found.shared / found.total > best.shared / best.total):
                best = found
    if best is not None and best.shared >= LIKE * best.total:
        return best
    return _of_the_same_shapes(state)


def _of_the_same_shapes(state: Mapping[str, Tensor]) -> Likeness | None:
    """Find an architecture most of whose shapes are there, under whatever names."""
    held = Counter(tuple(tensor.shape) for tensor in state.values() if tensor.dim() > 1)
    for arch, entry in detectors.ARCHITECTURES.items():
        own = {} if arch.startswith(UNBUILT) or entry.by_name else _usual(arch)
        shapes = Counter(shape for shape in own.values() if len(shape) > 1)
        alike = sum((held & shapes).values())
        # Two linear layers are like everything.
        if shapes.total() >= 10 and alike >= 0.9 * shapes.total():
            return Likeness(arch, "", state, alike, shapes.total(), (), (), (), True)
    return None


def describe_likeness(found: Likeness) -> str:
    """Say in a sentence or two what a file looks like and what differs.

    Args:
        found: As `nearest` returns it.

    Returns:
        Text for a message.

    Example:
        >>> print(describe_likeness(Likeness("aasist", "net.", {}, 90, 92, (), ("a.b", "a.c"), ("net.se.w",))))
        It looks like aasist under 'net.': 90 of its 92 tensors are there; it lacks a.b, a.c; it has also net.se.w.
    """
    if found.renamed:
        return (
            f"It has the shapes of {found.arch} ({found.shared} of {found.total} weights) under other names: rename "
            f"them to those of {found.arch} and pass --arch {found.arch}, or bring its own code."
        )
    place = f" under '{found.prefix}'" if found.prefix else ""
    text = f"It looks like {found.arch}{place}: {found.shared} of its {found.total} tensors are there"
    if found.different:
        name, held, own = found.different[0]
        more = f" and {len(found.different) - 1} more" if len(found.different) > 1 else ""
        text += f"; {name} is {held} instead of {own}{more}"
    if found.missing:
        text += f"; it lacks {_some(found.missing)}"
    if found.extra:
        text += f"; it has also {_some(found.extra)}"
    if found.whole and (found.extra or found.prefix):
        text += (
            f". If the scores come from {found.arch} as it is, pass --arch {found.arch}: the rest is left out, and the "
            "rows say so"
        )
    return f"{text}."


def _some(names: tuple[str, ...]) -> str:
    """Name up to four tensors and how many more there are."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(name[:60] for name in names[:4]) + more


def part_of(state: Mapping[str, Tensor], arch: str) -> Likeness | None:
    """Find an architecture that stands as a whole inside a file, with nothing but other heads beside it.

    Args:
        state: Tensors by name.
        arch: Name in ``ARCHITECTURES``.

    Returns:
        Where it stands; None when it does not, or is the whole file.
    """
    if arch.startswith(UNBUILT):
        return None
    for prefix in _prefixes(state):
        found = compare(state, arch, prefix)
        if found is not None and found.whole:
            return found if found.prefix or found.extra else None
    return None
