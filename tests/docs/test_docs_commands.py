"""Every `sharpscope` command that README and docs/ show is run, on small files laid out as the page assumes."""

import glob
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from click.testing import CliRunner
from corpus_layouts import LAYOUTS, Folder

from sharpscope.cli import main
from sharpscope.detectors import build
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.training.recipe import Recipe, toml
from sharpscope.training.train import train

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Minutes long and tested on its own, or a placeholder for a file that only its owner has.
SKIPPED = ("sharpscope demo", "sharpscope train recipe.toml --grid")


def commands(page: Path) -> list[str]:
    """The indented lines that begin with sharpscope, continued lines joined, comments cut."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^    (sharpscope .*)$", text, flags=re.MULTILINE)
    lines = [re.sub(r"\s+#.*$", "", line).strip() for line in found]
    return [line for line in lines if not line.startswith(SKIPPED)]


def sounds(folder: Path, name: str, n: int, seed: int) -> None:
    """A list of n trials, half tones (bona fide) of six speakers, half noises of two attacks; two codecs."""
    rng = np.random.default_rng(seed)
    lines = ["file,label,attack,speaker,codec"]
    for index in range(n):
        tone = index % 2 == 0
        time = np.arange(6000) / 16_000
        wave = (
            0.2 * np.sin(2 * np.pi * rng.uniform(200, 600) * time)
            if tone
            else 0.1 * rng.standard_normal(6000)
        )
        file = f"audio/{name}{index}.wav"
        (folder / "audio").mkdir(exist_ok=True, parents=True)
        soundfile.write(folder / file, wave + 0.05 * rng.standard_normal(6000), 16_000)
        lines.append(
            f"{file},{'bonafide,-' if tone else f'spoof,A{index // 2 % 2}'},s{index % 12},c{index // 4 % 2}"
        )
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def detector(path: Path, seed: int, width: int = 4, recipe: str = "adam") -> None:
    torch.manual_seed(seed)
    arguments = {"width": width, "depth": 2, "bands": 16}
    record = {"arch": "tiny", "arch_args": arguments, "recipe": recipe, "seed": seed}
    write_checkpoint(path, build("tiny", arguments).state_dict(), record | {"spec": {"n_samples": 6000}})


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages take for granted."""
    folder = tmp_path_factory.mktemp("docs")
    for number, name in enumerate(
        ("protocol", "train", "eval_seen", "eval_unseen", "eval_codec", "eval_lang")
    ):
        sounds(folder, name, 72, number)
    for number, name in enumerate(("seen", "attacks", "codecs", "noise", "speakers", "languages")):
        sounds(folder / "demo" / "corpus", name, 72, number)
    for number in range(3):
        for method in ("adamw", "sam0.02"):
            run = folder / "demo" / "checkpoints" / f"tiny-{method}-{number}"
            run.mkdir(parents=True)
            detector(run / "best.pt", number, recipe=method)
    for name in ("itw", "mlaad"):
        LAYOUTS[name].write(Folder(folder / "corpora"))
    for number in range(3):
        for recipe in ("adam", "sam"):
            detector(folder / "checkpoints" / f"tiny16-{recipe}-{number}.pt", number, recipe=recipe)
    for name in ("adam", "sam", "adam-0", "sam-0"):
        detector(folder / f"{name}.pt", 7, recipe=name.split("-")[0])
    detector(folder / "published.pth", 8)
    example = (ROOT / "sharpscope" / "examples" / "bring_your_detector" / "my_detector.py").read_text()
    (folder / "my_detector.py").write_text(example)
    (folder / "my_model.py").write_text(example.replace("class MyDetector", "class Net"))
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    torch.save(namespace["MyDetector"]().state_dict(), folder / "own.pt")
    # An anchor must know its own training set.
    trained = Recipe(
        {
            "data": {"train": [f"train={folder / 'train.csv'}"], "samples": 6000},
            "model": {"arch": "tiny", "args": {"width": 4, "depth": 2, "bands": 16}},
            "optimizer": {"lr": 0.01},
            "schedule": {"epochs": 8},
        }
    )
    shutil.copy(
        train(trained, out=folder / "run", show_progress=False).folder / "last.pt", folder / "ckpt.pt"
    )
    recipe = Recipe({})
    recipe["data"]["train"] = ["train=train.csv"]
    recipe["schedule"]["epochs"] = 1
    (folder / "recipe.toml").write_text(
        "\n".join(
            f"[{section}]\n" + "\n".join(f"{name} = {toml(value)}" for name, value in keys.items())
            for section, keys in recipe.values.items()
            if section
        )
    )
    rng = np.random.default_rng(0)
    for name in ("scores", "adam", "sam", "closed"):
        (folder / f"{name}.txt").write_text("".join(f"t{i} {rng.normal() + (i % 2)}\n" for i in range(60)))
    (folder / "protocol.txt").write_text(
        "".join(f"s{i % 20} t{i} - - {'bonafide' if i % 2 else 'spoof'}\n" for i in range(60))
    )
    return folder


def _measured() -> None:
    """The table that pages take for granted, in the folder at hand, made by whichever test needs it first."""
    if not Path("results.csv").exists():
        sets = ",".join(f"{name}=eval_{name}.csv" for name in ("seen", "unseen", "codec", "lang"))
        start = ["measure", *sorted(glob.glob("checkpoints/*.pt")), "--sets", sets, "--quiet"]
        done = CliRunner().invoke(main, [*start, "--m", "8", "--rho", "0.01,0.05"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert len(pd.read_csv("results.csv")) > 100


def test_the_pages_show_commands() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 25


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.stem)
def test_every_command_of_a_page_runs(page: Path, sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sandbox)
    monkeypatch.setenv("SHARPSCOPE_CACHE", str(sandbox / "cache"))
    monkeypatch.setenv("SHARPSCOPE_DATA", str(sandbox / "corpora"))
    runner = CliRunner()
    _measured()
    for line in commands(page):
        words = shlex.split(line)[1:]
        words = [str(sandbox / "corpora") if word == "/corpora" else word for word in words]
        words = [file for word in words for file in (sorted(glob.glob(word)) if "*" in word else [word])]
        if "--model" in words:
            words = ["own.pt" if word == "ckpt.pt" else word for word in words]
        if words[0] == "measure":
            words += ["--quiet", *([] if "--m" in words else ["--m", "2"])]
            # A page's commands are not about one table.
            words += [] if "--out" in words else ["--out", "page.csv"]
        if words[0] == "train" and "--template" in words:
            words = words[: words.index("--template") + 1]
        done = runner.invoke(main, words, catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.output}"


def test_the_gallery_draws_into_axes_of_ones_own(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sandbox)
    _measured()
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {}
    exec(code, found)
    try:
        assert [len(ax.collections) > 0 or len(ax.lines) > 6 for ax in found["axes"]] == [True] * 4
        assert [len(part) for _, part in found["rows"].groupby("set")] == [6] * 4
        assert Path("mine.pdf").read_bytes().startswith(b"%PDF")
    finally:
        plt.close(found["drawing"])
