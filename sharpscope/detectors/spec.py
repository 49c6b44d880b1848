"""A detector: a network together with the conventions that its file does not carry."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sharpscope.errors import UsageError

OUTPUTS = ("logits2", "logit1", "log_softmax2", "probability2", "probability1", "cosine1")
PADDINGS = ("tile", "zero", "frames")
NORMALISATIONS = ("none", "layer_norm", "peak")


@dataclasses.dataclass(frozen=True)
class DetectorSpec:
    """What has to be known about a network before its output means anything.

    Attributes:
        arch: Name of the architecture.
        sample_rate: Hz of the waves that it takes.
        n_samples: Length that it takes; None for any.
        padding: How a short wave is lengthened: "tile", "zero", or "frames" for a network that repeats its own frames
            and knows `sharpscope.audio.decode.ABSENT`.
        normalisation: What is done to each wave: "none", "layer_norm" (zero mean and unit variance) or "peak"
            (largest absolute value one).
        outputs: "logits2" (two logits), "logit1" (one), "log_softmax2", "probability2", "probability1" or
            "cosine1" (a similarity from -1 to 1). A single output is higher for bona fide.
        bonafide_index: Which of two outputs is bona fide; 0 with one output means that lower is bona fide.
        polarity_source: Who says so: "architecture", "record", "option", "labels", "declared" or "default".
        loss_name: The loss that the network was trained with; the measurement uses its preset's own.
        assumptions: What the file cannot tell and was taken for granted.
    """

    arch: str
    sample_rate: int = 16_000
    n_samples: int | None = 64_600
    padding: str = "tile"
    normalisation: str = "none"
    outputs: str = "logits2"
    bonafide_index: int = 1
    polarity_source: str = "architecture"
    loss_name: str = "cross_entropy"
    assumptions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the conventions as plain values.

        Returns:
            Values by name.
        """
        return dataclasses.asdict(self)

    def hash(self) -> str:
        """Return 12 hexadecimal digits that change with any convention.

        Returns:
            The digits.

        Example:
            >>> DetectorSpec("a").hash() == DetectorSpec("a", bonafide_index=0).hash()
            False
        """
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def declare(self, declared: Mapping[str, Any], source: str) -> DetectorSpec:
        """Take over conventions that a user's network or a record states.

        Args:
            declared: Values by name, any of the attributes but ``arch``, ``assumptions``, ``polarity_source``.
            source: Who states them; becomes ``polarity_source`` when the polarity is among them.

        Returns:
            The new conventions.

        Raises:
            UsageError: If a name or a value is not allowed.

        Example:
            >>> DetectorSpec("mine").declare({"n_samples": None, "outputs": "logit1"}, "declared").outputs
            'logit1'
        """
        for name, value in declared.items():
            if name not in _ALLOWED:
                raise UsageError(f"unknown convention '{name}'; known: {', '.join(sorted(_ALLOWED))}")
            words, fits = _ALLOWED[name]
            if not fits(value):
                raise UsageError(f"convention {name} is {value!r:.60}; it must be {words}")
        values = dict(declared)
        how = (values.get("padding", self.padding), values.get("normalisation", self.normalisation))
        if how[0] == "frames" and how[1] != "none":
            raise UsageError(
                f"convention padding is 'frames' and normalisation '{how[1]}'; samples that are not there cannot be "
                "normalised. Take padding tile or zero, or normalise inside the network"
            )
        if "bonafide_index" in declared:
            values["polarity_source"] = source
        return dataclasses.replace(self, **values)


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _one_of(*words: str) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words


_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "sample_rate": ("a rate from 1000 to 384000 Hz", _whole(1000, 384_000)),
    "n_samples": ("a length up to 57600000 or null", lambda v: v is None or _whole(1, 57_600_000)(v)),
    "padding": _one_of(*PADDINGS),
    "normalisation": _one_of(*NORMALISATIONS),
    "outputs": _one_of(*OUTPUTS),
    "bonafide_index": ("0 or 1", _whole(0, 1)),
    "loss_name": ("a name", lambda value: isinstance(value, str) and 0 < len(value) < 60),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Detector:
    """A loaded checkpoint: waves in, logits out, the same for every architecture.

    Attributes:
        module: The network, in eval mode.
        spec: Its conventions.
        checkpoint_path: Where the weights came from.
        sha256: Of that file.
        record: What our trainer wrote into it, or None.
        decisions: How the architecture was found, a line a step.
    """

    module: nn.Module
    spec: DetectorSpec
    checkpoint_path: Path
    sha256: str
    record: dict[str, Any] | None = None
    decisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What tables and folders call it: the name in its record, or the stem of its file."""
        # Every run of the trainer calls its best checkpoint best.pt; its record knows better.
        return str((self.record or {}).get("name") or self.checkpoint_path.stem)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the network."""
        return next(self.module.parameters()).dtype

    @property
    def own_loss(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """The network's ``trial_losses(logits, labels)``, (B, 2) and (B,) to (B,), where a user wrote one."""
        found = getattr(self.module, "trial_losses", None)
        return found if callable(found) else None

    def __call__(self, waves: Tensor) -> Tensor:
        """Run the network.

        Args:
            waves: Shape (B, T), on the network's device.

        Returns:
            Logits of shape (B, 2), columns spoof and bona fide; differentiable.

        Raises:
            UsageError: If the output holds no tensor of that shape, or more than one.
        """
        return self.score(self.prepare(waves))

    def prepare(self, waves: Tensor, batch_size: int | None = None) -> Tensor:
        """Run what comes before the first weight, which no perturbation changes: once for a whole group.

        A network that offers ``fixed_features(waves)`` and ``from_features(features)`` is split there; of
        any other only the normalisation is taken ahead.

        Args:
            waves: Shape (B, T), on the network's device.
            batch_size: Trials that go through at once; None takes all.

        Returns:
            What `score` takes, one entry per trial, without a graph.
        """
        features = getattr(self.module, "fixed_features", None)
        size = batch_size or len(waves)
        prepared = []
        with torch.no_grad():
            for start in range(0, len(waves), size):
                part = _normalise(waves[start : start + size], self.spec.normalisation)
                prepared.append(part if features is None else features(part))
        return torch.cat(prepared)

    def score(self, prepared: Tensor) -> Tensor:
        """Run the rest of the network.

        Args:
            prepared: What `prepare` returned, B entries.

        Returns:
            Logits of shape (B, 2), columns spoof and bona fide; differentiable.

        Raises:
            UsageError: If the output holds no tensor of that shape, or more than one.
        """
        network: Any = self.module.from_features if hasattr(self.module, "fixed_features") else self.module
        # One attention kernel, with a graph and without, that has second derivatives.
        with sdpa_kernel(SDPBackend.MATH):
            out = _select(network(prepared), len(prepared))
        logits = _to_logits(out, self.spec)
        return logits if self.spec.bonafide_index == 1 else logits.flip(1)


def _normalise(waves: Tensor, how: str) -> Tensor:
    if how == "layer_norm":
        return nn.functional.layer_norm(waves, waves.shape[1:])
    if how == "peak":
        return waves / waves.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(waves.dtype).tiny)
    return waves


def _to_logits(out: Tensor, spec: DetectorSpec) -> Tensor:
    """Bring the selected output to two logits; a single score becomes the logit of the second class."""
    columns = 1 if spec.outputs.endswith("1") else 2
    if out.shape[1] != columns:
        raise UsageError(
            f"{spec.arch} declares '{spec.outputs}' but returned {out.shape[1]} score(s) a trial; declare its outputs "
            '(sharpscope_spec in your network, or "spec" in a sidecar) as one of ' + ", ".join(OUTPUTS)
        )
    if spec.outputs == "probability2":
        return out.clamp_min(torch.finfo(out.dtype).tiny).log()
    if spec.outputs == "probability1":
        out = out.logit(eps=torch.finfo(out.dtype).eps)
    return out if columns == 2 else torch.cat([torch.zeros_like(out), out], dim=1)  # (B, 2)


def _select(out: Any, batch: int) -> Tensor:
    """Return the one output that has the shape of class scores; position says nothing across toolkits."""
    if hasattr(out, "logits") and isinstance(out.logits, Tensor):
        out = out.logits
    if isinstance(out, Mapping):
        out = out["logits"] if isinstance(out.get("logits"), Tensor) else list(out.values())
    listed = [out] if isinstance(out, Tensor) else out if isinstance(out, list | tuple) else []
    candidates = [tensor for tensor in listed if isinstance(tensor, Tensor)]
    fitting = [t for t in candidates if t.dim() == 2 and t.shape[0] == batch and 1 <= t.shape[1] <= 2]
    if not fitting:
        fitting = [t.unsqueeze(1) for t in candidates if t.dim() == 1 and t.shape[0] == batch]
    if len(fitting) != 1:
        shapes = ", ".join(str(tuple(t.shape)) for t in candidates)
        raise UsageError(
            f"the network returned {shapes or type(out).__name__} for {batch} trials; exactly one output of "
            f"shape ({batch}, 2) or ({batch}, 1) is needed. Wrap it in a module that returns only its logits"
        )
    return fitting[0]
