"""The demo's population: two small architectures, AdamW and SAM around it, trained by the trainer that users have."""

from __future__ import annotations

from pathlib import Path

from sharpscope.training.recipe import Recipe
from sharpscope.training.train import grid

ARCHITECTURES = ("tiny", "tiny-gru")
RADII = (0.02, 0.05)
SEEDS = 2
EPOCHS = 12


def population(corpus: Path, seed: int = 0) -> dict[str, Recipe]:
    """Return the recipes of the demo's detectors.

    Args:
        corpus: Folder of the protocols ``train.csv`` and ``dev.csv``.
        seed: Of the whole demo; detectors of different demos have different seeds.

    Returns:
        Recipes by name: architecture, recipe, seed.

    Example:
        >>> list(population(Path("corpus")))[:3]
        ['tiny-adamw-0', 'tiny-adamw-1', 'tiny-sam0.02-0']
    """
    found = {}
    for arch in ARCHITECTURES:
        base = Recipe(
            {
                "seed": 1000 * seed,
                "data": {
                    "train": [f"train={corpus.resolve() / 'train.csv'}"],
                    "dev": [f"dev={corpus.resolve() / 'dev.csv'}"],
                    "in_domain": ["seen"],
                },
                "model": {"arch": arch, "args": {"width": 12, "bands": 80}},
                "optimizer": {"base": "adamw", "lr": 5e-3, "weight_decay": 1e-2},
                "schedule": {"epochs": EPOCHS, "batch_size": 28},
                "run": {"device": "cpu"},
            }
        )
        for recipe in grid(base, {"optimizer": ["adamw", "sam"], "rho": RADII}, SEEDS).values():
            found[f"{arch}-{recipe.title}-{recipe.seed}"] = recipe
    return found
