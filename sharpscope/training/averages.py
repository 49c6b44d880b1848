"""Means of weights over a run: every step (SWAD, with or without its search), exponential, or the last epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """What the means share: the parameters, giving them to a network, and statistics that fit them.

    Args:
        network: What is trained.

    Attributes:
        mean: One tensor per parameter.
        count: Weights in the mean.
    """

    def __init__(self, network: nn.Module) -> None:
        self._parameters = [p for p in network.parameters() if p.requires_grad]
        self.mean = [torch.zeros_like(p) for p in self._parameters]
        self.count = 0

    def update(self) -> None:
        """Count the weights as they are after a step."""

    def end_of_epoch(self, dev_loss: float) -> None:
        """Count an epoch.

        Args:
            dev_loss: After it; NaN without dev sets.
        """

    @property
    def note(self) -> str:
        """What is in the mean, in words."""
        return f"{self.count} steps"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to average yet."""
        return not self.count

    def _result(self) -> list[Tensor]:
        return self.mean

    @torch.no_grad()
    def into(self, network: nn.Module) -> None:
        """Give a network the mean.

        Args:
            network: The one that was averaged.
        """
        for mean, p in zip(self._result(), self._parameters, strict=True):
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
        """Return mean and count.

        Returns:
            Tensors and plain values.
        """
        return {"mean": self.mean, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Args:
            state: The state.
        """
        mean: list[Tensor] = state["mean"]
        self.mean = [tensor.clone() for tensor in mean]
        self.count = state["count"]


class DenseAverage(Average):
    r"""The mean of a network's weights over steps, :math:`\bar w_t = \bar w_{t-1} + (w_t - \bar w_{t-1}) / t`.

    SWAD (Cha et al., 2021) averages like this, after every step; here the window starts at a given epoch and lasts to
    the end of the run. `Swad` searches for it.

    Args:
        network: What is trained.

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

    @torch.no_grad()
    def update(self) -> None:
        """Count the weights as they are now."""
        self.count += 1
        for mean, p in zip(self.mean, self._parameters, strict=True):
            mean.add_((p - mean) / self.count)


class ExponentialAverage(Average):
    r"""Exponentially weighted mean over steps, :math:`\bar w_t = d\, \bar w_{t-1} + (1 - d)\, w_t`, from :math:`w_1`.

    Polyak and Juditsky (1992) average evenly; the exponential weights are those of Tarvainen and Valpola (2017).

    Args:
        network: What is trained.
        decay: d.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = ExponentialAverage(network, 0.5)
        >>> for value in (1.0, 2.0, 6.0):
        ...     _ = nn.init.constant_(network.weight, value)
        ...     average.update()
        >>> average.mean[0].item()  # 1/4 of the first, 1/4 of the second, 1/2 of the last
        3.75
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self.decay = decay

    @torch.no_grad()
    def update(self) -> None:
        """Count the weights as they are now."""
        self.count += 1
        share = 1.0 if self.count == 1 else 1 - self.decay
        for mean, p in zip(self.mean, self._parameters, strict=True):
            mean.add_((p - mean) * share)


class LatestAverage(Average):
    """The mean of the weights at the ends of the last epochs: LAWA (Kaddour, 2022).

    Args:
        network: What is trained.
        last: Epochs in the mean.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = LatestAverage(network, 2)
        >>> for value in (1.0, 2.0, 6.0):
        ...     _ = nn.init.constant_(network.weight, value)
        ...     average.end_of_epoch(0.5)
        >>> average.into(network)
        >>> network.weight.item()
        4.0
    """

    def __init__(self, network: nn.Module, last: int) -> None:
        super().__init__(network)
        self.last = last
        self._kept: list[list[Tensor]] = []

    @property
    def note(self) -> str:
        """What is in the mean, in words."""
        return f"the ends of {self.count} epochs"

    def end_of_epoch(self, dev_loss: float) -> None:
        """Keep the weights as they are now, and forget the oldest.

        Args:
            dev_loss: Not used.
        """
        self._kept = [*self._kept, [p.detach().clone() for p in self._parameters]][-self.last :]
        self.count = len(self._kept)

    def _result(self) -> list[Tensor]:
        return [torch.stack(tensors).mean(dim=0) for tensors in zip(*self._kept, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept.

        Returns:
            Tensors and plain values.
        """
        return {**super().state_dict(), "kept": self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Args:
            state: The state.
        """
        super().load_state_dict(state)
        self._kept = state["kept"]


def loss_valley(losses: Sequence[float], start: int, end: int, bound: float) -> tuple[int, int] | None:
    r"""Return the first and the last epoch of SWAD's window (Cha et al., 2021, algorithm 1), by looking at all losses.

    The window begins at the first epoch whose dev loss is the lowest of ``start`` in a row; it ends before ``end``
    losses in a row above :math:`r` times the mean of those ``start``, or with the run.

    Args:
        losses: Dev loss by epoch.
        start: Losses that begin it.
        end: Losses that end it.
        bound: r.

    Returns:
        Two epochs, counted from 0; None where no loss is the lowest of ``start``.

    Example:
        >>> loss_valley([9, 5, 3, 4, 4, 3, 8, 9, 2], start=3, end=2, bound=1.3)
        (2, 5)
    """
    first, limit = -1, 0.0
    for at in range(len(losses)):
        if first < 0:
            part = losses[max(at - start + 1, 0) : at + 1]
            if len(part) == start and part[0] == min(part):
                first, limit = at - start + 1, bound * sum(part) / start
        elif all(loss > limit for loss in losses[max(at - end + 1, 0) : at + 1]):
            return first, at - end
    return (first, len(losses) - 1) if first >= 0 else None


class Swad(Average):
    """The mean over every step of the window that SWAD finds by the dev loss, as the run goes on: see `loss_valley`.

    Epochs are kept as one mean each until it is known whether they are in the window, so memory holds as many copies
    of the weights as the larger of ``start`` and ``end``.

    Args:
        network: What is trained.
        start: Losses that begin the window.
        end: Losses that end it.
        bound: Over the mean loss at its beginning.
    """

    def __init__(self, network: nn.Module, start: int = 3, end: int = 6, bound: float = 1.3) -> None:
        super().__init__(network)
        self.start, self.end, self.bound = start, end, bound
        self._epoch = DenseAverage(network)
        self._waiting: list[tuple[list[Tensor], int, float]] = []
        self.limit: float | None = None
        self.closed = False

    @property
    def note(self) -> str:
        """What is in the mean, in words."""
        if self.limit is None:
            return f"no valley of the dev loss: the steps of the last {len(self._waiting)} epochs"
        return (
            f"{self.count + sum(count for _, count, _ in self._waiting)} steps in the valley of the dev loss"
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to average yet."""
        return not self.count and not self._waiting

    def update(self) -> None:
        """Count the weights as they are now."""
        if not self.closed:
            self._epoch.update()

    def end_of_epoch(self, dev_loss: float) -> None:
        """Decide which epochs are in the window now that one more loss is known.

        Args:
            dev_loss: After it.
        """
        if self.closed:
            return
        self._waiting.append((self._epoch.mean, self._epoch.count, dev_loss))
        self._epoch.mean, self._epoch.count = [torch.zeros_like(p) for p in self._parameters], 0
        if self.limit is not None:
            self._go_on(self.limit)
            return
        self._waiting = self._waiting[-self.start :]
        losses = [loss for *_, loss in self._waiting]
        if len(losses) == self.start and losses[0] == min(losses):
            self.limit = self.bound * sum(losses) / self.start

    def _go_on(self, limit: float) -> None:
        """Close the window before too many losses above the bound, or take in what can no longer be left out."""
        last = self._waiting[-self.end :]
        self.closed = len(last) == self.end and all(loss > limit for *_, loss in last)
        kept = self.end if self.closed else self.end - 1
        settled = max(len(self._waiting) - kept, 0)
        for mean, count, _ in self._waiting[:settled]:
            self._take(mean, count)
        self._waiting = [] if self.closed else self._waiting[settled:]

    def _take(self, mean: list[Tensor], count: int) -> None:
        self.count, self.mean = _joined(self.mean, self.count, mean, count)

    def _result(self) -> list[Tensor]:
        mean, total = self.mean, self.count
        for part, count, _ in self._waiting:
            total, mean = _joined(mean, total, part, count)
        return mean

    def state_dict(self) -> dict[str, Any]:
        """Return the mean, the epochs that wait and the one that is going on.

        Returns:
            Tensors and plain values.
        """
        own = {"waiting": self._waiting, "limit": self.limit, "closed": self.closed}
        return {**super().state_dict(), **own, "epoch": self._epoch.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Args:
            state: The state.
        """
        super().load_state_dict(state)
        self._waiting, self.limit, self.closed = state["waiting"], state["limit"], state["closed"]
        self._epoch.load_state_dict(state["epoch"])


def _joined(one: list[Tensor], n: int, other: list[Tensor], m: int) -> tuple[int, list[Tensor]]:
    """Return the mean over n weights and m more."""
    total = n + m
    if not total:
        return 0, one
    return total, [a + (b - a) * (m / total) for a, b in zip(one, other, strict=True)]


def make_average(schedule: dict[str, Any], network: nn.Module) -> Average | None:
    """Build the mean that a recipe asks for.

    Args:
        schedule: The section ``[schedule]``.
        network: What is trained.

    Returns:
        The mean; None where nothing is averaged.
    """
    if schedule["average_from"] < 0:
        return None
    if schedule["average"] == "ewa":
        return ExponentialAverage(network, schedule["average_decay"])
    if schedule["average"] == "lawa":
        return LatestAverage(network, schedule["average_last"])
    if schedule["average"] == "swad":
        return Swad(network, schedule["swad_start"], schedule["swad_end"], schedule["swad_bound"])
    return DenseAverage(network)
