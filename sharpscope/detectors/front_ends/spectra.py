"""Spectrograms, triangular filters on them, and their cepstra, in the conventions of torchaudio and librosa."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError

SCALES = ("htk", "slaney", "linear")
LOGARITHMS = ("none", "db", "ln", "log10")


def to_scale(hertz: np.ndarray, scale: str) -> np.ndarray:
    """Map frequencies to a scale on which filters are spaced equally.

    "htk": 2595 log10(1 + f / 700) (O'Shaughnessy, 1987). "slaney": 3 f / 200 below 1 kHz, above it 27 steps for every
    factor of 6.4 (Slaney, 1998). "linear": f.

    Args:
        hertz: Any shape, Hz.
        scale: One of the three.

    Returns:
        The same shape.

    Example:
        >>> to_scale(np.array([200.0, 6400.0]), "slaney").tolist()
        [3.0, 42.0]
    """
    if scale == "linear":
        return hertz
    if scale == "htk":
        return np.asarray(2595 * np.log10(1 + hertz / 700))
    high = 15 + 27 * np.log(np.maximum(hertz, 1e-9) / 1000) / math.log(6.4)
    return np.where(hertz >= 1000, high, 3 * hertz / 200)


def from_scale(values: np.ndarray, scale: str) -> np.ndarray:
    """Map places on a scale back to Hz: the inverse of `to_scale`.

    Args:
        values: Any shape.
        scale: "htk", "slaney" or "linear".

    Returns:
        The same shape, Hz.

    Example:
        >>> [round(float(from_scale(to_scale(np.array(440.0), s), s)), 6) for s in ("htk", "slaney", "linear")]
        [440.0, 440.0, 440.0]
    """
    if scale == "linear":
        return values
    if scale == "htk":
        return np.asarray(700 * (10 ** (values / 2595) - 1))
    return np.where(values >= 15, 1000 * np.exp((values - 15) * math.log(6.4) / 27), 200 * values / 3)


def filterbank(
    bins: int, filters: int, sample_rate: int, f_min: float, f_max: float, scale: str, area: bool
) -> np.ndarray:
    """Return triangular filters whose corners are spaced equally on a scale.

    Args:
        bins: Bins of the spectrum, from 0 Hz to half the sample rate.
        filters: How many.
        sample_rate: Hz.
        f_min: Lowest corner, Hz.
        f_max: Highest corner, Hz.
        scale: "htk", "slaney" or "linear".
        area: Divide each by half its width in Hz (Slaney's normalisation) instead of a height of one.

    Returns:
        Shape (bins, filters), float64.

    Example:
        >>> filterbank(5, 1, 8, 0, 4, "linear", False)[:, 0].tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    ends = to_scale(np.array([f_min, f_max], dtype=np.float64), scale)
    corners = from_scale(np.linspace(ends[0], ends[1], filters + 2), scale)
    place = np.linspace(0, sample_rate / 2, bins)[:, None]
    up = (place - corners[:-2]) / (corners[1:-1] - corners[:-2])
    down = (corners[2:] - place) / (corners[2:] - corners[1:-1])
    bank = np.maximum(np.minimum(up, down), 0)
    return np.asarray(bank * (2 / (corners[2:] - corners[:-2])) if area else bank)


def logarithm(x: Tensor, how: str, top_db: float | None = None) -> Tensor:
    """Take the logarithm of powers as toolkits do.

    Args:
        x: Shape (B, D, T), not negative.
        how: "db" (10 log10 max(x, 1e-10)), "ln" (natural, of x + 1e-6), "log10" (of x + 1e-10) or "none".
        top_db: With "db": the most that a value lies below the loudest of its own trial. (torchaudio takes the
            loudest of the whole batch, so that scores there hang on what stands beside a trial.)

    Returns:
        The same shape.

    Example:
        >>> logarithm(torch.tensor([[[100.0, 0.0]]]), "db", 80.0).tolist()
        [[[20.0, -60.0]]]
    """
    if how == "ln":
        return (x + 1e-6).log()
    if how == "log10":
        return (x + 1e-10).log10()
    if how == "none":
        return x
    decibels = 10 * x.clamp_min(1e-10).log10()
    if top_db is None:
        return decibels
    return torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - top_db)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name} of a front-end is {value!r:.40}; it must be one of {', '.join(known)}")


class Spectrum(nn.Module):
    """Waves (B, T) to a spectrogram (B, D, frames): filtered, as a logarithm, and as a cepstrum where asked.

    Args:
        sample_rate: Hz.
        n_fft: Length of the Fourier transform.
        win_length: Length of the Hann window; None takes ``n_fft``.
        hop_length: Samples between frames; None takes half the window.
        power: Exponent of the magnitude, 1 or 2.
        pad_mode: How half a window is added at both ends: "reflect" (torchaudio) or "constant" (librosa).
        filters: Triangular filters; 0 keeps the bins.
        scale: Of their corners: "htk", "slaney" or "linear".
        area: Whether each filter is divided by half its width in Hz.
        f_min: Lowest frequency, Hz.
        f_max: Highest; None takes half the sample rate.
        log: "none", "db", "ln" or "log10".
        top_db: Most decibels below the loudest point of a trial; None for no floor.
        coefficients: How many coefficients of the orthonormal type-II cosine transform; 0 for none.

    Raises:
        UsageError: If an argument is not allowed.
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        power: float = 2.0,
        pad_mode: str = "reflect",
        filters: int = 0,
        scale: str = "htk",
        area: bool = False,
        f_min: float = 0.0,
        f_max: float | None = None,
        log: str = "none",
        top_db: float | None = None,
        coefficients: int = 0,
    ) -> None:
        super().__init__()
        _one_of("scale", scale, SCALES)
        _one_of("log", log, LOGARITHMS)
        _one_of("pad_mode", pad_mode, ("reflect", "constant"))
        window = win_length or n_fft
        highest = sample_rate / 2 if f_max is None else f_max
        if not (0 < window <= n_fft and 0 <= f_min < highest <= sample_rate / 2):
            raise UsageError(
                f"a front-end with win_length {window}, n_fft {n_fft}, f_min {f_min} and f_max {highest} at "
                f"{sample_rate} Hz; a window fits into n_fft, and 0 <= f_min < f_max <= {sample_rate / 2:g}"
            )
        if not 0 <= coefficients <= (filters or n_fft // 2 + 1):
            raise UsageError(
                f"{coefficients} coefficients of {filters or n_fft // 2 + 1} filters; take fewer"
            )
        self.n_fft, self.hop, self.power, self.pad_mode = n_fft, hop_length or window // 2, power, pad_mode
        self.log, self.top_db = log, top_db
        self.register_buffer("window", torch.hann_window(window, device="cpu"), persistent=False)
        bank: Tensor | None = None
        if filters:
            made = filterbank(n_fft // 2 + 1, filters, sample_rate, f_min, highest, scale, area)
            bank = torch.tensor(made, dtype=torch.float32, device="cpu")
        self.register_buffer("bank", bank, persistent=False)
        cosines: Tensor | None = None
        if coefficients:
            from scipy.fft import dct  # half a second of imports that few detectors need

            matrix = dct(np.eye(filters or n_fft // 2 + 1), type=2, norm="ortho", axis=1)[:, :coefficients]
            cosines = torch.tensor(matrix, dtype=torch.float32, device="cpu")
        self.register_buffer("cosines", cosines, persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, D, frames)."""
        window = self.get_buffer("window")
        spectrum = torch.stft(
            waves,
            self.n_fft,
            hop_length=self.hop,
            win_length=len(window),
            window=window,
            pad_mode=self.pad_mode,
            return_complex=True,
        ).abs()  # (B, bins, frames)
        x = spectrum.square() if self.power == 2 else spectrum**self.power
        if self.bank is not None:
            x = (x.transpose(1, 2) @ self.get_buffer("bank")).transpose(1, 2)
        x = logarithm(x, self.log, self.top_db)
        return x if self.cosines is None else (x.transpose(1, 2) @ self.get_buffer("cosines")).transpose(1, 2)


def preset(**fixed: object) -> Callable[..., Spectrum]:
    """Return a maker of `Spectrum` with other defaults, each of which can be given anew.

    Args:
        fixed: The defaults.

    Returns:
        A function of the arguments of `Spectrum`.

    Example:
        >>> preset(filters=20)(n_fft=512)(torch.ones(1, 1024)).shape
        torch.Size([1, 20, 5])
    """

    def build(**options: object) -> Spectrum:
        return Spectrum(**{**fixed, **options})  # type: ignore[arg-type]

    return build
