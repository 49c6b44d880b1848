"""AASIST and AASIST-L: sinc filters, residual encoder, two graphs joined by heterogeneous attention.

Jung et al. (2022), "AASIST: Audio anti-spoofing using integrated spectro-temporal graph attention networks",
ICASSP. Written from the paper and the published behaviour; parameter names are those of the published weights
so that their files load. What a published forward computes and throws away (the first batch norm of blocks 2
to 6) is left out: it changes no output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.graphs import GraphAttention, GraphPool, HeterogeneousAttention
from sharpscope.detectors.architectures.sinc import filtered_image, sinc_filters
from sharpscope.detectors.spec import DetectorSpec


class Block(nn.Module):
    """Residual block of the encoder: two convolutions with normalisation between.

    Args:
        inputs: Channels before.
        outputs: Channels after; where they differ, the shortcut is a convolution.
        pool: Keep the largest of three frames.
    """

    def __init__(self, inputs: int, outputs: int, pool: bool = True) -> None:
        super().__init__()
        self.pool = pool
        self.conv1 = nn.Conv2d(inputs, outputs, (2, 3), padding=(1, 1))
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, (2, 3), padding=(0, 1))
        if inputs != outputs:
            self.conv_downsample = nn.Conv2d(inputs, outputs, (1, 3), padding=(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, F, T) to (B, C', F, T/3), or (B, C', F, T) without pooling."""
        shortcut = self.conv_downsample(x) if hasattr(self, "conv_downsample") else x
        out = functional.selu(self.bn2(self.conv1(x)), inplace=True)
        out = self.conv2(out) + shortcut
        return functional.max_pool2d(out, (1, 3)) if self.pool else out


class GraphClassifier(nn.Module):
    """The part behind the encoder: a graph over bands, one over frames, both joined twice, two logits.

    Args:
        width: Of a node when it comes in.
        graph: Width of the two-graph stage.
        bands: Nodes of the spectral graph.
        pool_ratios: Share of nodes kept by the spectral, the temporal and the four later pools.
        temperatures: Of the spectral, the temporal and the four heterogeneous attentions.
    """

    def __init__(
        self,
        width: int,
        graph: int,
        bands: int,
        pool_ratios: Sequence[float],
        temperatures: Sequence[float],
    ) -> None:
        super().__init__()
        self.pos_S = nn.Parameter(torch.randn(1, bands, width))
        self.master1 = nn.Parameter(torch.randn(1, 1, width))
        self.master2 = nn.Parameter(torch.randn(1, 1, width))
        self.GAT_layer_S = GraphAttention(width, width, temperatures[0])
        self.GAT_layer_T = GraphAttention(width, width, temperatures[1])
        self.pool_S = GraphPool(width, pool_ratios[0])
        self.pool_T = GraphPool(width, pool_ratios[1])
        for branch in ("1", "2"):
            setattr(self, f"HtrgGAT_layer_ST{branch}1", HeterogeneousAttention(width, graph, temperatures[2]))
            setattr(self, f"HtrgGAT_layer_ST{branch}2", HeterogeneousAttention(graph, graph, temperatures[2]))
            setattr(self, f"pool_hS{branch}", GraphPool(graph, pool_ratios[2]))
            setattr(self, f"pool_hT{branch}", GraphPool(graph, pool_ratios[2]))
        self.drop_way = nn.Dropout(0.2)
        self.drop = nn.Dropout(0.5)
        self.out_layer = nn.Linear(5 * graph, 2)

    def _branch(self, name: str, temporal: Tensor, spectral: Tensor, master: Tensor) -> list[Tensor]:
        first, second = getattr(self, f"HtrgGAT_layer_ST{name}1"), getattr(self, f"HtrgGAT_layer_ST{name}2")
        temporal, spectral, master = first(temporal, spectral, master)
        temporal, spectral = (
            getattr(self, f"pool_hT{name}")(temporal),
            getattr(self, f"pool_hS{name}")(spectral),
        )
        more = second(temporal, spectral, master)
        return [self.drop_way(a + b) for a, b in zip((temporal, spectral, master), more, strict=True)]

    def classify(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Map nodes of bands (B, F, C) and of frames (B, T, C) to logits (B, 2)."""
        spectral = self.pool_S(self.GAT_layer_S(bands + self.pos_S))
        temporal = self.pool_T(self.GAT_layer_T(frames))
        one = self._branch("1", temporal, spectral, self.master1)
        two = self._branch("2", temporal, spectral, self.master2)
        temporal, spectral, master = (torch.maximum(a, b) for a, b in zip(one, two, strict=True))
        hidden = torch.cat(
            [
                temporal.abs().amax(dim=1),
                temporal.mean(dim=1),
                spectral.abs().amax(dim=1),
                spectral.mean(dim=1),
                master.squeeze(1),
            ],
            dim=1,
        )  # (B, 5 * graph)
        logits: Tensor = self.out_layer(self.drop(hidden))
        return logits


class Aasist(GraphClassifier):
    """The whole network; raw audio at 16 kHz in, two logits (spoof, bona fide) out.

    Args:
        width: Channels of the last four encoder blocks (64, or 24 in AASIST-L).
        graph: Width of the two-graph stage (32).
        pool_ratios: Share of nodes kept by the spectral, the temporal and the four later pools.
        temperatures: Of the spectral, the temporal and the four heterogeneous attentions.
    """

    def __init__(
        self,
        width: int = 64,
        graph: int = 32,
        pool_ratios: Sequence[float] = (0.5, 0.7, 0.5),
        temperatures: Sequence[float] = (2.0, 2.0, 100.0),
    ) -> None:
        super().__init__(width, graph, 23, pool_ratios, temperatures)
        self.register_buffer("filters", sinc_filters(), persistent=False)
        self.first_bn = nn.BatchNorm2d(1)
        channels = [1, 32, 32, width, width, width, width]
        self.encoder = nn.Sequential(*[Block(a, b) for a, b in pairwise(channels)])

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 2)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to what the filters, which have no weights, leave of them: (B, 1, 23, T')."""
        return filtered_image(waves, self.get_buffer("filters"))

    def from_features(self, features: Tensor) -> Tensor:
        """Map filtered features (B, 1, 23, T') to logits (B, 2)."""
        x = functional.selu(self.first_bn(features), inplace=True)
        encoded = self.encoder(x).abs()  # (B, C, 23, T'')
        return self.classify(encoded.amax(dim=3).transpose(1, 2), encoded.amax(dim=2).transpose(1, 2))


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the published key layouts (clovaai, LanceaKing) to the names of `Aasist`.

    Args:
        state: Tensors by published name.

    Returns:
        Tensors by our name; the batch norms whose output the published forward discards are left out.

    Example:
        >>> list(rename({"encoder.1.0.bn1.weight": torch.ones(1), "encoder.1.0.conv1.bias": torch.ones(1)}))
        ['encoder.1.conv1.bias']
    """
    slim = not any(re.match(r"encoder\.\d+\.0\.", name) for name in state)
    renamed = {}
    for name, tensor in state.items():
        if slim:
            name = re.sub(r"^(encoder\.\d+)\.bn1\.", r"\1.bn2.", name)
            name = re.sub(r"^(encoder\.\d+)\.downsample\.", r"\1.conv_downsample.", name)
        elif re.match(r"encoder\.\d+\.0\.bn1\.", name):
            continue
        renamed[re.sub(r"^(encoder\.\d+)\.0\.", r"\1.", name)] = tensor
    return renamed


def matches(state: Mapping[str, Tensor], width: int) -> dict[str, Any] | None:
    """Recognise a state dict of this architecture and width.

    Args:
        state: Tensors by published name.
        width: 64 for AASIST, 24 for AASIST-L.

    Returns:
        Constructor arguments (none are needed) when the distinguishing names and shapes are there, else None.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    fits = (
        shapes.get("pos_S") == (1, 23, width)
        and "HtrgGAT_layer_ST11.att_weight12" in shapes
        and len(shapes.get("out_layer.weight", ())) == 2
        and shapes["out_layer.weight"][0] == 2
    )
    return {} if fits else None


def _entry(
    name: str, width: int, ratios: tuple[float, float, float], recognised: bool, summary: str
) -> Architecture:
    text = "/".join(map(str, ratios))
    return Architecture(
        build=partial(Aasist, width=width, pool_ratios=ratios),
        matches=partial(matches, width=width) if recognised else None,
        rename=rename,
        spec=DetectorSpec(
            name,
            assumptions=(
                f"pool ratios {text} and temperatures 2/2/100 assumed (not in the weights)",
                "bona fide assumed at index 1",
            ),
        ),
        summary=summary,
        reference="Jung et al. (2022)",
        signature=f"`pos_S` (1, 23, {width}), `HtrgGAT_layer_ST11.*`"
        if recognised
        else "as `aasist`: by name only",
    )


ENTRIES = {
    "aasist": _entry("aasist", 64, (0.5, 0.7, 0.5), True, "AASIST, 297,866 published parameters"),
    "aasist-l": _entry("aasist-l", 24, (0.4, 0.5, 0.7), True, "AASIST-L, 85,306 published parameters"),
    "aasist@sam-antispoofing": _entry(
        "aasist@sam-antispoofing",
        64,
        (0.5, 0.5, 0.5),
        False,
        "AASIST as in nii-yamagishilab/SAM-AntiSpoofing",
    ),
}
