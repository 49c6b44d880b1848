"""Res-TSSDNet and Inc-TSSDNet: end-to-end networks over six seconds of raw audio; index 0 is bona fide.

Hua, Teoh and Zhang (2021), "Towards end-to-end synthetic speech detection", IEEE Signal Processing Letters.
Parameter names are those of the published weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture, as_published
from sharpscope.detectors.spec import DetectorSpec

SAMPLES = 96_000
DILATIONS = (1, 2, 4, 8)


class ResidualModule(nn.Module):
    """Three convolutions and a 1 x 1 shortcut; the last batch norm is taken over their sum."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        for index, width in enumerate((inputs, outputs, outputs), start=1):
            setattr(self, f"conv{index}", nn.Conv1d(width, outputs, 3, padding=1, bias=False))
            setattr(self, f"bn{index}", nn.BatchNorm1d(outputs))
        self.nin = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C', T)."""
        out = x
        for index in (1, 2):
            out = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(out)).relu()
        total: Tensor = self.get_submodule("bn3")(self.get_submodule("conv3")(out) + self.nin(x))
        return total.relu()


class DilatedModule(nn.Module):
    """Four convolutions of growing dilation beside each other."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        for d in DILATIONS:
            conv = nn.Conv1d(inputs, outputs // 4, 3, padding=d, dilation=d, bias=False)
            setattr(self, f"cv{d}", conv)
            setattr(self, f"bn{d}", nn.BatchNorm1d(outputs // 4))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C', T)."""
        parts = [getattr(self, f"bn{d}")(getattr(self, f"cv{d}")(x)).relu() for d in DILATIONS]
        return torch.cat(parts, dim=1)


class Tssdnet(nn.Module):
    """The whole network, in either form; six seconds of raw audio in, two logits (bona fide, spoof) out.

    Args:
        inception: Dilated modules (Inc-TSSDNet) instead of residual ones (Res-TSSDNet).
        widths: Channels after the first convolution and after each module.
        fully_connected: Widths of the two hidden layers at the end.
    """

    def __init__(
        self,
        inception: bool = False,
        widths: Sequence[int] = (16, 32, 64, 128, 128),
        fully_connected: Sequence[int] = (64, 32),
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, widths[0], 7, padding=3, bias=False)
        self.bn1 = nn.BatchNorm1d(widths[0])
        kind = DilatedModule if inception else ResidualModule
        self.names = [f"{'DCM' if inception else 'RSM'}{index}" for index in range(1, len(widths))]
        for name, (inputs, outputs) in zip(self.names, pairwise(widths), strict=True):
            setattr(self, name, kind(inputs, outputs))
        self.fc1 = nn.Linear(widths[-1], fully_connected[0])
        self.fc2 = nn.Linear(fully_connected[0], fully_connected[1])
        self.out = nn.Linear(fully_connected[1], 2)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 2), the first of them for bona fide."""
        x = self.bn1(self.conv1(waves.unsqueeze(1))).relu()
        for name in self.names:
            x = getattr(self, name)(functional.max_pool1d(x, 4))
        # The published pooling over 375 frames is the maximum over all that six seconds leave.
        pooled = x.amax(dim=2)  # (B, C)
        logits: Tensor = self.out(self.fc2(self.fc1(pooled).relu()).relu())
        return logits


def matches(state: Mapping[str, Tensor], module: str) -> dict[str, Any] | None:
    """Recognise a state dict and tell its sizes.

    Args:
        state: Tensors by published name.
        module: "RSM" or "DCM", how the published modules are called.

    Returns:
        Constructor arguments, or None.
    """
    last = "bn3.weight" if module == "RSM" else "bn8.weight"
    names = [f"{module}{index}.{last}" for index in range(1, 5)]
    if any(name not in state for name in [*names, "out.weight", "fc2.weight", "conv1.weight"]):
        return None
    if tuple(state["conv1.weight"].shape[1:]) != (1, 7) or len(state["out.weight"]) != 2:
        return None
    factor = 1 if module == "RSM" else len(DILATIONS)
    return {
        "inception": module == "DCM",
        "widths": [len(state["conv1.weight"]), *(factor * len(state[name]) for name in names)],
        "fully_connected": [len(state["fc1.weight"]), len(state["fc2.weight"])],
    }


def _entry(name: str, module: str, summary: str) -> Architecture:
    def build(**arguments: Any) -> nn.Module:
        return Tssdnet(**{"inception": module == "DCM", **arguments})

    def recognise(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        return matches(state, module)

    spec = DetectorSpec(
        name,
        n_samples=SAMPLES,
        bonafide_index=0,
        assumptions=("bona fide assumed at index 0, as its authors train it",),
    )
    signature = f"`{module}1` to `{module}4`, `conv1` (C, 1, 7)"
    return Architecture(build, recognise, as_published, spec, summary, "Hua et al. (2021)", signature)


ENTRIES = {
    "res-tssdnet": _entry("res-tssdnet", "RSM", "Res-TSSDNet"),
    "inc-tssdnet": _entry("inc-tssdnet", "DCM", "Inc-TSSDNet"),
}
