"""Lists that other toolkits wrote are read as they are."""

from pathlib import Path

import pytest
from corpus_layouts import Folder

from sharpscope.corpora import read_set
from sharpscope.errors import UsageError
from sharpscope.scoring.score_files import key_notes


@pytest.mark.parametrize(
    "lines",
    [
        ("ID,path,label,dataset_name", "1,a.wav,bonafide,x", "2,b.wav,spoof,x"),
        ("file_name,label", "a.wav,genuine", "b.wav,fake"),
        ("utt_id;label", "a;real", "b;fake"),
        ("audio_path\tlabel", "a.wav\treal", "b.wav\tspoof"),
        ("filename,is_fake", "a.wav,0", "b.wav,1"),
        ("path,is_real", "a.wav,1", "b.wav,0"),
        ('"path";"label"', '"a.wav";"real"', '"b.wav";"fake"'),
        ("file label", "a.wav real", "b.wav fake"),
        ("a.wav\treal", "b.wav\tfake"),
        ("s1 a - x - bonafide", "s2 b - x A1 spoof"),
        ("a.wav bonafide", "b.wav spoof"),
        ("a.wav,real", "b.wav,fake"),
    ],
)
def test_a_toolkit_s_list_gives_its_trials(tmp_path: Path, lines: tuple[str, ...]) -> None:
    folder = Folder(tmp_path)
    folder.audio("a.wav", "b.wav")
    folder.text("list.txt", *lines)
    table = read_set(f"mine={tmp_path / 'list.txt'}").table
    assert table["label"].tolist() == ["bonafide", "spoof"]
    assert [Path(path).name for path in table["path"]] == ["a.wav", "b.wav"]


def test_zero_and_one_without_a_direction_are_asked_about(tmp_path: Path) -> None:
    Folder(tmp_path).text("list.csv", "file,label", "a.wav,1")
    with pytest.raises(UsageError, match="line 2: label 1 does not say which class is 1"):
        read_set(f"mine={tmp_path / 'list.csv'}")


@pytest.mark.parametrize("lines", [("file,label", "a.wav,1", "b.wav,0"), ("a.wav 1", "b.wav 0")])
def test_the_direction_of_zero_and_one_can_be_said(tmp_path: Path, lines: tuple[str, ...]) -> None:
    Folder(tmp_path).audio("a.wav", "b.wav")
    Folder(tmp_path).text("list.csv", *lines)
    trials = read_set(f"mine@bonafide:1={tmp_path / 'list.csv'}")
    assert (trials.subset, trials.table["label"].tolist()) == ("", ["bonafide", "spoof"])
    other = read_set(f"mine@spoof:1={tmp_path / 'list.csv'}")
    assert other.table["label"].tolist() == ["spoof", "bonafide"]


def test_absolute_paths_of_another_machine_are_found_below_the_list_or_the_data_root(tmp_path: Path) -> None:
    # As DF-Arena and DeepFense write their lists.
    Folder(tmp_path / "corpora").audio("asv/LA/flac/a.flac", "asv/LA/flac/b.flac")
    rows = ("/home/them/data/asv/LA/flac/a.flac,bonafide", "/home/them/data/asv/LA/flac/b.flac,spoof")
    Folder(tmp_path / "lists").text("arena.csv", "file_name,label", *rows)
    Folder(tmp_path / "corpora").text("arena.csv", "file_name,label", *rows)
    expected = [str(tmp_path / f"corpora/asv/LA/flac/{name}.flac") for name in "ab"]
    beside = read_set(f"m={tmp_path}/corpora/arena.csv")
    assert beside.table["path"].tolist() == expected
    apart = read_set(f"m={tmp_path}/lists/arena.csv", data=tmp_path / "corpora")
    assert apart.table["path"].tolist() == expected
    with pytest.raises(UsageError, match=r"none of its 2 audio files is there \(/home/them/data"):
        read_set(f"m={tmp_path}/lists/arena.csv")


def test_what_0_and_1_were_taken_to_mean_is_said(tmp_path: Path) -> None:
    Folder(tmp_path).audio("a.wav", "b.wav")
    Folder(tmp_path).text("l.csv", "file,is_fake", "a.wav,0", "b.wav,1")
    assert "labels 0 = bonafide, 1 = spoof" in read_set(f"m={tmp_path}/l.csv").notes
    Folder(tmp_path).text("k.csv", "file,label", "a.wav,0", "b.wav,1")
    assert key_notes(f"{tmp_path}/k.csv@bonafide:1") == ("labels 0 = spoof, 1 = bonafide",)
