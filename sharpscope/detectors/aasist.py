"""AASIST and AASIST-L: sinc filters, residual encoder, two graphs joined by heterogeneous attention.

Jung et al. (2022), "AASIST: Audio anti-spoofing using integrated spectro-temporal graph attention networks",
ICASSP. Written from the paper and the published behaviour; parameter names are those of the published weights
so that their files load. What a published forward computes and throws away (the first batch norm of blocks 2
to 6) is left out: it changes no output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SINC_TAPS = 129
SINC_BANDS = 70


def sinc_filters(bands: int = SINC_BANDS, taps: int = SINC_TAPS, sample_rate: int = 16_000) -> Tensor:
    r"""Fixed band-pass filters, equally wide on the mel scale.

    Each is the difference of two ideal low-pass filters, :math:`2 f/f_s \, \mathrm{sinc}(2 f n / f_s)`,
    under a Hamming window (Ravanelli and Bengio, 2018).

    Args:
        bands: Number of filters.
        taps: Length of each, odd.
        sample_rate: Hz.

    Returns:
        Shape (bands, 1, taps).

    Example:
        >>> sinc_filters().shape
        torch.Size([70, 1, 129])
    """
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 1) / 2595) - 1)
    n = np.arange(-(taps // 2), taps // 2 + 1)
    low_pass = 2 * edges[:, None] / sample_rate * np.sinc(2 * edges[:, None] * n / sample_rate)
    filters = np.hamming(taps) * np.diff(low_pass, axis=0)
    return torch.tensor(filters, dtype=torch.float32).unsqueeze(1)


class Block(nn.Module):
    """Residual block of the encoder: two convolutions with normalisation between, a third of the time kept."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, (2, 3), padding=(1, 1))
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, (2, 3), padding=(0, 1))
        if inputs != outputs:
            self.conv_downsample = nn.Conv2d(inputs, outputs, (1, 3), padding=(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, F, T) to (B, C', F, T/3)."""
        shortcut = self.conv_downsample(x) if hasattr(self, "conv_downsample") else x
        out = functional.selu(self.bn2(self.conv1(x)), inplace=True)
        return functional.max_pool2d(self.conv2(out) + shortcut, (1, 3))


def _weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_normal_(torch.empty(*shape)))


def _normalise_nodes(norm: nn.Module, x: Tensor) -> Tensor:
    """Batch norm over every node of every graph alike, (B, N, D) to (B, N, D)."""
    flat: Tensor = norm(x.flatten(0, 1))
    return flat.view_as(x)


class GraphAttention(nn.Module):
    """Graph attention over fully connected nodes; weights come from products of node pairs."""

    def __init__(self, inputs: int, outputs: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.att_proj = nn.Linear(inputs, outputs)
        self.att_weight = _weight(outputs, 1)
        self.proj_with_att = nn.Linear(inputs, outputs)
        self.proj_without_att = nn.Linear(inputs, outputs)
        self.bn = nn.BatchNorm1d(outputs)
        self.input_drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Map nodes (B, N, D) to (B, N, D')."""
        x = self.input_drop(x)
        pairs = torch.tanh(self.att_proj(x.unsqueeze(2) * x.unsqueeze(1)))  # (B, N, N, D')
        attention = ((pairs @ self.att_weight) / self.temperature).softmax(dim=2).squeeze(3)  # (B, N, N)
        out = self.proj_with_att(attention @ x) + self.proj_without_att(x)
        return functional.selu(_normalise_nodes(self.bn, out), inplace=True)


class HeterogeneousAttention(nn.Module):
    """Attention over the nodes of two graphs at once, with a master node that listens to all of them."""

    def __init__(self, inputs: int, outputs: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.proj_type1 = nn.Linear(inputs, inputs)
        self.proj_type2 = nn.Linear(inputs, inputs)
        self.att_proj = nn.Linear(inputs, outputs)
        self.att_projM = nn.Linear(inputs, outputs)
        self.att_weight11 = _weight(outputs, 1)
        self.att_weight22 = _weight(outputs, 1)
        self.att_weight12 = _weight(outputs, 1)
        self.att_weightM = _weight(outputs, 1)
        self.proj_with_att = nn.Linear(inputs, outputs)
        self.proj_without_att = nn.Linear(inputs, outputs)
        self.proj_with_attM = nn.Linear(inputs, outputs)
        self.proj_without_attM = nn.Linear(inputs, outputs)
        self.bn = nn.BatchNorm1d(outputs)
        self.input_drop = nn.Dropout(0.2)

    def forward(self, first: Tensor, second: Tensor, master: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map nodes (B, N, D), (B, M, D) and the master (1 or B, 1, D) to the same with D'."""
        n = first.shape[1]
        x = self.input_drop(
            torch.cat([self.proj_type1(first), self.proj_type2(second)], dim=1)
        )  # (B, N+M, D)
        pairs = torch.tanh(self.att_proj(x.unsqueeze(2) * x.unsqueeze(1)))  # (B, N+M, N+M, D')
        top = torch.cat([pairs[:, :n, :n] @ self.att_weight11, pairs[:, :n, n:] @ self.att_weight12], dim=2)
        low = torch.cat([pairs[:, n:, :n] @ self.att_weight12, pairs[:, n:, n:] @ self.att_weight22], dim=2)
        scores = torch.cat([top, low], dim=1).squeeze(3)  # (B, N+M, N+M)
        attention = (scores / self.temperature).softmax(dim=2)
        heard = torch.tanh(self.att_projM(x * master)) @ self.att_weightM  # (B, N+M, 1)
        share = (heard / self.temperature).softmax(dim=1).transpose(1, 2)  # (B, 1, N+M)
        master = self.proj_with_attM(share @ x) + self.proj_without_attM(master)
        out = self.proj_with_att(attention @ x) + self.proj_without_att(x)
        out = functional.selu(_normalise_nodes(self.bn, out), inplace=True)
        return out[:, :n], out[:, n:], master


class GraphPool(nn.Module):
    """Keeps the share of nodes with the highest learned score, each weighted by it."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio
        self.proj = nn.Linear(width, 1)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map nodes (B, N, D) to (B, max(1, floor(ratio N)), D)."""
        scores = torch.sigmoid(self.proj(self.drop(x)))  # (B, N, 1)
        kept = scores.topk(max(int(x.shape[1] * self.ratio), 1), dim=1).indices
        return (x * scores).gather(1, kept.expand(-1, -1, x.shape[2]))


class Aasist(nn.Module):
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
        super().__init__()
        self.register_buffer("filters", sinc_filters(), persistent=False)
        self.first_bn = nn.BatchNorm2d(1)
        channels = [1, 32, 32, width, width, width, width]
        self.encoder = nn.Sequential(*[Block(a, b) for a, b in pairwise(channels)])
        self.pos_S = nn.Parameter(torch.randn(1, 23, width))
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

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 2)."""
        x = functional.conv1d(waves.unsqueeze(1), self.get_buffer("filters")).unsqueeze(1)  # (B, 1, 70, T')
        x = functional.selu(self.first_bn(functional.max_pool2d(x.abs(), (3, 3))), inplace=True)
        encoded = self.encoder(x).abs()  # (B, C, 23, T'')
        spectral = self.GAT_layer_S(encoded.amax(dim=3).transpose(1, 2) + self.pos_S)  # (B, 23, C)
        temporal = self.GAT_layer_T(encoded.amax(dim=2).transpose(1, 2))  # (B, T'', C)
        spectral, temporal = self.pool_S(spectral), self.pool_T(temporal)
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
        )  # (B, 160)
        logits: Tensor = self.out_layer(self.drop(hidden))
        return logits


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


def matches(state: Mapping[str, Tensor], width: int) -> bool:
    """Tell whether a state dict is of this architecture and width.

    Args:
        state: Tensors by published name.
        width: 64 for AASIST, 24 for AASIST-L.

    Returns:
        True when the distinguishing names and shapes are there.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return (
        shapes.get("pos_S") == (1, 23, width)
        and "HtrgGAT_layer_ST11.att_weight12" in shapes
        and shapes.get("out_layer.weight", (0, 0))[0] == 2
    )
