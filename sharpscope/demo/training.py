"""The demo's population: three small architectures, AdamW and SAM around it, trained by the trainer that users have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sharpscope.training.recipe import Recipe

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "tiny": {"width": 12, "bands": 60},
    "tiny-gru": {"width": 12, "bands": 60},
    "tiny-attention": {"width": 12, "bands": 60, "model": 32},
}
METHODS = ("adamw", "sam")
RHO = 0.02
# A learning rate for each seed: detectors that differ in chance alone would give sharpness nothing to tell.
RATES = (1e-3, 4e-3)
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
    for arch, arguments in ARCHITECTURES.items():
        for method in METHODS:
            for number, rate in enumerate(RATES):
                base = Recipe(
                    {
                        "seed": 1000 * seed + number,
                        "data": {
                            "train": [f"train={corpus.resolve() / 'train.csv'}"],
                            "dev": [f"dev={corpus.resolve() / 'dev.csv'}"],
                            "in_domain": ["seen"],
                            "samples": 16_000,
                        },
                        "model": {"arch": arch, "args": arguments},
                        "optimizer": {"base": "adamw", "lr": rate, "rho": RHO, "weight_decay": 1e-2},
                        "schedule": {"epochs": EPOCHS, "batch_size": 32, "warmup": 25},
                        "run": {"device": "cpu"},
                    }
                )
                recipe = base.with_values({"optimizer": method})
                found[f"{arch}-{recipe.title}-{recipe.seed}"] = recipe
    return found
