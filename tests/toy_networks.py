"""Small networks with what breaks published tools: unused, frozen and tied parameters, recurrence, attention."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.measures.group import Group
from sharpscope.measures.objectives import OBJECTIVES, Objective, get_objective
from sharpscope.measures.parameters import LiveParameters

SAMPLES = 6


class Perceptron(nn.Module):
    """Three layers; `spare` is never used, `fixed` is frozen, one weight is exactly zero."""

    def __init__(self, activation: type[nn.Module] = nn.Tanh, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(SAMPLES, 5)
        self.second = nn.Linear(5, 4)
        self.spare = nn.Linear(4, 4)
        self.fixed = nn.Parameter(torch.randn(4), requires_grad=False)
        self.out = nn.Linear(4, 2)
        self.activation = activation()
        with torch.no_grad():
            self.first.weight[0, 0] = 0.0

    def forward(self, waves: Tensor) -> Tensor:
        hidden = self.activation(self.first(waves))
        logits: Tensor = self.out(self.activation(self.second(hidden) + 0.1 * self.fixed))
        return logits


class Tied(nn.Module):
    """One matrix under two names."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Linear(SAMPLES, SAMPLES)
        self.second = nn.Linear(SAMPLES, SAMPLES)
        self.second.weight = self.first.weight
        self.out = nn.Linear(SAMPLES, 2)

    def forward(self, waves: Tensor) -> Tensor:
        logits: Tensor = self.out(torch.tanh(self.second(torch.tanh(self.first(waves)))))
        return logits


class Recurrent(nn.Module):
    """A GRU or an LSTM over the samples."""

    def __init__(self, kind: type[nn.GRU] | type[nn.LSTM] = nn.GRU) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.cell = kind(1, 3, batch_first=True)
        self.out = nn.Linear(3, 2)

    def forward(self, waves: Tensor) -> Tensor:
        logits: Tensor = self.out(self.cell(waves.unsqueeze(2))[0][:, -1])
        return logits


class Attention(nn.Module):
    """A transformer layer, whose attention has no double backward in its fast kernels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed = nn.Linear(1, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, waves: Tensor) -> Tensor:
        logits: Tensor = self.out(self.layer(self.embed(waves.unsqueeze(2))).mean(dim=1))
        return logits


class Formula(nn.Module):
    """A "detector" whose bona fide logit is a function of the weights alone, the same for every trial."""

    def __init__(self, start: Sequence[float], curvature: Tensor | None = None, slope: Any = None) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        self.curvature = torch.eye(len(start), dtype=torch.float64) if curvature is None else curvature
        self.slope = torch.zeros(len(start), dtype=torch.float64) if slope is None else torch.tensor(slope)

    def forward(self, waves: Tensor) -> Tensor:
        value = 0.5 * self.w @ self.curvature @ self.w + self.slope.double() @ self.w
        return torch.stack([value * 0, value]).expand(len(waves), 2)


def quadratic_objective(monkeypatch: Any) -> None:
    """Register "quadratic": the loss is the bona fide logit itself."""
    objective = Objective(lambda logits, labels: logits[:, 1].double(), "given", False, "for tests")
    monkeypatch.setitem(OBJECTIVES, "quadratic", objective)


def trials(m: int = 6, seed: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Waves, labels and class-balanced weights, in float64."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.randn(m, SAMPLES, generator=generator, dtype=torch.float64)
    labels = torch.arange(m) % 3 % 2  # one in three is bona fide
    counts = torch.bincount(labels, minlength=2).double()
    weights = 1 / counts[labels]
    return waves, labels, weights / weights.sum()


def make_group(network: nn.Module, *, batch_size: int = 4, m: int = 6, **options: Any) -> Group:
    """A group of the network's own precision, with the gradients of every objective asked for."""
    dtype = next(network.parameters()).dtype
    waves, labels, weights = trials(m)
    waves = waves.to(dtype)
    network.eval()
    objectives = options.pop("objectives", ("label",))
    loss = get_objective(objectives[0] if objectives else "label").loss
    live = LiveParameters(network, lambda: loss(network(waves), labels).sum())
    return Group(
        network, live, waves, labels, weights, batch_size=batch_size, objectives=objectives, **options
    )
