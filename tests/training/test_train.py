"""`sharpscope train`: recipes are checked, runs survive being killed, and what comes out is measured as it is."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sharpscope.analysis.correlate import correlate
from sharpscope.cli import main
from sharpscope.detectors.reading import read_checkpoint
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.results.table import read_results
from sharpscope.training.augment import (
    at_ratio,
    augmented,
    convolutive,
    impulsive,
    notch_filter,
    stationary,
)
from sharpscope.training.data import TrainingTrials, listed, order_of
from sharpscope.training.recipe import Recipe, read_recipe, template, toml
from sharpscope.training.train import grid, train, train_grid

RECIPES = sorted(
    (Path(__file__).resolve().parents[2] / "sharpscope" / "training" / "recipes").rglob("*.toml")
)


def values(tone_set: Path, **changes: Any) -> dict[str, Any]:
    """A recipe for the tones: a network of 200 parameters, three epochs of three steps."""
    sections: dict[str, Any] = {
        "data": {"train": [f"tones={tone_set}"], "samples": 6000},
        "model": {"arch": "tiny", "args": {"width": 4, "depth": 2, "bands": 8}},
        "optimizer": {"method": "sam", "rho": 0.05, "lr": 0.01},
        "schedule": {"epochs": 3, "batch_size": 8},
    }
    for name, value in changes.items():
        section, _, key = name.partition("__")
        sections.setdefault(section, {})[key] = value
    return sections


def written(folder: Path, sections: dict[str, Any], name: str = "recipe.toml") -> Path:
    lines = []
    for section, keys in sections.items():
        lines += [f"[{section}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(path).state)


def same(one: Path, two: Path) -> bool:
    a, b = weights(one), weights(two)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_checkpoint_is_measured_without_an_option(tmp_path: Path, tone_set: Path) -> None:
    path = written(tmp_path, values(tone_set, data__dev=[f"held={tone_set}"]))
    runner = CliRunner()
    done = runner.invoke(main, ["train", str(path), "--quiet"])
    assert done.exit_code == 0, done.output
    assert "next: sharpscope measure" in done.stderr
    log = (tmp_path / "recipe" / "log.csv").read_text().splitlines()
    assert log[0].startswith("epoch,step,lr,rho,loss,dev_eer")
    assert len(log) == 4
    best = tmp_path / "recipe" / "best.pt"
    measured = runner.invoke(
        main,
        [
            *("measure", str(best), "--sets", f"tones={tone_set}", "--out", str(tmp_path / "r.csv")),
            *("--m", "4", "--measures", "sam", "--quiet"),
        ],
    )
    assert measured.exit_code == 0, measured.output
    row = read_results(tmp_path / "r.csv").iloc[0]
    assert (row["arch"], row["recipe"], row["seed"], row["domain"]) == ("tiny", "sam0.05", 0, "id")
    assert row["checkpoint"] == "recipe"
    assert "26 of 26 trials were used" in row["note"]
    record = read_checkpoint(best).record
    assert record is not None
    assert record["selected_on"] == [f"held={tone_set}"]
    assert record["values"]["optimizer"]["rho"] == 0.05


CHANGES = {
    "sam, accumulated, bf16": {"schedule__micro_batch": 3, "run__amp": "bf16"},
    "looksam with dropout": {
        "optimizer__method": "looksam",
        "model__args": {"width": 4, "depth": 2, "bands": 8, "dropout": 0.3},
    },
    "friendly-sam, averaged": {"optimizer__method": "friendly-sam", "schedule__average_from": 1},
    "augmented": {"augment__rawboost": 4, "augment__noise": 0.5, "augment__codec": 0.3},
}


@pytest.mark.parametrize("name", CHANGES)
def test_killed_at_random_steps_it_ends_with_the_same_bits(name: str, tmp_path: Path, tone_set: Path) -> None:
    changed = values(tone_set, schedule__epochs=8, run__save_every=2, **CHANGES[name])
    path = written(tmp_path, changed)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sharpscope", "train", str(path), "--quiet", "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], env=environment, check=True, capture_output=True)
    chance = random.Random(name)
    killed = tmp_path / "killed"
    for _ in range(2):
        already = (killed / "state.pt").stat().st_mtime_ns if (killed / "state.pt").exists() else 0
        process = subprocess.Popen([*command, str(killed)], env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if (killed / "state.pt").exists() and (killed / "state.pt").stat().st_mtime_ns != already:
                break
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(killed)], env=environment, check=True, capture_output=True)
    for file in ("best.pt", "last.pt", *(["averaged.pt"] if "averaged" in name else [])):
        assert same(tmp_path / "whole" / file, killed / file), file
    assert (tmp_path / "whole" / "log.csv").read_text() == (killed / "log.csv").read_text()


@pytest.mark.parametrize("method", ["none", "sam", "gsam"])
def test_two_processes_train_what_one_does(method: str, tmp_path: Path, tone_set: Path) -> None:
    """Synchronised: gradients are summed over processes in both passes, so the ascent is that of the whole batch."""
    sections = values(
        tone_set,
        optimizer__method=method,
        optimizer__base="sgd",
        model__args={"width": 4, "depth": 2, "bands": 8, "norm": "group"},
        loss__spoof_weight=0.2,
    )
    path = written(tmp_path, sections)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = ["-m", "sharpscope", "train", str(path), "--quiet", "--out"]
    subprocess.run([sys.executable, *command, str(tmp_path / "one")], env=environment, check=True)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *launch, *command, str(tmp_path / "two")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two = weights(tmp_path / "one" / "last.pt"), weights(tmp_path / "two" / "last.pt")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
    assert not torch.equal(one["out.weight"], Recipe_start(sections)["out.weight"])


def Recipe_start(sections: dict[str, Any]) -> dict[str, torch.Tensor]:
    from sharpscope.detectors import build

    torch.manual_seed(0)
    return build("tiny", sections["model"]["args"]).state_dict()


def test_a_radius_of_zero_is_the_base_optimiser(tmp_path: Path, tone_set: Path) -> None:
    for name, changes in (("base", {"method": "none"}), ("zero", {"method": "sam", "rho": 0.0})):
        sections = values(tone_set)
        sections["optimizer"] |= changes
        train(Recipe(sections), out=tmp_path / name, show_progress=False)
    assert same(tmp_path / "base" / "last.pt", tmp_path / "zero" / "last.pt")


def test_choosing_on_a_set_under_test_is_refused(tmp_path: Path, tone_set: Path) -> None:
    spec = f"held={tone_set}"
    path = written(tmp_path, values(tone_set, data__dev=[spec], data__tested_on=[spec]))
    done = CliRunner().invoke(main, ["train", str(path), "--quiet"])
    assert done.exit_code == 2
    assert "test set" in done.stderr
    assert CliRunner().invoke(main, ["train", str(path), "--quiet", "--force"]).exit_code == 0
    record = read_checkpoint(tmp_path / "recipe" / "best.pt").record
    assert record is not None
    assert record["selected_on_a_tested_set"] == [spec]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": {"epoch": 3}}, "did you mean schedule.epochs"),
        ({"optimiser": {"rho": 1}}, "no key 'optimiser'"),
        ({"optimizer": {"rho": "big"}}, "must be of type float"),
        ({"optimizer": {"method": "sgd"}}, "one of none, sam"),
        ({"schedule": {"epochs": True}}, "must be of type int"),
        ({"schedule": {"epochs": 0}}, "at least 1"),
        ({"augment": {"rawboost": 9}}, "0 to 8"),
        ({"data": 3}, "it is a section"),
        ({"data": {"train": [1]}}, "list of texts"),
        ({"optimizer": {"method": "gsam", "replicas": "own"}}, "sam and asam"),
    ],
)
def test_a_bad_recipe_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recipe(given)


def test_the_template_is_the_default_recipe() -> None:
    assert Recipe(tomllib.loads(template())).values == Recipe({"name": "detector"}).values
    shown = CliRunner().invoke(main, ["train", "--template"])
    assert shown.output == template()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_that_ship_are_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe["data"]["train"]
    assert not recipe.leaked()


def test_a_grid_trains_the_product_once(tmp_path: Path, tone_set: Path) -> None:
    path = written(tmp_path, values(tone_set, schedule__epochs=1))
    axes = {"optimizer": ["adam", "sam"], "rho": ["0.01", "0.05"]}
    reports = train_grid(path, axes, seeds=2, jobs=2, show_progress=False)
    assert len(reports) == 6
    assert {report.folder.name for report in reports} == set(grid(read_recipe(path), axes, 2))
    records = [read_checkpoint(report.folder / "best.pt").record or {} for report in reports]
    assert sorted({record["recipe"] for record in records}) == ["adam", "sam0.01", "sam0.05"]
    stamps = [(report.folder / "best.pt").stat().st_mtime_ns for report in reports]
    again = train_grid(path, axes, seeds=2, show_progress=False)
    assert [(report.folder / "best.pt").stat().st_mtime_ns for report in again] == stamps
    with pytest.raises(UsageError, match=r"did you mean optimizer\.rho"):
        grid(read_recipe(path), {"rh": ["1"]})


def test_what_a_grid_trained_is_measured_correlated_and_drawn(tmp_path: Path, tone_set: Path) -> None:
    """Every run writes a best.pt; tables, records, curves and reliabilities go by the names in their records."""
    path = written(tmp_path, values(tone_set, schedule__epochs=1))
    reports = train_grid(path, {"optimizer": ["adam", "sam"]}, seeds=3, show_progress=False)
    table = tmp_path / "results.csv"
    files = [str(report.folder / "best.pt") for report in reports]
    runner = CliRunner()
    sets = f"a={tone_set},b={tone_set}"
    measured = runner.invoke(
        main, ["measure", *files, "--sets", sets, "--m", "4", "--out", str(table), "--quiet"]
    )
    assert measured.exit_code == 0, measured.output
    names = {report.folder.name for report in reports}
    assert set(read_results(table)["checkpoint"]) == names
    folders = {folder.name.rpartition("-")[0] for folder in (tmp_path / "scores" / table.stem).iterdir()}
    assert folders == {name.replace("=", "_").replace(",", "_") for name in names}
    drawn = runner.invoke(main, ["plot", "det", str(table), "--out", str(tmp_path / "det.pdf")])
    assert drawn.exit_code == 0, drawn.output
    answers = correlate(table).questions
    halves = answers[(answers["question"] == "split_half") & (answers["measure"] == "sam")]
    assert set(halves["given"]) <= {"measure", "EER"}
    assert "measure" in set(halves["given"])


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(tmp_path: Path, tone_set: Path) -> None:
    sections = values(tone_set, optimizer__method="none", optimizer__base="sgd", run__save_every=1)
    train(Recipe(sections), out=tmp_path / "good", show_progress=False)
    sections["optimizer"]["lr"] = 1e30
    with pytest.raises(SharpscopeError, match=r"the loss is (nan|inf).*last.pt"):
        train(Recipe(sections), out=tmp_path / "bad", show_progress=False)
    assert (tmp_path / "bad" / "state.pt").exists()


def test_frozen_parameters_stay(tmp_path: Path, tone_set: Path) -> None:
    sections = values(tone_set, model__freeze=["encoder"], optimizer__weight_decay=0.1)
    train(Recipe(sections), out=tmp_path / "run", show_progress=False)
    start, end = Recipe_start(sections), weights(tmp_path / "run" / "last.pt")
    names = [name for name in end if name.startswith("encoder") and name.endswith(("weight", "bias"))]
    assert names
    assert all(torch.equal(start[name], end[name]) for name in names)
    assert not torch.equal(start["out.weight"], end["out.weight"])
    with pytest.raises(UsageError, match="no parameter of that name"):
        train(Recipe(values(tone_set, model__freeze=["head"])), out=tmp_path / "x", show_progress=False)


def test_an_averaged_network_is_the_mean_of_its_steps(tmp_path: Path, tone_set: Path) -> None:
    """With a rate of zero nothing moves, so the mean is the start; its statistics are those of the data."""
    sections = values(tone_set, optimizer__method="none", schedule__average_from=0)
    sections["optimizer"] |= {"base": "sgd", "lr": 1e-30}
    train(Recipe(sections), out=tmp_path / "run", show_progress=False)
    start, end = Recipe_start(sections), weights(tmp_path / "run" / "averaged.pt")
    torch.testing.assert_close(end["out.weight"], start["out.weight"])
    assert not torch.equal(end["encoder.1.running_mean"], start["encoder.1.running_mean"])


def test_batches_depend_on_seed_epoch_and_trial_only(tone_set: Path) -> None:
    recipe = Recipe(values(tone_set, augment__rawboost=3, data__samples=4000))
    trials = [TrainingTrials(listed(recipe, "train"), recipe, 16_000, 4000) for _ in range(2)]
    trials[1][0, 5], trials[1][0, 3]
    assert torch.equal(trials[0][0, 3][0], trials[1][0, 3][0])
    assert not torch.equal(trials[0][0, 3][0], trials[1][1, 3][0])
    assert sorted(np.concatenate(order_of(24, 8, 0, 0))) == list(range(24))
    assert order_of(24, 8, 0, 0)[0].tolist() != order_of(24, 8, 0, 1)[0].tolist()


def test_rawboost_does_what_its_paper_says() -> None:
    rng = np.random.default_rng(0)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    # Stationary noise: the ratio is the one that was drawn, from 10 to 40 dB.
    for seed in range(20):
        noise = stationary(wave, np.random.default_rng(seed)) - wave
        ratio = 20 * np.log10(np.linalg.norm(wave) / np.linalg.norm(noise))
        assert 10 <= ratio <= 40
    exact = at_ratio(wave, rng.standard_normal(16_000), 15.0) - wave
    assert 20 * np.log10(np.linalg.norm(wave) / np.linalg.norm(exact)) == pytest.approx(15.0)
    # Impulsive noise: at most a tenth of the samples change, each by at most twice itself.
    changed = impulsive(wave / 3, rng) - wave / 3
    assert 0 < np.mean(changed != 0) <= 0.1
    assert np.all(np.abs(changed) <= 2 * np.abs(wave / 3) + 1e-12)
    # Convolutive noise: another spectrum (harmonics of the tone), no mean, the peak at one only where it was above.
    loud = convolutive(wave, rng)
    assert np.abs(loud).max() < 0.5
    assert np.abs(convolutive(30 * wave, rng)).max() == pytest.approx(1)
    assert abs(loud.mean()) < 1e-3
    spectrum = np.abs(np.fft.rfft(loud * np.hanning(16_000)))
    assert spectrum[1320] > 10 * np.median(spectrum)
    # A notch filter passes at most one and dips somewhere.
    response = np.abs(np.fft.rfft(notch_filter(rng), 1024))
    assert response.max() == pytest.approx(1, abs=0.02)
    assert response.min() < 0.3


def test_silence_is_left_alone() -> None:
    assert not augmented(np.zeros(100, np.float32), np.random.default_rng(0), rawboost=4, noise=1.0).any()


def test_a_pretrained_front_end_is_the_start(tmp_path: Path, tone_set: Path) -> None:
    """A small wav2vec 2.0 under the names of transformers, as the hub has it, goes into the front-end unchanged."""
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    from safetensors.torch import save_file

    from sharpscope.detectors.architectures.ssl import build_frontend
    from sharpscope.training.start import start

    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 48, "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16}
    sizes |= {"num_conv_pos_embedding_groups": 4}
    torch.manual_seed(3)
    pretrained = build_frontend(**sizes)
    state = {f"wav2vec2.{name}": tensor.contiguous() for name, tensor in pretrained.state_dict().items()}
    save_file(state, tmp_path / "w2v.safetensors")
    sections = values(tone_set, model__arch="ssl-linear", model__args={"num_attention_heads": 4})
    sections["model"]["frontend"] = "w2v.safetensors"
    recipe = read_recipe(written(tmp_path, sections))
    frontend = start(recipe).frontend.state_dict()  # type: ignore[union-attr]
    assert recipe["model"]["args"]["hidden_size"] == 32
    for name, tensor in pretrained.state_dict().items():
        if name != "masked_spec_embed":
            assert torch.equal(frontend[name], tensor), name
    sections["model"] |= {"arch": "tiny", "args": {}}
    with pytest.raises(UsageError):
        start(read_recipe(written(tmp_path, sections)))
