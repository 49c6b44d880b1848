"""XLSR-Mamba: two columns of selective state space layers over self-supervised features.

Xiao and Das (2025), "XLSR-Mamba: a dual-column bidirectional state space model for spoofing attack detection";
Gu and Dao (2023), "Mamba: linear-time sequence modeling with selective state spaces". Parameter names are those
of the published weights; the recurrence is plain torch, so that it runs, and has second derivatives, everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architectures.conformer import SequenceHead

COLUMN = "head.conformer.forward_layers."


class Mixer(nn.Module):
    r"""Selective state space layer.

    .. math:: h_t = e^{\Delta_t A} h_{t-1} + \Delta_t B_t x_t, \qquad y_t = C_t h_t + D x_t

    with :math:`\Delta, B, C` linear in the input after a short causal convolution, and the output gated.

    Args:
        width: Of a token.
        inner: Channels of the recurrence.
        state: Size of each channel's state.
        rank: Of the map that gives the step size.
        kernel: Of the causal convolution.
    """

    def __init__(self, width: int, inner: int, state: int = 16, rank: int = 9, kernel: int = 4) -> None:
        super().__init__()
        self.sizes = [rank, state, state]
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, kernel, groups=inner, padding=kernel - 1)
        self.x_proj = nn.Linear(inner, rank + 2 * state, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, width) to the same."""
        x, gate = self.in_proj(tokens).chunk(2, dim=2)  # each (B, N, inner)
        x = functional.silu(self.conv1d(x.transpose(1, 2))[..., : tokens.shape[1]]).transpose(1, 2)
        step, into, out_of = self.x_proj(x).split(self.sizes, dim=2)
        delta = functional.softplus(self.dt_proj(step))  # (B, N, inner)
        decay = (delta.unsqueeze(3) * -self.A_log.exp()).exp()  # (B, N, inner, state)
        drive = (delta * x).unsqueeze(3) * into.unsqueeze(2)  # (B, N, inner, state)
        held, read = torch.zeros_like(drive[:, 0]), []
        for kept, new, seen in zip(decay.unbind(1), drive.unbind(1), out_of.unbind(1), strict=True):
            held = kept * held + new
            read.append((held * seen.unsqueeze(1)).sum(dim=2))
        y = torch.stack(read, dim=1) + self.D * x
        mixed: Tensor = self.out_proj(y * functional.silu(gate))
        return mixed


class Layer(nn.Module):
    """Norm and mixer, added to what came before."""

    def __init__(self, width: int, **mixer: int) -> None:
        super().__init__()
        self.mixer = Mixer(width, **mixer)
        self.norm = nn.RMSNorm(width, eps=1e-5)

    def forward(self, carried: Tensor) -> Tensor:
        """Map (B, N, width) to the same."""
        out: Tensor = carried + self.mixer(self.norm(carried))
        return out


class Columns(nn.Module):
    """A column that reads forward and one that reads backward, attentive pooling of both.

    As published (fused norms), each column ends in the norm of the features plus the sum carried *into* its last
    mixer, so the last mixer of each column has no influence; the features are added unflipped in both.
    """

    def __init__(self, width: int, layers: int, **mixer: int) -> None:
        super().__init__()
        self.forward_layers = nn.ModuleList(Layer(width, **mixer) for _ in range(layers))
        self.backward_layers = nn.ModuleList(Layer(width, **mixer) for _ in range(layers))
        self.norm_f = nn.RMSNorm(width, eps=1e-5)
        self.f_attention_pool = nn.Linear(width, 1)
        self.b_attention_pool = nn.Linear(width, 1)
        self.LL = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(width, 2)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (B, N, D) to logits (B, 2)."""
        frames = self.dropout(frames)
        columns = (
            (frames, self.forward_layers, self.f_attention_pool),
            (frames.flip(1), self.backward_layers, self.b_attention_pool),
        )
        pooled = []
        for start, layers, attention in columns:
            carried = start
            for layer in list(layers)[:-1]:
                carried = layer(carried)
            x = self.norm_f(frames + carried)  # (B, N, D)
            pooled.append((attention(x).softmax(dim=1) * x).sum(dim=1))
        logits: Tensor = self.classifier(self.dropout(self.LL(torch.cat(pooled, dim=1))))
        return logits


class MambaHead(SequenceHead):
    """The head.

    Args:
        width: Of a feature.
        inner: Of a token.
        layers: Of each column.
        expanded: Channels of the recurrence.
        state: Size of each channel's state.
        rank: Of the map that gives the step size.
        kernel: Of the causal convolution.
    """

    def __init__(
        self,
        width: int,
        inner: int = 144,
        layers: int = 6,
        expanded: int | None = None,
        state: int = 16,
        rank: int | None = None,
        kernel: int = 4,
    ) -> None:
        mixer = {
            "inner": expanded or 2 * inner,
            "state": state,
            "rank": rank or math.ceil(inner / 16),
            "kernel": kernel,
        }
        super().__init__(width, inner, Columns(inner, layers, **mixer))


def mamba_arguments(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Recognise the head and tell its sizes.

    Args:
        heads: Tensors outside the front-end, under ``head.``.

    Returns:
        Arguments of `MambaHead`, or None.
    """
    image, states = heads.get("head.LL.weight"), heads.get(f"{COLUMN}0.mixer.A_log")
    filters, step = (heads.get(f"{COLUMN}0.mixer.{name}.weight") for name in ("conv1d", "dt_proj"))
    if image is None or states is None or filters is None or step is None:
        return None
    return {
        "inner": len(image),
        "layers": len({name.removeprefix(COLUMN).split(".")[0] for name in heads if name.startswith(COLUMN)}),
        "expanded": len(states),
        "state": states.shape[1],
        "rank": step.shape[1],
        "kernel": filters.shape[2],
    }
