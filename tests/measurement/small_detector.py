"""A detector of a few weights and noise for it, which the tests of plans and devices share."""

import numpy as np
import torch
from torch import Tensor, nn

SAMPLES = 400


class Small(nn.Module):
    """A filter, its mean, a linear layer."""

    def __init__(self, seed: int = 0, width: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(1, width, 16, 8)
        self.out = nn.Linear(width, 2)

    def forward(self, waves: Tensor) -> Tensor:
        logits: Tensor = self.out(torch.tanh(self.conv(waves.unsqueeze(1))).mean(dim=2))
        return logits


def noise(n: int = 40, samples: int = SAMPLES) -> tuple[np.ndarray, list[int]]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, samples)).astype(np.float32), [1, 0] * (n // 2)
