"""What a registered architecture is: how it is built, recognised and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from sharpscope.detectors.spec import DetectorSpec


def as_published(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Leave the names as they are: the network uses the published ones.

    Args:
        state: Tensors by published name.

    Returns:
        The same.
    """
    return state


class Architecture(NamedTuple):
    """A registered architecture.

    Attributes:
        build: Makes the network from keyword arguments.
        matches: Returns the constructor arguments that a state dict's names and shapes imply, or None when it
            is of another architecture; None in place of a function where only a name can say so.
        rename: Brings published key layouts to the network's names; what the network never uses is left out.
        spec: Its conventions, and what a state dict cannot tell.
        summary: One line for the table in the docs.
        reference: Author and year.
        signature: What `matches` looks for, in words.
        by_name: Whether only a user or a record can choose it: its files look like those of another one.
        asked: A constructor argument that changes the function and no weight, with its values; it is asked for
            unless something tells it. None where there is no such argument.
        hint: Returns what speaks for one of those values and why, from the tensors and the name of the file with its
            folder; None when nothing does.
        relative: Returns a sentence about a file that is nearly of it, where that is a published network that is not
            built in; "" for all others.
        answered: A constructor argument and the assumption of `spec` that it leaves no room for, where a record or a
            user gives it; None where no assumption is about an argument.
    """

    build: Callable[..., nn.Module]
    matches: Callable[[Mapping[str, Tensor]], dict[str, Any] | None] | None
    rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
    spec: DetectorSpec
    summary: str
    reference: str
    signature: str
    by_name: bool = False
    asked: tuple[str, tuple[str, ...]] | None = None
    hint: Callable[[Mapping[str, Tensor], str], tuple[str, str] | None] | None = None
    relative: Callable[[Mapping[str, Tensor]], str] | None = None
    answered: tuple[str, str] | None = None
