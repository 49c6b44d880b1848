from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from results_tables import make_results

from sharpscope.cli import main
from sharpscope.results.appending import append_results


@pytest.fixture
def results(tmp_path: Path) -> str:
    append_results(tmp_path / "results.csv", make_results().to_dict("records"))
    return str(tmp_path / "results.csv")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plot", "scater"], ["'KIND'", "'scater'", "scatter"]),
        (["table", "err"], ["'KIND'", "'err'", "eer"]),
        (["plot", "scatter", "--venue", "nature"], ["'--venue'", "'nature'", "interspeech"]),
        (["correlate", "--no-figures", "--venue", "nature"], ["'--venue'", "'nature'", "interspeech"]),
        (["landscape", "--sets", "x", "--venue", "nature"], ["'--venue'", "'nature'", "interspeech"]),
        (["plot", "scatter", "--rho", "0.07"], ["rho 0.07;", "rho 0.05, m 32, rigorous"]),
    ],
)
def test_a_wrong_choice_names_the_option_and_what_is_allowed(
    arguments: list[str], words: list[str], results: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [*arguments, results])
    assert done.exit_code == 2
    for word in words:
        assert word in done.output
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix not in (".lock",) and not p.is_dir()) == [
        "results.csv"
    ]


def test_a_table_is_not_written_into_a_document(results: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["table", "eer", results, "--out", str(tmp_path / "x.docx")])
    assert done.exit_code == 2
    assert ".md, .txt, .tex" in done.output
    assert not (tmp_path / "x.docx").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--rho", "0.07"],
        ["--measure", "samm"],
        ["--sets", "nosuch"],
        ["--preset", "nope"],
        ["--out", "x.docx"],
    ],
)
def test_a_wrong_choice_is_told_before_anything_is_correlated(
    wrong: list[str], results: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object, **__: object) -> None:
        raise AssertionError("correlated before the choice was looked up")

    monkeypatch.setattr("sharpscope.figures.kinds.correlation_of", slow)
    done = CliRunner().invoke(main, ["plot", "scatter", results, *wrong])
    assert done.exit_code == 2
    assert done.stderr.startswith("sharpscope: ")


def test_a_figure_shows_itself_in_a_notebook(results: str) -> None:
    from sharpscope.figures import plot

    assert plot("shift", results)._repr_png_().startswith(b"\x89PNG")
