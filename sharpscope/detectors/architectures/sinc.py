"""The fixed band-pass filters that open AASIST, RawGAT-ST and RawNet2."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def sinc_filters(bands: int = 70, taps: int = 129, sample_rate: int = 16_000) -> Tensor:
    r"""Return band-pass filters that are equally wide on the mel scale.

    Each is the difference of two ideal low-pass filters,
    :math:`2 f/f_s \, \mathrm{sinc}(2 f n / f_s)`, under a Hamming window (Ravanelli and Bengio, 2018).

    Args:
        bands: Number of filters.
        taps: Length of each, odd.
        sample_rate: Hz.

    Returns:
        Shape (bands, 1, taps).

    Example:
        >>> middle = sinc_filters(1, 3)[0, 0, 1]  # a single band passes everything: 2 f/f_s = 1
        >>> round(float(middle), 6)
        1.0
    """
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 1) / 2595) - 1)
    # float32 as where the published weights were trained: float64 filters move AASIST's logits by 1e-5.
    n = np.arange(-(taps // 2), taps // 2 + 1, dtype=np.float32)
    phase = (2 * edges[:, None]).astype(np.float32) * n / np.float32(sample_rate)
    low_pass = (2 * edges[:, None] / sample_rate).astype(np.float32) * np.sinc(phase)  # (bands + 1, taps)
    filters = np.hamming(taps).astype(np.float32) * np.diff(low_pass, axis=0)
    return torch.tensor(filters, dtype=torch.float32).unsqueeze(1)


def filtered_image(waves: Tensor, filters: Tensor) -> Tensor:
    """Filter waves and keep the largest of every three bands by three samples, as AASIST and RawGAT-ST do.

    Args:
        waves: Shape (B, T).
        filters: Shape (bands, 1, taps).

    Returns:
        Shape (B, 1, bands / 3, T'), not negative.

    Example:
        >>> filtered_image(torch.ones(2, 600), sinc_filters(6, 129)).shape
        torch.Size([2, 1, 2, 157])
    """
    image = functional.conv1d(waves.unsqueeze(1), filters).unsqueeze(1)  # (B, 1, bands, T - taps + 1)
    return functional.max_pool2d(image.abs(), (3, 3))
