"""Nes2Net-X: nested Res2Net blocks over self-supervised features.

Liu et al. (2025), "Nes2Net: a lightweight nested architecture for foundation model driven speech anti-spoofing".
Parameter names are those of the published weights (Liu-Tianchi/Nes2Net_ASVspoof_ITW).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.ssl import (
    ANSWERED,
    ASSUMED,
    SslDetector,
    frontend_arguments,
    split_frontend,
)
from sharpscope.detectors.spec import DetectorSpec

ROOT = "Nested_Res2Net_TDNN"


class Squeeze(nn.Module):
    """Scales each channel by a gate of all channel means."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        layers = [nn.AdaptiveAvgPool1d(1), nn.Conv1d(width, inner, 1), nn.ReLU(), nn.Conv1d(inner, width, 1)]
        self.se = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, frames) to the same."""
        gated: Tensor = x * self.se(x)
        return gated


class InnerBlock(nn.Module):
    """Res2Net block whose groups are kept beside each other and summed with learned weights."""

    def __init__(self, width: int, groups: int, inner: int, dilation: int) -> None:
        super().__init__()
        self.width = width // groups
        self.conv1 = nn.Conv1d(width, self.width * groups, 1)
        self.bn1 = nn.BatchNorm1d(self.width * groups)
        self.convs = nn.ModuleList(
            nn.Conv2d(self.width, self.width, (3, 1), dilation=(dilation, 1), padding=(dilation, 0))
            for _ in range(groups - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(self.width) for _ in range(groups - 1))
        self.weighted_sum = nn.ParameterList(
            torch.full((1, 1, 1, count), 1 / count) for count in range(2, groups + 1)
        )
        self.conv3 = nn.Conv1d(self.width * groups, width, 1)
        self.bn3 = nn.BatchNorm1d(width)
        self.se = Squeeze(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, frames) to the same."""
        *groups, last = self.bn1(self.conv1(x).relu()).unsqueeze(3).split(self.width, dim=1)
        beside, sums = last, []  # (B, C / groups, frames, 1 and growing)
        for group, conv, norm, weights in zip(groups, self.convs, self.bns, self.weighted_sum, strict=True):
            beside = norm(conv(torch.cat([beside, group], dim=3)).relu())
            sums.append((beside * weights).sum(dim=3))
        joined = torch.cat([*sums, last.squeeze(3)], dim=1)
        out: Tensor = self.se(self.bn3(self.conv3(joined).relu())) + x
        return out


class Attention(nn.Module):
    """Attentive mean and spread over frames."""

    def __init__(self, width: int, inner: int = 128) -> None:
        super().__init__()
        self.linear1 = nn.Conv1d(width, inner, 1)
        self.linear2 = nn.Conv1d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, frames) to (B, 2 C)."""
        weights = self.linear2(torch.tanh(self.linear1(x))).softmax(dim=2)
        mean = (weights * x).sum(dim=2)
        variance = (weights * x.square()).sum(dim=2) - mean.square()
        return torch.cat([mean, variance.clamp_min(1e-10).sqrt()], dim=1)


class Nes2Net(nn.Module):
    """The head.

    Args:
        width: Of a feature.
        outer: Groups of the outer nest.
        groups: Groups of each inner block.
        inner: Width between the two layers of each gate.
        outputs: Scores per trial, 1 or 2.
        attention: Attentive pooling instead of the mean.
        dilation: Of the inner convolutions; a state dict does not hold it.
    """

    def __init__(
        self,
        width: int,
        outer: int = 8,
        groups: int = 8,
        inner: int = 128,
        outputs: int = 2,
        attention: bool = False,
        dilation: int = 2,
    ) -> None:
        super().__init__()
        part = width // outer
        self.part = part
        self.Build_in_Res2Nets = nn.ModuleList(
            InnerBlock(part, groups, inner, dilation) for _ in range(outer - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm1d(part) for _ in range(outer - 1))
        self.bn = nn.BatchNorm1d(width)
        self.pooling = Attention(width) if attention else None
        self.fc = nn.Linear((2 if attention else 1) * width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, frames, D) to logits (B, outputs)."""
        *parts, last = features.transpose(1, 2).chunk(features.shape[2] // self.part, dim=1)
        carried, outs = torch.zeros_like(last), []
        for part, block, norm in zip(parts, self.Build_in_Res2Nets, self.bns, strict=True):
            carried = norm(block(carried + part).relu())
            outs.append(carried)
        x = self.bn(torch.cat([*outs, last], dim=1)).relu()
        pooled = x.mean(dim=2) if self.pooling is None else self.pooling(x)
        logits: Tensor = self.fc(pooled)
        return logits


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the published layout to ``frontend.*`` (names of transformers) and ``head.*``.

    Args:
        state: Tensors by published name.

    Returns:
        Tensors by our name.

    Example:
        >>> list(rename({"Nested_Res2Net_TDNN.fc.bias": torch.ones(2)}))
        ['head.fc.bias']
    """
    frontend, rest = split_frontend(state)
    named = {f"frontend.{name}": tensor for name, tensor in frontend.items()}
    for name, tensor in rest.items():
        own = name.removeprefix(f"{ROOT}.")
        named[f"head.{own}" if own != name else name] = tensor
    return named


def matches(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise a state dict and tell its sizes.

    Args:
        state: Tensors by published name.

    Returns:
        Constructor arguments, or None.
    """
    last, gate = state.get(f"{ROOT}.fc.weight"), state.get(f"{ROOT}.Build_in_Res2Nets.0.se.se.1.weight")
    sizes = frontend_arguments(split_frontend(state)[0])
    if (
        last is None
        or gate is None
        or sizes is None
        or f"{ROOT}.Build_in_Res2Nets.0.weighted_sum.0" not in state
    ):
        return None
    blocks = {name.split(".")[2] for name in state if name.startswith(f"{ROOT}.Build_in_Res2Nets.")}
    sums = [name for name in state if name.startswith(f"{ROOT}.Build_in_Res2Nets.0.weighted_sum.")]
    head = {
        "outer": len(blocks) + 1,
        "groups": len(sums) + 1,
        "inner": len(gate),
        "outputs": len(last),
        "attention": f"{ROOT}.pooling.linear1.weight" in state,
    }
    return {**sizes, "head_arguments": head}


def _build(head_arguments: Mapping[str, Any] | None = None, **frontend: Any) -> nn.Module:
    head = Nes2Net(int(frontend.get("hidden_size", 768)), **(head_arguments or {}))
    return SslDetector(head, **frontend)


ENTRIES = {
    "ssl-nes2net": Architecture(
        _build,
        matches,
        rename,
        DetectorSpec(
            "ssl-nes2net",
            n_samples=64_000,
            assumptions=(*ASSUMED, "dilation 2 assumed in the inner blocks (not in the weights)"),
        ),
        "Self-supervised front-end, Nes2Net-X",
        "Liu et al. (2025)",
        f"`ssl_model.*`, `{ROOT}.*`",
        answered=ANSWERED,
    ),
}
