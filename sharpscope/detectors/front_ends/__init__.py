"""Front-ends that stand outside a checkpoint: the features that a repository's data loader computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architectures.cepstra import BaselineCepstra
from sharpscope.detectors.front_ends.constant_q import ConstantQ
from sharpscope.detectors.front_ends.layouts import LAYOUTS
from sharpscope.detectors.front_ends.spectra import preset
from sharpscope.errors import UsageError, unknown_name

NORMALISATIONS = ("none", "mean", "mean_variance")


class FrontEnd(NamedTuple):
    """A registered front-end.

    Attributes:
        build: Makes the module from keyword arguments: waves (B, T) to features (B, D, frames).
        summary: One line for the docs.
        reference: Whose conventions it follows.
    """

    build: Callable[..., nn.Module]
    summary: str
    reference: str


class _Asvspoof(nn.Module):
    """`BaselineCepstra` as a front-end: features first, and none of its constants in a state dict."""

    def __init__(self, fft: int = 1024, filters: int = 20) -> None:
        super().__init__()
        self.cepstra = BaselineCepstra(fft, 256 if fft == 1024 else fft // 2 + 1, filters)
        cosines = self.cepstra.l_dct.weight.detach()
        del self.cepstra.l_dct.weight
        self.cepstra.l_dct.register_buffer("weight", cosines, persistent=False)
        self.cepstra.register_buffer("lfcc_fb", self.cepstra.get_buffer("lfcc_fb"), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, 3 * filters, frames)."""
        features: Tensor = self.cepstra(waves)
        return features.transpose(1, 2)


_LIBROSA = {
    "n_fft": 2048,
    "hop_length": 512,
    "pad_mode": "constant",
    "filters": 128,
    "scale": "slaney",
    "area": True,
}
FRONT_ENDS: dict[str, FrontEnd] = {
    "spectrogram": FrontEnd(
        preset(), "Power spectrogram, 25 ms Hann windows every 12.5 ms", "torchaudio.Spectrogram"
    ),
    "mel": FrontEnd(preset(filters=128), "128 mel powers (HTK scale)", "torchaudio.MelSpectrogram"),
    "mfcc": FrontEnd(
        preset(filters=128, log="db", top_db=80.0, coefficients=40),
        "40 cepstra of 128 mel powers",
        "torchaudio.MFCC",
    ),
    "lfcc": FrontEnd(
        preset(filters=128, scale="linear", log="db", top_db=80.0, coefficients=40),
        "40 cepstra of 128 linearly spaced filters",
        "torchaudio.LFCC",
    ),
    "mel-librosa": FrontEnd(
        preset(**_LIBROSA), "128 mel powers (Slaney's scale and norm)", "librosa.feature.melspectrogram"
    ),
    "mfcc-librosa": FrontEnd(
        preset(**_LIBROSA, log="db", top_db=80.0, coefficients=20),
        "20 cepstra of those",
        "librosa.feature.mfcc",
    ),
    "lfcc-asvspoof": FrontEnd(
        _Asvspoof,
        "20 cepstra with energy and two differences, 60 in all",
        "ASVspoof 2021 baselines; fft 512 or 1024",
    ),
    "cqt": FrontEnd(ConstantQ, "84 magnitudes of a constant-Q transform from 32.7 Hz", "librosa.cqt"),
}


def deltas(x: Tensor, reach: int = 2) -> Tensor:
    """Return the slope of the regression line over 2 ``reach`` + 1 frames, the edges repeated.

    d_t = sum_k k x_(t+k) / sum_k k^2, k from -reach to reach (Young et al., the HTK book, 2006; torchaudio's
    ``compute_deltas`` with ``win_length`` = 2 reach + 1).

    Args:
        x: Shape (B, D, T).
        reach: Frames to each side.

    Returns:
        The same shape.

    Example:
        >>> deltas(torch.arange(9.0).expand(1, 1, 9))[0, 0, 2:7].tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    steps = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    padded = functional.pad(x, (reach, reach), mode="replicate")
    return (padded.unfold(2, 2 * reach + 1, 1) @ steps) / steps.square().sum()


class Pipeline(nn.Module):
    """A front-end with what data loaders put before and after it.

    Args:
        front_end: Waves (B, T) to features (B, D, frames).
        emphasis: a of y_t = x_t - a x_(t-1), before it; 0 for none.
        differences: How many times `deltas` are taken and appended: 0, 1 or 2.
        reach: Frames to each side that a delta takes in.
        normalise: "mean" or "mean_variance" over the frames of each trial and feature, or "none".
        frames: Frames that are kept; fewer are repeated from the start. None keeps all.
        layout: Order of the axes that the network takes, one of ``LAYOUTS``.

    Raises:
        UsageError: If an argument is not allowed.
    """

    def __init__(
        self,
        front_end: nn.Module,
        emphasis: float = 0.0,
        differences: int = 0,
        reach: int = 2,
        normalise: str = "none",
        frames: int | None = None,
        layout: str = "(B, D, T)",
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise UsageError(
                f"layout of a front-end is {layout!r:.40}; it must be one of {'; '.join(LAYOUTS)}"
            )
        if normalise not in NORMALISATIONS:
            raise UsageError(
                f"normalise of a front-end is {normalise!r:.40}; it must be one of {', '.join(NORMALISATIONS)}"
            )
        if differences not in (0, 1, 2):
            raise UsageError(f"differences of a front-end is {differences!r:.40}; it must be 0, 1 or 2")
        self.front_end, self.emphasis, self.differences, self.reach = front_end, emphasis, differences, reach
        self.normalise, self.frames, self.layout = normalise, frames, layout

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features in the declared layout."""
        if self.emphasis:
            waves = torch.cat([waves[:, :1], waves[:, 1:] - self.emphasis * waves[:, :-1]], dim=1)
        parts: list[Tensor] = [self.front_end(waves)]
        for _ in range(self.differences):
            parts.append(deltas(parts[-1], self.reach))
        x = torch.cat(parts, dim=1)
        if self.normalise != "none":
            x = x - x.mean(dim=2, keepdim=True)
        if self.normalise == "mean_variance":
            x = x / x.square().mean(dim=2, keepdim=True).sqrt().clamp_min(1e-8)
        if self.frames is not None:
            x = x.repeat(1, 1, -(-self.frames // x.shape[2]))[:, :, : self.frames]
        return LAYOUTS[self.layout](x)


_AROUND = ("emphasis", "differences", "reach", "normalise", "frames", "layout")


def front_end(name: str, **options: Any) -> nn.Module:
    """Build a ready-made front-end: waves (B, T) to features, without a single parameter.

    Args:
        name: One of ``FRONT_ENDS``.
        **options: Arguments of `Pipeline` (layout, frames, differences, ...) and of the front-end itself.

    Returns:
        The module; nothing of it stands in a state dict.

    Raises:
        UsageError: If the name or an option is not known.

    Example:
        >>> front_end("lfcc", layout="(B, 1, D, T)", differences=2)(torch.zeros(2, 16_000)).shape
        torch.Size([2, 1, 120, 81])
    """
    if name not in FRONT_ENDS:
        raise unknown_name("front-end", name, FRONT_ENDS)
    around = {key: options.pop(key) for key in _AROUND if key in options}
    try:
        return Pipeline(FRONT_ENDS[name].build(**options), **around)
    except TypeError as error:
        raise UsageError(f"front-end {name} cannot be built with {options} ({error})") from error


def on_features(network: nn.Module, name: str, **options: Any) -> nn.Module:
    """Give a network of features a ready-made front-end, so that it takes waves; its parameters keep their names.

    Args:
        network: Maps features to scores.
        name: One of ``FRONT_ENDS``.
        **options: As for `front_end`.

    Returns:
        The same network, whose forward now takes waves (B, T). The front-end is run once for all forwards on the
        same trials.

    Raises:
        UsageError: If the name or an option is not known.

    Example:
        >>> network = on_features(nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(40, 2)), "mfcc")
        >>> network(torch.zeros(3, 16_000)).shape, list(network.state_dict())
        (torch.Size([3, 2]), ['2.weight', '2.bias'])
    """
    plain = type(network)
    made = front_end(name, **options)

    class OnFeatures(plain):  # type: ignore[misc, valid-type]
        """The network, from waves on."""

        def fixed_features(self, waves: Tensor) -> Tensor:
            """Map waves (B, T) to what the network takes."""
            with torch.no_grad():
                features: Tensor = self.sharpscope_front_end[0](waves)
            return features

        def from_features(self, features: Tensor) -> Any:
            """Run the network on features."""
            return plain.forward(self, features)

        def forward(self, waves: Tensor) -> Any:
            """Run the network on waves (B, T)."""
            return self.from_features(self.fixed_features(waves))

        def _apply(self, fn: Any, *more: Any, **options: Any) -> Any:
            """Move the front-end along with the network, whose child it must not be: a Sequential would run it."""
            self.sharpscope_front_end[0]._apply(fn, *more, **options)
            return super()._apply(fn, *more, **options)

    OnFeatures.__name__ = plain.__name__
    network.__class__ = OnFeatures
    # In a tuple, so that it is no child of the network.
    network.sharpscope_front_end = (made,)  # type: ignore[assignment]
    return network
