"""LFCC-LCNN and LFCC-LCNN-LSTM: max-feature-map convolutions over cepstra, one logit out.

Wang and Yamagishi (2021), "A comparative study on recent neural spoofing countermeasures for synthetic speech
detection", Interspeech; the ASVspoof 2021 baseline. Parameter names are those of the published weights, whose
front-end is part of them. Its margins: A-softmax (Liu et al., 2017), AM-softmax (Wang et al., 2018) and OC-softmax
(Zhang et al., 2021).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.audio.decode import ABSENT
from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.cepstra import BaselineCepstra
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError

# Frames that the form without a recurrent layer reads; the published one draws them at random from longer files.
FRAMES = 750
HOP = 160
# Length of the Fourier transform by number of bins in the stored filterbank.
FFT_OF_BINS = {256: 1024, 257: 512, 513: 1024}
# Kept by the authors' framework for normalising other tasks; their forward never uses them.
UNUSED = ("input_mean", "input_std", "output_mean", "output_std")
# By margin: width of the layer before the embedding, twice its own, and width of the embedding.
WIDTHS = {"sigmoid": (160, 1), "a_softmax": (160, 2), "am_softmax": (512, 64), "oc_softmax": (512, 256)}
# What the cosines are multiplied by in training and here: the published evaluation of A-softmax has the cosines alone.
SCALES = {"a_softmax": 1.0, "am_softmax": 20.0, "oc_softmax": 1.0}


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


class Cosines(nn.Module):
    """Cosines between an embedding and one direction per class, (B, E) to (B, classes)."""

    def __init__(self, width: int, classes: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(width, classes).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Compare with each direction."""
        directions = functional.normalize(self.weight, dim=0)
        return self.scale * (functional.normalize(x, dim=1) @ directions)


class Lcnn(nn.Module):
    """The whole network; raw audio at 16 kHz in; one logit out, higher for bona fide, or scores by cosines.

    Args:
        recurrent: Two LSTMs and a mean over frames, instead of 750 frames and fully connected layers.
        fft: Length of the Fourier transform.
        bins: Bins that the filters cover.
        filters: Of the front-end.
        margin: "sigmoid" for one logit; "a_softmax" or "am_softmax" for the cosines of both classes, the first of
            them spoof; "oc_softmax" for the cosine with bona fide. Only the form without LSTMs has the latter three.
    """

    def __init__(
        self,
        recurrent: bool,
        fft: int = 1024,
        bins: int = 256,
        filters: int = 20,
        margin: str = "sigmoid",
    ) -> None:
        super().__init__()
        if margin not in WIDTHS or (recurrent and margin != "sigmoid"):
            raise UsageError(
                f"margin is '{margin}'; it must be one of {', '.join(WIDTHS)}, and sigmoid with LSTMs"
            )
        self.m_frontend = nn.ModuleList([BaselineCepstra(fft, bins, filters)])
        self.m_transform = nn.ModuleList([light_convolutions()])
        width = (3 * filters // 16) * 32
        self.recurrent = recurrent
        if recurrent:
            self.m_before_pooling = nn.ModuleList([nn.Sequential(Recurrent(width), Recurrent(width))])
            self.m_output_act = nn.ModuleList([nn.Linear(width, 1)])
        else:
            hidden, embedding = WIDTHS[margin]
            fixed = nn.Linear(FRAMES // 16 * width, hidden)
            self.m_output_act = nn.ModuleList(
                [nn.Sequential(nn.Dropout(0.7), fixed, MaxFeatureMap(), nn.Linear(hidden // 2, embedding))]
            )
            if margin != "sigmoid":
                classes = 1 if margin == "oc_softmax" else 2
                self.m_a_softmax = nn.ModuleList([Cosines(embedding, classes, SCALES[margin])])
        self.drop = nn.Dropout(0.7)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 1), or to cosines (B, 1) or (B, 2)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, frames, 60), which no training changes; 750 frames without LSTMs."""
        with torch.no_grad():
            if self.recurrent:
                features: Tensor = self.m_frontend[0](waves)
                return features
            # A short file repeats its own frames, as the published scripts do; what it lacks is marked.
            lengths = (waves != ABSENT).sum(dim=1)
            out: list[Tensor] = [waves] * len(waves)
            # Differences reach over the end of a file, so each length is read as a file of that length.
            for length in sorted(set(lengths.tolist())):
                rows = (lengths == length).nonzero()[:, 0]
                some = self.m_frontend[0](waves[rows, :length])[:, : max(length // HOP, 1)]
                some = some.repeat(1, -(-FRAMES // some.shape[1]), 1)[:, :FRAMES]
                for row, one in zip(rows.tolist(), some, strict=True):
                    out[row] = one
            return torch.stack(out)

    def from_features(self, features: Tensor) -> Tensor:
        """Map features (B, frames, 60) to what `forward` returns."""
        hidden = self.m_transform[0](features.unsqueeze(1))  # (B, 32, frames / 16, D / 16)
        if self.recurrent:
            hidden = self.drop(hidden.transpose(1, 2).flatten(2))  # (B, frames / 16, width)
            hidden = (self.m_before_pooling[0](hidden) + hidden).mean(dim=1)
        out: Tensor = self.m_output_act[0](hidden.flatten(1))
        return self.m_a_softmax[0](out) if hasattr(self, "m_a_softmax") else out


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the statistics that the published forward never uses; call the directions by one name.

    Args:
        state: Tensors by published name.

    Returns:
        The rest.

    Example:
        >>> list(rename({"input_mean": torch.ones(1), "m_output_act.0.bias": torch.ones(1)}))
        ['m_output_act.0.bias']
    """
    return {
        re.sub(r"^m_angle\.", "m_a_softmax.", name): tensor
        for name, tensor in state.items()
        if name not in UNUSED
    }


def _directions(state: Mapping[str, Tensor]) -> Tensor | None:
    """Return the directions of an angular head, under either of its published names; None without one."""
    return state.get("m_a_softmax.0.weight", state.get("m_angle.0.weight"))


def _margin(state: Mapping[str, Tensor], recurrent: bool) -> str | None:
    """Tell the margin from the widths; None for one that is not known (P2SGrad is not)."""
    last = state.get("m_output_act.0.weight" if recurrent else "m_output_act.0.3.weight")
    before = state.get("m_output_act.0.1.weight")
    directions = _directions(state)
    if last is None or last.dim() != 2:
        return None
    if recurrent or directions is None:
        return "sigmoid" if len(last) == 1 and directions is None else None
    if before is None or directions.dim() != 2 or len(directions) != len(last):
        return None
    if directions.shape[1] == 1:
        return "oc_softmax" if (len(before), len(last)) == WIDTHS["oc_softmax"] else None
    return next(
        (name for name in ("a_softmax", "am_softmax") if (len(before), len(last)) == WIDTHS[name]), None
    )


def relative(state: Mapping[str, Tensor]) -> str:
    """Name P2SGrad, whose files differ from those of the sigmoid in an embedding of 64 and its two directions.

    Args:
        state: Tensors by published name.

    Returns:
        A sentence; "" for any other file.

    Source:
        Wang and Yamagishi (2021).
    """
    last = state.get("m_output_act.0.3.weight", state.get("m_output_act.0.weight"))
    directions = _directions(state)
    if last is None or directions is None or directions.shape != (64, 2) or len(last) != 64:
        return ""
    return (
        "With two directions of 64 numbers it is LFCC-LCNN trained with P2SGrad (Wang and Yamagishi, 2021), which is "
        "not built in: bring its code."
    )


def matches(state: Mapping[str, Tensor], recurrent: bool, margin: str) -> dict[str, Any] | None:
    """Recognise a state dict of LFCC-LCNN, with or without LSTMs.

    Args:
        state: Tensors by published name.
        recurrent: Which of the two.
        margin: "sigmoid", "a_softmax", "am_softmax" or "oc_softmax".

    Returns:
        Constructor arguments, or None.
    """
    filters = state.get("m_frontend.0.lfcc_fb")
    if filters is None or filters.dim() != 2 or _margin(state, recurrent) != margin:
        return None
    if recurrent != ("m_before_pooling.0.0.l_blstm.weight_ih_l0" in state):
        return None
    bins, number = filters.shape
    return {"fft": FFT_OF_BINS.get(bins, 2 * (bins - 1)), "bins": bins, "filters": number}


OUTPUTS = {"sigmoid": "logit1", "a_softmax": "logits2", "am_softmax": "logits2", "oc_softmax": "cosine1"}


def _entry(
    name: str, margin: str, summary: str, signature: str, more: tuple[str, ...], recurrent: bool = False
) -> Architecture:
    def build(**arguments: Any) -> nn.Module:
        return Lcnn(**{"recurrent": recurrent, "margin": margin, **arguments})

    def recognise(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        return matches(state, recurrent, margin)

    spec = DetectorSpec(
        name,
        n_samples=64_600 if recurrent else FRAMES * HOP,
        padding="tile" if recurrent else "frames",
        outputs=OUTPUTS[margin],
        loss_name="binary_cross_entropy" if margin == "sigmoid" else margin,
        assumptions=("20 ms frames every 10 ms assumed (not in the weights)", *more),
    )
    return Architecture(
        build, recognise, rename, spec, summary, "Wang and Yamagishi (2021)", signature, relative=relative
    )


FIRST = "the first 750 frames are read (the published forward draws them at random)"
ENTRIES = {
    "lfcc-lcnn": _entry(
        "lfcc-lcnn",
        "sigmoid",
        "LFCC-LCNN over 750 frames, sigmoid form, front-end inside",
        "`m_frontend.0.lfcc_fb`, `m_output_act.0.3` (1, 80)",
        (FIRST,),
    ),
    "lfcc-lcnn-a-softmax": _entry(
        "lfcc-lcnn-a-softmax",
        "a_softmax",
        "The same trained with A-softmax",
        "`m_a_softmax.0` (2, 2)",
        (FIRST, "its logits are cosines, as published scores are (training multiplies them by a length)"),
    ),
    "lfcc-lcnn-am-softmax": _entry(
        "lfcc-lcnn-am-softmax",
        "am_softmax",
        "The same trained with AM-softmax",
        "`m_angle.0` or `m_a_softmax.0` (64, 2), `m_output_act.0.1` (512, D)",
        (FIRST, "scale 20 of the cosines assumed (not in the weights)"),
    ),
    "lfcc-lcnn-oc-softmax": _entry(
        "lfcc-lcnn-oc-softmax",
        "oc_softmax",
        "The same trained with OC-softmax",
        "`m_a_softmax.0` (256, 1)",
        (FIRST,),
    ),
    "lfcc-lcnn-lstm": _entry(
        "lfcc-lcnn-lstm",
        "sigmoid",
        "LFCC-LCNN with two LSTMs, ASVspoof 2021 baseline, front-end inside",
        "`m_frontend.0.lfcc_fb`, `m_before_pooling.*`",
        (
            "the first 64,600 samples are read (the published evaluation reads whole files)",
            "shorter files are tiled (the published evaluation reads them as they are)",
        ),
        recurrent=True,
    ),
}
