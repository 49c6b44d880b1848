"""What a user reads when something is wrong: one line, the option named, what to do next."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from results_tables import make_results
from safetensors.torch import load_file

from sharpscope.cli import main
from sharpscope.detectors.conversion import convert
from sharpscope.errors import MOST_NAMES, unknown_name


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="sharpscope")


def test_an_unknown_name_lists_ten_names_at_most_and_where_the_others_stand() -> None:
    known = [f"measure_{number}" for number in range(200)]
    said = str(unknown_name("measure", "measure_7x", known, see="sharpscope measures"))
    assert said.startswith("unknown measure 'measure_7x'; did you mean 'measure_7'?")
    assert said.count("measure_") - 1 <= MOST_NAMES
    assert said.endswith("See `sharpscope measures`")
    assert "Known: a, b" in str(unknown_name("letter", "c", "ab"))
    assert str(unknown_name("key", "ITX", ["itw", "ITW"])).startswith(
        "unknown key 'ITX'; did you mean 'ITW'?"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("measures", "samm"), "did you mean 'sam'?"),
        (("measures", "qqqqq"), "See `sharpscope measures`"),
        (("train", "--recipe", "foo"), "See `sharpscope train --list`"),
        (("measure", "x.pt", "--sets", "itw", "--rho", "abc"), "--rho is 'abc'"),
        (("measure", "x.pt", "--sets", "itw", "--rho", ","), "--rho is empty"),
        (("measure", "x.pt", "--sets", "itw", "--m", "inf"), "--m is 'inf'"),
        (("measure", "x.pt", "--sets", "itw", "--m", "nan"), "--m is 'nan'"),
        (("measure", "x.pt", "--sets", "itw;mlaad"), "--sets is 'itw;mlaad'; its parts stand apart by commas"),
        (("measure", "x.pt", "--sets", "qqq", "--data", "."), "See `sharpscope sets`"),
        (("measure", "x.pt", "--limit", "a", "--sets", "a"), "see `sharpscope measure --help`"),
        (("measure",), "missing argument 'CHECKPOINTS...'"),
        (("plot",), "see `sharpscope plot --help`"),
        (("plot", "pie", "r.csv"), "invalid value for 'KIND'"),
        (("nothing",), "no such command 'nothing'"),
        (("--nothing",), "no such option '--nothing'"),
    ],
)  # fmt: skip
def test_misuse_is_one_line_that_says_what_to_do(words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.startswith("sharpscope: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 400


def test_no_command_shows_the_help() -> None:
    assert "Commands:" in run().output


def test_debug_shows_where_an_error_comes_from() -> None:
    assert "Traceback" in run("--debug", "measures", "samm").stderr
    assert run("--debug", "measures", "samm").exit_code == 2
    assert "Traceback" not in run("measures", "samm").stderr


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_results_table_with_other_separators_or_a_folder_is_told(
    sign: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    make_results(("itw",)).to_csv(path, sep=sign, index=False)
    assert f"its columns stand apart by {name}" in run("correlate", str(path)).stderr
    assert "is a folder" in run("correlate", str(tmp_path)).stderr


def test_two_lists_of_one_name_and_a_folder_of_no_corpus_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("file,label\nx.wav,spoof\ny.wav,bonafide\n")
    for name in ("x", "y"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(160), 16_000)
    done = run("measure", "x.pt", "--sets", f"own={tmp_path}/a.csv,own={tmp_path}/b.csv")
    assert "two sets of --sets are called 'own'" in done.stderr
    done = run("measure", "x.pt", "--sets", f"own={tmp_path}")
    assert "write own=LIST.csv" in done.stderr
    assert done.exit_code == 2


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_list_with_semicolons_or_tabs_is_read(separator: str, tmp_path: Path) -> None:
    """Such lists are read by now, so what is missing is the audio that they name."""
    path = tmp_path / "own.csv"
    path.write_text(separator.join(("file", "label")) + "\n" + separator.join(("a.wav", "real")) + "\n")
    done = run("measure", "x.pt", "--sets", f"own={path}")
    assert "none of its 1 audio files is there" in done.stderr


@pytest.mark.parametrize(("separator", "name"), [("|", "bars")])
def test_a_list_with_another_separator_gets_a_hint(separator: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        separator.join(("file", "label", "attack")) + "\n" + separator.join(("a.wav", "real", "-")) + "\n"
    )
    done = run("measure", "x.pt", "--sets", f"own={path}")
    assert f"Its columns stand apart by {name}; write commas" in done.stderr


def test_a_list_that_lacks_a_column_gets_no_hint_about_separators(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("file;x,y\na,b\n")
    assert "stand apart" not in run("measure", "x.pt", "--sets", f"own={tmp_path / 'own.csv'}").stderr


def test_a_converted_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(3)}, tmp_path / "a.pt")
    old = os.umask(0o022)
    try:
        assert convert(tmp_path / "a.pt", tmp_path / "a.safetensors") == 1
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.safetensors").stat().st_mode) == 0o644
    assert load_file(tmp_path / "a.safetensors")["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_power_says_that_so_few_checkpoints_find_nothing(n: int) -> None:
    done = run("power", "--n", str(n))
    assert done.exit_code == 0
    assert "can find nothing" in done.stdout
    assert "It takes 5 or more" in done.stdout
    assert "measure" not in done.stderr
    assert "Spearman 0.98" in run("power", "--n", "5").stdout


@pytest.mark.parametrize("n", [2, 3, 4])
def test_below_five_checkpoints_nothing_is_printed_that_cannot_be(n: int, tmp_path: Path) -> None:
    ways = (("sam", 0.05), ("loss", float("nan")))
    make_results(recipes=("adam",), seeds=range(n), measures=ways).to_csv(tmp_path / "r.csv", index=False)
    done = run(
        "correlate", str(tmp_path / "r.csv"), "--out-dir", str(tmp_path / "c"), "--no-figures", "--quiet"
    )
    assert done.exit_code == 0, done.output
    said = done.stdout
    for nonsense in (
        "p = --",
        "nan",
        "[--",
        "over 0 tests",
        "over 0 pairs",
        "-0.00",
        "p_adjusted",
        "spearman_low",
    ):
        assert nonsense not in said, nonsense
    assert "Nothing can be tested" in said
    assert " measure " not in said


def test_keys_and_protocols_know_the_same_words_for_the_classes(tmp_path: Path) -> None:
    words = ("original", "natural", "tts", "synthetic")
    (tmp_path / "key.csv").write_text("trial,label\n" + "".join(f"t{i},{w}\n" for i, w in enumerate(words)))
    (tmp_path / "scores.txt").write_text("t0 2\nt1 3\nt2 1\nt3 0\n")
    done = run("score", str(tmp_path / "scores.txt"), "--key", str(tmp_path / "key.csv"))
    assert done.exit_code == 0, done.output
    assert "0.00 %" in done.stdout


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nobody can make a file")
@pytest.mark.parametrize("words", [("--out", "/proc/r.csv"), ("--out", "/proc/new/r.csv")])
def test_results_in_a_place_that_takes_no_files_are_refused_before_anything_is_measured(
    words: tuple[str, ...], tone_set: Path, model_file: Path
) -> None:
    done = run(
        "measure", "not-even-opened.pt", "--model", f"{model_file}:Tiny", "--sets", f"t={tone_set}", "--m", "4", *words
    )  # fmt: skip
    assert done.exit_code == 2
    assert "cannot be made a folder" in done.stderr
    assert "name one in which you may make files" in done.stderr
    assert "not-even-opened" not in done.stderr


def test_a_slip_in_a_set_of_training_is_told_with_the_nearest_corpora(
    tone_set: Path, model_file: Path, tmp_path: Path
) -> None:
    words = (
        "measure",
        "x.pt",
        "--model",
        f"{model_file}:Tiny",
        "--sets",
        f"t={tone_set}",
        "--m",
        "4",
        "--dry-run",
    )
    done = run(*words, "--trained-on", "mlaadd,t", "--selected-on", "own=train.csv")
    assert "unknown set 'mlaadd'; did you mean 'mlaad'?" in done.stderr
    assert "no trial is compared with it" in done.stderr
    assert done.stderr.count("unknown set") == 1
    assert "unknown set" not in run(*words, "--trained-on", "19LA,itw@x+mlaad").stderr


def test_options_that_commands_share_are_written_once() -> None:
    """An option of one name is one option wherever it opens or runs a checkpoint: its help and its values."""
    shared = ("arch", "model", "model_args", "weights", "allow_pickle", "device", "dtype", "bonafide_index")
    opening = ("measure", "landscape", "inspect")
    for name in shared:
        found = [p.to_info_dict() for c in opening for p in main.commands[c].params if p.name == name]
        assert len(found) >= 2
        assert all(one == found[0] for one in found), name
    presets = [
        p.to_info_dict()
        for c in ("measure", "landscape")
        for p in main.commands[c].params
        if p.name == "preset"
    ]
    assert presets[0] == presets[1]
