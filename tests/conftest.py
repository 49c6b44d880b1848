"""Material that several tests share: a small detector of the user's own, and a small set of sounds."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import settings

# A landing must not depend on the examples of the day; at one's desk they go on being drawn anew.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# Last digits hang on the number of threads; here and in the processes that tests start it is one, whoever calls pytest.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

MODEL = '''
import torch
from torch import nn


class Tiny(nn.Module):
    """Two convolutions and a linear layer; `spare` is never used, as in published detectors."""

    def __init__(self, width: int = 4, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv1d(1, width, 33, stride=16)
        self.norm = nn.BatchNorm1d(width)
        self.second = nn.Conv1d(width, width, 9, stride=4)
        self.spare = nn.Linear(width, width)
        self.out = nn.Linear(width, 2)

    def forward(self, waves):
        hidden = torch.tanh(self.norm(self.first(waves.unsqueeze(1))))
        return self.out(torch.relu(self.second(hidden)).mean(dim=2))
'''


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python file with a detector class, as a user would have it."""
    path = tmp_path_factory.mktemp("model") / "my_model.py"
    path.write_text(MODEL)
    return path


@pytest.fixture(scope="session")
def tone_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A protocol of 14 tones (bona fide) and 12 noises (spoof), half a second each, two speakers a class."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    lines = ["file,label,attack,speaker"]
    for index in range(26):
        tone = index % 2 == 0 or index > 23
        time = np.arange(8000) / 16_000
        wave = (
            0.2 * np.sin(2 * np.pi * rng.uniform(150, 900) * time)
            if tone
            else 0.1 * rng.standard_normal(8000)
        )
        wave = wave + 0.03 * rng.standard_normal(8000)
        soundfile.write(folder / f"t{index}.wav", wave, 16_000)
        label, attack = ("bonafide", "-") if tone else ("spoof", f"A{index % 3}")
        lines.append(f"t{index}.wav,{label},{attack},{label[0]}{index % 4}")
    path = folder / "tones.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
