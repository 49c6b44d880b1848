"""A whole measurement on a simulated device: every branch for a GPU, what it prints, and a device that is too small."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from simulated_device import DEVICE, NAME, simulated
from small_detector import SAMPLES, Small, noise
from torch import Tensor, nn

import sharpscope
from sharpscope.cli import main
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures import parameters


def take(device: str, *networks: nn.Module, **options: Any) -> Any:
    how: dict[str, Any] = {"m": 8, "show_progress": False, "device": device, **options}
    data = how.pop("data", noise())
    detectors = [
        sharpscope.as_detector(
            n, name=f"net{i}", spec={"n_samples": how.pop("n_samples", SAMPLES)}, device=device
        )
        for i, n in enumerate(networks)
    ]
    return sharpscope.measure(detectors, {"noise": data}, **how)


def values(table: pd.DataFrame) -> dict[Any, float]:
    return {(row.measure, str(row.rho)): row.value for row in table.itertuples()}


@pytest.mark.parametrize("preset", ["rigorous", "huang2025"])
def test_a_measurement_on_the_device_gives_a_cpus_rows(preset: str) -> None:
    here = take("cpu", Small(), preset=preset).table
    with simulated() as watch:
        there = take(DEVICE, Small(), preset=preset).table
        assert set(there["device"]) == {f"cuda {NAME}"}
        assert watch.calls["set_device"]
    assert there["eer"].tolist() == here["eer"].tolist()
    assert set(there["batch_size"]) == set(here["batch_size"])
    assert values(there) == pytest.approx(values(here), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("direction", ["tf32", "bf16"])
def test_directions_are_rounded_on_the_device_and_differences_are_not(direction: str) -> None:
    """A CPU has no TF32; half precision is cast by the rules for CUDA, and changes the direction alone."""
    with simulated():
        exact = take(DEVICE, Small(), measures=["sam", "loss"], rho=[0.05]).table
        rounded = take(DEVICE, Small(), measures=["sam", "loss"], rho=[0.05], direction=direction).table
    assert set(rounded["preset"]) == {f"rigorous+{'fast' if direction == 'bf16' else 'tf32'}"}
    by = {table: values(found) for table, found in (("exact", exact), ("rounded", rounded))}
    assert by["rounded"]["loss", "nan"] == by["exact"]["loss", "nan"]
    one, other = by["rounded"]["sam", "0.05"], by["exact"]["sam", "0.05"]
    assert one == pytest.approx(other, rel=0.05)
    assert (one == other) == (direction == "tf32")


def test_what_lay_on_the_device_before_changes_neither_batch_nor_digits() -> None:
    """The audit found 32, 25, 21, 17 and 14 trials with 4 to 50 GiB in use."""
    tables = []
    for networks, others in [((Small(),), 0), ((Small(1, width=5), Small()), 0), ((Small(),), 10**7)]:
        with simulated() as watch:
            watch.total = 5 * 10**4
            kept = torch.zeros(others // 4, device=DEVICE)
            table = take(DEVICE, *networks, m=32, data=noise(64)).table
            del kept
        tables.append(table[table["checkpoint"] == f"net{len(networks) - 1}"])
    assert 1 < tables[0]["batch_size"].iloc[0] < 32
    for table in tables[1:]:
        assert table["value"].tolist() == tables[0]["value"].tolist()
        assert table["batch_size"].tolist() == tables[0]["batch_size"].tolist()


def test_a_device_that_runs_out_halves_the_batch_and_says_so_in_the_row() -> None:
    found = {}
    for limit in (10**9, 70_000):
        with simulated() as watch:
            watch.limit = limit
            found[limit] = take(DEVICE, Small(width=16), measures=["sam", "loss"], rho=[0.05]).table
    whole, halved = found.values()
    assert set(whole["batch_size"]) == {8}
    assert set(halved["batch_size"]) < {1, 2, 4}
    assert halved["note"].str.contains("physical batch halved to").all()
    assert values(halved) == pytest.approx(values(whole), rel=1e-4)


@pytest.mark.parametrize(
    ("limit", "m", "words"), [(6_000, 8, "at the first look"), (60_000, 32, "with one trial at a time")]
)
def test_a_device_that_is_far_too_small_is_told_in_a_line(limit: int, m: int, words: str) -> None:
    with simulated() as watch:
        watch.limit = limit
        with pytest.raises(SharpscopeError, match=f"out of memory .*{words}"):
            take(DEVICE, Small(width=16), measures=["sam"], rho=[0.05], m=m, data=noise(64))


def test_longer_trials_than_those_looked_at_get_a_smaller_batch() -> None:
    """Networks of any length are looked at with the first trials; later groups may be longer."""
    rng = np.random.default_rng(0)
    short, long = ([rng.standard_normal(n).astype(np.float32) for _ in range(8)] for n in (400, 3200))
    found = []
    for waves in ([*short, *short], [*short, *long]):
        with simulated() as watch:
            watch.total = 7 * 10**4
            how: dict[str, Any] = {"measures": ["loss"], "n_samples": None, "groups": 2, "limit": None}
            table = take(DEVICE, Small(width=4), data=(waves, [1, 0] * 8), **how).table
        found.append(int(table["batch_size"].iloc[0]))
    assert found[1] <= 2 < found[0]


def test_default_measures_hold_less_than_five_copies_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit found about eight: two gradients, T, T g, step and direction, all out of place."""
    monkeypatch.setattr(parameters, "PART_BYTES", 3 * 128 * 128 * 4)
    torch.manual_seed(0)
    wide = nn.Sequential(*(nn.Linear(128, 128) for _ in range(24)), nn.Linear(128, 2))
    weights = sum(p.numel() * p.element_size() for p in wide.parameters())
    with simulated() as watch:
        table = take(DEVICE, wide, n_samples=128, data=noise(8, 128), m=4, batch_size=2).table
        assert {"sam", "asam", "sam_matched"} <= set(table["measure"])
        assert watch.peak / weights < 5


def test_a_plan_times_the_device_and_waits_for_it() -> None:
    with simulated() as watch:
        plan = take(DEVICE, Small(), dry_run=True).costs
        # The look has a beginning and an end; four groups, one trial, twice several and once more with every gradient
        # for memory, have three clocks each.
        assert watch.waits["synchronize"] == 2 + 4 * 3
    assert plan[0]["bytes"] > 0


def test_a_group_waits_as_often_with_more_trials() -> None:
    waits = []
    for m in (4, 16):
        with simulated() as watch:
            found = take(DEVICE, Small(), m=m, data=noise(4 * m), rho=[0.05])
            waits.append(watch.count)
            assert found.rows
    assert waits[0] == waits[1]


def test_the_command_line_measures_and_draws_on_the_device(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    for seed in (0, 1):
        torch.save(namespace["Tiny"](seed=seed).state_dict(), tmp_path / f"net{seed}.pt")
    files = [str(tmp_path / f"net{seed}.pt") for seed in (0, 1)]
    sets = ["--sets", f"tones={tone_set}", "--m", "4", "--device", "cuda"]
    common = ["measure", *files, "--model", f"{model_file}:Tiny", *sets, "--out", str(tmp_path / "r.csv")]
    with simulated() as watch:
        done = CliRunner().invoke(main, [*common, "--rho", "0.05", "--quiet"])
        assert done.exit_code == 0, done.output
        assert watch.calls["pin_memory"]
        drawn = [
            "landscape", *files[:1], "--model", f"{model_file}:Tiny", "--sets", f"tones={tone_set}",
            "--device", "cuda", "--steps", "3", "--m", "4", "--out-dir", str(tmp_path / "l"),
        ]  # fmt: skip
        done = CliRunner().invoke(main, drawn)
        assert done.exit_code == 0, done.output
    assert set(sharpscope.read_results(tmp_path / "r.csv")["device"]) == {f"cuda {NAME}"}


def test_an_anchor_is_scored_in_exact_arithmetic_too(tone_set: Path) -> None:
    seen: list[str] = []
    matmul: Any = torch.backends.cuda.matmul

    class Telling(Small):
        def forward(self, waves: Tensor) -> Tensor:
            seen.append(matmul.fp32_precision)
            return super().forward(waves)

    before = matmul.allow_tf32
    try:
        matmul.allow_tf32 = True
        # Random weights may have the anchor the wrong way round, which is told once it has been scored.
        with simulated(), suppress(UsageError):
            take(DEVICE, Telling(), measures=["loss"], anchor=f"a={tone_set}")
    finally:
        matmul.allow_tf32 = before
    assert set(seen) == {"ieee"}
