"""One network and one batch in memory, as a group whose sharpness and curvature can be asked for in a few lines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.parameters import LiveParameters


def group_of(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    batch_size: int | None = None,
    weights: Tensor | None = None,
    seed: int = 0,
) -> Group:
    """Return a batch as a group: every measure of this package is a function of it.

    Args:
        network: In eval mode; takes what ``inputs`` holds and returns logits (B, 2), columns spoof and bona fide.
        inputs: Shape (m, ...), the trials that share a perturbation.
        labels: Shape (m,), 1 = bona fide, 0 = spoof.
        batch_size: Trials that go through the network at once; None takes all.
        weights: Shape (m,), sum 1: the share of each trial in the group's loss; None takes the mean.
        seed: Of random directions.

    Returns:
        The group, its gradient taken.

    Raises:
        UsageError: If the network is in train mode, or inputs and labels differ in number.
        SharpscopeError: If no parameter is live, or a logit is not finite.

    Example:
        A linear network whose loss is log(1 + exp(-w)) at w = 0: its gradient is -1/2, and so is its slope.

        >>> import math
        >>> from sharpscope.measures import MEASURES
        >>> class Line(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.w = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        ...     def forward(self, x):
        ...         return torch.stack([torch.zeros_like(x[:, 0]), self.w * x[:, 0]], dim=1)
        >>> group = group_of(Line().eval(), torch.ones(2, 1, dtype=torch.float64), torch.tensor([1, 1]))
        >>> MEASURES["grad_norm"].function(group, ())[None]
        0.5
        >>> rise = MEASURES["sam"].function(group, [0.1])[0.1]
        >>> round(rise, 6) == round(math.log(1 + math.exp(0.1)) - math.log(2), 6)
        True
    """
    if network.training:
        raise UsageError(
            "the network is in train mode, where dropout and batch norm change the loss; call eval() first"
        )
    if len(inputs) != len(labels):
        raise UsageError(f"{len(inputs)} inputs and {len(labels)} labels were given; each trial needs one")
    live = LiveParameters(network, lambda: cross_entropy(network(inputs[:1]), labels[:1]).sum())
    live.found = []
    if weights is None:
        weights = torch.full((len(labels),), 1 / len(labels), dtype=torch.float64, device=inputs.device)
    return Group(
        network,
        live,
        inputs,
        labels,
        weights,
        batch_size=batch_size or len(inputs),
        objectives=("label", "matched", "predicted", "entropy"),
        seed=seed,
    )
