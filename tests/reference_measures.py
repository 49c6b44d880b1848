"""Slow independent implementations of the measures, in float64: one flat vector of weights, dense derivatives.

Nothing here is shared with the package: the loss is torch's own cross-entropy on a functional call, gradients are
taken by torch.func, Hessians densely.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn.attention import SDPBackend, sdpa_kernel


class Surface:
    """Per-trial losses of a network as a function of one flat vector of the named parameters."""

    def __init__(
        self, network: nn.Module, names: list[str], waves: Tensor, labels: Tensor, weights: Tensor
    ) -> None:
        self.network, self.names, self.waves, self.labels = network, names, waves, labels
        self.weights = weights
        known = dict(network.named_parameters())
        self.shapes = [known[name].shape for name in names]
        self.w = torch.cat([known[name].detach().reshape(-1) for name in names])
        self.temperature = 1.0

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        return {
            name: piece.view(shape)
            for name, shape, piece in zip(self.names, self.shapes, flat.split(sizes), strict=True)
        }

    def join(self, tensors: list[Tensor]) -> Tensor:
        return torch.cat([tensor.reshape(-1) for tensor in tensors])

    def logits(self, flat: Tensor) -> Tensor:
        out: Tensor = functional_call(self.network, self.split(flat), (self.waves,))
        return out

    def trial_losses(self, flat: Tensor) -> Tensor:
        return nn.functional.cross_entropy(
            self.logits(flat) / self.temperature, self.labels, reduction="none"
        )

    def loss(self, flat: Tensor) -> Tensor:
        return (self.trial_losses(flat) * self.weights).sum()

    def gradient(self, flat: Tensor | None = None) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            out: Tensor = grad(self.loss)(self.w if flat is None else flat)
        return out

    def trial_gradients(self) -> Tensor:
        rows = [grad(lambda w, i=i: self.trial_losses(w)[i])(self.w) for i in range(len(self.labels))]
        return torch.stack(rows)  # (m, d)

    def hessian(self) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            gradient = grad(self.loss)
            rows = [grad(lambda w, i=i: gradient(w)[i])(self.w) for i in range(len(self.w))]
        return torch.stack(rows)  # (d, d)

    def rise(self, step: Tensor) -> float:
        with torch.no_grad():
            return float(self.loss(self.w + step) - self.loss(self.w))

    def filter_norms(self) -> Tensor:
        scales = []
        for weight in self.split(self.w).values():
            if weight.dim() == 1:
                scales.append(weight.abs())
            else:
                rows = [row.norm().expand(row.numel()) for row in weight.reshape(len(weight), -1)]
                scales.append(torch.cat(rows))
        return self.join(scales)


def one_step(surface: Surface, rho: float, *, norm: str = "l2", scale: Tensor | None = None) -> float:
    """The rise after one step of steepest ascent in the neighbourhood ||T^-1 e||_p <= rho."""
    t = torch.ones_like(surface.w) if scale is None else scale
    g = surface.gradient()
    step = rho * t**2 * g / (t * g).norm() if norm == "l2" else rho * t * g.sign()
    return surface.rise(step)


FIRST_ORDER: dict[str, Callable[[Surface, float], float]] = {
    "sam": one_step,
    "asam": lambda s, rho: one_step(s, rho, scale=s.w.abs()),
    "asam_eta": lambda s, rho: one_step(s, rho, scale=s.w.abs() + 0.01),
    "asam_filterwise": lambda s, rho: one_step(s, rho, scale=s.filter_norms()),
    "sam_linf": lambda s, rho: one_step(s, rho, norm="linf"),
    "asam_linf": lambda s, rho: one_step(s, rho, norm="linf", scale=s.w.abs()),
    "keskar": lambda s, rho: (
        100 * one_step(s, rho, norm="linf", scale=s.w.abs() + 1) / (1 + float(s.loss(s.w)))
    ),
    "sam_relative": lambda s, rho: one_step(s, rho) / float(s.loss(s.w)),
    "asam_relative": lambda s, rho: one_step(s, rho, scale=s.w.abs()) / float(s.loss(s.w)),
}
