"""Linear-frequency cepstral coefficients (LFCC) as fixed front-ends, in the two forms that the field uses.

The form of the ASVspoof baselines (Todisco et al., 2019; Wang and Yamagishi, 2021) and that of torchaudio,
which SpecRNet's authors use.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 16_000


def triangles(bins: int, filters: int) -> Tensor:
    """Return triangular filters with equally spaced corners over all the bins.

    Args:
        bins: Bins of the spectrum.
        filters: Number of filters.

    Returns:
        Shape (bins, filters).

    Example:
        >>> triangles(5, 1)[:, 0].tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    corners = torch.linspace(0, bins - 1, filters + 2, device="cpu")
    place = torch.arange(bins, device="cpu").unsqueeze(1)
    up = (place - corners[:-2]) / (corners[1:-1] - corners[:-2])
    down = (corners[2:] - place) / (corners[2:] - corners[1:-1])
    return torch.minimum(up, down).clamp_min(0)


def cosine_matrix(size: int) -> Tensor:
    """Return the orthonormal type-II cosine transform, as a matrix to multiply rows from the right.

    Args:
        size: Of the input and the output.

    Returns:
        Shape (size, size).

    Example:
        >>> matrix = cosine_matrix(4)
        >>> bool(torch.allclose(matrix.T @ matrix, torch.eye(4), atol=1e-6))
        True
    """
    # Imported here: it takes a third of a second, and most detectors have no cepstra.
    from scipy.fft import dct

    eye = torch.eye(size, dtype=torch.float64, device="cpu").numpy()
    return torch.tensor(dct(eye, type=2, norm="ortho", axis=1), dtype=torch.float32)


def difference(x: Tensor) -> Tensor:
    """Return the next frame minus the last one, the edges repeated.

    Args:
        x: Shape (B, frames, D).

    Returns:
        The same shape.

    Example:
        >>> difference(torch.tensor([[[1.0], [2.0], [4.0]]])).flatten().tolist()
        [1.0, 3.0, 2.0]
    """
    padded = torch.cat([x[:, :1], x, x[:, -1:]], dim=1)
    return padded[:, 2:] - padded[:, :-2]


class BaselineCepstra(nn.Module):
    """LFCC of the ASVspoof baselines: 20 coefficients, the first replaced by the energy, with differences.

    Pre-emphasis, 20 ms Hamming frames every 10 ms, decimal logarithm, first and second differences. The
    filters and the cosine transform come from the checkpoint, which stores them.

    Args:
        fft: Length of the Fourier transform.
        bins: How many of its bins, from zero on, are used.
        filters: Number of filters and coefficients.
    """

    def __init__(self, fft: int = 1024, bins: int = 256, filters: int = 20) -> None:
        super().__init__()
        self.fft = fft
        self.register_buffer("lfcc_fb", triangles(bins, filters))
        self.l_dct = nn.Linear(filters, filters, bias=False)
        self.l_dct.weight = nn.Parameter(cosine_matrix(filters).T, requires_grad=False)
        self.register_buffer("window", torch.hamming_window(320, device="cpu"), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, frames, 3 * filters)."""
        filters = self.get_buffer("lfcc_fb")
        emphasised = torch.cat([waves[:, :1], waves[:, 1:] - 0.97 * waves[:, :-1]], dim=1)
        spectrum = torch.stft(
            emphasised,
            self.fft,
            hop_length=160,
            win_length=320,
            window=self.get_buffer("window"),
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.abs().square().transpose(1, 2)[:, :, : len(filters)]  # (B, frames, bins)
        floor = torch.finfo(torch.float32).eps
        cepstra = self.l_dct(torch.log10(power @ filters + floor))
        energy = torch.log10((power / self.fft).sum(dim=2, keepdim=True) + floor)
        cepstra = torch.cat([energy, cepstra[:, :, 1:]], dim=2)  # (B, frames, filters)
        first = difference(cepstra)
        return torch.cat([cepstra, first, difference(first)], dim=2)


class WideCepstra(nn.Module):
    """LFCC as torchaudio computes them: 128 coefficients in decibels, with regression deltas over 399 frames.

    25 ms Hann frames every 10 ms, at most 80 dB below the loudest point of a trial.

    Args:
        coefficients: Number of filters and coefficients.
        reach: Frames to each side that a delta takes in.
        longest: Frames that are kept.
    """

    def __init__(self, coefficients: int = 128, reach: int = 199, longest: int = 3000) -> None:
        super().__init__()
        self.reach = reach
        self.longest = longest
        self.register_buffer("window", torch.hann_window(400, device="cpu"), persistent=False)
        self.register_buffer("filters", triangles(257, coefficients), persistent=False)
        self.register_buffer("cosines", cosine_matrix(coefficients), persistent=False)
        slope = torch.arange(-reach, reach + 1.0, device="cpu") / (reach * (reach + 1) * (2 * reach + 1) / 3)
        self.register_buffer("slope", slope, persistent=False)

    def delta(self, x: Tensor) -> Tensor:
        """Return the slope of the regression line through each frame and its neighbours, (B, D, frames)."""
        padded = functional.pad(x, (self.reach, self.reach), mode="replicate").flatten(0, 1).unsqueeze(1)
        return functional.conv1d(padded, self.get_buffer("slope")[None, None]).view_as(x)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, 1, 3 * coefficients, frames)."""
        spectrum = torch.stft(
            waves, 512, hop_length=160, win_length=400, window=self.get_buffer("window"), return_complex=True
        )
        energy = spectrum.abs().square().transpose(1, 2) @ self.get_buffer("filters")  # (B, frames, filters)
        decibels = 10 * torch.log10(energy.clamp_min(1e-10))
        decibels = torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - 80)
        cepstra = (decibels @ self.get_buffer("cosines")).transpose(1, 2)  # (B, D, frames)
        first = self.delta(cepstra)
        features = torch.cat([cepstra, first, self.delta(first)], dim=1)
        return features[:, :, : self.longest].unsqueeze(1)
