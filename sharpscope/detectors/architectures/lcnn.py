"""LFCC-LCNN and LFCC-LCNN-LSTM: max-feature-map convolutions over cepstra, one logit out.

Wang and Yamagishi (2021), "A comparative study on recent neural spoofing countermeasures for synthetic speech
detection", Interspeech; the ASVspoof 2021 baseline. Parameter names are those of the published weights, whose
front-end is part of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.cepstra import BaselineCepstra
from sharpscope.detectors.spec import DetectorSpec

# Frames that the form without a recurrent layer reads; the published one draws them at random from longer files.
FRAMES = 750
HOP = 160
# Length of the Fourier transform by number of bins in the stored filterbank.
FFT_OF_BINS = {256: 1024, 257: 512, 513: 1024}
# Kept by the authors' framework for normalising other tasks; their forward never uses them.
UNUSED = ("input_mean", "input_std", "output_mean", "output_std")


class MaxFeatureMap(nn.Module):
    """The larger of the two halves of the channels, (B, 2C, ...) to (B, C, ...)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the larger of channel c and channel c + C."""
        first, second = x.chunk(2, dim=1)
        return torch.maximum(first, second)


def light_convolutions() -> nn.Sequential:
    """Return the convolutional part; places in the sequence are part of the published names.

    Returns:
        Maps (B, 1, frames, D) to (B, 32, frames / 16, D / 16).
    """
    layers: list[nn.Module] = []

    def block(inputs: int, outputs: int, size: int, norm: bool = False, pool: bool = False) -> None:
        layers.extend([nn.Conv2d(inputs, 2 * outputs, size, padding=size // 2), MaxFeatureMap()])
        if pool:
            layers.append(nn.MaxPool2d(2))
        if norm:
            layers.append(nn.BatchNorm2d(outputs, affine=False))

    block(1, 32, 5, pool=True)
    block(32, 32, 1, norm=True)
    block(32, 48, 3, norm=True, pool=True)
    block(48, 48, 1, norm=True)
    block(48, 64, 3, pool=True)
    block(64, 64, 1, norm=True)
    block(64, 32, 3, norm=True)
    block(32, 32, 1, norm=True)
    block(32, 32, 3, pool=True)
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """A bidirectional LSTM over frames, (B, frames, D) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.l_blstm = nn.LSTM(width, width // 2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Read the frames in both directions."""
        out: Tensor = self.l_blstm(x)[0]
        return out


class Lcnn(nn.Module):
    """The whole network; raw audio at 16 kHz in, one logit out, higher for bona fide.

    Args:
        recurrent: Two LSTMs and a mean over frames, instead of 750 frames and fully connected layers.
        fft: Length of the Fourier transform.
        bins: Bins that the filters cover.
        filters: Of the front-end.
    """

    def __init__(self, recurrent: bool, fft: int = 1024, bins: int = 256, filters: int = 20) -> None:
        super().__init__()
        self.m_frontend = nn.ModuleList([BaselineCepstra(fft, bins, filters)])
        self.m_transform = nn.ModuleList([light_convolutions()])
        width = (3 * filters // 16) * 32
        self.recurrent = recurrent
        if recurrent:
            self.m_before_pooling = nn.ModuleList([nn.Sequential(Recurrent(width), Recurrent(width))])
            self.m_output_act = nn.ModuleList([nn.Linear(width, 1)])
        else:
            fixed = nn.Linear(FRAMES // 16 * width, 160)
            self.m_output_act = nn.ModuleList(
                [nn.Sequential(nn.Dropout(0.7), fixed, MaxFeatureMap(), nn.Linear(80, 1))]
            )
        self.drop = nn.Dropout(0.7)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 1)."""
        with torch.no_grad():
            features = self.m_frontend[0](waves)  # (B, frames, 60)
        if not self.recurrent:
            true = features[:, : waves.shape[1] // HOP]
            features = true.repeat(1, -(-FRAMES // true.shape[1]), 1)[:, :FRAMES]
        hidden = self.m_transform[0](features.unsqueeze(1))  # (B, 32, frames / 16, D / 16)
        if self.recurrent:
            hidden = self.drop(hidden.transpose(1, 2).flatten(2))  # (B, frames / 16, width)
            hidden = (self.m_before_pooling[0](hidden) + hidden).mean(dim=1)
        logits: Tensor = self.m_output_act[0](hidden.flatten(1))
        return logits


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the statistics that the published forward never uses.

    Args:
        state: Tensors by published name.

    Returns:
        The rest, names as they are.

    Example:
        >>> list(rename({"input_mean": torch.ones(1), "m_output_act.0.bias": torch.ones(1)}))
        ['m_output_act.0.bias']
    """
    return {name: tensor for name, tensor in state.items() if name not in UNUSED}


def matches(state: Mapping[str, Tensor], recurrent: bool) -> dict[str, Any] | None:
    """Recognise a state dict of LFCC-LCNN with one logit, with or without LSTMs.

    Args:
        state: Tensors by published name.
        recurrent: Which of the two.

    Returns:
        Constructor arguments, or None.
    """
    filters = state.get("m_frontend.0.lfcc_fb")
    last = state.get("m_output_act.0.weight" if recurrent else "m_output_act.0.3.weight")
    if filters is None or filters.dim() != 2 or last is None or last.dim() != 2 or len(last) != 1:
        return None
    if recurrent != ("m_before_pooling.0.0.l_blstm.weight_ih_l0" in state):
        return None
    bins, number = filters.shape
    return {"fft": FFT_OF_BINS.get(bins, 2 * (bins - 1)), "bins": bins, "filters": number}


def _entry(name: str, recurrent: bool, summary: str, signature: str, *more: str) -> Architecture:
    def build(**arguments: Any) -> nn.Module:
        return Lcnn(**{"recurrent": recurrent, **arguments})

    def recognise(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        return matches(state, recurrent)

    spec = DetectorSpec(
        name,
        n_samples=64_600 if recurrent else FRAMES * HOP,
        outputs="logit1",
        assumptions=("20 ms frames every 10 ms assumed (not in the weights)", *more),
    )
    return Architecture(build, recognise, rename, spec, summary, "Wang and Yamagishi (2021)", signature)


ENTRIES = {
    "lfcc-lcnn": _entry(
        "lfcc-lcnn",
        False,
        "LFCC-LCNN over 750 frames, sigmoid form, front-end inside",
        "`m_frontend.0.lfcc_fb`, `m_output_act.0.3` (1, 80)",
        "the first 750 frames are read (the published forward draws them at random)",
    ),
    "lfcc-lcnn-lstm": _entry(
        "lfcc-lcnn-lstm",
        True,
        "LFCC-LCNN with two LSTMs, ASVspoof 2021 baseline, front-end inside",
        "`m_frontend.0.lfcc_fb`, `m_before_pooling.*`",
        "the first 64,600 samples are read (the published evaluation reads whole files)",
    ),
}
