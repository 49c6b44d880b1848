"""What --model-args reads: JSON on the command line, or a repository's configuration file, never as code."""

from pathlib import Path
from typing import Any

import click
import pytest

from sharpscope.cli.values import read_arguments
from sharpscope.errors import UsageError


def read(text: str | None) -> dict[str, Any] | None:
    command = click.Command("x")
    return read_arguments(click.Context(command), click.Option(["--model-args"]), text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AASIST.conf", '{"model_config": {"width": 8, "ratios": [0.5, 0.7]}, "lr": 0.1}'),
        ("config.json", '{"model_config": {"width": 8, "ratios": [0.5, 0.7]}, "lr": 0.1}'),
        ("model.yaml", "model_config:\n  width: 8\n  ratios: [0.5, 0.7]\nlr: 0.1\n"),
        ("model.YML", "# a comment\nmodel_config: {width: 8, ratios: [0.5, 0.7]}\nlr: 0.1\n"),
        ("model.toml", "lr = 0.1\n[model_config]\nwidth = 8\nratios = [0.5, 0.7]\n"),
    ],
)
def test_configuration_files_are_read(name: str, text: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / name).write_text(text)
    assert read(str(tmp_path / name)) == {"model_config": {"width": 8, "ratios": [0.5, 0.7]}, "lr": 0.1}


def test_json_on_the_command_line() -> None:
    assert read(None) is None
    assert read(' {"width": 8}') == {"width": 8}


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.yaml", "x: !!python/object/apply:os.system ['touch ran']\n", "could not determine a constructor"),
        ("a.yaml", "model: !new:speechbrain.Net {}\n", "could not determine a constructor"),
        ("a.yaml", "a: [1\n", "neither JSON nor a file"),
        ("a.yaml", "- 1\n- 2\n", "holds a list"),
        ("a.yaml", "1: 2\n", "object of named arguments"),
        ("a.yaml", "", "holds a NoneType"),
        ("a.toml", "a = \n", "neither JSON nor a file"),
        ("a.json", "{", "neither JSON nor a file"),
        ("a.py", "width = 8\n", "neither JSON nor a file"),
    ],
)
def test_what_is_no_configuration_is_said_in_one_line_and_never_run(
    name: str, text: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=word) as caught:
        read(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_what_is_neither_is_said() -> None:
    with pytest.raises(UsageError, match="neither JSON nor a file"):
        read("no_such_file.json")
    with pytest.raises(UsageError, match="holds a list"):
        read("[1, 2]")
