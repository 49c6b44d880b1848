"""Conformer heads over self-supervised features, with relative positions or with temporal-channel tokens.

Rosello et al. (2023), "A conformer-based classifier for variable-length utterance processing in anti-spoofing";
Truong et al. (2024), "Temporal-channel modeling in multi-head self-attention for synthetic speech detection"
(TCM). Parameter names are those of the published weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = "head.conformer.encoder_blocks."


class Normed(nn.Module):
    """A layer behind a norm."""

    def __init__(self, width: int, layer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = layer

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D) to the same."""
        out: Tensor = self.fn(self.norm(x))
        return out


class Half(nn.Module):
    """A layer that counts half."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.fn = layer

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D) to the same."""
        out: Tensor = 0.5 * self.fn(x)
        return out


class FeedForward(nn.Module):
    """Two linear layers with Swish between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(0.0), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D) to the same."""
        out: Tensor = self.net(x)
        return out


class Transpose(nn.Module):
    """Exchanges tokens and channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, C) to (B, C, N)."""
        return x.transpose(1, 2)


class DepthwiseConvolution(nn.Module):
    """One filter per channel; the output is as long as the input, even kernels look back one step further."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.padding = (kernel // 2, (kernel - 1) // 2)
        self.conv = nn.Conv1d(width, width, kernel, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, tokens) to the same."""
        out: Tensor = self.conv(functional.pad(x, self.padding))
        return out


class ConvolutionModule(nn.Module):
    """Gated pointwise, depthwise and pointwise convolution."""

    def __init__(self, width: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(width),
            Transpose(),
            nn.Conv1d(width, 2 * inner, 1),
            nn.GLU(dim=1),
            DepthwiseConvolution(inner, kernel),
            nn.BatchNorm1d(inner),
            nn.SiLU(),
            nn.Conv1d(inner, width, 1),
            Transpose(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D) to the same."""
        out: Tensor = self.net(x)
        return out


class RelativeAttention(nn.Module):
    """Self-attention with learned embeddings of relative positions (Shaw et al., 2018)."""

    def __init__(self, width: int, heads: int, positions: int = 512) -> None:
        super().__init__()
        self.heads, self.positions = heads, positions
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width)
        self.rel_pos_emb = nn.Embedding(2 * positions + 1, width // heads)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D) to the same."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q(x), *self.to_kv(x).chunk(2, dim=2))
        )  # each (B, heads, tokens, D / heads)
        steps = torch.arange(x.shape[1], device=x.device)
        distance = (steps[:, None] - steps[None, :]).clamp(-self.positions, self.positions) + self.positions
        relative = self.rel_pos_emb(distance)  # (tokens, tokens, D / heads)
        logits = query @ key.transpose(2, 3) + torch.einsum("bhnd,nrd->bhnr", query, relative)
        weights = (logits / math.sqrt(query.shape[3])).softmax(dim=3)
        out: Tensor = self.to_out((weights @ value).transpose(1, 2).flatten(2))
        return out


class ChannelTokenAttention(nn.Module):
    """Self-attention over the tokens and one more per head, made of the mean of that head's channels.

    Args:
        width: Of a token.
        heads: Their number.
        bias: Whether query, key and value have one.
    """

    def __init__(self, width: int, heads: int, bias: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)
        self.ht_proj = nn.Linear(width // heads, width)
        self.ht_norm = nn.LayerNorm(width // heads)
        self.pos_embed = nn.Parameter(torch.zeros(1, heads, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D), the class token first, to the same."""
        count = x.shape[1]
        means = x.reshape(*x.shape[:2], self.heads, -1).mean(dim=1)  # (B, heads, D / heads)
        made = self.ht_proj(means).reshape(*means.shape[:2], self.heads, -1)  # (B, heads, heads, D / heads)
        tokens = functional.gelu(self.ht_norm(made)).flatten(2) + self.pos_embed
        every = torch.cat([x, tokens], dim=1)  # (B, tokens + heads, D)
        query, key, value = (
            self.qkv(every).reshape(*every.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        weights = (query @ key.transpose(2, 3) / math.sqrt(query.shape[3])).softmax(dim=3)
        out = self.proj((weights @ value).transpose(1, 2).flatten(2))
        first, frames, channels = out.split([1, count - 1, self.heads], dim=1)
        first = first + channels.mean(dim=1, keepdim=True) + frames.mean(dim=1, keepdim=True)
        return torch.cat([first, frames], dim=1)


class Block(nn.Module):
    """Half a feed-forward layer, attention, convolution, half a feed-forward layer, norm."""

    def __init__(self, width: int, attention: nn.Module, hidden: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.ff1 = Half(Normed(width, FeedForward(width, hidden)))
        self.attn = Normed(width, attention)
        self.conv = ConvolutionModule(width, inner, kernel)
        self.ff2 = Half(Normed(width, FeedForward(width, hidden)))
        self.post_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, tokens, D) to the same."""
        for layer in (self.ff1, self.attn, self.conv, self.ff2):
            x = layer(x) + x
        out: Tensor = self.post_norm(x)
        return out


def sinusoids(count: int, width: int) -> Tensor:
    """Return the positions (1, count, width) that TCM adds to its frames."""
    channel = torch.arange(width, dtype=torch.float64)
    angle = torch.arange(count, dtype=torch.float64)[:, None] / 10_000 ** (2 * (channel // 2) / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos()).float().unsqueeze(0)


class Encoder(nn.Module):
    """A class token and the frames through the blocks; a linear layer reads the class token."""

    def __init__(self, width: int, blocks: list[nn.Module], positions: int) -> None:
        super().__init__()
        self.positional_emb = nn.Parameter(sinusoids(positions, width), False) if positions else None
        self.encoder_blocks = nn.Sequential(*blocks)
        self.class_token = nn.Parameter(torch.rand(1, width))
        self.fc5 = nn.Linear(width, 2)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (B, N, D) to logits (B, 2)."""
        if self.positional_emb is not None:
            frames = frames + self.positional_emb[:, : frames.shape[1]]
        tokens = torch.cat([self.class_token.expand(len(frames), 1, -1), frames], dim=1)
        logits: Tensor = self.fc5(self.encoder_blocks(tokens)[:, 0])
        return logits


class SequenceHead(nn.Module):
    """A linear layer, a batch norm over the whole image and SELU before a sequence model (B, N, D) to (B, 2)."""

    def __init__(self, width: int, inner: int, model: nn.Module) -> None:
        super().__init__()
        self.LL = nn.Linear(width, inner)
        self.first_bn = nn.BatchNorm2d(1)
        self.conformer = model

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, frames, D) to logits (B, 2)."""
        image = self.first_bn(self.LL(features).unsqueeze(1)).squeeze(1)
        logits: Tensor = self.conformer(functional.selu(image))
        return logits


class ConformerHead(SequenceHead):
    """The head.

    Args:
        width: Of a feature.
        inner: Of a token.
        heads: Of the attention.
        blocks: Their number.
        hidden: Of the feed-forward layers.
        channels: Of the depthwise convolution.
        kernel: Of the depthwise convolution.
        channel_tokens: TCM's attention and positions instead of relative positions.
        positions: The longest relative distance, or how many absolute positions are stored.
        bias: Whether TCM's query, key and value have one.
    """

    def __init__(
        self,
        width: int,
        inner: int = 144,
        heads: int = 4,
        blocks: int = 4,
        hidden: int = 576,
        channels: int = 288,
        kernel: int = 31,
        channel_tokens: bool = False,
        positions: int = 512,
        bias: bool = False,
    ) -> None:
        made: list[nn.Module] = []
        for _ in range(blocks):
            attention = (
                ChannelTokenAttention(inner, heads, bias)
                if channel_tokens
                else RelativeAttention(inner, heads, positions)
            )
            made.append(Block(inner, attention, hidden, channels, kernel))
        super().__init__(width, inner, Encoder(inner, made, positions if channel_tokens else 0))


def conformer_arguments(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise the head and tell its sizes.

    Args:
        heads: Tensors outside the front-end, under ``head.``.

    Returns:
        Arguments of `ConformerHead`, or None.
    """
    image, hidden = heads.get("head.LL.weight"), heads.get(f"{BLOCKS}0.ff1.fn.fn.net.0.weight")
    depthwise = heads.get(f"{BLOCKS}0.conv.net.4.conv.weight")
    relative = heads.get(f"{BLOCKS}0.attn.fn.rel_pos_emb.weight")
    tokens, absolute = heads.get(f"{BLOCKS}0.attn.fn.pos_embed"), heads.get("head.conformer.positional_emb")
    if image is None or hidden is None or depthwise is None:
        return None
    sizes = {
        "inner": len(image),
        "blocks": len({name.removeprefix(BLOCKS).split(".")[0] for name in heads if name.startswith(BLOCKS)}),
        "hidden": len(hidden),
        "channels": len(depthwise),
        "kernel": depthwise.shape[2],
    }
    if relative is not None and absolute is None:
        return {**sizes, "heads": len(image) // relative.shape[1], "positions": len(relative) // 2}
    if tokens is None or absolute is None:
        return None
    return {
        **sizes,
        "heads": tokens.shape[1],
        "channel_tokens": True,
        "positions": absolute.shape[1],
        "bias": f"{BLOCKS}0.attn.fn.qkv.bias" in heads,
    }
