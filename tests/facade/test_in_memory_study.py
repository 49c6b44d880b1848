"""A whole study in memory, as in a notebook: the numbers of the files to the last digit."""

import inspect
from pathlib import Path
from typing import Any, ClassVar

import click
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import sharpscope
from sharpscope.cli import main
from sharpscope.errors import UsageError

SAMPLES = 4_000
OPTIONS: dict[str, Any] = {"m": 4, "rho": [0.05, 0.01], "show_progress": False}


class Net(nn.Module):
    """Takes waves of any length."""

    sharpscope_spec: ClassVar = {"n_samples": SAMPLES, "bonafide_index": 1}

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(1, 4, 33, stride=16)
        self.out = nn.Linear(4, 2)

    def forward(self, waves: Tensor) -> Tensor:
        logits: Tensor = self.out(torch.tanh(self.conv(waves.unsqueeze(1))).mean(dim=2))
        return logits


MODEL = Path(__file__)


@pytest.fixture(scope="module")
def waves() -> dict[str, tuple[np.ndarray, list[int]]]:
    rng = np.random.default_rng(0)
    sets = {}
    for name in ("one", "two"):
        labels = [1, 0] * 16
        noise = rng.normal(size=(32, SAMPLES)) * np.where(np.array(labels) == 1, 0.1, 0.12)[:, None]
        # What a 16-bit file holds, so that both ways see the same samples.
        sets[name] = ((np.round(noise * 32768) / 32768).astype(np.float32), labels)
    return sets


@pytest.fixture(scope="module")
def by_files(waves: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, (array, labels) in waves.items():
        lines = ["file,label"]
        for number, (wave, label) in enumerate(zip(array, labels, strict=True)):
            soundfile.write(folder / f"{name}{number}.wav", wave, 16_000, subtype="PCM_16")
            lines.append(f"{name}{number}.wav,{'bonafide' if label else 'spoof'}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    for seed in range(5):
        torch.save(Net(seed).state_dict(), folder / f"net{seed}.pt")
    return folder


def test_networks_and_arrays_give_the_numbers_of_files_to_the_last_digit(
    waves: dict[str, Any], by_files: Path
) -> None:
    measured = sharpscope.measure([Net(seed) for seed in range(5)], waves, **OPTIONS)
    assert measured.out is None
    table = measured.table
    model = by_files / "model.py"
    model.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(MODEL.parent)!r})\n"
        "from test_in_memory_study import Net as Base\n\n\n"
        "def Net():\n    return Base(0)\n"
    )
    files = [by_files / f"net{seed}.pt" for seed in range(5)]
    sets = [f"{name}={by_files / name}.csv" for name in waves]
    on_disk = sharpscope.measure(files, sets, out=by_files / "r.csv", model=f"{model}:Net", **OPTIONS).table
    columns = ["set", "measure", "rho", "m", "value", "stderr", "eer", "eer_low", "eer_high", "n_groups"]
    pd.testing.assert_frame_equal(table[columns], on_disk[columns], check_exact=True)

    correlation = measured.correlate()
    again = sharpscope.correlate(by_files / "r.csv")
    numbers = ["scope", "set", "measure", "spearman", "p", "p_holm", "evidence", "spearman_same_trials"]
    # Checkpoints stand in the order of their hashes, which are of files there and of weights here: sums round apart.
    pd.testing.assert_frame_equal(correlation.table[numbers], again.table[numbers], rtol=1e-12)
    assert (correlation.table["evidence"] == "cross-half").any()

    figure = measured.plot("scatter").figure
    assert figure.axes
    assert measured.plot("det").figure.axes
    assert "<table" in measured._repr_html_()
    scores = measured.records.scores(table.iloc[0])
    assert scores is not None
    assert len(scores) == 32


def test_every_kind_of_source_gives_the_same_rows(waves: dict[str, Any], by_files: Path) -> None:
    array, labels = waves["one"]

    class Pairs(Dataset[tuple[Tensor, int]]):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            if index >= len(labels):
                raise IndexError(index)
            return torch.from_numpy(array[index]), labels[index]

    rows = [
        {"audio": {"array": w, "sampling_rate": 16_000}, "label": y}
        for w, y in zip(array, labels, strict=True)
    ]
    frame = pd.DataFrame({"path": [str(by_files / f"one{i}.wav") for i in range(32)], "label": labels})
    sources: list[Any] = [
        (array, labels),
        (torch.from_numpy(array), torch.tensor(labels)),
        (list(array), ["bonafide" if y else "spoof" for y in labels], 16_000),
        Pairs(),
        rows,
        frame,
        str(by_files / "one.csv"),
    ]
    tables = [sharpscope.measure(Net(0), {"one": source}, **OPTIONS).table for source in sources]
    for table in tables[1:]:
        assert table["value"].tolist() == tables[0]["value"].tolist()
        assert table["eer"].tolist() == tables[0]["eer"].tolist()


def test_one_text_is_one_set_and_not_its_letters(by_files: Path) -> None:
    table = sharpscope.measure(Net(0), f"one={by_files / 'one.csv'}", **OPTIONS).table
    assert set(table["set"]) == {"one"}


def test_what_is_no_detector_or_no_set_is_said(waves: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a detector was given as int"):
        sharpscope.measure([3], waves, **OPTIONS)  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"it is a text, \(waves, labels\), a DataFrame"):
        sharpscope.measure(Net(0), {"x": 3}, **OPTIONS)
    with pytest.raises(UsageError, match="32 waves and 31 labels"):
        sharpscope.measure(Net(0), {"x": (waves["one"][0], waves["one"][1][:31])}, **OPTIONS)
    with pytest.raises(UsageError, match="label 2 is not known; 1 is bona fide"):
        sharpscope.measure(Net(0), {"x": (waves["one"][0], [2] * 32)}, **OPTIONS)
    with pytest.raises(UsageError, match="no detector was given"):
        sharpscope.measure([], waves, **OPTIONS)


def test_files_of_one_stem_have_names_of_their_own(by_files: Path, tmp_path: Path) -> None:
    for seed, run in enumerate(("adam", "sam")):
        (tmp_path / run).mkdir()
        torch.save(Net(seed).state_dict(), tmp_path / run / "best.pth")
    model = by_files / "model.py"
    model.write_text(
        f"import sys\nsys.path.insert(0, {str(MODEL.parent)!r})\n"
        "from test_in_memory_study import Net as Base\n\n\ndef Net():\n    return Base(0)\n"
    )
    out = tmp_path / "r.csv"
    options: dict[str, Any] = {**OPTIONS, "out": out, "model": f"{model}:Net"}
    sharpscope.measure(tmp_path / "adam" / "best.pth", f"one={by_files / 'one.csv'}", **options)
    sharpscope.measure(tmp_path / "sam" / "best.pth", f"one={by_files / 'one.csv'}", **options)
    assert set(sharpscope.read_results(out)["checkpoint"]) == {"best", "sam/best"}
    again = sharpscope.measure(tmp_path / "adam" / "best.pth", f"one={by_files / 'one.csv'}", **options)
    assert (again.rows, again.skipped) == (0, 11)
    both = sharpscope.measure(sorted(tmp_path.glob("*/best.pth")), f"one={by_files / 'one.csv'}", model=f"{model}:Net",
                              **OPTIONS)  # fmt: skip
    assert list(dict.fromkeys(both.table["checkpoint"])) == ["adam/best", "sam/best"]


# What a command shows on a screen or writes by default, and a function hands back.
OF_THE_COMMAND = {"out", "out_dir", "quiet", "as_json", "show_progress", "debug"}


@pytest.mark.parametrize("name", ["measure", "correlate", "landscape", "inspect", "power", "train"])
def test_defaults_of_command_and_function_are_equal(name: str) -> None:
    function = inspect.signature(getattr(sharpscope, name)).parameters
    compared = 0
    for option in main.commands[name].params:
        if (
            not isinstance(option, click.Option)
            or option.name in OF_THE_COMMAND
            or option.name not in function
        ):
            continue
        default = function[option.name].default
        if default is inspect.Parameter.empty:
            continue
        given = option.get_default(click.Context(main.commands[name]))
        given = given if isinstance(given, str | int | float | bool | tuple | list) else None
        if option.callback is not None and given is not None:
            given = option.callback(click.Context(main.commands[name]), option, given)
        if isinstance(given, str) and isinstance(default, tuple):
            given = tuple(given.split(","))
        blank = (None, (), [], "", False)
        assert given == default or (given in blank and default in blank) or list(given) == list(default), (
            option.name
        )
        compared += 1
    assert compared
