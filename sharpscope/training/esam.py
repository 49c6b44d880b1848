"""Efficient SAM: an ascent of some weights, and a second pass over the trials that it hurts most."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError
from sharpscope.training.sam import SAM
from sharpscope.training.vectors import norm


class ESAM(SAM):
    r"""Efficient SAM (Du et al., 2022): fewer weights in the ascent, fewer trials in the second pass.

    Stochastic weight perturbation: :math:`\epsilon = \frac{1}{\beta}\, b \odot \rho\, g / \|g\|_2`, where each entry
    of b is 1 with probability :math:`\beta`, else 0. Sharpness-sensitive selection: the second pass takes the share
    :math:`\gamma` of the trials whose loss the ascent raises most; who calls `step` asks `select` for them.

    Args:
        base: Any torch optimiser.
        rho: Length of the ascent before weights are left out.
        beta: Share of the weights that move; 1 moves all.
        gamma: Share of the trials in the second pass; 1 takes all.
        network: As for `SAM`.
        masks: As for `SAM`.

    Raises:
        UsageError: If rho is negative, or beta or gamma is not above 0 and at most 1.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> sam = ESAM(torch.optim.SGD([w], lr=0.1), rho=1.0, beta=1.0)
        >>> sam.select(torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([1.5, 3.0, 0.9, 2.0])).tolist()
        [1, 3]
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rho: float = 0.05,
        beta: float = 0.6,
        gamma: float = 0.5,
        network: nn.Module | None = None,
        masks: str = "same",
    ) -> None:
        super().__init__(base, rho=rho, network=network, masks=masks)
        for name, value in (("beta", beta), ("gamma", gamma)):
            if not 0 < value <= 1:
                raise UsageError(f"{name} is {value}; it must be above 0 and at most 1")
        self.beta = beta
        self.gamma = gamma
        self._count = 0

    def select(self, before: Tensor, after: Tensor) -> Tensor:
        """Return the trials of the second pass: those whose loss rose most.

        Args:
            before: Losses at the weights, shape (B,).
            after: Losses at the perturbed weights, shape (B,).

        Returns:
            Indices in their own order, at least one where there is a trial; of equal rises the earlier trials.
        """
        count = min(max(int(self.gamma * len(before)), 1), len(before))
        rises = torch.argsort(after - before, descending=True, stable=True)
        return rises[:count].sort().values

    def _ascent(self, gradients: list[Tensor | None]) -> list[Tensor | None]:
        # Of a generator of its own: every process moves the same weights, and a resumed run too.
        draws = torch.Generator().manual_seed(self._count)
        self._count += 1
        factor = self.rho / norm(gradients) / self.beta
        return [None if g is None else g * factor * self._moved(g, draws) for g in gradients]

    def _moved(self, like: Tensor, draws: torch.Generator) -> Tensor:
        if self.beta == 1:
            return torch.ones((), dtype=like.dtype, device=like.device)
        return (torch.rand(like.shape, generator=draws) < self.beta).to(like.device, like.dtype)

    def _own_state(self) -> dict[str, Any]:
        return {"count": self._count}

    def _load_own_state(self, state: dict[str, Any]) -> None:
        self._count = state["count"]
