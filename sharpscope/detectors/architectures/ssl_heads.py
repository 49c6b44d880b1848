"""Detectors with a self-supervised front-end: Linear, AASIST, SLS, AntiDeepfake, conformer and Mamba heads.

Tak et al. (2022), "Automatic speaker verification spoofing and deepfake detection using wav2vec 2.0 and data
augmentation" (AASIST head); Huang et al. (2025), "From sharpness to better generalization for speech deepfake
detection" (Linear and AASIST heads); Zhang et al. (2024), "Audio deepfake detection with self-supervised XLS-R
and SLS classifier"; Ge et al. (2025), "Post-training for deepfake speech detection" (AntiDeepfake).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.architectures.aasist import Block, GraphClassifier
from sharpscope.detectors.architectures.conformer import ConformerHead, conformer_arguments
from sharpscope.detectors.architectures.mamba import MambaHead, mamba_arguments
from sharpscope.detectors.architectures.ssl import (
    ANSWERED,
    ASSUMED,
    SslDetector,
    frontend_arguments,
    split_frontend,
)
from sharpscope.detectors.spec import DetectorSpec


class LinearHead(nn.Module):
    """Mean over frames and two linear layers.

    Args:
        width: Of a feature.
        hidden: Between the layers.
    """

    def __init__(self, width: int, hidden: int = 128) -> None:
        super().__init__()
        self.output_layer = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 2)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, frames, D) to logits (B, 2)."""
        logits: Tensor = self.output_layer(features.mean(dim=1))
        return logits


class ProjectionHead(nn.Module):
    """Mean over frames and one linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj_fc = nn.Linear(width, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, frames, D) to logits (B, 2)."""
        logits: Tensor = self.proj_fc(features.mean(dim=1))
        return logits


class AasistHead(GraphClassifier):
    """AASIST over features: a linear layer makes them an image, attention makes it two graphs."""

    def __init__(self, width: int, image: int = 128) -> None:
        super().__init__(64, 32, image // 3, (0.5, 0.5, 0.5), (2.0, 2.0, 100.0))
        self.LL = nn.Linear(width, image)
        self.first_bn = nn.BatchNorm2d(1)
        self.first_bn1 = nn.BatchNorm2d(64)
        channels = [1, 32, 32, 64, 64, 64, 64]
        self.encoder = nn.Sequential(*[Block(a, b, pool=False) for a, b in pairwise(channels)])
        self.attention = nn.Sequential(
            nn.Conv2d(64, 128, 1), nn.SELU(), nn.BatchNorm2d(128), nn.Conv2d(128, 64, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, frames, D) to logits (B, 2)."""
        image = self.LL(features).transpose(1, 2).unsqueeze(1)  # (B, 1, 128, frames)
        x = functional.selu(self.first_bn(functional.max_pool2d(image, (3, 3))))
        x = functional.selu(self.first_bn1(self.encoder(x)))  # (B, 64, 42, frames / 3)
        weights = self.attention(x)
        bands = (x * weights.softmax(dim=3)).sum(dim=3).transpose(1, 2)  # (B, 42, 64)
        frames = (x * weights.softmax(dim=2)).sum(dim=2).transpose(1, 2)  # (B, frames / 3, 64)
        return self.classify(bands, frames)


class SlsHead(nn.Module):
    """Sensitive layer selection: a gate per layer, their sum as an image, two linear layers.

    Args:
        width: Of a feature.
        flat: Size of the pooled image, which ties the network to one length of audio.
        hidden: Between the layers.
    """

    def __init__(self, width: int, flat: int = 22847, hidden: int = 1024) -> None:
        super().__init__()
        self.first_bn = nn.BatchNorm2d(1)
        self.fc0 = nn.Linear(width, 1)
        self.fc1 = nn.Linear(flat, hidden)
        self.fc3 = nn.Linear(hidden, 2)

    def forward(self, layers: Tensor) -> Tensor:
        """Map features of every layer (B, layers, frames, D) to log probabilities (B, 2)."""
        gates = self.fc0(layers.mean(dim=2)).sigmoid().unsqueeze(3)  # (B, layers, 1, 1)
        image = (layers * gates).sum(dim=1, keepdim=True)  # (B, 1, frames, D)
        pooled = functional.max_pool2d(functional.selu(self.first_bn(image)), (3, 3)).flatten(1)
        hidden = functional.selu(self.fc1(pooled))
        return functional.log_softmax(functional.selu(self.fc3(hidden)), dim=1)


def _read(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring a published layout to ``frontend.*`` (names of transformers) and ``head.*``."""
    frontend, rest = split_frontend(state)
    heads = {}
    for published, tensor in rest.items():
        name = re.sub(r"^(head\.)?(aasist\.)?", "", published)
        if re.match(r"encoder\.\d+\.0\.bn1\.", name):
            continue
        name = re.sub(r"^(encoder\.\d+)\.0\.", r"\1.", name)
        heads[f"head.{name}"] = tensor
    return {**{f"frontend.{name}": tensor for name, tensor in frontend.items()}, **heads}


# What tells each head, in the names after reading, and the head's own arguments.
def _linear(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    first = heads.get("head.output_layer.0.weight")
    return None if first is None or "head.output_layer.3.weight" not in heads else {"hidden": len(first)}


def _projection(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    return {} if "head.proj_fc.weight" in heads else None


def _aasist(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    image = heads.get("head.LL.weight")
    return None if image is None or "head.pos_S" not in heads else {"image": len(image)}


def _sls(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    image = heads.get("head.fc1.weight")
    if image is None or "head.fc0.weight" not in heads or "head.fc3.weight" not in heads:
        return None
    return {"flat": image.shape[1], "hidden": image.shape[0]}


def _conformer(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    sizes = conformer_arguments(heads)
    return None if sizes is None or "channel_tokens" in sizes else sizes


def _channel_tokens(heads: Mapping[str, Tensor]) -> dict[str, Any] | None:
    sizes = conformer_arguments(heads)
    return sizes if sizes and "channel_tokens" in sizes else None


def _entry(
    name: str,
    head: Callable[..., nn.Module],
    tell: Callable[[Mapping[str, Tensor]], dict[str, Any] | None],
    words: tuple[str, str, str],
    **spec: Any,
) -> Architecture:
    all_layers = head is SlsHead

    def build(head_arguments: Mapping[str, Any] | None = None, **frontend: Any) -> nn.Module:
        width = int(frontend.get("hidden_size", 768))
        return SslDetector(head(width, **(head_arguments or {})), all_layers=all_layers, **frontend)

    def recognise(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        frontend, _ = split_frontend(state)
        sizes = frontend_arguments(frontend)
        arguments = tell(_read(state)) if sizes else None
        return None if sizes is None or arguments is None else {**sizes, "head_arguments": arguments}

    summary, reference, signature = words
    conventions = DetectorSpec(name, assumptions=ASSUMED, **spec)
    return Architecture(
        build, recognise, _read, conventions, summary, reference, signature, answered=ANSWERED
    )


ENTRIES = {
    "ssl-linear": _entry(
        "ssl-linear",
        LinearHead,
        _linear,
        (
            "Self-supervised front-end, mean, two linear layers",
            "Huang et al. (2025)",
            "`ssl_model.*`, `output_layer.0/3`",
        ),
    ),
    "ssl-aasist": _entry(
        "ssl-aasist",
        AasistHead,
        _aasist,
        (
            "Self-supervised front-end, AASIST",
            "Tak et al. (2022)",
            "`ssl_model.*`, `LL`, `pos_S` (1, 42, 64)",
        ),
    ),
    "ssl-sls": _entry(
        "ssl-sls",
        SlsHead,
        _sls,
        (
            "Self-supervised front-end, sensitive layer selection",
            "Zhang et al. (2024)",
            "`ssl_model.*`, `fc0`, `fc1`, `fc3`",
        ),
        outputs="log_softmax2",
    ),
    "antideepfake": _entry(
        "antideepfake",
        ProjectionHead,
        _projection,
        (
            "AntiDeepfake: self-supervised front-end, mean, one linear layer",
            "Ge et al. (2025)",
            "`m_ssl.model.*`, `proj_fc` (2, D)",
        ),
        n_samples=None,
        padding="zero",
        normalisation="layer_norm",
    ),
    "ssl-conformer": _entry(
        "ssl-conformer",
        ConformerHead,
        _conformer,
        (
            "Self-supervised front-end, conformer with relative positions",
            "Rosello et al. (2023)",
            "`ssl_model.*`, `LL`, `conformer.encoder_blocks.*.attn.fn.rel_pos_emb`",
        ),
        n_samples=66_800,
    ),
    "ssl-conformer-tcm": _entry(
        "ssl-conformer-tcm",
        partial(ConformerHead, channel_tokens=True, positions=10_000),
        _channel_tokens,
        (
            "Self-supervised front-end, conformer with temporal-channel modelling",
            "Truong et al. (2024)",
            "`ssl_model.*`, `LL`, `conformer.positional_emb`, `attn.fn.ht_proj`",
        ),
        n_samples=66_800,
    ),
    "ssl-mamba": _entry(
        "ssl-mamba",
        MambaHead,
        mamba_arguments,
        (
            "Self-supervised front-end, XLSR-Mamba",
            "Xiao and Das (2025)",
            "`ssl_model.*`, `LL`, `conformer.forward_layers.*.mixer.A_log`",
        ),
        n_samples=66_800,
    ),
}
