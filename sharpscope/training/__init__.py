"""Sharpness-aware training: optimisers over any torch base optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sharpscope.training.esam import ESAM
from sharpscope.training.sam import SAM
from sharpscope.training.variants import ASAM, GSAM, FriendlySAM, LookSAM


class Method(NamedTuple):
    """A way to train.

    Attributes:
        function: Wraps a torch optimiser.
        summary: What it does.
        reference: Author and year.
    """

    function: Callable[..., SAM]
    summary: str
    reference: str


OPTIMIZERS: dict[str, Method] = {
    "sam": Method(SAM, "descends by the gradient at the worst point nearby", "Foret et al., 2021"),
    "asam": Method(ASAM, "the same, nearness measured in units of the weights", "Kwon et al., 2021"),
    "gsam": Method(GSAM, "SAM that also closes the gap to the worst point", "Zhuang et al., 2022"),
    "friendly-sam": Method(FriendlySAM, "SAM along what is peculiar to the batch", "Li et al., 2024"),
    "looksam": Method(LookSAM, "SAM with two passes only every k-th step", "Liu et al., 2022"),
    "esam": Method(ESAM, "SAM that moves some weights and repeats the trials it hurts", "Du et al., 2022"),
}

__all__ = ["ASAM", "ESAM", "GSAM", "OPTIMIZERS", "SAM", "FriendlySAM", "LookSAM", "Method"]
