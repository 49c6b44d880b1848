"""Graph layers that AASIST, RawGAT-ST and the heads built on them share.

Tak et al. (2021), "End-to-end spectro-temporal graph attention networks for speaker verification
anti-spoofing and speech deepfake detection"; Jung et al. (2022), "AASIST". Parameter names are those of the
published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def _weight(*shape: int) -> nn.Parameter:
    weight = torch.empty(*shape)
    # An outline without memory has nothing to fill, and torch would load its compiler to say so.
    return nn.Parameter(weight if weight.is_meta else nn.init.xavier_normal_(weight))


def _normalise_nodes(norm: nn.Module, x: Tensor) -> Tensor:
    """Batch norm over every node of every graph alike, (B, N, D) to (B, N, D)."""
    flat: Tensor = norm(x.flatten(0, 1))
    return flat.view_as(x)


class GraphAttention(nn.Module):
    """Graph attention over fully connected nodes; weights come from products of node pairs.

    Args:
        inputs: Width of a node before.
        outputs: Width of a node after.
        temperature: Of the softmax; a state dict does not hold it.
    """

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
    """Keeps the share of nodes with the highest learned score, each weighted by it.

    Args:
        width: Of a node.
        ratio: Share that is kept.
        least: Nodes that are kept in any case.
    """

    def __init__(self, width: int, ratio: float, least: int = 1) -> None:
        super().__init__()
        self.ratio = ratio
        self.least = least
        self.proj = nn.Linear(width, 1)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map nodes (B, N, D) to (B, max(least, floor(ratio N)), D)."""
        scores = torch.sigmoid(self.proj(self.drop(x)))  # (B, N, 1)
        kept = scores.topk(max(int(x.shape[1] * self.ratio), self.least), dim=1).indices
        return (x * scores).gather(1, kept.expand(-1, -1, x.shape[2]))
