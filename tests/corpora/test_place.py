"""Copies of corpora as people have them are found, with the right trials."""

from pathlib import Path

import pytest
from corpus_layouts import Folder

from sharpscope.corpora import CORPORA, TrialSet, read_set
from sharpscope.corpora.counts import published


def counts(trials: TrialSet) -> tuple[int, int]:
    bonafide = int((trials.table["label"] == "bonafide").sum())
    return bonafide, len(trials.table) - bonafide


def test_wavefake_s_copies_under_an_inner_generated_come_once_and_are_counted(tmp_path: Path) -> None:
    system = "generated_audio/common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech"
    Folder(tmp_path).audio(f"{system}/gen_0.wav", f"{system}/generated/gen_0.wav")
    trials = read_set("wavefake@ljspeech/none", data=tmp_path)
    assert counts(trials) == (0, 1)
    assert any("1 left out: copy" in note for note in trials.notes)


def test_sonics_lyrics_may_span_lines(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio("fake_songs/fake_songs/a.mp3")
    folder.text("fake_songs.csv", "filepath,lyrics,label")
    folder.text("test.csv", "filepath,lyrics,label", 'fake_songs/a.mp3,"one', 'two",full fake')
    trials = read_set("sonics", data=tmp_path)
    assert counts(trials) == (0, 1)
    assert trials.table["path"][0].endswith("fake_songs/fake_songs/a.mp3")


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_in_the_wild_with_its_table_beside_the_folder(tmp_path: Path, ending: str) -> None:
    folder = Folder(tmp_path)
    folder.audio(f"release_in_the_wild/fake/0.{ending}", f"release_in_the_wild/real/1.{ending}")
    folder.text("meta.csv", "file,speaker,label", "0.wav,A B,spoof", "1.wav,C D,bona-fide")
    assert counts(read_set("itw", data=tmp_path)) == (1, 1)
    assert counts(read_set(f"itw={tmp_path}")) == (1, 1)


@pytest.mark.parametrize(
    ("protocols", "audio"),
    [
        ("database/ASVspoof_LA_cm_protocols", "database/ASVspoof2019_LA_eval/flac"),
        ("LA", "LA/flac"),
        ("LA/ASVspoof2019_LA_cm_protocols", "LA/ASVspoof2019_LA_eval"),
        ("LA/ASVspoof2019_LA_cm_protocols", "LA/ASVspoof2019_LA_eval/ASVspoof2019_LA_eval/flac"),
    ],
)
def test_2019_la_as_baselines_keep_it(tmp_path: Path, protocols: str, audio: str) -> None:
    folder = Folder(tmp_path)
    folder.audio(f"{audio}/LA_E_1.flac", f"{audio}/LA_E_2.flac")
    lines = "s LA_E_1 - - bonafide", "s LA_E_2 - A07 spoof"
    folder.text(f"{protocols}/ASVspoof2019.LA.cm.eval.trl.txt", *lines)
    assert counts(read_set("19LA", data=tmp_path)) == (1, 1)


def test_21df_in_parts_without_the_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for part in (1, 2, 3):
        folder.audio(f"ASVspoof2021_DF_eval_part0{part}/ASVspoof2021_DF_eval/flac/DF_E_{part}.flac")
    rows = (f"s DF_E_{i} nocodec asvspoof A14 {word} notrim eval"
            for i, word in ((1, "spoof"), (2, "spoof"), (3, "bonafide")))  # fmt: skip
    folder.text("keys/DF/CM/trial_metadata.txt", *rows)
    assert counts(read_set("21DF", data=tmp_path)) == (1, 2)


def test_asvspoof5_under_the_baseline_s_folder_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio("flac_E/E_1.flac")
    folder.text("ASVspoof5.eval.track_1.tsv", "E_2 E_1 M - - - - bonafide bonafide -")
    assert counts(read_set("asv5", data=tmp_path)) == (1, 0)


def test_add_track_1_beside_its_list(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio("track1test/ADD_E1_00000000.wav")
    folder.text("track1_label.txt", "ADD_E1_00000000.wav fake")
    assert counts(read_set("add2022_track1", data=tmp_path)) == (0, 1)


def test_codecfake_archives_in_folders_of_their_own_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "Codecfake")
    folder.audio("C1/C1/a.wav", "C1/C1/F01_a.wav")
    folder.text("label/label/C1.txt", "a.wav real 0", "F01_a.wav fake 1 ")
    assert counts(read_set("codecfake_c1", data=tmp_path)) == (1, 1)


def test_a_pool_of_codecfake_s_lists_expects_their_real_files_once() -> None:
    assert published(CORPORA["codecfake_xie"], ("C1", "C2")) == (13228, 26456, 39684)


def test_habla_s_speakers_are_the_voices_that_are_heard(tmp_path: Path) -> None:
    Folder(tmp_path).audio(
        "Real/Chile/abc_1/x.wav", "TTS/Chile/TTS-abc_1_2.wav", "StarGAN/Chile-Peru/src-tgt/y.wav"
    )
    table = read_set("habla", data=tmp_path).table
    assert sorted(table["speaker"]) == ["abc_1", "abc_1", "tgt"]


def test_replaydf_s_room_comes_from_the_row(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio("wav/c/spoof/bark/de/1.wav")
    folder.text("wav/b/meta.csv", "original_file|path|label", "o|wav/c/spoof/bark/de/1.wav|spoof")
    assert read_set("replaydf", data=tmp_path).table["codec"].tolist() == ["c"]
