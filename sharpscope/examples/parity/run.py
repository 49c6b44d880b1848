"""Hold sharpscope against the script of Huang et al. (2025), run as published, on your own checkpoint and trials.

    sharpscope examples parity
    python parity/run.py AASIST-L.pth trials.csv --script SAM-AntiSpoofing --m 8

SAM-AntiSpoofing is a clone of nii-yamagishilab/SAM-AntiSpoofing on GitHub; trials.csv has the columns file and label.
The script's function is called as it stands; its loader, which wants a GPU and the corpora of the paper, is written
out below: file order, first samples of each file, repeated where it is short, the last batch smaller.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import soundfile
import torch
from torch import Tensor, nn

import sharpscope


def published_function(folder: Path) -> Callable[..., float]:
    """Return `compute_m_sharpness` of the published script, without what else its modules import."""
    empty, bar = types.ModuleType("utils"), types.ModuleType("tqdm")
    empty.__dict__["__getattr__"] = lambda name: None
    bar.__dict__["tqdm"] = lambda batches: batches
    with (
        mock.patch.dict(sys.modules, {"utils": empty, "tqdm": bar}),
        mock.patch("sys.path", [str(folder), *sys.path]),
    ):
        function: Callable[..., float] = importlib.import_module("compute_sharp").compute_m_sharpness
    return function


class AsPublished(nn.Module):
    """A detector with the two outputs that the script unpacks."""

    def __init__(self, detector: sharpscope.Detector) -> None:
        super().__init__()
        self.network = detector.module
        self.detector = detector

    def forward(self, waves: Tensor) -> tuple[Tensor, None]:
        """Return the logits (spoof, bona fide) and what the script leaves unused."""
        return self.detector.score(self.detector.prepare(waves)), None


def batches(trials: Path, samples: int, m: int) -> list[tuple[Tensor, Tensor]]:
    """Return waves and labels (1 for bona fide) as the script's loader gives them."""
    table = pd.read_csv(trials)
    waves = []
    for file in table["file"]:
        wave, _ = soundfile.read(trials.parent / file, dtype="float32")
        waves.append(np.resize(wave[:samples], samples))
    stacked = torch.from_numpy(np.stack(waves))
    labels = torch.tensor((table["label"] == "bonafide").astype(int).to_numpy())
    return list(zip(torch.split(stacked, m), torch.split(labels, m), strict=True))


def compare(checkpoint: Path, trials: Path, script: Path, m: int, rho: list[float]) -> pd.DataFrame:
    """Return both programs' values, a row for each measure and radius."""
    function = published_function(script)
    detector = sharpscope.load_detector(checkpoint, device="cpu")
    ours = sharpscope.measure(
        detector,
        {"trials": str(trials)},
        preset="huang2025",
        m=m,
        rho=rho,
        measures=["sam", "asam"],
        show_progress=False,
    ).table.set_index(["measure", "rho"])["value"]
    data = batches(trials, detector.spec.n_samples or 64_600, m)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.1, 0.9]))
    rows: list[dict[str, Any]] = []
    for measure in ("sam", "asam"):
        for radius in rho:
            theirs = function(
                AsPublished(detector),
                data,
                criterion,
                radius,
                torch.device("cpu"),
                adaptive=measure == "asam",
            )
            mine = ours[(measure, radius)]
            rows.append(
                {
                    "measure": measure,
                    "rho": radius,
                    "published script": theirs,
                    "sharpscope": mine,
                    "relative difference": abs(mine / theirs - 1),
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("trials", type=Path, help="CSV with the columns file and label")
    parser.add_argument(
        "--script", type=Path, required=True, help="clone of nii-yamagishilab/SAM-AntiSpoofing"
    )
    parser.add_argument("--m", type=int, default=32, help="trials in a group")
    parser.add_argument("--rho", type=float, nargs="+", default=[0.05, 0.01], help="radii")
    options = parser.parse_args()
    print(
        compare(options.checkpoint, options.trials, options.script, options.m, options.rho).to_string(
            index=False
        )
    )


if __name__ == "__main__":
    main()
