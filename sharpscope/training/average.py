"""Dense averaging of weights over the last part of a run, after SWAD (Cha et al., 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


class DenseAverage:
    r"""The mean of a network's weights over steps, :math:`\bar w_t = \bar w_{t-1} + (w_t - \bar w_{t-1}) / t`.

    SWAD averages after every step, not every epoch, and finds its window by the dev loss; here the window starts
    at a given epoch and lasts to the end of the run.

    Args:
        network: What is trained.

    Attributes:
        count: Steps in the mean.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = DenseAverage(network)
        >>> for value in (1.0, 2.0, 6.0):
        ...     _ = nn.init.constant_(network.weight, value)
        ...     average.update()
        >>> average.into(network)
        >>> network.weight.item()
        3.0
    """

    def __init__(self, network: nn.Module) -> None:
        self._parameters = [p for p in network.parameters() if p.requires_grad]
        self.mean = [torch.zeros_like(p) for p in self._parameters]
        self.count = 0

    @torch.no_grad()
    def update(self) -> None:
        """Count the weights as they are now."""
        self.count += 1
        for mean, p in zip(self.mean, self._parameters, strict=True):
            mean.add_((p - mean) / self.count)

    @torch.no_grad()
    def into(self, network: nn.Module) -> None:
        """Give a network the mean.

        Args:
            network: The one that was averaged.
        """
        for mean, p in zip(self.mean, self._parameters, strict=True):
            p.copy_(mean)

    @torch.no_grad()
    def refresh_statistics(
        self, network: nn.Module, passes: Callable[[], Iterator[Callable[[], Any]]]
    ) -> None:
        """Estimate running means and variances anew: those of single steps do not fit the mean of the weights.

        Args:
            network: With the mean of its weights.
            passes: Yields forwards over the training data.
        """
        layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if not layers:
            return
        kept = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
        network.train()
        for run in passes():
            run()
        for layer, momentum in zip(layers, kept, strict=True):
            layer.momentum = momentum
        network.eval()

    def state_dict(self) -> dict[str, Any]:
        """Return mean and count."""
        return {"mean": self.mean, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Args:
            state: The state.
        """
        mean: list[Tensor] = state["mean"]
        self.mean = [tensor.clone() for tensor in mean]
        self.count = state["count"]
