"""What the tests of the trainer share: sounds of several lengths and rates, and recipes for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sharpscope.training.recipe import Recipe

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
         "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}  # fmt: skip


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A protocol of 16 sounds, shorter and longer than a trial, a third of them at 22,050 Hz."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    lines = ["file,label"]
    for index in range(16):
        time = np.arange(5000 + 900 * index) / 16_000
        noise = rng.standard_normal(len(time))
        wave = (
            0.2 * np.sin(2 * np.pi * (200 + 40 * index) * time) + 0.05 * noise if index % 2 else 0.2 * noise
        )
        soundfile.write(folder / f"{index}.wav", wave, 16_000 if index % 3 else 22_050)
        lines.append(f"{index}.wav,{'bonafide' if index % 2 else 'spoof'}")
    path = folder / "sounds.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def recipe_for(sounds: Path) -> Callable[..., dict[str, Any]]:
    """Make the sections of a recipe for the sounds, with changes as ``section__key``."""

    def made(**changes: Any) -> dict[str, Any]:
        sections: dict[str, Any] = {
            "data": {"train": [f"sounds={sounds}"], "dev": [f"held={sounds}"], "samples": 6000},
            "model": {"arch": "tiny", "args": {"width": 4, "depth": 2, "bands": 8}},
            "optimizer": {"lr": 0.01},
            "schedule": {"epochs": 2, "batch_size": 6},
        }
        for name, value in changes.items():
            section, _, key = name.partition("__")
            sections.setdefault(section, {})[key] = value
        Recipe(sections)
        return sections

    return made
