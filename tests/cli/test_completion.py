"""What a shell is offered: by click's own machinery, and by bash itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from results_tables import make_results

from sharpscope.cli import main
from sharpscope.cli.completion import PRESETS
from sharpscope.corpora import CORPORA
from sharpscope.measurement.presets import PRESETS as KNOWN
from sharpscope.results.appending import append_results


def offered(*words: str) -> list[str]:
    """What may become of the last word."""
    shell = ShellComplete(main, {}, "sharpscope", "_SHARPSCOPE_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


def test_presets_are_those_that_measure_knows() -> None:
    assert set(PRESETS) == set(KNOWN)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("measure", "--preset", "h"), ["huang2025"]),
        (("measure", "--by", ""), ["attack", "codec", "language", "speaker"]),
        (("measure", "--leaks", "ex"), ["exclude"]),
        (("measure", "--device", "cu"), ["cuda:0"]),
        (("measure", "--measures", "loss,grad_n"), ["loss,grad_norm"]),
        (("measure", "--measures", "loss,los"), []),
        (("measure", "--arch", "aasist-"), ["aasist-l"]),
        (("landscape", "--axes", "sam,"), ["sam,random"]),
        (("train", "--recipe", "huang2025/code/aasist"), ["huang2025/code/aasist"]),
        (("plot", "rho"), ["rho-curve"]),
        (("examples", "bring"), ["bring_your_detector"]),
    ],
)  # fmt: skip
def test_values_are_offered(words: tuple[str, ...], wanted: list[str]) -> None:
    assert [word for word in offered(*words) if "," not in word or word in wanted] == wanted


def test_sets_are_offered_at_the_last_comma_and_files_behind_a_name(tmp_path: Path) -> None:
    assert set(CORPORA) <= set(offered("measure", "--sets", ""))
    assert "itw,mlaad" in offered("measure", "--sets", "itw,ml")
    assert "itw,itw" not in offered("measure", "--sets", "itw,it")
    (tmp_path / "own.csv").touch()
    (tmp_path / "own.flac").touch()
    (tmp_path / "other").mkdir()
    assert offered("measure", "--sets", f"itw,mine={tmp_path}/o") == [
        f"itw,mine={tmp_path}/other/",
        f"itw,mine={tmp_path}/own.csv",
    ]
    assert len(offered("measure", "--sets", f"mine={tmp_path}/")) == 2
    assert offered("measure", "--sets", f"mine={tmp_path}/nothing/") == []
    assert "sam" in offered("measures", "sa")


def test_what_the_table_holds_is_offered(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    append_results(path, make_results(("itw", "codec")).to_dict("records"))
    assert offered("plot", "scatter", str(path), "--sets", "itw,") == ["itw,codec"]
    assert "sam" in offered("plot", "scatter", str(path), "--measure", "")
    assert offered("plot", "pairs", str(path), "--baseline", "ad") == ["adam"]
    assert offered("forecast", str(path), "--target", "co") == ["codec"]
    # Nothing to offer is no reason to fail.
    assert offered("plot", "scatter", str(tmp_path / "no.csv"), "--sets", "") == []
    path.write_bytes(b"\xff\xfe\x00")
    assert offered("plot", "scatter", str(path), "--sets", "") == []


def test_files_are_offered_for_checkpoints_and_tables() -> None:
    shell = ShellComplete(main, {}, "sharpscope", "_SHARPSCOPE_COMPLETE")
    for words in (["measure"], ["correlate"], ["report"], ["plot", "scatter"]):
        assert {item.type for item in shell.get_completions(words, "x")} == {"file"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_as_the_readme_says(tmp_path: Path) -> None:
    """The line of the README, and then what bash itself does when the key is pressed."""
    command = tmp_path / "sharpscope"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sharpscope "$@"\n')
    command.chmod(0o755)
    script = """
eval "$(_SHARPSCOPE_COMPLETE=bash_source sharpscope)"
COMP_WORDS=(sharpscope measure a.pt --preset hu) COMP_CWORD=4
_sharpscope_completion sharpscope hu --preset
echo "${COMPREPLY[@]}"
"""
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root}
    # click's script asks for a newer bash than 4.3 and says so on standard error.
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "huang2025", done.stderr
