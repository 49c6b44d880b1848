"""Why something failed and how much there is to do, as a run writes it down and `watch` shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from sharpscope import SharpscopeError, measure
from sharpscope.measurement import one_checkpoint
from sharpscope.results.diary import Diary, read_diaries
from sharpscope.watching.runs import look
from sharpscope.watching.shown import lines, page

NETWORK = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(2, 2)

    def forward(self, waves):
        return self.last(torch.stack([waves.std(dim=1), waves.abs().mean(dim=1)], dim=1))
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A network file, two checkpoints of which one is broken, two lists of which one names a damaged sound."""
    (tmp_path / "net.py").write_text(NETWORK)
    torch.manual_seed(0)
    state = {f"last.{name}": value for name, value in nn.Linear(2, 2).state_dict().items()}
    torch.save(state, tmp_path / "good.pt")
    (tmp_path / "bad.pt").write_bytes(b"no weights")
    rng = np.random.default_rng(0)
    for name in ("own", "damaged"):
        (tmp_path / name).mkdir()
        rows = ["file,label"]
        for index in range(8):
            soundfile.write(tmp_path / name / f"{index}.wav", 0.1 * rng.standard_normal(1600), 16_000)
            rows.append(f"{name}/{index}.wav,{'bonafide' if index % 2 else 'spoof'}")
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "damaged" / "5.wav").write_bytes(b"RIFF no sound")
    return tmp_path


def run(folder: Path, checkpoints: tuple[str, ...] = ("good.pt", "bad.pt"), *sets: str) -> tuple[str, ...]:
    names = sets or ("own", "damaged")
    return measure(
        [folder / name for name in checkpoints],
        [f"{name}={folder / name}.csv" for name in names],
        out=folder / "r.csv", model=f"{folder / 'net.py'}:Net", m=4, measures=["loss"], show_progress=False,
    ).failures  # fmt: skip


def shown(folder: Path) -> str:
    return "\n".join(lines(look(folder)))


def test_what_failed_and_why_is_shown_until_it_is_made_good(study: Path) -> None:
    assert len(run(study)) == 2
    text = shown(study)
    assert "1 checkpoints x sets finished" in text.splitlines()[0]
    assert text.splitlines()[0].endswith("1 stopped, 1 failed") or text.splitlines()[0].endswith("2 failed")
    assert "bad" in text
    assert "5.wav" in text
    drawn = page(look(study), study, every=5)
    assert "5.wav" in drawn
    assert "class=bad" in drawn
    # The sound is mended and the broken file left out: only what is still broken is said.
    (study / "damaged" / "5.wav").write_bytes((study / "own" / "5.wav").read_bytes())
    assert run(study, ("good.pt",)) == ()
    text = shown(study)
    assert "5.wav" not in text
    assert "FAILED" in text
    assert "bad" in text
    # A weight file in its place ends it, and no diary is left.
    (study / "bad.pt").write_bytes((study / "good.pt").read_bytes())
    run(study)
    assert "FAILED" not in shown(study)
    assert not list(study.rglob("*.diary"))


def test_a_run_in_which_all_goes_well_leaves_no_diary(study: Path) -> None:
    assert run(study, ("good.pt",), "own") == ()
    assert not list(study.rglob("*.diary"))
    assert "0 failed" in shown(study)


def test_a_first_look_tells_how_much_there_is_to_do(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half way through the first set of the first checkpoint: no row of it tells how large it is, the diary does."""
    seen: list[str] = []
    inside = one_checkpoint.still_the_same

    def peek(*arguments: object) -> None:
        seen.append(shown(study))
        inside(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(one_checkpoint, "still_the_same", peek)
    run(study, ("good.pt",), "own")
    assert "8 of 8 trials, 2 groups" in seen[0]
    assert f"process {os.getpid()} on " in seen[0]
    assert "0 of 1 checkpoints x sets finished" in seen[0]
    assert "left for all of it" in seen[0]


def stop(table: Path, error: BaseException, failed: str = "") -> None:
    """A run that an error ends."""

    def go() -> None:
        with Diary(table, 1, 1, 8) as diary:
            if failed:
                diary.failed(failed, "broken", 8)
            raise error

    with pytest.raises(type(error)):
        go()


def test_an_interrupted_run_says_so_and_a_killed_one_is_cleared_away(tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    stop(table, KeyboardInterrupt())
    assert not read_diaries(table)
    code = (
        "import os, pathlib; from sharpscope.results.diary import Diary\n"
        f"Diary(pathlib.Path({str(table)!r}), 3, 2, 8).__enter__(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (killed,) = read_diaries(table)
    assert (killed.checkpoints, killed.sets, killed.ended) == (3, 2, None)
    assert look(tmp_path)[0].runs == ()
    with Diary(table, 1, 1, 8):
        assert len(look(tmp_path)[0].runs) == 1
    assert not read_diaries(table)


def test_a_folder_that_cannot_be_written_to_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "groups").write_text("in the way")
    with Diary(tmp_path / "r.csv", 1, 1, 8) as diary:
        diary.failed("a", "b", 8)
    assert read_diaries(tmp_path / "r.csv") == []


def test_a_torn_or_foreign_diary_is_passed_over(tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    stop(table, SharpscopeError("the disk is full"), "a.pt")
    (file,) = tmp_path.rglob("*.diary")
    with open(file, "a") as out:
        out.write("0123456789abcdef {torn")
    (left,) = read_diaries(table)
    assert left.ended == "the disk is full"
    assert left.failures[0][:3] == ("a.pt", "broken", "")
    file.write_text("no diary\n")
    assert read_diaries(table) == []
