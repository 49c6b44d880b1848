"""Sharpness-aware minimisation over any torch optimiser, and what its variants share.

It takes one step by two passes: the gradient at the weights, an ascent of length rho, the gradient there,
then the base optimiser's own step from the weights as they were. Weight decay is the base optimiser's, so it
never enters the ascent. What was perturbed is restored by copying, also after an exception and also where
the second pass gave a parameter no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError
from sharpscope.training.replicas import Replicas
from sharpscope.training.vectors import finite, norm, not_negative, random_state, scaled, set_random_state

Closure = Callable[[], Tensor]


class SAM:
    r"""Sharpness-aware minimisation (Foret et al., 2021).

    The base optimiser is given :math:`\nabla L(w + \epsilon)` with
    :math:`\epsilon = \rho\, g / \|g\|_2`, :math:`g = \nabla L(w)`, the norm over all parameters with a gradient.

    Args:
        base: Any torch optimiser; its parameter groups are the parameters.
        rho: Length of the ascent; 0 is the base optimiser itself, bit for bit.
        network: Its buffers (batch-norm statistics) count the first pass only; None leaves buffers alone.
        masks: Dropout in the second pass: the "same" as in the first, or "fresh", as in code that does not care.

    Raises:
        UsageError: If rho is negative or not finite, or masks is neither.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> sam = SAM(torch.optim.SGD([w], lr=0.1), rho=1.0)
        >>> def closure():
        ...     loss = (w**2).sum() / 2
        ...     loss.backward()
        ...     return loss.detach()
        >>> float(sam.step(closure))
        12.5
        >>> [round(v, 6) for v in w.tolist()]  # w - 0.1 (w + w / 5)
        [2.64, 3.52]
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rho: float = 0.05,
        network: nn.Module | None = None,
        masks: str = "same",
    ) -> None:
        not_negative("rho", rho)
        if masks not in ("same", "fresh"):
            raise UsageError(f"masks is '{masks}'; it must be same or fresh")
        self.masks = masks
        self.base = base
        self.rho = rho
        self.network = network

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that are trained, in the order of the base optimiser's groups."""
        return [p for group in self.base.param_groups for p in group["params"] if p.requires_grad]

    def step(
        self,
        closure: Closure,
        *,
        scaler: torch.amp.GradScaler | None = None,
        clip: float | None = None,
        replicas: Replicas | None = None,
    ) -> Tensor:
        """Take one step.

        Args:
            closure: Computes the loss of the batch, calls backward and returns the loss. It is called twice with
                the same random state, gradients set to None before each; to accumulate over micro-batches it
                calls backward several times; with a scaler it scales the loss before backward.
            scaler: Of mixed precision. A pass that overflows skips the step, as ever.
            clip: Largest norm of the gradient that the base optimiser is given.
            replicas: Other processes, each with an ascent of its own: the first pass' gradients are this process'
                alone. An overflow in one of them skips the step of all.

        Returns:
            The loss of the first pass, at the weights themselves.
        """
        before = random_state()
        self.base.zero_grad(set_to_none=True)
        loss = closure()
        gradients = self._gradients(scaler)
        climbs = bool(self.rho and self._needs_ascent() and finite(gradients))
        if replicas is not None:
            climbs = replicas.agree(climbs)
        if climbs:
            after = random_state()
            with self._kept_buffers(), self._perturbed(self._ascent(gradients)):
                self.base.zero_grad(set_to_none=True)
                if self.masks == "same":
                    set_random_state(before)
                closure()
            if self.masks == "same":
                set_random_state(after)
        elif replicas is not None:
            # Nobody climbs: the step is that of the first pass, summed, so that an overflow reaches everybody.
            replicas.sum_gradients(self.parameters)
        self._combine(gradients, 1.0 if scaler is None else scaler.get_scale())
        if scaler is not None:
            scaler.unscale_(self.base)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, clip)
        if scaler is None:
            self.base.step()
        else:
            scaler.step(self.base)
            scaler.update()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: the base optimiser's state and this one's own, never the weights.

        Returns:
            Plain values and tensors.
        """
        return {"base": self.base.state_dict(), "own": self._own_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Args:
            state: The state.
        """
        self.base.load_state_dict(state["base"])
        self._load_own_state(state["own"])

    # What the variants change.

    def _needs_ascent(self) -> bool:
        return True

    def _ascent(self, gradients: list[Tensor | None]) -> list[Tensor | None]:
        """Return the perturbation of every parameter, None where it has none."""
        return scaled(gradients, self.rho / norm(gradients))

    def _combine(self, gradients: list[Tensor | None], scale: float) -> None:
        """Change the gradients of the second pass (scaled by ``scale``) given those of the first (unscaled)."""

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _load_own_state(self, state: dict[str, Any]) -> None:
        pass

    # What they share.

    def _gradients(self, scaler: torch.amp.GradScaler | None) -> list[Tensor | None]:
        factor = 1.0 if scaler is None else 1.0 / scaler.get_scale()
        return [None if p.grad is None else p.grad.detach().clone() * factor for p in self.parameters]

    @contextmanager
    def _perturbed(self, steps: list[Tensor | None]) -> Iterator[None]:
        kept = [p.detach().clone() for p in self.parameters]
        try:
            with torch.no_grad():
                for p, step in zip(self.parameters, steps, strict=True):
                    if step is not None:
                        p.add_(step)
            yield
        finally:
            with torch.no_grad():
                for p, old in zip(self.parameters, kept, strict=True):
                    p.copy_(old)

    @contextmanager
    def _kept_buffers(self) -> Iterator[None]:
        buffers = [] if self.network is None else list(self.network.buffers())
        kept = [b.clone() for b in buffers]
        try:
            yield
        finally:
            # By copy: a running mean that became NaN in the second pass must not survive it.
            with torch.no_grad():
                for b, old in zip(buffers, kept, strict=True):
                    b.copy_(old)
