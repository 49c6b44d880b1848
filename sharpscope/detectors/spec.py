"""The conventions of a network that its file does not carry: what goes in, and what its output means."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

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

    def __post_init__(self) -> None:
        if self.padding == "frames" and self.normalisation != "none":
            raise UsageError(
                f"convention padding is 'frames' and normalisation '{self.normalisation}'; samples that are not there "
                "cannot be normalised. Take padding tile or zero, or normalise inside the network"
            )

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
