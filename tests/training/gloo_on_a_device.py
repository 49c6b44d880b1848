"""One of two processes, each with a simulated device: what `torchrun` starts, measuring and training."""

import os
import sys
from pathlib import Path

import torch
from simulated_device import DEVICE, simulated

import sharpscope
from sharpscope.devices import this_share
from sharpscope.training.recipe import Recipe
from sharpscope.training.run import Training


def train(protocol: str, folder: Path, replicas: str) -> torch.Tensor:
    """Train in half precision, so that flags, gradients, buffers and dev scores go between the devices."""
    recipe = Recipe(
        {
            "data": {"train": [f"a={protocol}"], "dev": [f"b={protocol}"], "samples": 6000},
            "model": {"arch": "tiny", "args": {"width": 4, "depth": 2, "bands": 8, "dropout": 0.3}},
            "optimizer": {"method": "sam", "lr": 0.01, "replicas": replicas},
            "schedule": {"epochs": 1, "batch_size": 5, "last_batch": "keep"},
            "run": {"amp": "fp16"},
        }
    )
    run = Training(recipe, folder / f"run-{replicas}", this_share())
    assert str(run.device) == DEVICE
    run.run(show_progress=False)
    return torch.cat([tensor.double().flatten().cpu() for tensor in run.network.state_dict().values()])


if __name__ == "__main__":
    protocol, folder = sys.argv[1], Path(sys.argv[2])
    rank = os.environ["RANK"]
    torch.set_num_threads(1)
    with simulated() as watch:
        for replicas in ("synchronised", "own"):
            torch.save(train(protocol, folder, replicas), folder / f"{replicas}-{rank}.pt")
        assert watch.calls["nccl"] == 2
        checkpoint = folder / "run-own" / "best.pt"
        done = sharpscope.measure(
            [checkpoint, folder / "run-own" / "last.pt"],
            [f"b={protocol}"],
            out=folder / "both.csv",
            m=4,
            measures=["sam", "asam", "loss", "grad_norm", "fisher_trace"],
            rho=[0.05],
            device="auto",
            show_progress=False,
        )
        assert watch.calls["set_device"] >= 3
        assert not done.failures
