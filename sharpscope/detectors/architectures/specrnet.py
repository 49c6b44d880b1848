"""SpecRNet: a small residual network with a GRU over cepstra, one logit out.

Kawa, Plata and Syga (2022), "SpecRNet: towards faster and more accessible audio deepfake detection", TrustCom;
front-end and sizes as in their deepfake-whisper-features (2023). The first batch norm of the later blocks,
whose output the published forward discards, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.cepstra import WideCepstra
from sharpscope.detectors.architectures.rawnet2 import rename
from sharpscope.detectors.spec import DetectorSpec

BLOCKS = (0, 2, 4)


class Block(nn.Module):
    """Residual block over time and frequency."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_downsample = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, F, T) to (B, C', F/2, T/2)."""
        shortcut = self.conv_downsample(x) if hasattr(self, "conv_downsample") else x
        out = self.conv2(functional.leaky_relu(self.bn2(self.conv1(x)), 0.3))
        return functional.max_pool2d(out + shortcut, 2)


class SpecRNet(nn.Module):
    """The whole network; thirty seconds of raw audio at 16 kHz in, one logit out, higher for bona fide.

    Args:
        channels: Of the front-end's image, and after each of the three blocks.
        hidden: Width of the GRU in each direction.
        layers: Of the GRU.
    """

    def __init__(
        self, channels: tuple[int, int, int, int] = (1, 20, 64, 64), hidden: int = 64, layers: int = 2
    ) -> None:
        super().__init__()
        self.frontend = WideCepstra()
        self.first_bn = nn.BatchNorm2d(channels[0])
        for block, inputs, outputs in zip(BLOCKS, channels[:-1], channels[1:], strict=True):
            setattr(self, f"block{block}", Block(inputs, outputs))
            setattr(self, f"fc_attention{block}", nn.Linear(outputs, outputs))
        self.bn_before_gru = nn.BatchNorm2d(channels[-1])
        self.gru = nn.GRU(channels[-1], hidden, layers, batch_first=True, bidirectional=True)
        self.fc1_gru = nn.Linear(2 * hidden, 2 * hidden)
        self.fc2_gru = nn.Linear(2 * hidden, 1)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 1)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to the front-end's image (B, 1, 384, frames), which no training changes."""
        with torch.no_grad():
            image: Tensor = self.frontend(waves)
        return image

    def from_features(self, features: Tensor) -> Tensor:
        """Map the front-end's image to logits (B, 1)."""
        x = functional.selu(self.first_bn(features))
        for block in BLOCKS:
            x = getattr(self, f"block{block}")(x)
            gate = getattr(self, f"fc_attention{block}")(x.mean(dim=(2, 3))).sigmoid()[:, :, None, None]
            x = functional.max_pool2d(x * gate + gate, 2)
        x = functional.selu(self.bn_before_gru(x)).mean(dim=2).transpose(1, 2)  # (B, frames / 64, C)
        logits: Tensor = self.fc2_gru(self.fc1_gru(self.gru(x)[0][:, -1]))
        return logits


def matches(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise a state dict of SpecRNet and tell its sizes.

    Args:
        state: Tensors by published name.

    Returns:
        Constructor arguments, or None.
    """
    convolutions = [state.get(f"block{block}.0.conv1.weight") for block in BLOCKS]
    if any(weight is None or weight.dim() != 4 for weight in convolutions):
        return None
    if "gru.weight_hh_l0_reverse" not in state or len(state.get("fc2_gru.weight", ())) != 1:
        return None
    shapes = [tuple(weight.shape) for weight in convolutions if weight is not None]
    return {
        "channels": (shapes[0][1], *(shape[0] for shape in shapes)),
        "hidden": state["gru.weight_hh_l0"].shape[1],
        "layers": sum(bool(re.fullmatch(r"gru\.weight_hh_l\d+", name)) for name in state),
    }


ENTRIES = {
    "specrnet": Architecture(
        SpecRNet,
        matches,
        rename,
        DetectorSpec(
            "specrnet",
            n_samples=480_000,
            outputs="logit1",
            assumptions=(
                "LFCC front-end with 128 coefficients assumed (not in the weights; MFCC and Whisper exist too)",
                "silence is not trimmed (the published pipeline trims it with SoX)",
            ),
        ),
        "SpecRNet over LFCC, thirty seconds",
        "Kawa et al. (2022)",
        "`block4.0.conv1` (2-D), `gru.*_reverse`, `fc2_gru` (1, D)",
    ),
}
