"""`python -m benchmarks.gpu` on a simulated device: every line of its full form, so that none runs first on a GPU."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pandas as pd
import pytest
import torch
from simulated_device import DEVICE, NAME, simulated
from small_networks import FRONT_END

from benchmarks import gpu, sam_cost
from sharpscope.cli import main
from sharpscope.detectors import ARCHITECTURES

# In place of the large ones: the same kinds, with a recurrent and a self-supervised one among them.
SMALL = {"aasist": "tiny", "rawnet2": "tiny-gru", "ssl-aasist": "ssl-aasist"}


@contextmanager
def profiled(activities: list[Any]) -> Iterator[Any]:
    """What torch's profiler gives, which knows no simulated device."""
    assert activities == [torch.profiler.ProfilerActivity.CUDA]
    yield SimpleNamespace(key_averages=lambda: [SimpleNamespace(key="sgemm", self_device_time_total=1500.0)])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = {name: ARCHITECTURES[other] for name, other in SMALL.items()}
    for module in (gpu, sam_cost):
        monkeypatch.setattr(module, "ARCHITECTURES", known)
    monkeypatch.setattr(gpu, "XLSR", FRONT_END)
    monkeypatch.setattr(gpu, "SAMPLES", 1600)
    monkeypatch.setattr(gpu, "WIDE", 32)
    monkeypatch.setattr(gpu, "BUDGET", float("inf"))  # a busy machine must not leave parts out
    monkeypatch.setattr(gpu, "profile", profiled)
    monkeypatch.setattr(
        gpu, "trials_on_disk", lambda folder, n: ([f"{i}.flac" for i in range(n)], [0, 1] * (n // 2))
    )
    monkeypatch.setattr(gpu, "random_detector", lambda folder, arch: None)
    gpu.network.cache_clear()
    yield
    gpu.network.cache_clear()


def begun(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Stands for a program of its own: its command line is read by the real parser, and its table has three values."""
    given = command[command.index("measure") + 1 :]
    above = click.Context(main, **main.context_settings)
    context = main.commands["measure"].make_context("measure", given, above)  # type: ignore[attr-defined]
    assert context.params["device"] == "auto"
    pd.DataFrame({"value": [0.1, 0.2, 0.3]}).to_csv(context.params["out"], index=False)
    return subprocess.CompletedProcess(command, 0, "", "")


def own_programs(run: Any) -> SimpleNamespace:
    """What the benchmark sees of `subprocess`; others go on using it."""
    return SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)


def test_the_full_form_runs_on_the_device(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "subprocess", own_programs(begun))
    monkeypatch.setattr(gpu.sharpscope, "read_results", pd.read_csv)
    with simulated() as watch:
        found = gpu.run(DEVICE, tmp_path / "gpu.json")
        assert watch.waits["synchronize"]
        assert watch.calls["max_memory_allocated"]
    assert found["device"] == NAME
    assert not found["reduced"]
    parts = {name: part for name, part in found.items() if isinstance(part, dict)}
    assert len(parts) == 10
    for name, part in parts.items():
        assert "failed" not in part, (name, part)
        assert "left out" not in part
    assert json.loads((tmp_path / "gpu.json").read_text()) == found
    for arch in ("aasist", "rawnet2", "ssl-aasist"):
        part = parts[f"throughput {arch}"]
        assert part["trials_per_second"] > 0
        assert 0 < part["busy_share"] <= 1
        assert part["peak_bytes"] > part["weights_bytes"]
        assert part["peak_over_plan"] == part["peak_bytes"] / part["plan"]["bytes"]
    assert set(parts["arithmetic aasist"]) == {"fp32", "tf32", "bf16"}
    assert max(parts["arithmetic aasist"]["fp32"]["off"].values()) == 0
    assert (
        max(parts["arithmetic aasist"]["tf32"]["off"].values()) == 0
    )  # the simulated device rounds as a CPU does
    assert max(parts["arithmetic aasist"]["bf16"]["off"].values()) > 0
    assert parts["batches aasist"]["32"] == 0
    assert 0 < parts["batches aasist"]["8"] < 1e-2
    assert parts["copies of the weights"]["copies"] > 1
    assert parts["processes aasist"]["equal"]
    assert (
        parts["training aasist"]["sam_steps_per_second"] < parts["training aasist"]["adamw_steps_per_second"]
    )


def test_a_part_that_fails_costs_the_others_nothing_and_time_is_kept(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(command: list[str], timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(gpu, "subprocess", own_programs(slow))
    monkeypatch.setattr(
        gpu, "parts", lambda *_: {"bad": lambda: 1 / 0, "two": lambda: gpu.processes("aasist", "cpu", 4)}
    )
    found = gpu.run("cpu", tmp_path / "gpu.json")
    assert found["bad"] == {"failed": "ZeroDivisionError: division by zero"}
    assert found["two"] == {"failed": "1 processes took more than 60 s"}
    monkeypatch.setattr(gpu, "BUDGET", -1.0)
    assert "left out" in gpu.run("cpu", tmp_path / "gpu.json")["two"]
