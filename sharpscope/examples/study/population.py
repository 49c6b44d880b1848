"""The detectors of the study: architectures x training methods x settings."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from corpus import IN_DOMAIN

from sharpscope.training.recipe import Recipe

# 30,000 to 46,000 parameters each.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "tiny": {"width": 32, "depth": 4, "bands": 60},
    "tiny-gru": {"width": 24, "bands": 60},
    "tiny-attention": {"width": 24, "bands": 60, "model": 64},
}
EPOCHS = 10
BASELINE = "adamw"
# What each method changes in the recipe of AdamW.
METHODS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "sam0.02": {"optimizer.method": "sam", "optimizer.rho": 0.02},
    "sam0.05": {"optimizer.method": "sam", "optimizer.rho": 0.05},
    "asam0.05": {"optimizer.method": "asam", "optimizer.rho": 0.05},
    "gsam0.02": {"optimizer.method": "gsam", "optimizer.rho": 0.02},
    "friendly-sam0.02": {"optimizer.method": "friendly-sam", "optimizer.rho": 0.02},
    "esam0.02": {"optimizer.method": "esam", "optimizer.rho": 0.02},
    # A direction used for five steps, the default, is mostly noise on batches of 32 trials: 11 of 12 runs failed.
    "looksam0.02": {"optimizer.method": "looksam", "optimizer.rho": 0.02, "optimizer.k": 2},
    "lawa": {"schedule.average": "lawa", "schedule.average_from": 0, "schedule.average_last": 4},
    "ewa": {"schedule.average": "ewa", "schedule.average_from": 0},
    "swad": {"schedule.average": "swad", "schedule.average_from": 0},
}
# Those that a study of an hour has room for.
CORE = (BASELINE, "sam0.02", "sam0.05", "asam0.05", "lawa", "swad")
PLAIN: dict[str, Any] = {}
AUGMENTED = {"augment.noise": 0.3, "augment.room": 0.3}
# Learning rates apart: detectors that differ little leave nothing to correlate but noise.
# Each setting has a seed of its own, so that detectors of one architecture and seed differ in the method alone.
SETTINGS: dict[int, dict[str, Any]] = {
    0: {"optimizer.lr": 5e-4, **PLAIN},
    1: {"optimizer.lr": 5e-4, **AUGMENTED},
    2: {"optimizer.lr": 3e-3, **PLAIN},
    3: {"optimizer.lr": 3e-3, **AUGMENTED},
}


def recipes(corpus: Path, methods: Collection[str] = tuple(METHODS)) -> dict[str, Recipe]:
    """Return the recipes of some methods by the names of their runs."""
    found = {}
    for arch, arguments in ARCHITECTURES.items():
        for method in methods:
            for seed, setting in SETTINGS.items():
                base = Recipe(
                    {
                        "name": method,
                        "seed": seed,
                        "data": {
                            "train": [f"train={corpus.resolve() / 'train.csv'}"],
                            "dev": [f"dev={corpus.resolve() / 'dev.csv'}"],
                            "in_domain": [IN_DOMAIN],
                            "samples": 16_000,
                        },
                        "model": {"arch": arch, "args": arguments},
                        "optimizer": {"base": "adamw", "weight_decay": 1e-2},
                        "schedule": {"epochs": EPOCHS, "batch_size": 32, "warmup": 56},
                        "run": {"device": "cpu"},
                    }
                )
                found[f"{arch}-{method}-{seed}"] = base.with_values({**METHODS[method], **setting})
    return found


def checkpoint_of(run: Path) -> Path:
    """Return the weights that a run is judged by: its mean where it averaged, else its best epoch."""
    averaged = run / "averaged.pt"
    return averaged if averaged.is_file() else run / "best.pt"
