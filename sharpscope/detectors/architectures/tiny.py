"""Small detectors of our own for demos, tests and populations that a laptop trains in minutes.

A fixed linear-frequency filterbank (log energies, as in LFCC without the cosine transform), a stack of
convolutions, the mean and the spread over time, and two logits. Any length from a quarter of a second on.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture, as_published
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError

WINDOW = 512
HOP = 256


def linear_filterbank(bands: int, bins: int = WINDOW // 2 + 1) -> Tensor:
    """Triangular filters with equally spaced centres.

    Args:
        bands: Number of filters.
        bins: Bins of the spectrum.

    Returns:
        Shape (bands, bins); every inner bin's weights sum to at most one.

    Example:
        >>> linear_filterbank(2, 7).tolist()[0]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.0, 0.0]
    """
    centres = torch.linspace(0, bins - 1, bands + 2, device="cpu")
    step = centres[1] - centres[0]
    distance = (torch.arange(bins, device="cpu").unsqueeze(0) - centres[1:-1].unsqueeze(1)).abs()
    return (1 - distance / step).clamp_min(0)


class Frontend(nn.Module):
    """Log energies of fixed filters, (B, T) to (B, bands, frames), standardised per trial and band."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW, device="cpu"), persistent=False)
        self.register_buffer("filters", linear_filterbank(bands), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, bands, frames); short ones are followed by silence."""
        short = WINDOW + 8 * HOP - waves.shape[1]
        waves = functional.pad(waves, (0, short)) if short > 0 else waves
        window = self.get_buffer("window")
        spectrum = torch.stft(waves, WINDOW, HOP, window=window, center=False, return_complex=True)
        energy = self.get_buffer("filters") @ spectrum.abs().square()  # (B, bands, frames)
        features = torch.log(energy + 1e-6)
        return features - features.mean(dim=(1, 2), keepdim=True)


def _norm(kind: str, width: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(width)
    if kind == "group" and width % 4 == 0:
        return nn.GroupNorm(width // 4, width)
    if kind == "none":
        return nn.Identity()
    raise UsageError(
        f"norm is '{kind}' at width {width}; it must be batch, group (width a multiple of 4) or none"
    )


class Tiny(nn.Module):
    """Convolutions over time and frequency, about 3,000 to 30,000 parameters.

    Args:
        width: Channels.
        depth: Convolutions, each halving both axes.
        bands: Filters of the front-end.
        recurrent: Read the frames with a GRU instead of averaging them.
        dropout: Before the last layer.
        norm: "batch", "group" (four channels a group) or "none", after every convolution.

    Raises:
        UsageError: If the norm is unknown or does not fit the width.
    """

    def __init__(
        self,
        width: int = 16,
        depth: int = 3,
        bands: int = 40,
        recurrent: bool = False,
        dropout: float = 0.0,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        self.frontend = Frontend(bands)
        channels = [1] + [width] * depth
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=norm == "none"),
                _norm(norm, outputs),
                nn.ReLU(),
            ]
        self.encoder = nn.Sequential(*layers)
        height = bands
        for _ in range(depth):
            height = (height + 1) // 2
        self.recurrent = nn.GRU(width * height, 2 * width, batch_first=True) if recurrent else None
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width if recurrent else 2 * width * height, 2)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 2)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, bands, frames), which no training changes."""
        features: Tensor = self.frontend(waves)
        return features

    def from_features(self, features: Tensor) -> Tensor:
        """Map features (B, bands, frames) to logits (B, 2)."""
        hidden = self.encoder(features.unsqueeze(1)).flatten(1, 2)  # (B, C * bands', frames')
        if self.recurrent is not None:
            pooled = self.recurrent(hidden.transpose(1, 2))[0].mean(dim=1)  # (B, 2 C)
        else:
            spread = (hidden.var(dim=2, unbiased=False) + 1e-5).sqrt()
            pooled = torch.cat([hidden.mean(dim=2), spread], dim=1)  # (B, 2 C * bands')
        logits: Tensor = self.out(self.dropout(pooled))
        return logits


def tiny_gru(**arguments: Any) -> Tiny:
    """Build the recurrent variant.

    Args:
        **arguments: As `Tiny`, without ``recurrent``.

    Returns:
        The network.
    """
    return Tiny(recurrent=True, **arguments)


def _entry(name: str, build: Callable[..., nn.Module], summary: str) -> Architecture:
    # One length for all trials, or a trial's score would depend on the longest one beside it.
    spec = DetectorSpec(name, n_samples=32_000)
    return Architecture(build, None, as_published, spec, summary, "sharpscope", "by the file's record only")


ENTRIES = {
    "tiny": _entry("tiny", Tiny, "Our small convolutional network over linear-frequency log energies"),
    "tiny-gru": _entry("tiny-gru", tiny_gru, "The same with a recurrent layer"),
}
