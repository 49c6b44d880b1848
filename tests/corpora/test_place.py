"""Copies of corpora as people have them are found, with the right trials."""

import os
from collections import Counter
from pathlib import Path

import pytest
from corpus_layouts import Folder

from sharpscope.corpora import CORPORA, TrialSet, read_set
from sharpscope.corpora.counts import published
from sharpscope.corpora.vocoded import VOCODERS
from sharpscope.errors import UsageError


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


def test_in_the_wild_without_a_table_sorted_by_split_and_class(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio(
        "itw/train/real/1.wav", "itw/train/fake/0.wav", "itw/val/fake/7.wav", "itw/test/real/31778.wav"
    )
    trials = read_set("itw", data=tmp_path)
    assert counts(trials) == (2, 2)
    assert sorted(trials.table["trial"]) == ["0.wav", "1.wav", "31778.wav", "7.wav"]
    assert "no meta.csv: labels are those of the folders, speakers unknown" in trials.notes
    folder.audio("itw/test/real/99999.wav")
    with pytest.raises(UsageError, match="files of In-the-Wild are called 0 to 31778"):
        read_set("itw", data=tmp_path)


def test_a_subset_of_in_the_wild_without_its_first_file_in_a_folder_of_another_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "my_subset")
    folder.audio("17.wav", "4.wav")
    folder.text("meta.csv", "file,label", "17.wav,spoof", "4.wav,bona-fide")
    assert counts(read_set("itw", data=tmp_path)) == (1, 1)


def test_the_copy_with_its_audio_is_read_and_the_other_named(tmp_path: Path) -> None:
    lines = "file,speaker,label", "0.wav,A B,spoof", "1.wav,C D,bona-fide"
    Folder(tmp_path).text("a_backup/release_in_the_wild/meta.csv", *lines)
    Folder(tmp_path).text("b/release_in_the_wild/meta.csv", *lines)
    Folder(tmp_path).audio("b/release_in_the_wild/0.wav", "b/release_in_the_wild/1.wav")
    trials = read_set("itw", data=tmp_path)
    assert counts(trials) == (1, 1)
    assert f"another copy, {tmp_path / 'a_backup'}, has 0 of its 2 audio files" in trials.notes[0]


def test_a_copy_whose_list_cannot_be_read_does_not_hide_another_and_is_named(tmp_path: Path) -> None:
    Folder(tmp_path).text("a/release_in_the_wild/meta.csv", "nonsense")
    Folder(tmp_path).text("b/release_in_the_wild/meta.csv", "file,label", "0.wav,spoof", "1.wav,bona-fide")
    Folder(tmp_path).audio("b/release_in_the_wild/0.wav", "b/release_in_the_wild/1.wav")
    trials = read_set("itw", data=tmp_path)
    assert counts(trials) == (1, 1)
    assert f"what else looks like it, {tmp_path / 'a'}, cannot be read" in trials.notes[0]


def test_a_complete_copy_is_not_searched_beyond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Folder(tmp_path).text("a/meta.csv", "file,speaker,label", "0.wav,A B,spoof", "1.wav,C D,bona-fide")
    Folder(tmp_path).audio("a/0.wav", "a/1.wav", "z/deep/er/x.wav")
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(str(path)) or scan(path))
    read_set("itw", data=tmp_path)
    assert str(tmp_path / "z/deep") not in listed


def test_what_of_codecfake_is_there_is_read_and_the_rest_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.text("label/C1.txt", "a.wav real 0", "F01_a.wav fake 1")
    folder.audio("C1/a.wav", "C1/F01_a.wav")
    trials = read_set("codecfake_xie", data=tmp_path)
    assert counts(trials) == (1, 1)
    assert "only C1: the lists of C2, C3, C4, C5, C6, C7 are not there" in trials.notes
    with pytest.raises(UsageError, match=r"none of its protocols label/C7\.txt or C7\.txt is there"):
        read_set("codecfake_xie@C1+C7", data=tmp_path)


def test_codecfake_s_training_labels_alone(tmp_path: Path) -> None:
    Folder(tmp_path).text("label/train.txt", "a.wav real 0", "F01_a.wav fake 1")
    Folder(tmp_path).audio("train/a.wav", "train/F01_a.wav")
    assert counts(read_set("codecfake_xie@train", data=tmp_path)) == (1, 1)


MLAAD = "path|original_file|language|model_name|transcript"


def test_a_bad_row_of_mlaad_is_counted_and_the_rest_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.text(
        "fake/de/m/meta.csv",
        MLAAD,
        "./fake/de/m/0.wav|de_DE/a.wav|de|m|one",
        "./fake/de/m/1.wav|de_DE/a.wav|de|m|two | three",
        "./fake/de/m/0.wav|de_DE/a.wav|de|m|one",
        "./fake/de/m/2.wav|de_DE/a.wav|de",
    )
    folder.audio("fake/de/m/0.wav", "fake/de/m/1.wav", "fake/de/m/2.wav")
    trials = read_set("mlaad@none", data=tmp_path)
    assert [Path(path).name for path in trials.table["path"]] == ["0.wav", "1.wav"]
    assert "1 left out: row that names a file again" in trials.notes
    assert "1 left out: row with other cells than the header has (m/meta.csv)" in trials.notes


def test_mlaad_tiny_with_some_originals(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    rows = (f"./fake/de/m/{i}.wav|de_DE/by_book/female/s/b/wavs/o{i}.wav|de|m|x" for i in (0, 1))
    folder.text("fake/de/m/meta.csv", MLAAD, *rows)
    folder.audio("fake/de/m/0.wav", "fake/de/m/1.wav", "original/de/o1.wav")
    trials = read_set("mlaad", data=tmp_path)
    assert counts(trials) == (1, 2)
    assert "1 recordings that fakes were made from are not in the partner" in trials.notes


def test_diffssd_s_header_may_stand_further_down(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio("generated_speech/m/0.wav", "real_speech/librispeech/1.flac")
    rows = "generated_speech/m/0.wav,m,x,y,test,1", "real_speech/librispeech/1.flac,,x,y,test,0"
    header = "filename,method_name,category,source,set,target"
    folder.text("train_val_test_splits.csv", "written by a tool", "version,2", header, *rows)
    trials = read_set("diffssd", data=tmp_path)
    assert counts(trials) == (1, 1)
    assert "2 left out: line before the header of train_val_test_splits.csv" in trials.notes


def test_21df_is_found_with_one_listing_a_folder_and_no_look_at_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    names = [f"DF_E_{2000000 + i}" for i in range(200)]
    folder.audio(
        *(
            f"ASVspoof2021_DF_eval_part0{i % 4}/ASVspoof2021_DF_eval/flac/{n}.flac"
            for i, n in enumerate(names)
        )
    )
    folder.text(
        "keys/DF/CM/trial_metadata.txt",
        *(
            f"s {n} nocodec asvspoof A14 {'spoof' if i % 5 else 'bonafide'} notrim eval"
            for i, n in enumerate(names)
        ),
    )
    listed: Counter[str] = Counter()
    looked = []
    scan, stat = os.scandir, os.stat

    def scandir(path: str) -> object:
        listed[str(path)] += 1
        return scan(path)

    def look(path: object, **options: object) -> object:
        looked.append(str(path))
        return stat(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "stat", look)
    trials = read_set("21DF", data=tmp_path)
    monkeypatch.undo()
    assert counts(trials) == (40, 160)
    assert set(listed.values()) == {1}
    assert not [path for path in looked if path.endswith(".flac")]


DOUBLED = {
    "odss": ("natural/vctk/s/1.wav", "vits/vctk/s/1.wav", "fastpitch-hifigan/hui-acg/s/2.wav"),
    "cfad": tuple(f"clean_version/test_seen_clean/{name}/1.wav" for name in ("real_clean/aishell1", "fake_clean/gl")),
    "dfadd": ("DATASET_VCTK_BONAFIDE/test/p1_1.wav", "DATASET_GradTTS/test/p1_1_GradTTS.wav"),
    "librisevoc@all": ("gt/1_2.wav", *(f"{v}/1_2_gen.wav" for v in VOCODERS)),
    "habla": ("Real/Chile/a/1.wav", "TTS/Chile/TTS-a_1.wav"),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "files"), DOUBLED.items())
def test_archives_in_folders_of_their_own_name_give_the_same_trials(
    tmp_path: Path, spec: str, files: tuple[str, ...]
) -> None:
    plain, doubled = tmp_path / "plain", tmp_path / "doubled"
    Folder(plain).audio(*files)
    Folder(doubled).audio(*(f"{name.split('/')[0]}/{name}" for name in files))
    columns = ["trial", "label", "attack", "speaker", "pair"]
    expected = read_set(spec, data=plain).table[columns]
    assert read_set(spec, data=doubled).table[columns].equals(expected)
    assert set(expected["label"]) == {"bonafide", "spoof"}


def test_2021_la_without_flac_takes_its_own_files_and_none_of_2019(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.audio("LA/ASVspoof2019_LA_eval/flac/LA_E_1.flac", "LA/ASVspoof2019_LA_eval/flac/LA_E_2.flac")
    folder.audio("ASVspoof2021_LA_eval/LA_E_1.flac")
    rows = (
        f"s LA_E_{i} g x {a} {word} notrim eval" for i, a, word in ((1, "-", "bonafide"), (2, "A07", "spoof"))
    )
    folder.text("keys/LA/CM/trial_metadata.txt", *rows)
    trials = read_set("21LA", data=tmp_path, skip_missing=True)
    assert (counts(trials), trials.skipped) == ((1, 0), 1)
    assert trials.table["path"][0] == str(tmp_path / "ASVspoof2021_LA_eval/LA_E_1.flac")


def test_spoofceleb_with_a_split_in_a_folder_of_its_own_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.text("metadata/evaluation.csv", "file,speaker,attack", "a00/i/x.flac,i,a00", "a15/i/y.flac,i,a15")
    folder.audio("flac/evaluation/evaluation/a00/i/x.flac", "flac/evaluation/evaluation/a15/i/y.flac")
    assert counts(read_set("SC", data=tmp_path)) == (1, 1)
