"""The trainer on a simulated device: every method, mixed precision, averages, dev sets, and a run that goes on."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from simulated_device import DEVICE, NAME, simulated

from sharpscope import devices
from sharpscope.devices import Share, this_share
from sharpscope.measurement.measure import measure
from sharpscope.progress import Meter
from sharpscope.results.table import read_results
from sharpscope.training import train as training
from sharpscope.training.check import check
from sharpscope.training.keys import AVERAGES, METHODS
from sharpscope.training.recipe import Recipe
from sharpscope.training.replicas import device_of
from sharpscope.training.run import Training

Sections = Callable[..., dict[str, Any]]
NETWORK = {"width": 4, "depth": 2, "bands": 8, "dropout": 0.3}


def trained(
    sections: dict[str, Any], folder: Path, device: str = DEVICE, epochs: int | None = None
) -> Training:
    """Train to the end, or stop behind so many epochs as a killed run does."""
    run = Training(
        Recipe({**sections, "run": {**sections.get("run", {}), "device": device}}), folder, Share()
    )
    if epochs is not None:
        real = run._end_of_epoch

        def end() -> None:
            real()
            if run.epoch == epochs:
                raise KeyboardInterrupt

        run._end_of_epoch = end  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            run.run(show_progress=False)
        return run
    run.run(show_progress=False)
    return run


def weights(run: Training) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().double().numpy() for name, tensor in run.network.state_dict().items()}


def same(one: Training, other: Training, tolerance: float) -> None:
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_allclose(values, theirs[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_on_the_device_the_steps_of_a_cpu(
    method: str, tmp_path: Path, recipe_for: Sections
) -> None:
    """Dropout is drawn from the device's own random numbers, the same in both passes of an ascent."""
    sections = recipe_for(
        model__args=NETWORK, optimizer__method=method, optimizer__clip=1.0, optimizer__k=2, schedule__epochs=1
    )
    here = trained(sections, tmp_path / "cpu", "cpu")
    with simulated() as watch:
        there = trained(sections, tmp_path / "gpu")
        assert {p.device.type for p in there.network.parameters()} == {"cuda"}
        assert watch.calls["set_device"]
        assert watch.calls["pin_memory"]
        if method != "none":
            assert watch.calls["get_rng_state_all"]
        same(here, there, 2e-4)
        assert here.log[-1]["dev_eer"] == pytest.approx(there.log[-1]["dev_eer"])
        assert here.log[-1]["dev_loss"] == pytest.approx(there.log[-1]["dev_loss"], rel=1e-3)


@pytest.mark.parametrize("average", AVERAGES)
def test_a_run_in_mixed_precision_goes_on_where_it_was(
    average: str, tmp_path: Path, recipe_for: Sections
) -> None:
    """The scaler, the average and the optimiser come back from their file onto the device."""
    sections = recipe_for(
        model__args=NETWORK,
        optimizer__method="sam",
        schedule__epochs=2,
        schedule__average=average,
        schedule__average_from=0,
        schedule__batch_size=16,
        schedule__micro_batch=8,
        run__amp="fp16",
    )
    with simulated():
        whole = trained(sections, tmp_path / "whole")
        assert whole.scaler is not None
        assert whole.scaler.get_scale() > 0
        trained(sections, tmp_path / "killed", epochs=1)
        again = trained(sections, tmp_path / "killed")
        same(whole, again, 0.0)
        assert again.scaler is not None
        assert again.scaler.get_scale() == whole.scaler.get_scale()


def test_half_precision_is_a_gpus(tmp_path: Path, recipe_for: Sections) -> None:
    """Convolutions are cast and sums are not, by the rules that torch has for CUDA."""
    seen: set[torch.dtype] = set()
    with simulated():
        run = Training(Recipe(recipe_for(run__device=DEVICE, run__amp="bf16")), tmp_path, Share())
        run.network.encoder[0].register_forward_hook(lambda *found: seen.add(found[2].dtype))
        run.run(show_progress=False)
    assert torch.bfloat16 in seen
    assert np.isfinite(run.log[-1]["loss"])


def test_a_check_tells_the_memory_of_the_device(tmp_path: Path, recipe_for: Sections) -> None:
    with simulated():
        lines = list(check(Recipe(recipe_for(run__device="auto", schedule__epochs=1))))
    assert f"on {DEVICE}" in lines[0]
    assert any("at the peak of the GPU" in line for line in lines)


def test_every_job_of_a_grid_takes_a_gpu_of_its_own(
    tmp_path: Path, recipe_for: Sections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run once went to cuda:0. What the pool does at the start of each process is done here by hand."""
    begun: list[Callable[[], None]] = []

    class Pool(ThreadPoolExecutor):
        def __init__(
            self, jobs: int, context: Any, start: Callable[..., None], given: tuple[Any, ...]
        ) -> None:
            super().__init__(jobs)
            begun.extend([lambda: start(*given)] * jobs)

    monkeypatch.setattr(devices, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(training, "_one", lambda *_: None)
    monkeypatch.setenv("LOCAL_RANK", "0")
    training.train_all({"a": Recipe(recipe_for())}, tmp_path, jobs=5, show_progress=False)
    for name, answer in {"is_available": True, "device_count": 4, "set_device": None}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    taken = []
    for start in begun:
        start()
        taken.append(str(device_of("auto", this_share())))
    assert taken == ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0"]


def test_an_ascent_waits_as_often_for_a_deep_network_as_for_a_flat_one(
    tmp_path: Path, recipe_for: Sections
) -> None:
    """Whatever asks tensor by tensor waits for each."""
    waits = []
    for depth in (1, 3):
        sections = recipe_for(
            model__args={**NETWORK, "depth": depth},
            optimizer__method="sam",
            optimizer__clip=1.0,
            run__device=DEVICE,
        )
        with simulated() as watch:
            run = Training(Recipe(sections), tmp_path / str(depth), Share())
            batch = run._order(0)[0]
            targets = torch.zeros(len(batch), 6000).to(DEVICE)
            torch.manual_seed(0)
            run._step(targets + torch.randn(len(batch), 6000, device=DEVICE), batch, batch, 10)
            before = watch.count
            run._step(targets + torch.randn(len(batch), 6000, device=DEVICE), batch, batch, 10)
            waits.append(watch.count - before)
    assert waits[0] == waits[1]
    assert waits[0] <= 16


def test_two_processes_with_a_device_each_train_and_measure_as_one(tmp_path: Path, sounds: Path) -> None:
    """Started by torchrun; what would go over NCCL goes over gloo."""
    script = Path(__file__).with_name("gloo_on_a_device.py")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--standalone",
        str(script),
    ]
    path = os.pathsep.join([str(script.parents[1]), str(script.parents[2])])
    done = subprocess.run(
        [*command, str(sounds), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for replicas in ("synchronised", "own"):
        one, two = (torch.load(tmp_path / f"{replicas}-{rank}.pt") for rank in (0, 1))
        assert torch.isfinite(one).all()
        assert torch.equal(one, two)
    with simulated():
        alone = measure(
            [tmp_path / "run-own" / "best.pt", tmp_path / "run-own" / "last.pt"],
            [f"b={sounds}"],
            out=tmp_path / "alone.csv",
            m=4,
            measures=["sam", "asam", "loss", "grad_norm", "fisher_trace"],
            rho=[0.05],
            show_progress=False,
        ).table
    both = read_results(tmp_path / "both.csv")
    alone, both = (table.sort_values(["checkpoint", "measure"]) for table in (alone, both))
    for table in (alone, both):
        assert set(table["device"]) == {f"cuda {NAME}"}
    assert both["value"].tolist() == alone["value"].tolist()
    assert both["eer"].tolist() == alone["eer"].tolist()


def test_every_process_draws_masks_of_its_own_and_a_resumed_one_draws_them_again(
    tmp_path: Path, recipe_for: Sections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With equal masks, "the same weights as one process" would not hold with dropout."""
    seeds: dict[tuple[int, int], list[int]] = {}
    for rank, attempt in ((0, 0), (1, 0), (1, 1)):
        run = Training(Recipe(recipe_for()), tmp_path, Share(rank, 2, rank))
        drawn = seeds.setdefault((rank, attempt), [])

        def step(*_: Any, drawn: list[int] = drawn) -> float:
            drawn.append(torch.initial_seed())
            return 0.0

        monkeypatch.setattr(run, "_step", step)
        run._steps(len(run._order(0)), 10, Meter(0, "steps", None, quiet=True))
    first, second, again = seeds.values()
    assert len({*first, *second}) == len(first) + len(second) == 4
    assert second == again


def test_dev_trials_stay_in_memory_only_where_they_fit(tmp_path: Path, recipe_for: Sections) -> None:
    kept = {}
    for gib in (2.0, 0.0):
        run = trained(recipe_for(data__memory_gib=gib, schedule__epochs=1), tmp_path / str(gib), "cpu")
        assert run.dev is not None
        kept[gib] = (len(run.dev._kept), run.log[-1]["dev_loss"])
    assert kept[2.0] == (len(run.dev.groups), kept[0.0][1])
    assert kept[0.0][0] == 0
