"""RawNet2 in the form of the ASVspoof 2021 baseline: sinc filters, six scaled residual blocks, a GRU.

Tak et al. (2021), "End-to-end anti-spoofing with RawNet2", ICASSP. Parameter names are those of the published
weights; the first batch norm of blocks 2 to 6, whose output the published forward discards, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.sinc import sinc_filters
from sharpscope.detectors.spec import DetectorSpec


class Block(nn.Module):
    """Residual block over time, followed by scaling each channel by a gate of its own mean."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm1d(outputs)
        self.conv2 = nn.Conv1d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_downsample = nn.Conv1d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C', T/3)."""
        shortcut = self.conv_downsample(x) if hasattr(self, "conv_downsample") else x
        out = self.conv2(functional.leaky_relu(self.bn2(self.conv1(x)), 0.3))
        return functional.max_pool1d(out + shortcut, 3)


class RawNet2(nn.Module):
    """The whole network; raw audio at 16 kHz in, two log probabilities (spoof, bona fide) out.

    Args:
        widths: Channels after the filters and after each of the six blocks.
        hidden: Width of the GRU.
        layers: Of the GRU.
        embedding: Width of the first fully connected layer.
        taps: Length of the sinc filters.
    """

    def __init__(
        self,
        widths: Sequence[int] = (20, 20, 20, 128, 128, 128, 128),
        hidden: int = 1024,
        layers: int = 3,
        embedding: int = 1024,
        taps: int = 1025,
    ) -> None:
        super().__init__()
        self.register_buffer("filters", sinc_filters(widths[0], taps), persistent=False)
        self.first_bn = nn.BatchNorm1d(widths[0])
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            setattr(self, f"block{index}", Block(inputs, outputs))
            setattr(self, f"fc_attention{index}", nn.Linear(outputs, outputs))
        self.blocks = len(widths) - 1
        self.bn_before_gru = nn.BatchNorm1d(widths[-1])
        self.gru = nn.GRU(widths[-1], hidden, layers, batch_first=True)
        self.fc1_gru = nn.Linear(hidden, embedding)
        self.fc2_gru = nn.Linear(embedding, 2)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to log probabilities (B, 2)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to what the filters, which have no weights, leave of them: (B, C, T')."""
        x = functional.conv1d(waves.unsqueeze(1), self.get_buffer("filters")).abs()
        return functional.max_pool1d(x, 3)

    def from_features(self, features: Tensor) -> Tensor:
        """Map filtered features (B, C, T') to log probabilities (B, 2)."""
        x = functional.selu(self.first_bn(features))
        for index in range(self.blocks):
            x = getattr(self, f"block{index}")(x)
            gate = getattr(self, f"fc_attention{index}")(x.mean(dim=2)).sigmoid().unsqueeze(2)  # (B, C, 1)
            x = x * gate + gate
        x = functional.selu(self.bn_before_gru(x)).transpose(1, 2)  # (B, T', C)
        last = self.gru(x)[0][:, -1]  # (B, hidden)
        return functional.log_softmax(self.fc2_gru(self.fc1_gru(last)), dim=1)


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the published names to those of `RawNet2` and of SpecRNet, which took its layout over.

    Args:
        state: Tensors by published name.

    Returns:
        Tensors by our name; the batch norms whose output the published forward discards are left out.

    Example:
        >>> import torch
        >>> list(rename({"block1.0.bn1.bias": torch.ones(1), "fc_attention1.0.bias": torch.ones(1)}))
        ['fc_attention1.bias']
    """
    kept = {name: tensor for name, tensor in state.items() if not re.match(r"block\d\.(0\.)?bn1\.", name)}
    return {re.sub(r"^((?:block|fc_attention)\d)\.0\.", r"\1.", name): kept[name] for name in kept}


def matches(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise a state dict of RawNet2 and tell its sizes.

    Args:
        state: Tensors by published name.

    Returns:
        Constructor arguments, or None.
    """
    needed = ("fc2_gru.weight", "gru.weight_hh_l0", "first_bn.weight", "block5.0.conv1.weight")
    if any(name not in state for name in needed) or state["block5.0.conv1.weight"].dim() != 3:
        return None
    widths = [len(state["first_bn.weight"])]
    widths += [
        len(state[f"block{i}.0.conv2.weight"]) for i in range(6) if f"block{i}.0.conv2.weight" in state
    ]
    return {
        "widths": widths,
        "hidden": state["gru.weight_hh_l0"].shape[1],
        "layers": sum(name.startswith("gru.weight_hh_l") for name in state),
        "embedding": state["fc2_gru.weight"].shape[1],
    }


ENTRIES = {
    "rawnet2": Architecture(
        RawNet2,
        matches,
        rename,
        DetectorSpec(
            "rawnet2",
            outputs="log_softmax2",
            assumptions=(
                "1025-tap sinc filters on the mel scale assumed (not in the weights)",
                "bona fide assumed at index 1",
            ),
        ),
        "RawNet2, ASVspoof 2021 baseline",
        "Tak et al. (2021)",
        "`block5.0.conv1` (1-D), `fc2_gru`, `gru.*`",
    ),
}
