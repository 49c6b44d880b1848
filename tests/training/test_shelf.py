"""The recipes that ship follow the published configuration: a table of what it holds, key by key."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.training.recipe import read_recipe
from sharpscope.training.shelf import find, pretrained, shipped

# Read from the configurations of SAM-AntiSpoofing (nii-yamagishilab, configs/sam) and its train_sam.py, datasets.py.
EVERYWHERE = {
    "seed": 666,
    "optimizer.base": "adam",
    "optimizer.method": "sam",
    "optimizer.masks": "fresh",
    "schedule.epochs": 100,
    "schedule.micro_batch": 0,
    "schedule.last_batch": "keep",
    "schedule.warmup": 0,
    "schedule.patience": 0,
    "schedule.selection": "mean",
    "schedule.ties": "first",
    "schedule.average_from": -1,
    "loss.spoof_weight": 0.1,
    "loss.bonafide_weight": 0.9,
    "data.samples": 64_600,
    "data.train": ["asvspoof2019_la@train"],
    "augment.crop": "first",
    "augment.noise": 0.0,
    "augment.codec": 0.0,
}
SSL = {"optimizer.lr": 1e-6, "optimizer.weight_decay": 1e-5, "schedule.batch_size": 32, "schedule.lr": "constant",
       "augment.rawboost": 5, "frontend.layerdrop": 0.0}  # fmt: skip
SYSTEMS = {
    "aasist": {
        "model.arch": "aasist@sam-antispoofing", "optimizer.lr": 1e-4, "optimizer.weight_decay": 1e-4,
        "optimizer.rho": 0.05, "schedule.batch_size": 24, "schedule.lr": "cosine", "schedule.lr_end": 5e-6,
        "augment.rawboost": 0,
    },
    "w2v_base_linear": {**SSL, "model.arch": "ssl-linear", "optimizer.rho": 0.05},
    "w2v_base_aasist": {**SSL, "model.arch": "ssl-aasist", "optimizer.rho": 0.05},
    "w2v_large_linear": {**SSL, "model.arch": "ssl-linear", "optimizer.rho": 0.005},
    "w2v_large_aasist": {**SSL, "model.arch": "ssl-aasist", "optimizer.rho": 0.001},
    "w2v_xlsr_linear": {**SSL, "model.arch": "ssl-linear", "optimizer.rho": 0.005},
    "w2v_xlsr_aasist": {**SSL, "model.arch": "ssl-aasist", "optimizer.rho": 0.001},
}  # fmt: skip
# What the paper's text says otherwise.
TEXT = {"augment.crop": "random", "augment.rawboost": 5}
# Where a recipe deviates from the code, by the word under which its comment says so.
DEVIATIONS = ("selection", "dev EER", "sample rate")


@pytest.mark.parametrize("kind", ["code", "text"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_recipe_holds_the_published_values(system: str, kind: str) -> None:
    path = find(f"huang2025/{kind}/{system}")
    recipe = read_recipe(path)
    published = {**EVERYWHERE, **SYSTEMS[system], **(TEXT if kind == "text" else {})}
    for name, value in published.items():
        section, _, key = name.rpartition(".")
        assert recipe[section][key] == value, name
    said = path.read_text()
    assert all(
        f"#   {word}" in said for word in (DEVIATIONS if kind == "code" else ("crop", "RawBoost", "seeds"))
    )
    # The dev set is not one of those that are tested.
    assert recipe["data"]["dev"] == ["asvspoof2019_la@dev"]
    assert not recipe.leaked()


def test_code_and_text_differ_where_the_files_say() -> None:
    for system in SYSTEMS:
        one, other = (
            tomllib.loads(find(f"huang2025/{kind}/{system}").read_text()) for kind in ("code", "text")
        )
        differing = {
            f"{section}.{key}"
            for section, keys in one.items()
            if isinstance(keys, dict)
            for key, value in keys.items()
            if other[section][key] != value
        }
        assert differing <= set(TEXT)
        assert "augment.crop" in differing


def test_the_command_lists_and_prints_them(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(main, ["train", "--list"])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(shipped())
    printed = runner.invoke(main, ["train", "--template", "--recipe", "huang2025/code/aasist"])
    assert printed.stdout == find("huang2025/code/aasist").read_text()
    wrong = runner.invoke(main, ["train", "--recipe", "huang2025/code/asist"])
    assert wrong.exit_code == 2
    assert "did you mean 'huang2025/code/aasist'" in wrong.stderr
    both = runner.invoke(main, ["train", str(tmp_path / "a.toml"), "--recipe", "huang2025/code/aasist"])
    assert both.exit_code == 2
    assert "give one of them" in both.stderr


def test_a_front_end_is_found_in_the_hub_cache_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(UsageError, match=r"hf download facebook/wav2vec2-base"):
        pretrained("facebook/wav2vec2-base", tmp_path)
    snapshot = tmp_path / "hub" / "models--facebook--wav2vec2-base" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "pytorch_model.bin").touch()
    assert pretrained("facebook/wav2vec2-base", tmp_path).name == "pytorch_model.bin"
    (snapshot / "model.safetensors").touch()
    assert pretrained("facebook/wav2vec2-base", tmp_path).name == "model.safetensors"
    (tmp_path / "own.pt").touch()
    assert pretrained("own.pt", tmp_path) == (tmp_path / "own.pt").resolve()
    assert pretrained(str(snapshot), tmp_path).name == "model.safetensors"
