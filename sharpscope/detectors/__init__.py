"""Detectors: a checkpoint file to a network with declared conventions. One file per architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from sharpscope.detectors import aasist, tiny
from sharpscope.detectors.spec import Detector, DetectorSpec


class Architecture(NamedTuple):
    """A registered architecture.

    Attributes:
        build: Makes the network from keyword arguments.
        matches: Tells whether a state dict is of it; None where only a record can say so.
        rename: Brings published key layouts to the network's names.
        spec: Its conventions, and what a state dict cannot tell.
        summary: One line for the table in the docs.
        reference: Author and year.
    """

    build: Callable[..., nn.Module]
    matches: Callable[[Mapping[str, Tensor]], bool] | None
    rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
    spec: DetectorSpec
    summary: str
    reference: str


JUNG = "Jung et al. (2022)"


def _aasist(
    name: str, width: int, ratios: tuple[float, float, float], known: bool, summary: str
) -> Architecture:
    build: Callable[..., nn.Module] = partial(aasist.Aasist, width=width, pool_ratios=ratios)
    return Architecture(
        build,
        partial(aasist.matches, width=width) if known else None,
        aasist.rename,
        DetectorSpec(
            name,
            assumptions=(
                f"pool ratios {'/'.join(map(str, ratios))} and temperatures 2/2/100 assumed (not in the weights)",
                "bona fide assumed at index 1",
            ),
        ),
        summary,
        JUNG,
    )


def _as_is(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return state


def _tiny(name: str, build: Callable[..., nn.Module], summary: str) -> Architecture:
    return Architecture(build, None, _as_is, DetectorSpec(name, n_samples=None), summary, "")


ARCHITECTURES: dict[str, Architecture] = {
    "aasist": _aasist("aasist", 64, (0.5, 0.7, 0.5), True, "AASIST, 297,866 published parameters"),
    "aasist-l": _aasist("aasist-l", 24, (0.4, 0.5, 0.7), True, "AASIST-L, 85,306 published parameters"),
    "aasist@sam-antispoofing": _aasist(
        "aasist@sam-antispoofing",
        64,
        (0.5, 0.5, 0.5),
        False,
        "AASIST as in nii-yamagishilab/SAM-AntiSpoofing",
    ),
    "tiny": _tiny("tiny", tiny.Tiny, "our small convolutional network over linear-frequency log energies"),
    "tiny-gru": _tiny("tiny-gru", tiny.tiny_gru, "the same with a recurrent layer"),
}

# The loader reads the registry, so it is imported once the registry stands.
from sharpscope.detectors.loading import load_detector  # noqa: E402

__all__ = ["ARCHITECTURES", "Architecture", "Detector", "DetectorSpec", "load_detector"]


def build(arch: str, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """Build an architecture with fresh weights.

    Args:
        arch: Name in ``ARCHITECTURES``.
        arguments: Keyword arguments of its constructor.

    Returns:
        The network.
    """
    return ARCHITECTURES[arch].build(**dict(arguments or {}))
