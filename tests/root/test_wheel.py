"""The built wheel, installed outside the clone, does the main job: nothing that it needs is left behind."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
NETWORK = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv1d(1, 4, 33, stride=16)
        self.last = torch.nn.Linear(4, 2)

    def forward(self, waves):
        return self.last(torch.tanh(self.first(waves.unsqueeze(1))).square().mean(dim=2))
"""
MAKE = "import torch, net; torch.manual_seed({0}); torch.save(net.Net().state_dict(), 'n{0}.pt')"


def run(*words: str, folder: Path, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SHARPSCOPE"))}
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env=own | environment
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build folder in the clone would be carried along by the next one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "sharpscope"):
        (source / name).symlink_to(ROOT / name)
    (source / "sharpscope").unlink()
    run("cp", "-r", str(ROOT / "sharpscope"), str(source), folder=folder)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "-w",
        str(folder),
    ]
    run(*pip, str(source), folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_says_where_it_is_from(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        (name,) = (name for name in inside if name.endswith("METADATA"))
        metadata = archive.read(name).decode()
    tracked = subprocess.run(
        ["git", "ls-files", "sharpscope"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode == 0:
        assert set(tracked.stdout.split()) <= inside
    for name in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]:
        assert f"Project-URL: {name}, " in metadata
    assert "sharpscope/training/recipes/huang2025/code/aasist.toml" in inside
    assert "sharpscope/examples/plugin/pyproject.toml" in inside


@pytest.mark.slow
def test_the_main_job_runs_from_the_wheel_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", "bare", folder=tmp_path)
    python = str(tmp_path / "bare" / "bin" / "python")
    site = run(python, "-c", "import site; print(site.getsitepackages()[0])", folder=tmp_path).strip()
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet", "--no-index"]
    run(*pip, str(wheel), folder=tmp_path)
    # What sharpscope needs is lent by this environment; its own sharpscope, if it has one, comes behind the wheel's.
    lent = [path for path in sys.path if path.endswith("site-packages")]
    (Path(site) / "lent.pth").write_text("\n".join(lent) + "\n")
    where = run(python, "-c", "import sharpscope; print(sharpscope.__file__)", folder=tmp_path).strip()
    assert where.startswith(site)

    command = str(tmp_path / "bare" / "bin" / "sharpscope")
    ours = {"OMP_NUM_THREADS": "1", "SHARPSCOPE_CACHE": str(tmp_path / "cache")}
    assert "watch" in run(command, "--help", folder=tmp_path)
    assert "huang2025/code/aasist" in run(command, "train", "--list", folder=tmp_path)
    assert "[model]" in run(command, "train", "--template", folder=tmp_path)
    (tmp_path / "net.py").write_text(NETWORK)
    rng = np.random.default_rng(0)
    lines = ["file,label"]
    for index in range(32):
        soundfile.write(
            tmp_path / f"{index}.wav", rng.standard_normal(4000) * (0.05 + 0.1 * (index % 2)), 16_000
        )
        lines.append(f"{index}.wav,{'bonafide' if index % 2 else 'spoof'}")
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    _try_the_examples(command, python, tmp_path, ours)
    for number in range(3):
        run(python, "-c", MAKE.format(number), folder=tmp_path)
    measure = ["measure", "n0.pt", "n1.pt", "n2.pt", "--model", "net.py:Net", "--sets", "own=own.csv"]
    run(command, *measure, "--m", "8", "--rho", "0.05", "--measures", "sam,loss", folder=tmp_path, **ours)
    run(command, "correlate", "results.csv", folder=tmp_path, **ours)
    assert (tmp_path / "correlation" / "summary.md").is_file()
    run(command, "report", "results.csv", "-o", "report.html", folder=tmp_path, **ours)
    assert "3 checkpoints x sets finished" in run(command, "watch", ".", "--once", folder=tmp_path)


def _try_the_examples(command: str, python: str, folder: Path, ours: dict[str, str]) -> None:
    """Every example is listed and copied; the one that needs nothing else runs where it was copied to."""
    names = [line.split()[0] for line in run(command, "examples", folder=folder).splitlines()]
    assert names == sorted(
        path.name for path in (ROOT / "sharpscope" / "examples").iterdir() if path.is_dir()
    )
    for name in names:
        run(command, "examples", name, f"copies/{name}", folder=folder)
    assert (folder / "copies" / "plugin" / "pyproject.toml").is_file()
    said = run(python, "copies/bring_your_detector/run.py", folder=folder, **ours)
    assert "live parameters" in said
    # A corpus from one's own recordings: here so short that the command says what it needs.
    (folder / "speech").mkdir()
    soundfile.write(folder / "speech" / "short.wav", np.zeros(1600), 16_000)
    done = subprocess.run(
        [command, "example-corpus", "corpus", "--speech", "speech"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "are shorter than" in done.stderr
