"""Detectors: a checkpoint file to a network with declared conventions. One file per architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures import (
    aasist,
    lcnn,
    nes2net,
    rawgat_st,
    rawnet2,
    specrnet,
    ssl_heads,
    tiny,
    tiny_attention,
    tssdnet,
)
from sharpscope.detectors.detector import Detector
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError, unknown_name
from sharpscope.plugins import DETECTORS as DETECTOR_PLUGINS
from sharpscope.plugins import load_plugins

ARCHITECTURES: dict[str, Architecture] = {
    **aasist.ENTRIES,
    **rawgat_st.ENTRIES,
    **rawnet2.ENTRIES,
    **lcnn.ENTRIES,
    **tssdnet.ENTRIES,
    **specrnet.ENTRIES,
    **ssl_heads.ENTRIES,
    **nes2net.ENTRIES,
    **tiny.ENTRIES,
    **tiny_attention.ENTRIES,
}

# The loader reads the registry, so it is imported once the registry stands.
from sharpscope.detectors.loading import load_detector  # noqa: E402

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Detector",
    "DetectorSpec",
    "build",
    "load_detector",
    "register_architecture",
]


def build(arch: str, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """Build an architecture with fresh weights.

    Args:
        arch: Name in ``ARCHITECTURES``.
        arguments: Keyword arguments of its constructor.

    Returns:
        The network.

    Raises:
        UsageError: If there is no architecture of that name.

    Example:
        >>> sum(parameter.numel() for parameter in build("aasist-l").parameters())
        85034
    """
    load_plugins(DETECTOR_PLUGINS)
    if arch not in ARCHITECTURES:
        raise unknown_name("architecture", arch, ARCHITECTURES)
    return ARCHITECTURES[arch].build(**dict(arguments or {}))


def register_architecture(name: str, architecture: Architecture) -> None:
    """Add an architecture under a name of its own, for ``--arch`` and for recognising files.

    Args:
        name: As ``--arch`` and the results table have it.
        architecture: How it is built, recognised and read; `sharpscope.detectors.architectures.tiny` is an example.

    Raises:
        UsageError: If the name is taken.
    """
    if name in ARCHITECTURES:
        raise UsageError(f"an architecture is called '{name}' already; choose another name")
    ARCHITECTURES[name] = architecture
