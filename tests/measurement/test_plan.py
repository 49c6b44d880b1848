"""A plan counts the passes that a measurement takes, adds up their time, and says what its memory is made of."""

import statistics
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sharpscope
from sharpscope.measurement import plan as planning
from sharpscope.measurement.plan import Pace

SAMPLES = 400


class Counting(nn.Module):
    """Counts the trials that go forwards and backwards through it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 3, 16, 8)
        self.out = nn.Linear(3, 2)
        self.passes = 0

    def forward(self, waves: Tensor) -> Tensor:
        self.passes += len(waves)
        logits: Tensor = self.out(torch.tanh(self.conv(waves.unsqueeze(1))).mean(dim=2))
        if logits.requires_grad:
            logits.register_hook(self.count)
        return logits

    def count(self, gradient: Tensor) -> None:
        self.passes += 2 * len(gradient)


def take(network: nn.Module, n: int = 40, **options: Any) -> Any:
    rng = np.random.default_rng(1)
    waves = rng.standard_normal((n, SAMPLES)).astype(np.float32), [1, 0] * (n // 2)
    detector = sharpscope.as_detector(network, spec={"n_samples": SAMPLES})
    how = {"m": 8, "show_progress": False, **options}
    return sharpscope.measure(detector, {"noise": waves}, **how)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"groups": 2},
        {"batch_size": 4},
        {"direction": "bf16"},
        {"measures": ["sam", "loss"], "rho": [0.05, 0.01]},
        {"measures": ["loss"]},
        {"measures": ["sam_matched"], "rho": [0.01], "batch_size": 4},
    ],
)
def test_the_passes_of_a_plan_are_those_that_a_measurement_takes(options: dict[str, Any]) -> None:
    planned = take(Counting(), dry_run=True, **options).costs[0]["passes"]
    network = Counting()
    take(network, **options)
    look, once_more = 3 + 2, 1
    assert network.passes == planned + look + once_more


PACE = Pace(
    forward=1.0,
    gradient=3.5,
    load=0.25,
    look=6.0,
    before=0,
    weights=0,
    activations=0,
    batch=8,
    shared_baseline=True,
)


@pytest.mark.parametrize(
    ("options", "each"),
    [
        ({"measures": ["loss"]}, 1.0),
        ({"measures": ["sam"], "rho": [0.05, 0.01]}, 3.5 + 2),
        ({"measures": ["sam", "sam_matched"], "rho": [0.05]}, 3.5 + 2.5 + 2),
        ({"measures": ["sam", "sam_matched"], "rho": [0.05], "batch_size": 4}, 3.5 + 2.5 + 2),
    ],
)
@pytest.mark.parametrize(("workers", "decoding"), [(0, 10.0), (1, 0.0)])
def test_seconds_are_added_up_as_they_are_spent(
    options: dict[str, Any], each: float, workers: int, decoding: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "pace", lambda *_: PACE)
    found = take(Counting(), dry_run=True, workers=workers, **options).costs[0]
    assert found["seconds"] == pytest.approx(6 + 40 * each + 1 + decoding, abs=0.5)  # and a moment to open it


def test_fewer_groups_are_offered_where_they_would_save(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 groups of two trials: 3.5 + 1 seconds a trial in 200 of them, 1 in the others, and 7 for the looks."""
    monkeypatch.setattr(planning, "pace", lambda *_: PACE)
    options: dict[str, Any] = {"dry_run": True, "measures": ["sam"], "rho": [0.05]}
    lines = take(Counting(), n=600, m=2, **options).plan
    assert "--groups 200 would take" in lines[-1]
    assert not any("--groups" in line for line in take(Counting(), n=300, m=2, **options).plan)


def test_memory_is_what_was_there_and_copies_of_the_weights_and_activations_of_a_batch() -> None:
    found = Pace(1, 3, 0, 6, before=1000, weights=100, activations=7, batch=8, shared_baseline=True)
    assert found.memory(2) == 1000 + 340 + 56


PROGRAM = """
import sys
import numpy as np, torch, sharpscope
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Unflatten(1, (1, -1)), torch.nn.Conv1d(1, 32, 9), torch.nn.Tanh(), torch.nn.Conv1d(32, 32, 9),
    torch.nn.Tanh(), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(), torch.nn.Linear(32, 2),
)
detector = sharpscope.as_detector(network, spec={"n_samples": 64_600})
waves = np.random.default_rng(1).standard_normal((16, 64_600)).astype(np.float32), [1, 0] * 8
found = sharpscope.measure(
    detector, {"noise": waves}, m=8, rho=[0.05], dry_run=sys.argv[1] == "plan", show_progress=False
)
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
print(found.costs[0]["bytes"] if found.costs else peak)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process is read from /proc")
def test_memory_of_a_plan_is_the_peak_of_the_measurement_within_15_per_cent() -> None:
    """Activations weigh here: 300 MB beside as much for the program itself.

    The peak of one and the same measurement varies by 7 per cent: threads that decode ask the C library for memory
    between the blocks of activations, now earlier, now later. Hence the middle of three runs of each.
    """
    planned, peak = (
        statistics.median(
            int(
                subprocess.run(
                    [sys.executable, "-c", PROGRAM, what], capture_output=True, check=True, text=True
                ).stdout
            )
            for _ in range(3)
        )
        for what in ("plan", "run")
    )
    assert planned == pytest.approx(peak, rel=0.15)
