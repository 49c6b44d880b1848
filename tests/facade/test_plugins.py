"""A package of somebody else's: installed, found by its entry points, used like what is built in."""

import os
import subprocess
import sys
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sharpscope import plugins

EXAMPLE = Path(__file__).resolve().parents[2] / "sharpscope" / "examples" / "plugin"

SCRIPT = """
import sys, torch, sharpscope, sharpscope_lab
torch.manual_seed(0)
torch.save(sharpscope_lab.LabNet().state_dict(), "lab.pt")
found = sharpscope.measure("lab.pt", "lab_corpus", data=".", measures=["lab", "sam"], rho=[0.05], m=4,
                           show_progress=False)
table = found.table
assert set(table["arch"]) == {"lab-net"}, table["arch"]
assert set(table["set"]) == {"lab_corpus"}
assert set(table["measure"]) == {"lab_worst_loss", "sam"}
worst = table[table["measure"] == "lab_worst_loss"]["value"].iloc[0]
assert worst > 0
from sharpscope.results.measure_facts import facts_of, is_control
assert is_control("lab_worst_loss") and facts_of("lab_worst_loss").label == "Worst loss"
print("used")
"""


def test_an_installed_package_brings_a_measure_a_corpus_and_a_detector(tmp_path: Path) -> None:
    """Installed as pip lays it out: the module and the metadata that names its entry points, on the path."""
    site = tmp_path / "site"
    info = site / "sharpscope_lab-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "sharpscope_lab.py").write_text((EXAMPLE / "sharpscope_lab.py").read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sharpscope-lab\nVersion: 0.1.0\n")
    import tomllib

    declared = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = []
    for group, points in declared.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    clips = tmp_path / "clips"
    clips.mkdir()
    rng = np.random.default_rng(0)
    rows = ["clip,kind"]
    for number in range(16):
        soundfile.write(clips / f"{number}.wav", 0.1 * rng.normal(size=4000), 16_000)
        rows.append(f"{number}.wav,{'real' if number % 2 else 'fake'}")
    (tmp_path / "lab_corpus.csv").write_text("\n".join(rows) + "\n")
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{root}"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "used", done.stderr


def test_a_package_that_fails_is_named_and_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    class Point(EntryPoint):
        def load(self) -> Any:
            if self.name == "bad":
                raise ImportError("no module named their_code")
            return lambda: called.append(self.name)

    points = [Point("bad", "theirs:measures", "g"), Point("good", "ours:measures", "g")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    with pytest.warns(
        UserWarning, match=r"plug-in 'bad' of theirs:measures is left out \(ImportError: no module"
    ):
        assert plugins.load_plugins("one") == ("good",)
    assert called == ["good"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(plugins, "entry_points", lambda group: [])
        assert plugins.load_plugins("two") == ()
