"""A short plain loop that trains the demo's tiny detectors, with Adam or with SAM around it."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import sharpscope
from sharpscope.audio import fit_length, read_audio
from sharpscope.checkpoints import write_checkpoint
from sharpscope.detectors.tiny import Frontend, Tiny
from sharpscope.training import SAM

SAMPLES = 32_000
BANDS = 80
FRAMES = 90
EPOCHS = 20
BATCH = 28
RATE = 5e-3


class Recipe(NamedTuple):
    """One detector of the demo's population.

    Attributes:
        arch: Architecture.
        width: Its channels.
        rho: SAM's radius; 0 is Adam alone.
        seed: Of weights, order and crops.
    """

    arch: str
    width: int
    rho: float
    seed: int

    @property
    def recipe(self) -> str:
        """How it is trained, for the results table."""
        return f"sam{self.rho:g}" if self.rho else "adam"

    @property
    def name(self) -> str:
        """Stem of its file."""
        return f"{self.arch}{self.width}-{self.recipe}-{self.seed}"


POPULATION = [
    Recipe("tiny", width, rho, seed) for width in (8, 16) for rho in (0.0, 0.02, 0.05) for seed in (0, 1)
]


@lru_cache(maxsize=1)
def load_features(protocol: Path) -> tuple[Tensor, Tensor]:
    """Read a set into memory as the features of the front-end, which has no weights to train.

    Args:
        protocol: Its CSV.

    Returns:
        Features of shape (n, bands, frames) and labels (n,), 1 = bona fide.
    """
    table = pd.read_csv(protocol)
    waves = [fit_length(read_audio(protocol.parent / name, 16_000), SAMPLES) for name in table["file"]]
    labels = (table["label"] == "bonafide").to_numpy().astype(np.int64)
    with torch.no_grad():
        features: Tensor = Frontend(BANDS)(torch.from_numpy(np.stack(waves)))
    return features, torch.from_numpy(labels)


def train_one(recipe: Recipe, protocol: Path, path: Path, seed: int = 0) -> float:
    """Train one detector in a process of its own and write it with its record.

    Args:
        recipe: What to train.
        protocol: The training set.
        path: The checkpoint to write.
        seed: Of the whole demo, beside the recipe's own.

    Returns:
        Mean loss of the last epoch.
    """
    # Two processes on two cores: threads of one would only wait for the other's.
    torch.set_num_threads(1)
    features, labels = load_features(protocol)
    own_seed = 1000 * seed + recipe.seed
    torch.manual_seed(own_seed)
    arguments = {"width": recipe.width, "bands": BANDS}
    network = Tiny(width=recipe.width, bands=BANDS)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    steps = EPOCHS * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    sam = SAM(optimizer, rho=recipe.rho, network=network)
    generator = torch.Generator().manual_seed(own_seed)
    loss = 0.0
    for _ in range(EPOCHS):
        order = torch.randperm(len(labels), generator=generator)
        losses = []
        for batch in order[: len(order) // BATCH * BATCH].view(-1, BATCH):
            start = int(torch.randint(features.shape[2] - FRAMES, (1,), generator=generator))
            part = features[batch, :, start : start + FRAMES]  # (B, bands, FRAMES)
            losses.append(float(sam.step(partial(_loss, network, part, labels[batch]))))
            schedule.step()
        loss = float(np.mean(losses))
    record = {
        "arch": recipe.arch,
        "arch_args": arguments,
        "recipe": recipe.recipe,
        "seed": own_seed,
        "trained_on": [f"train={protocol.resolve()}"],
        "in_domain": ["seen"],
        "selected_on": [],
        "optimizer": {"base": "adamw", "rho": recipe.rho, "lr": RATE, "epochs": EPOCHS, "batch": BATCH},
        "version": sharpscope.__version__,
    }
    write_checkpoint(path, network.state_dict(), record)
    return loss


def _loss(network: Tiny, features: Tensor, labels: Tensor) -> Tensor:
    loss = cross_entropy(network.from_features(features), labels)
    torch.autograd.backward(loss)
    return loss.detach()
