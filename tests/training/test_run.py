"""What may go wrong around a run ends in one line; what a recipe says about batches, masks and averages is done."""

import importlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sharpscope.cli import main
from sharpscope.detectors.reading import read_checkpoint
from sharpscope.devices import Share
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.progress import Meter
from sharpscope.training.check import check
from sharpscope.training.data import order_of
from sharpscope.training.recipe import Recipe, read_recipe, toml
from sharpscope.training.run import Training
from sharpscope.training.train import train, train_all

Sections = Callable[..., dict[str, Any]]


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path, recipe_for: Sections) -> None:
    recipe = Recipe(recipe_for(schedule__epochs=1))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file; --out takes the folder"):
        train(recipe, out=tmp_path / "file", show_progress=False)
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(UsageError, match="cannot be written to"):
        train(recipe, out=tmp_path / "file" / "below", show_progress=False)


def test_a_damaged_state_is_told_and_a_damaged_note_is_none(tmp_path: Path, recipe_for: Sections) -> None:
    recipe = Recipe(recipe_for(schedule__epochs=1))
    train(recipe, out=tmp_path / "run", show_progress=False)
    (tmp_path / "run" / "done.json").write_text('{"recipe": ')
    report = train(recipe, out=tmp_path / "run", show_progress=False)
    assert report.epochs == 1
    assert json.loads((tmp_path / "run" / "done.json").read_text())["epochs"] == 1
    (tmp_path / "run" / "done.json").unlink()
    for damage in (b"", b"PK\x03\x04 not a state", os.urandom(300)):
        (tmp_path / "run" / "state.pt").write_bytes(damage)
        with pytest.raises(UsageError, match=r"state.pt is damaged .* remove it to start the run anew"):
            train(recipe, out=tmp_path / "run", show_progress=False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model__arch": "ssl-sls", "model__args": {}, "data__samples": 16_000}, "cannot take 16000 samples"),
        ({"model__args": {"width": "wide"}}, "do not fit tiny"),
        ({"model__args": {"wide": 3}}, "do not fit tiny"),
        ({"run__device": "cuda:77"}, "it is auto, cpu or cuda:N"),
        ({"data__train": ["nowhere"]}, "data.train: unknown set 'nowhere'"),
        (
            {"model__arch": "ssl-linear", "model__args": {}, "model__frontend": "no/such"},
            "hf download no/such",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    tmp_path: Path, recipe_for: Sections, changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "arch" in str(changes):
        pytest.importorskip("transformers")
    if "sls" in str(changes):
        changes["model__args"] = {"hidden_size": 1024, "num_hidden_layers": 1, "num_attention_heads": 4,
                                  "intermediate_size": 48, "conv_dim": [16] * 7}  # fmt: skip
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError) as told:
        train(Recipe(recipe_for(**changes)), out=tmp_path / "run", show_progress=False)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_missing_audio_gets_advice_that_train_can_follow(
    tmp_path: Path, sounds: Path, recipe_for: Sections
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"file,label\n{sounds.parent}/0.wav,spoof\n{sounds.parent}/1.wav,bonafide\na.wav,spoof\n")
    with pytest.raises(UsageError) as told:
        train(Recipe(recipe_for(data__train=[f"x={path}"])), out=tmp_path / "run")
    assert "--skip-missing" not in str(told.value)
    assert "protocol of your own" in str(told.value)


def test_a_loss_that_is_nan_at_once_names_no_state(tmp_path: Path, recipe_for: Sections) -> None:
    sections = recipe_for(optimizer__base="sgd")
    sections["optimizer"]["lr"] = 1e30
    with pytest.raises(SharpscopeError, match="nothing was saved yet"):
        train(Recipe(sections), out=tmp_path / "run", show_progress=False)


def test_a_batch_smaller_than_the_world_is_refused(tmp_path: Path, recipe_for: Sections) -> None:
    recipe = Recipe(recipe_for(schedule__batch_size=2))
    with pytest.raises(UsageError, match="batch_size is 2 for 4 processes"):
        Training(recipe, tmp_path, Share(0, 4, 0))


def test_the_last_batch_is_kept_where_the_recipe_says(tmp_path: Path, recipe_for: Sections) -> None:
    kept = order_of(16, 6, 0, 0, "keep")
    assert sorted(np.concatenate(kept)) == list(range(16))
    recipe = Recipe(recipe_for(schedule__last_batch="keep", schedule__epochs=1))
    train(recipe, out=tmp_path / "run", show_progress=False)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["step"] == 3


@pytest.mark.parametrize("average", ["dense", "swad", "ewa", "lawa"])
def test_every_average_is_written_with_what_is_in_it(
    average: str, tmp_path: Path, recipe_for: Sections
) -> None:
    recipe = Recipe(
        recipe_for(
            schedule__average=average, schedule__average_from=1, schedule__epochs=4, schedule__average_last=2,
            schedule__swad_start=2, optimizer__method="esam",
        )
    )  # fmt: skip
    train(recipe, out=tmp_path / "run", show_progress=False)
    record = read_checkpoint(tmp_path / "run" / "averaged.pt").record or {}
    assert record["name"] == "run-averaged"
    assert record["averaged"].startswith(f"{average}, ")
    assert 0 <= record["dev_eer"] <= 1
    assert ("2 epochs" in record["averaged"]) == (average == "lawa") or "no valley" in record["averaged"]


def test_check_says_what_will_happen_and_writes_nothing(tmp_path: Path, recipe_for: Sections) -> None:
    path = tmp_path / "recipe.toml"
    lines = []
    for section, keys in recipe_for(optimizer__method="sam").items():
        lines += [f"[{section}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    path.write_text("\n".join(lines) + "\n")
    told = list(check(read_recipe(path)))
    text = "\n".join(told)
    assert "audio: 6,000 samples at 16,000 Hz" in text
    assert "train: 8 bona fide and 8 spoof" in text
    assert "4 steps in 2 epochs" in text
    # Selection on what is trained on is a problem, and the command says so in its exit.
    assert any(line.startswith("problem: 16 of 16 trials of held=") for line in told)
    done = CliRunner().invoke(main, ["train", str(path), "--check"])
    assert done.exit_code == 1
    assert "1 problem(s) found" in done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"recipe.toml"}


def test_a_grid_is_shared_between_tasks_of_an_array(tmp_path: Path, recipe_for: Sections) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[data]\ntrain = ["19la@train"]\n')
    runner = CliRunner()
    for array, words in (("3/3", "I from 0 to N - 1"), ("1", "I/N"), ("5/9", "the grid has 2 runs")):
        done = runner.invoke(main, ["train", str(path), "--seeds", "2", "--array", array])
        assert done.exit_code == 2
        assert words in done.stderr


def test_what_failed_in_a_grid_is_counted_and_the_rest_is_done(tmp_path: Path, recipe_for: Sections) -> None:
    good = Recipe(recipe_for(schedule__epochs=1))
    bad = Recipe(recipe_for(model__args={"wide": 1}))
    with pytest.raises(SharpscopeError, match=r"1 of 2 runs failed, 1 are done; bad: model.args"):
        train_all({"bad": bad, "good": good}, tmp_path, show_progress=False)
    assert (tmp_path / "good" / "best.pt").is_file()


def test_processes_that_decode_live_for_the_whole_run_and_change_nothing(
    tmp_path: Path, recipe_for: Sections
) -> None:
    """Two processes, three epochs with crops, noise and mixing: the weights are those of a run without them."""
    changes = {"augment__noise": 0.5, "augment__mixup": 0.4, "schedule__epochs": 3}
    ends = []
    for workers in (0, 2):
        run = Training(Recipe(recipe_for(data__workers=workers, **changes)), tmp_path / str(workers), Share())
        ends.append(run)
        run.run(show_progress=False)
    iterator = ends[1].loader._loader._iterator
    assert [process.is_alive() for process in iterator._workers] == [True, True]  # type: ignore[union-attr]
    one, two = (run.network.state_dict() for run in ends)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert [row["loss"] for row in ends[0].log] == [row["loss"] for row in ends[1].log]
    # Each keeps its part of what data.memory_gib allows.
    assert ends[1].trials._room == int(2.0 * 1024**3 / 2)


def test_fp16_that_overflows_in_the_forward_pass_names_bf16(tmp_path: Path, recipe_for: Sections) -> None:
    run = Training(Recipe(recipe_for(run__amp="fp16")), tmp_path / "run", Share())
    assert 'Take run.amp = "bf16"' in run._diverged(float("inf"))
    run = Training(Recipe(recipe_for()), tmp_path / "run", Share())
    assert "bf16" not in run._diverged(float("inf"))


def test_runs_of_an_earlier_call_are_no_speed(
    tmp_path: Path, recipe_for: Sections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grid that goes on said that the rest takes seconds: what it found done had taken none."""
    made = {str(epochs): Recipe(recipe_for(schedule__epochs=epochs)) for epochs in (1, 2)}
    train_all({"1": made["1"]}, tmp_path, show_progress=False)
    meters: list[Meter] = []

    @contextmanager
    def watched(total: int, unit: str, **_: Any) -> Iterator[Meter]:
        meters.append(Meter(total, unit, None, quiet=True))
        yield meters[0]

    monkeypatch.setattr(importlib.import_module("sharpscope.training.train"), "progress", watched)
    train_all(made, tmp_path)
    assert (meters[0].done, meters[0].found) == (2, 1)
