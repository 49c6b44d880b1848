"""A detector: a network together with the conventions that its file does not carry."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError

OUTPUTS = ("logits2", "logit1", "log_softmax2", "probability2")


@dataclasses.dataclass(frozen=True)
class DetectorSpec:
    """What has to be known about a network before its output means anything.

    Attributes:
        arch: Name of the architecture.
        sample_rate: Hz of the waves that it takes.
        n_samples: Length that it takes; None for any.
        padding: How a short wave is lengthened, "tile" or "zero".
        outputs: "logits2" (two logits), "logit1" (one, higher is bona fide), "log_softmax2", "probability2".
        bonafide_index: Which of two outputs is bona fide.
        polarity_source: Who says so: "architecture", "record", "option" or "default".
        assumptions: What the file cannot tell and was taken for granted.
    """

    arch: str
    sample_rate: int = 16_000
    n_samples: int | None = 64_600
    padding: str = "tile"
    outputs: str = "logits2"
    bonafide_index: int = 1
    polarity_source: str = "architecture"
    assumptions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the conventions as plain values.

        Returns:
            Values by name.
        """
        return dataclasses.asdict(self)

    def hash(self) -> str:
        """Return 12 hexadecimal digits that change with any convention.

        Returns:
            The digits.

        Example:
            >>> DetectorSpec("a").hash() == DetectorSpec("a", bonafide_index=0).hash()
            False
        """
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclasses.dataclass(frozen=True, eq=False)
class Detector:
    """A loaded checkpoint: waves in, logits out, the same for every architecture.

    Attributes:
        module: The network, in eval mode.
        spec: Its conventions.
        checkpoint_path: Where the weights came from.
        sha256: Of that file.
        record: What our trainer wrote into it, or None.
        decisions: How the architecture was found, a line a step.
    """

    module: nn.Module
    spec: DetectorSpec
    checkpoint_path: Path
    sha256: str
    record: dict[str, Any] | None = None
    decisions: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the network."""
        return next(self.module.parameters()).dtype

    def __call__(self, waves: Tensor) -> Tensor:
        """Run the network.

        Args:
            waves: Shape (B, T), on the network's device.

        Returns:
            Logits of shape (B, 2), columns spoof and bona fide; differentiable.

        Raises:
            UsageError: If the output holds no tensor of that shape, or more than one.
        """
        out = _select(self.module(waves), len(waves))
        if self.spec.outputs == "logit1" or out.shape[1] == 1:
            return torch.cat([torch.zeros_like(out), out], dim=1)  # (B, 2)
        if self.spec.outputs == "probability2":
            out = out.clamp_min(torch.finfo(out.dtype).tiny).log()
        return out if self.spec.bonafide_index == 1 else out.flip(1)


def _select(out: Any, batch: int) -> Tensor:
    """Return the one output that has the shape of class scores; position says nothing across toolkits."""
    if hasattr(out, "logits") and isinstance(out.logits, Tensor):
        out = out.logits
    if isinstance(out, Mapping):
        out = out["logits"] if isinstance(out.get("logits"), Tensor) else list(out.values())
    candidates = [out] if isinstance(out, Tensor) else [t for t in out if isinstance(t, Tensor)]
    fitting = [t for t in candidates if t.dim() == 2 and t.shape[0] == batch and t.shape[1] <= 2]
    if not fitting:
        fitting = [t.unsqueeze(1) for t in candidates if t.dim() == 1 and t.shape[0] == batch]
    if len(fitting) != 1:
        shapes = ", ".join(str(tuple(t.shape)) for t in candidates)
        raise UsageError(
            f"the network returned {shapes or type(out).__name__} for {batch} trials; exactly one output of "
            f"shape ({batch}, 2) or ({batch}, 1) is needed. Wrap it in a module that returns only its logits"
        )
    return fitting[0]
