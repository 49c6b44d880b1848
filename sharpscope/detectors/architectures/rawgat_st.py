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
from sharpscope.errors import UsageError

# Nodes that the two graphs keep of 23 bands and of the 29 frames that 64,600 samples become.
NODES = (14, 23)
FUSIONS = ("mul", "add", "cat")


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
        if fusion not in FUSIONS:
            raise UsageError(f"fusion is '{fusion}'; it must be one of {', '.join(FUSIONS)}")
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


# clovaai and LanceaKing call the two branches S and T, and not the same one S: the sizes say which reads the bands.
BRANCHES = {"encoder_": "encoder", "GAT_layer_": "GAT_layer", "pool_": "pool", "proj_": "proj"}


def _of_branches(name: str, bands: str) -> str:
    """Bring a name of clovaai's or LanceaKing's code to eurecom's.

    Args:
        name: As published.
        bands: The letter of the branch that reads the bands, "S" or "T".

    Returns:
        The name with numbers in place of letters.
    """
    head, dot, rest = name.partition(".")
    stem, _, branch = head.rpartition("_")
    if head == "out_layer":
        return f"proj_node{dot}{rest}"
    if f"{stem}_" not in BRANCHES or branch not in ("S", "T", "ST"):
        return name
    number = "3" if branch == "ST" else "1" if branch == bands else "2"
    return f"{stem}{'' if (stem, number) == ('proj', '3') else number}{dot}{rest}"


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the published key layouts (eurecom-asp, clovaai, LanceaKing) to the names of `RawGatSt`.

    Args:
        state: Tensors by published name.

    Returns:
        Tensors by our name; what the published forward never uses is left out.

    Example:
        >>> list(rename({"encoder1.0.0.conv_1.bias": torch.ones(1), "encoder1.1.0.conv_1.bias": torch.ones(1)}))
        ['encoder1.0.conv1.bias']
        >>> list(rename({"encoder_S.2.downsample.bias": torch.ones(1), "proj_S.weight": torch.ones(12, 14)}))
        ['encoder1.2.conv_downsample.bias', 'proj1.weight']
    """
    letter = "S" if _nodes(state, "proj_S.weight") == NODES[0] else "T"
    renamed = {}
    for published, tensor in state.items():
        name = _of_branches(published, letter)
        if re.match(r"encoder[12]\.\d+\.0\.", name):
            name = re.sub(r"^(encoder[12]\.0)\.0\.conv_1\.", r"\1.0.conv1.", name)
            if re.match(r"encoder[12]\.\d+\.0\.(bn1|conv_1)\.", name):
                continue
            name = re.sub(r"^(encoder[12]\.\d+)\.0\.", r"\1.", name)
        else:  # LanceaKing's, whose only batch norm of a block is the second of the others
            name = re.sub(r"^(encoder[12]\.\d+)\.bn1\.", r"\1.bn2.", name)
            name = re.sub(r"^(encoder[12]\.\d+)\.downsample\.", r"\1.conv_downsample.", name)
        renamed[name] = tensor
    return renamed


def _nodes(state: Mapping[str, Tensor], name: str) -> int:
    tensor = state.get(name)
    return 0 if tensor is None or tensor.dim() != 2 else tensor.shape[1]


def matches(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise a state dict of RawGAT-ST.

    Args:
        state: Tensors by published name.

    Returns:
        Constructor arguments, or None. The fusion is among them only where the sizes tell it.
    """
    eurecom = "proj_node.weight" in state and "encoder1.0.0.conv_1.weight" in state
    lettered = "out_layer.weight" in state and (
        "encoder_T.0.0.conv1.weight" in state or "encoder_T.0.conv1.weight" in state
    )
    width = _nodes(state, "proj.weight" if eurecom else "proj_ST.weight")
    if not (eurecom or lettered) or not width:
        return None
    arguments: dict[str, Any] = {}
    if any(re.match(r"encoder_[ST]\.0\.(0\.conv_downsample|downsample)\.", name) for name in state):
        arguments["first_shortcut"] = True
    return {**arguments, "fusion": "cat"} if width == 32 else arguments


def _matches_named(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise one whose fusion the user has named; one by concatenation has other sizes."""
    arguments = matches(state)
    return None if arguments is None or "fusion" in arguments else arguments


# As eurecom names its folders, RawGAT_ST_add. ADD in capitals is a challenge, whose files say nothing of a fusion.
FUSION_IN_NAME = re.compile(r"(?i:gat|st)[-_. ]*(add|mul)(?![A-Za-z0-9])")


def hint(state: Mapping[str, Tensor], name: str) -> tuple[str, str] | None:
    """Tell what speaks for a fusion, where the weights are the same for two.

    Args:
        state: Tensors by published name.
        name: Of the file, with its folder.

    Returns:
        The fusion and the reason; None where nothing, or as much, speaks for the other.

    Example:
        >>> hint({}, "RawGAT_ST_add/Best_epoch.pth")
        ('add', "the name of the file or its folder says 'add'")
        >>> hint({}, "ADD2022/rawgat.pth") is None
        True
    """
    found = set(FUSION_IN_NAME.findall(name))
    if len(found) == 1:
        fusion = str(found.pop())
        return fusion, f"the name of the file or its folder says '{fusion}'"
    if not found and any(tensor.startswith("encoder_S.") for tensor in state):
        return "mul", "the published code that names its tensors so (clovaai, LanceaKing) multiplies"
    return None


ASSUMED = ("pool ratios .64/.81/.64 assumed (not in the weights)", "bona fide assumed at index 1")


def _named(fusion: str, how: str) -> Architecture:
    return Architecture(
        partial(RawGatSt, fusion=fusion),
        _matches_named,
        rename,
        DetectorSpec(f"rawgat-st-{fusion}", assumptions=ASSUMED),
        f"RawGAT-ST, fused by {how}",
        "Tak et al. (2021)",
        "as `rawgat-st`: by name only",
        by_name=True,
    )


ENTRIES = {
    "rawgat-st": Architecture(
        RawGatSt,
        matches,
        rename,
        DetectorSpec("rawgat-st", assumptions=ASSUMED),
        "RawGAT-ST, 440,810 parameters; concatenation is told from the weights, multiplication or addition asked for",
        "Tak et al. (2021)",
        "`proj_node`, `encoder1.0.0.conv_1` (eurecom-asp) or `encoder_T.*`, `proj_ST` (clovaai, LanceaKing)",
        asked=("fusion", ("mul", "add")),
        hint=hint,
    ),
    "rawgat-st-mul": _named("mul", "multiplication"),
    "rawgat-st-add": _named("add", "addition"),
}
