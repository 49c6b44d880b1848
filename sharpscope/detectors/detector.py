"""A detector: a network together with the conventions that its file does not carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sharpscope.detectors.failures import describe_failure
from sharpscope.detectors.spec import OUTPUTS, DetectorSpec
from sharpscope.errors import SharpscopeError, UsageError


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
        label: What tables call it, where neither its record nor its file is to say.
        given_copies: Whether the network writes into its input, so that every forward gets a copy of it.
    """

    module: nn.Module
    spec: DetectorSpec
    checkpoint_path: Path
    sha256: str
    record: dict[str, Any] | None = None
    decisions: tuple[str, ...] = ()
    label: str = ""
    given_copies: bool = False

    @property
    def name(self) -> str:
        """What tables and folders call it: its label, the name in its record, or the stem of its file."""
        # Every run of the trainer calls its best checkpoint best.pt; its record knows better.
        return self.label or str((self.record or {}).get("name") or self.checkpoint_path.stem)

    @property
    def seen(self) -> tuple[str, ...]:
        """The sets that its record says it was trained or selected on."""
        record = self.record or {}
        return (*record.get("trained_on", []), *record.get("selected_on", []))

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
        """Prepare waves and run the network on them once.

        Args:
            waves: Shape (B, T), on the network's device.

        Returns:
            Logits of shape (B, 2), columns spoof and bona fide; differentiable.

        Raises:
            SharpscopeError: If the network fails, or its output holds no tensor of that shape, or more than one.
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
                # The user's code gets waves of its own: what it writes into them is written nowhere else.
                prepared.append(part if features is None else self._run(features, part.clone()))
        return torch.cat(prepared)

    def score(self, prepared: Tensor) -> Tensor:
        """Run the network on prepared waves: the one way in which checks, plans and measurements run it.

        Args:
            prepared: What `prepare` returned, B entries. Whether the network writes into it, the first look finds out.

        Returns:
            Logits of shape (B, 2), columns spoof and bona fide, in memory of their own; differentiable.

        Raises:
            SharpscopeError: If the network fails, or its output holds no tensor of that shape, or more than one.
        """
        return self.logits_of(self.raw(prepared))

    def logits_of(self, raw: Tensor) -> Tensor:
        """Bring raw outputs to logits, as the conventions say.

        Args:
            raw: What `raw` returned.

        Returns:
            Logits of shape (B, 2), columns spoof and bona fide, in memory of their own.
        """
        logits = _to_logits(raw, self.spec)
        # A network may return a part of its input or of a buffer, which its next forward overwrites.
        return logits.clone() if self.spec.bonafide_index == 1 else logits.flip(1)

    def raw(self, prepared: Tensor) -> Tensor:
        """Run the network and return its scores as they are, before its conventions make logits of them.

        Args:
            prepared: What `prepare` returned, B entries.

        Returns:
            Shape (B, 2) or (B, 1).

        Raises:
            SharpscopeError: If the network fails, or its output holds no tensor of that shape, or more than one.
        """
        network: Any = self.module.from_features if hasattr(self.module, "fixed_features") else self.module
        given = prepared.clone() if self.given_copies else prepared
        # One attention kernel, with a graph and without, that has second derivatives.
        with sdpa_kernel(SDPBackend.MATH):
            return _select(self._run(network, given), len(prepared))

    def _run(self, network: Callable[[Tensor], Any], given: Tensor) -> Any:
        """Call the user's code; whatever it raises becomes one line that says what it was given."""
        try:
            return network(given)
        except (SharpscopeError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise describe_failure(error, tuple(given.shape), self.module) from error


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
