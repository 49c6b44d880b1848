"""Variants of SAM: ASAM, GSAM, Friendly SAM, LookSAM."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError
from sharpscope.training.sam import SAM
from sharpscope.training.vectors import dot, finite, norm, not_negative, placed, scaled


class ASAM(SAM):
    r"""Adaptive SAM (Kwon et al., 2021): the ascent is measured in units of the weights.

    :math:`\epsilon = \rho\, T^2 g / \|T g\|_2`, :math:`T = |w| + \eta` elementwise. With eta 0 it does not change
    when two layers are rescaled against each other.

    Args:
        base: Any torch optimiser.
        rho: Length of the ascent.
        eta: Added to every weight's size.
        vectors: What T is for biases and the scales of normalisation (parameters of one dimension): "adaptive" as
            for weights, "plain" for T = 1, as the authors' code has it.
        network: As for `SAM`.
        masks: As for `SAM`.

    Raises:
        UsageError: If rho or eta is negative, or the policy is neither.
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rho: float = 0.5,
        eta: float = 0.01,
        vectors: str = "plain",
        network: nn.Module | None = None,
        masks: str = "same",
    ) -> None:
        super().__init__(base, rho=rho, network=network, masks=masks)
        not_negative("eta", eta)
        if vectors not in ("plain", "adaptive"):
            raise UsageError(f"vectors is '{vectors}'; it must be plain or adaptive")
        self.eta = eta
        self.vectors = vectors

    def _ascent(self, gradients: list[Tensor | None]) -> list[Tensor | None]:
        sizes = [
            torch.ones_like(p) if p.dim() <= 1 and self.vectors == "plain" else p.detach().abs() + self.eta
            for p in self.parameters
        ]
        scaled = [None if g is None else t * g for t, g in zip(sizes, gradients, strict=True)]
        factor = self.rho / norm(scaled)
        return [None if s is None else t * s * factor for t, s in zip(sizes, scaled, strict=True)]


class GSAM(SAM):
    r"""Surrogate-gap guided SAM (Zhuang et al., 2022).

    With :math:`g` at the weights and :math:`g_s` at the perturbed ones, the base optimiser is given
    :math:`g_s - \alpha\, g_\perp`, where :math:`g_\perp` is the part of :math:`g` orthogonal to :math:`g_s`.

    Args:
        base: Any torch optimiser.
        rho: Length of the ascent.
        alpha: Weight of the gap.
        network: As for `SAM`.
        masks: As for `SAM`.

    Raises:
        UsageError: If rho or alpha is negative.
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rho: float = 0.05,
        alpha: float = 0.1,
        network: nn.Module | None = None,
        masks: str = "same",
    ) -> None:
        super().__init__(base, rho=rho, network=network, masks=masks)
        not_negative("alpha", alpha)
        self.alpha = alpha

    def _combine(self, gradients: list[Tensor | None], scale: float) -> None:
        if not self.rho:
            return
        pairs = [(p.grad, g) for p, g in zip(self.parameters, gradients, strict=True) if p.grad is not None]
        both = [(there, g) for there, g in pairs if g is not None]
        squares = dot([(there, there) for there, _ in pairs])
        if squares == 0:
            return
        along = dot(both) * scale / squares
        with torch.no_grad():
            for there, g in pairs:
                here = torch.zeros_like(there) if g is None else g * scale
                there.sub_(self.alpha * (here - along * there))


class FriendlySAM(SAM):
    r"""Friendly SAM (Li et al., 2024): the ascent follows what is peculiar to the batch.

    :math:`m \leftarrow \lambda m + (1 - \lambda) g`, :math:`d = g - \sigma m`,
    :math:`\epsilon = \rho\, d / \|d\|_2`.

    Args:
        base: Any torch optimiser.
        rho: Length of the ascent.
        sigma: Share of the averaged gradient that is taken out.
        decay: Lambda, of the average.
        network: As for `SAM`.
        masks: As for `SAM`.

    Raises:
        UsageError: If rho or sigma is negative, or decay is not in [0, 1).
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rho: float = 0.05,
        sigma: float = 1.0,
        decay: float = 0.9,
        network: nn.Module | None = None,
        masks: str = "same",
    ) -> None:
        super().__init__(base, rho=rho, network=network, masks=masks)
        not_negative("sigma", sigma)
        if not 0 <= decay < 1:
            raise UsageError(f"decay is {decay}; it must be at least 0 and below 1")
        self.sigma = sigma
        self.decay = decay
        self._average: list[Tensor | None] | None = None

    def _ascent(self, gradients: list[Tensor | None]) -> list[Tensor | None]:
        old = self._average or [None] * len(gradients)
        self._average = [
            m if g is None else (1 - self.decay) * g + (0 if m is None else self.decay * m)
            for m, g in zip(old, gradients, strict=True)
        ]
        own = [
            None if g is None or m is None else g - self.sigma * m
            for g, m in zip(gradients, self._average, strict=True)
        ]
        return scaled(own, self.rho / norm(own))

    def _own_state(self) -> dict[str, Any]:
        return {"average": self._average}

    def _load_own_state(self, state: dict[str, Any]) -> None:
        self._average = placed(state["average"], self.parameters)


class LookSAM(SAM):
    r"""LookSAM (Liu et al., 2022): two passes only every k-th step.

    At those steps :math:`g_v` is the part of :math:`g_s` orthogonal to :math:`g`; at the others the base optimiser is
    given :math:`g + \alpha\, g_v \|g\| / \|g_v\|`.

    Args:
        base: Any torch optimiser.
        rho: Length of the ascent.
        k: Steps from one ascent to the next; 1 is SAM.
        alpha: Weight of the direction that is used again.
        network: As for `SAM`.
        masks: As for `SAM`.

    Raises:
        UsageError: If rho or alpha is negative, or k is below 1.
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rho: float = 0.05,
        k: int = 5,
        alpha: float = 0.7,
        network: nn.Module | None = None,
        masks: str = "same",
    ) -> None:
        super().__init__(base, rho=rho, network=network, masks=masks)
        not_negative("alpha", alpha)
        if k < 1:
            raise UsageError(f"k is {k}; it must be 1 or more")
        self.k = k
        self.alpha = alpha
        self._count = 0
        self._kept: list[Tensor | None] | None = None

    def _needs_ascent(self) -> bool:
        return self._count % self.k == 0

    def _combine(self, gradients: list[Tensor | None], scale: float) -> None:
        length = norm(gradients)
        if not self.rho or not math.isfinite(length):
            return
        if self._needs_ascent():
            there = [None if p.grad is None else p.grad / scale for p in self.parameters]
            if not finite(there):
                # The step is skipped, and the next one climbs again: a direction that overflowed is of no use.
                return
            pairs = list(zip(there, gradients, strict=True))
            along = dot([(s, g) for s, g in pairs if s is not None and g is not None]) / length**2
            self._kept = [None if s is None else s - (along * g if g is not None else 0) for s, g in pairs]
        elif self._kept is not None:
            factor = self.alpha * length / norm(self._kept) * scale
            with torch.no_grad():
                for p, kept in zip(self.parameters, self._kept, strict=True):
                    if p.grad is not None and kept is not None:
                        p.grad.add_(factor * kept)
        self._count += 1

    def _own_state(self) -> dict[str, Any]:
        return {"count": self._count, "kept": self._kept}

    def _load_own_state(self, state: dict[str, Any]) -> None:
        self._count = state["count"]
        self._kept = placed(state["kept"], self.parameters)
