"""One's own list of trials: every way to write it right, and what stops when it is wrong."""

from pathlib import Path

import pytest
from corpus_layouts import Folder

from sharpscope.corpora import TrialSet, read_set
from sharpscope.errors import UsageError

LINES = (
    "file,label,attack,speaker,subset",
    "audio/a.wav,bona-fide,-,s1,dev",
    'audio/b b.flac,Fake,A1,"s, 2",eval',
)


def write(folder: Path, *lines: str, **options: str) -> str:
    Folder(folder).audio("audio/a.wav", "audio/b b.flac")
    Folder(folder).text("list.csv", *lines, **options)
    return f"mine={folder / 'list.csv'}"


def cells(trials: TrialSet) -> list[list[str]]:
    return trials.table[["trial", "label", "attack", "speaker"]].to_numpy().tolist()


@pytest.mark.parametrize("options", [{}, {"end": "\r\n"}, {"mark": "\ufeff"}, {"end": "  \n"}])
def test_line_ends_marks_and_trailing_blanks_change_nothing(tmp_path: Path, options: dict[str, str]) -> None:
    trials = read_set(write(tmp_path, *LINES, **options))
    assert (trials.name, trials.subset, trials.skipped, trials.notes) == ("mine", "", 0, ())
    assert cells(trials) == [["audio/a.wav", "bonafide", "", "s1"], ["audio/b b.flac", "spoof", "A1", "s, 2"]]
    assert trials.table["path"].tolist() == [str(tmp_path / "audio/a.wav"), str(tmp_path / "audio/b b.flac")]


def test_a_subset_by_its_column(tmp_path: Path) -> None:
    spec = write(tmp_path, *LINES).replace("mine=", "mine@eval=")
    trials = read_set(spec)
    assert (trials.name, trials.subset, len(trials.table)) == ("mine", "eval", 1)
    with pytest.raises(UsageError, match="no trial in it"):
        read_set(spec.replace("@eval", "@nosuch"))


def test_the_five_columns_of_asvspoof(tmp_path: Path) -> None:
    Folder(tmp_path).audio("flac/u1.flac", "flac/u2.flac")
    Folder(tmp_path).text("protocol.txt", "s1 u1 - - bonafide", "s2 u2 - A7 spoof ")
    assert cells(read_set(f"mine={tmp_path / 'protocol.txt'}")) == [
        ["u1", "bonafide", "", "s1"],
        ["u2", "spoof", "A7", "s2"],
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((LINES[0], "audio/a.wav,bonafied,-,s,dev"), r"list\.csv, line 2: label 'bonafied' is not known"),
        ((*LINES, LINES[1]), r"1 trial ids stand twice, the first is 'audio/a\.wav'"),
        (("sound,label", "a.wav,spoof"), r"list\.csv: no column 'file or path .*; it has sound, label"),
        ((*LINES, "audio/a.wav,spoof"), r"list\.csv, line 4: 2 cells, the header has 5"),
        ((LINES[0], ",spoof,A1,s,dev"), r"list\.csv, line 2: '' names no file"),
        ((LINES[0], '"audio/a.wav,spoof,-,s,dev', '"b.wav,spoof,-,s,dev'), r"list\.csv, line 2: "),
        ((LINES[0],), "no trial in it"),
        ((), "no header"),
        (
            (*LINES, "audio/gone.wav,spoof,A1,s,dev"),
            r"1 of 3 audio files are missing .*gone\.wav.*--skip-missing",
        ),
    ],
)
def test_a_damaged_list_stops_and_says_where(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_set(write(tmp_path, *lines))


def test_missing_audio_is_counted_when_asked(tmp_path: Path) -> None:
    spec = write(tmp_path, *LINES, "audio/gone.wav,spoof,A1,s,dev")
    trials = read_set(spec, skip_missing=True)
    assert (trials.skipped, len(trials.table)) == (1, 2)


def test_a_list_is_relative_to_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *LINES)
    (tmp_path / "elsewhere").mkdir()
    Folder(tmp_path).text("elsewhere/list.csv", "file,label", "../audio/a.wav,real")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(read_set("mine=list.csv").table) == 1
