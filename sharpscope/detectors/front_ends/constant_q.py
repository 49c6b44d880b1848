"""The constant-Q transform: filters whose bandwidth grows with their frequency."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.front_ends.spectra import LOGARITHMS, logarithm
from sharpscope.errors import UsageError

# C1, where librosa begins.
LOWEST = 32.70319566257483


def wavelet(frequency: float, sample_rate: int, bins_per_octave: int) -> np.ndarray:
    """Return the filter of one band: a complex tone under a Hann window of Q periods, of unit absolute sum.

    Q = (r^2 + 1) / (r^2 - 1) with r = 2^(1 / bins_per_octave), the bandwidth that librosa takes.

    Args:
        frequency: Hz.
        sample_rate: Hz.
        bins_per_octave: Bands in an octave.

    Returns:
        Shape (n,), complex, its middle (time zero) at (n + 1) // 2.

    Example:
        >>> round(float(np.abs(wavelet(1000.0, 16_000, 12)).sum()), 9)
        1.0
    """
    ratio = 2 ** (2 / bins_per_octave)
    length = (ratio + 1) / (ratio - 1) * sample_rate / frequency
    time = np.arange(math.floor(-length / 2), math.floor(length / 2))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(time)) / len(time))
    tone = window * np.exp(2j * np.pi * frequency * time / sample_rate)
    return np.asarray(tone / np.abs(tone).sum())


class ConstantQ(nn.Module):
    """Waves (B, T) to magnitudes of a constant-Q transform (B, D, frames), computed at the full rate.

    Brown (1991), "Calculation of a constant Q spectral transform"; the conventions are those of ``librosa.cqt``
    (each band times the root of its length). librosa halves the sample rate from octave to octave, which is faster:
    the two differ by about 0.7 % in the median, by up to 3 % of the loudest point, and by more where a band has next to
    no energy, so that logarithms without ``top_db`` are not librosa's there.

    Args:
        sample_rate: Hz.
        hop_length: Samples between frames.
        f_min: Frequency of the first band, Hz.
        n_bins: Bands.
        bins_per_octave: Bands in an octave.
        power: Exponent of the magnitude.
        log: "none", "db", "ln" or "log10".
        top_db: Most decibels below the loudest point of a trial; None for no floor.

    Raises:
        UsageError: If a band lies above half the sample rate, or ``log`` is not known.
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        hop_length: int = 512,
        f_min: float = LOWEST,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        power: float = 1.0,
        log: str = "none",
        top_db: float | None = None,
    ) -> None:
        super().__init__()
        highest = f_min * 2 ** ((n_bins - 1) / bins_per_octave)
        if not highest < sample_rate / 2:
            raise UsageError(
                f"a constant-Q transform of {n_bins} bins from {f_min:g} Hz ends at {highest:.0f} Hz, above half of "
                f"{sample_rate} Hz; take fewer n_bins or another f_min"
            )
        if log not in LOGARITHMS:
            raise UsageError(f"log of a front-end is {log!r:.40}; it must be one of {', '.join(LOGARITHMS)}")
        self.hop, self.power, self.log, self.top_db = hop_length, power, log, top_db
        bands = [
            wavelet(f_min * 2 ** (k / bins_per_octave), sample_rate, bins_per_octave) for k in range(n_bins)
        ]
        self.reach = (len(bands[0]) + 1) // 2 + 1
        kernels = np.zeros((n_bins, 2 * self.reach), dtype=np.complex128)
        for kernel, band in zip(kernels, bands, strict=True):
            start = self.reach - (len(band) + 1) // 2
            # Correlation with the tone: its conjugate. The root of the length makes noise equally loud in all bands.
            kernel[start : start + len(band)] = band.conj() * math.sqrt(len(band))
        both = torch.tensor(np.concatenate([kernels.real, kernels.imag]), dtype=torch.float32, device="cpu")
        self.register_buffer("kernels", both.unsqueeze(1), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, D, frames)."""
        frames = waves.shape[1] // self.hop + 1
        padded = functional.pad(waves, (self.reach, self.reach + self.hop)).unsqueeze(1)
        real, imaginary = functional.conv1d(padded, self.get_buffer("kernels"), stride=self.hop).chunk(
            2, dim=1
        )
        magnitude = (real.square() + imaginary.square()).clamp_min(0).sqrt()[:, :, :frames]
        return logarithm(magnitude if self.power == 1 else magnitude**self.power, self.log, self.top_db)
