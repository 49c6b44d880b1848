"""K groups measured and every trial scored; a physical batch without history; a plan from one look an architecture."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import stats
from small_detector import SAMPLES, Small, noise

import sharpscope
from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.measurement import first_look as looking
from sharpscope.measurement import plan as planning
from sharpscope.measurement.first_look import fitted_batch


def take(networks: Any, **options: Any) -> Any:
    several = networks if isinstance(networks, list) else [networks]
    how: dict[str, Any] = {"measures": ["sam", "loss"], "rho": [0.05], "m": 4, "show_progress": False}
    return sharpscope.measure(
        [
            sharpscope.as_detector(n, name=f"net{i}", spec={"n_samples": SAMPLES})
            for i, n in enumerate(several)
        ],
        {"noise": noise()},
        **{**how, **options},
    )


def test_groups_say_how_many_are_measured_and_the_error_rate_rests_on_every_trial() -> None:
    whole, some = take(Small()).table, take(Small(), groups=3).table
    assert some["eer"].tolist() == whole["eer"].tolist()
    assert set(some["n_bonafide"]) == set(whole["n_bonafide"]) == {20}
    assert set(some["n_spoof"]) == set(whole["n_spoof"]) == {20}
    assert set(some["n_groups"]) == {3}
    assert set(whole["n_groups"]) == {10}
    assert some["note"].str.contains("3 of 10 groups measured, a seeded random sample").all()
    assert some["value"].tolist() != whole["value"].tolist()


def test_groups_are_drawn_by_the_seed() -> None:
    first, again, other = (take(Small(), groups=3, seed=seed).table["value"].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_gpus_batch_is_the_same_whatever_its_memory_was_used_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free at the moment once decided: with 4 to 50 GiB cached 32, 25, 21, 17 and 14 trials."""
    whole = SimpleNamespace(total_memory=24 * 1024**3)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: whole)

    def asked(*_: object) -> tuple[int, int]:
        raise AssertionError("free memory was asked for")

    monkeypatch.setattr(torch.cuda, "mem_get_info", asked)
    device = torch.device("cuda:0")
    for each, batch in ((10, 32), (450 * 1024**2, 32), (600 * 1024**2, 16), (10**12, 1)):
        assert fitted_batch(Small(), each, 32, device) == batch


def test_one_checkpoint_after_another_gets_the_same_batch_and_digits() -> None:
    both = take([Small(1, width=5), Small()]).table
    one, two = take(Small()).table, both[both["checkpoint"] == "net1"]
    assert one["value"].tolist() == two["value"].tolist()
    assert one["batch_size"].tolist() == two["batch_size"].tolist()


def test_a_plan_looks_once_at_each_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    real = planning.look_at

    def counting(*args: Any) -> looking.Look:
        looks.append(args)
        return real(*args)

    monkeypatch.setattr(planning, "look_at", counting)
    found = take([Small(seed) for seed in range(5)] + [Small(9, width=4)], dry_run=True)
    assert len(looks) == 2
    assert len(found.plan) == 7  # a line a checkpoint, and the total
    assert "in all" in found.plan[-1]
    assert "device hours" in found.plan[-1]


def test_a_plan_divides_by_the_number_of_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    found = take([Small(0), Small(1)], dry_run=True, out=tmp_path / "r.csv")
    assert " on 4 " in found.plan[-1]


def test_rows_say_how_directions_were_taken_and_the_older_name_means_the_same() -> None:
    named, older = take(Small(), direction="bf16").table, take(Small(), fast=True).table
    assert set(named["preset"]) == {"rigorous+fast"}
    assert named["note"].str.contains("direction in bfloat16").all()
    assert named["value"].tolist() == older["value"].tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"direction": "fp16"}, "must be one of fp32, tf32, bf16"),
        ({"direction": "tf32", "fast": True}, "--fast is --direction bf16"),
        ({"direction": "tf32", "device": "cpu"}, "no TF32"),
        ({"direction": "bf16", "dtype": "float64"}, "--direction bf16 was given with --dtype float64"),
    ],
)
def test_a_direction_that_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        take(Small(), **options)


def test_groups_on_the_command_line_leave_every_trial_its_score(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """The set has 14 and 12 trials: with --limit the error rate is of fewer, with --groups and --tolerance of all."""
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    torch.save(namespace["Tiny"]().state_dict(), tmp_path / "net.pt")
    found = {}
    for name, more in {
        "all": [],
        "groups": ["--groups", "4"],
        "tolerance": ["--tolerance", "0.9"],
        "limit": ["--limit", "12"],
    }.items():
        command = [
            "measure",
            str(tmp_path / "net.pt"),
            "--model",
            f"{model_file}:Tiny",
            "--sets",
            f"tones={tone_set}",
        ]
        command += [
            "--m",
            "2",
            "--rho",
            "0.05",
            "--measures",
            "sam,loss",
            "--out",
            str(tmp_path / name / "r.csv"),
        ]
        done = CliRunner().invoke(main, [*command, *more, "--quiet"])
        assert done.exit_code == 0, done.output
        found[name] = sharpscope.read_results(tmp_path / name / "r.csv")
    whole, some = found["all"], found["groups"]
    for name in ("groups", "tolerance"):
        for column in ("eer", "eer_low", "eer_high", "n_bonafide", "n_spoof"):
            assert found[name][column].tolist() == whole[column].tolist()
    assert set(found["limit"]["n_spoof"]) == {6}
    assert (set(some["n_groups"]), set(whole["n_groups"])) == ({4}, {12})
    assert some["note"].str.contains("4 of 12 groups measured, a seeded random sample").all()
    # The interval is about the value of all twelve groups, so what is not left open does not widen it.
    half = (some["value_high"] - some["value_low"]) / 2
    expected = stats.t.ppf(0.975, 3) * some["stderr"] * np.sqrt(1 - 4 / 12)
    np.testing.assert_allclose(half, expected, rtol=1e-9)
