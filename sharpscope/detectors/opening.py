"""A detector from whatever a caller has: a file, a network in memory, or one that is loaded already."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sharpscope.detectors.detector import Detector
from sharpscope.detectors.loading import load_detector
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError


def as_detector(
    network: nn.Module,
    *,
    name: str = "",
    spec: DetectorSpec | Mapping[str, Any] | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    bonafide_index: int | None = None,
) -> Detector:
    """Return a network in memory as a detector, in eval mode; its weights are its identity.

    Args:
        network: Takes waves (B, T), returns (B, 2) or (B, 1). A copy is not made: it is moved and put into eval mode.
        name: What tables call it; "" takes the name of its class.
        spec: Its conventions, whole or by keyword (``n_samples=None``, ``bonafide_index=0``, ...); None takes what the
            network declares in ``sharpscope_spec``, and 64,600 samples at 16 kHz with bona fide as output 1 otherwise.
        device: Where to put it.
        dtype: "float32" or "float64".
        bonafide_index: Which output is bona fide; None takes what the conventions say.

    Returns:
        The detector.

    Raises:
        UsageError: If a convention is not allowed.

    Example:
        >>> detector = as_detector(nn.Linear(8, 2), spec={"n_samples": 8})
        >>> detector.name, detector(torch.zeros(3, 8)).shape
        ('Linear', torch.Size([3, 2]))
    """
    arch = type(network).__name__.lower()
    declared = getattr(network, "sharpscope_spec", None) or {}
    if isinstance(spec, DetectorSpec):
        conventions = spec
    else:
        conventions = DetectorSpec(arch, polarity_source="default").declare(
            {**declared, **(spec or {})}, "declared"
        )
    if bonafide_index is not None:
        conventions = dataclasses.replace(
            conventions, bonafide_index=bonafide_index, polarity_source="option"
        )
    if conventions.polarity_source == "default":
        line = f"bona fide assumed at output {conventions.bonafide_index}"
        conventions = dataclasses.replace(conventions, assumptions=(*conventions.assumptions, line))
    network = network.to(device=device, dtype=getattr(torch, dtype)).eval()
    named = name or type(network).__name__
    return Detector(network, conventions, Path(named), weights_hash(network), label=named)


def weights_hash(network: nn.Module) -> str:
    """Return the SHA-256 over the names and bytes of a network's weights.

    Args:
        network: The network.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(type(network).__qualname__.encode())
    for name, tensor in network.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def open_detector(given: str | Path | nn.Module | Detector, name: str = "", **opening: Any) -> Detector:
    """Return a detector from a file, a network, or a detector.

    Args:
        given: Which.
        name: What tables call it; "" leaves that to its record or file.
        **opening: As for `load_detector`; of a network only device, dtype and bonafide_index apply.

    Returns:
        The detector.

    Raises:
        UsageError: If the file cannot be loaded, or the object is none of the three.
    """
    if isinstance(given, Detector):
        return dataclasses.replace(given, label=name) if name else given
    if isinstance(given, nn.Module):
        own = {key: opening[key] for key in ("device", "dtype", "bonafide_index") if key in opening}
        return as_detector(given, name=name, **own)
    if not isinstance(given, str | Path):
        raise UsageError(
            f"a detector was given as {type(given).__name__}; it is a path, a torch.nn.Module, or what "
            "load_detector returns"
        )
    detector = load_detector(given, **opening)
    recorded = bool((detector.record or {}).get("name"))
    return dataclasses.replace(detector, label=name) if name and not recorded else detector
