"""RawGAT-ST: a spectral and a temporal graph over one sinc-filter image, fused into a third graph.

Tak et al. (2021), "End-to-end spectro-temporal graph attention networks for speaker verification
anti-spoofing and speech deepfake detection", ASVspoof workshop. Parameter names are those of the weights
published by eurecom-asp; what their forward never uses (the first batch norm of blocks 2 to 6 and those
blocks' one-channel convolution) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.aasist import Block
from sharpscope.detectors.architectures.graphs import GraphAttention, GraphPool
from sharpscope.detectors.architectures.sinc import filtered_image, sinc_filters
from sharpscope.detectors.spec import DetectorSpec

# Nodes that the two graphs keep of 23 bands and of the 29 frames that 64,600 samples become.
NODES = (14, 23)


class FirstBlock(Block):
    """The encoder's first block: its one-channel input is added to every output channel as it is."""

    def __init__(self, outputs: int) -> None:
        super().__init__(1, outputs)
        del self.conv_downsample


def _encoder(first_shortcut: bool) -> nn.Sequential:
    first = Block(1, 32) if first_shortcut else FirstBlock(32)
    widths = [(32, 32), (32, 64), (64, 64), (64, 64), (64, 64)]
    return nn.Sequential(first, *[Block(a, b) for a, b in widths])


class RawGatSt(nn.Module):
    """The whole network; 64,600 samples of raw audio in, two logits (spoof, bona fide) out.

    Args:
        fusion: How the two graphs are joined: "mul", "add" or "cat".
        first_shortcut: Whether the first block has a convolution in its shortcut (clovaai) or not (eurecom).
    """

    def __init__(self, fusion: str = "mul", first_shortcut: bool = False) -> None:
        super().__init__()
        self.fusion = fusion
        self.register_buffer("filters", sinc_filters(), persistent=False)
        self.first_bn = nn.BatchNorm2d(1)
        self.encoder1 = _encoder(first_shortcut)
        self.encoder2 = _encoder(first_shortcut)
        joined = 32 if fusion == "cat" else 16
        self.GAT_layer1 = GraphAttention(64, 32, 1.0)
        self.GAT_layer2 = GraphAttention(64, 32, 1.0)
        self.GAT_layer3 = GraphAttention(2 * joined, joined, 1.0)
        self.pool1 = GraphPool(32, 0.64, least=2)
        self.pool2 = GraphPool(32, 0.81, least=2)
        self.pool3 = GraphPool(joined, 0.64, least=2)
        self.proj1 = nn.Linear(NODES[0], 12)
        self.proj2 = nn.Linear(NODES[1], 12)
        self.proj = nn.Linear(joined, 1)
        self.proj_node = nn.Linear(7, 2)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, 64600) to logits (B, 2)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to what the filters leave of them: (B, 1, 23, T')."""
        return filtered_image(waves, self.get_buffer("filters"))

    def from_features(self, features: Tensor) -> Tensor:
        """Map filtered features (B, 1, 23, T') to logits (B, 2)."""
        x = functional.selu(self.first_bn(features))
        bands = self.encoder1(x).abs().amax(dim=3).transpose(1, 2)  # (B, 23, 64)
        frames = self.encoder2(x).abs().amax(dim=2).transpose(1, 2)  # (B, 29, 64)
        spectral = self.proj1(self.pool1(self.GAT_layer1(bands)).transpose(1, 2))  # (B, 32, 12)
        temporal = self.proj2(self.pool2(self.GAT_layer2(frames)).transpose(1, 2))  # (B, 32, 12)
        if self.fusion == "cat":
            joined = torch.cat([spectral, temporal], dim=1)
        else:
            joined = spectral + temporal if self.fusion == "add" else spectral * temporal
        nodes = self.pool3(self.GAT_layer3(joined.transpose(1, 2)))  # (B, 7, 16)
        logits: Tensor = self.proj_node(self.proj(nodes).flatten(1))
        return logits


# clovaai/aasist ships the same network with the two branches called T and S.
CLOVAAI = {
    "encoder_T": "encoder1",
    "encoder_S": "encoder2",
    "GAT_layer_T": "GAT_layer1",
    "GAT_layer_S": "GAT_layer2",
    "GAT_layer_ST": "GAT_layer3",
    "pool_T": "pool1",
    "pool_S": "pool2",
    "pool_ST": "pool3",
    "proj_T": "proj1",
    "proj_S": "proj2",
    "proj_ST": "proj",
    "out_layer": "proj_node",
}


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the published key layouts (eurecom-asp, clovaai) to the names of `RawGatSt`.

    Args:
        state: Tensors by published name.

    Returns:
        Tensors by our name; what the published forward never uses is left out.

    Example:
        >>> list(rename({"encoder1.0.0.conv_1.bias": torch.ones(1), "encoder1.1.0.conv_1.bias": torch.ones(1)}))
        ['encoder1.0.conv1.bias']
    """
    renamed = {}
    for published, tensor in state.items():
        head, dot, rest = published.partition(".")
        name = f"{CLOVAAI.get(head, head)}{dot}{rest}"
        if re.match(r"encoder[12]\.\d+\.0\.", name):
            name = re.sub(r"^(encoder[12]\.0)\.0\.conv_1\.", r"\1.0.conv1.", name)
            if re.match(r"encoder[12]\.\d+\.0\.(bn1|conv_1)\.", name):
                continue
            name = re.sub(r"^(encoder[12]\.\d+)\.0\.", r"\1.", name)
        renamed[name] = tensor
    return renamed


def matches(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise a state dict of RawGAT-ST.

    Args:
        state: Tensors by published name.

    Returns:
        Constructor arguments, or None.
    """
    eurecom = "proj_node.weight" in state and "encoder1.0.0.conv_1.weight" in state
    clovaai = (
        "out_layer.weight" in state and "encoder_T.0.0.conv1.weight" in state and "proj_ST.weight" in state
    )
    if not (eurecom or clovaai):
        return None
    fusion = state["proj.weight" if eurecom else "proj_ST.weight"]
    arguments: dict[str, Any] = {"first_shortcut": True} if clovaai else {}
    return {**arguments, "fusion": "cat"} if fusion.shape[-1] == 32 else arguments


ASSUMED = (
    "fusion by {} assumed (multiplication and addition have the same weights)",
    "pool ratios .64/.81/.64 assumed (not in the weights)",
    "bona fide assumed at index 1",
)


def _spec(name: str, fusion: str) -> DetectorSpec:
    return DetectorSpec(name, assumptions=tuple(line.format(fusion) for line in ASSUMED))


ENTRIES = {
    "rawgat-st": Architecture(
        RawGatSt,
        matches,
        rename,
        _spec("rawgat-st", "multiplication"),
        "RawGAT-ST, fused by multiplication (or concatenation, told from the weights), 440,810 parameters",
        "Tak et al. (2021)",
        "`proj_node`, `encoder1.0.0.conv_1` (eurecom-asp) or `encoder_T.*`, `proj_ST` (clovaai)",
    ),
    "rawgat-st@add": Architecture(
        partial(RawGatSt, fusion="add"),
        None,
        rename,
        _spec("rawgat-st@add", "addition"),
        "RawGAT-ST, fused by addition",
        "Tak et al. (2021)",
        "as `rawgat-st`: by name only",
    ),
}
