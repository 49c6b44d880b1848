"""Audio in folders of other names is found by the names of the files, and nobody else's audio is taken for it."""

from pathlib import Path

import pytest
from corpus_layouts import Folder

from sharpscope.corpora import read_set
from sharpscope.corpora.trials import TrialSet
from sharpscope.errors import UsageError

Texts = dict[str, tuple[str, ...]]
LA = ("s LA_E_1 - - bonafide", "s LA_E_2 - A07 spoof")
L19 = "ASVspoof2019.LA.cm.eval.trl.txt"
ITW = ("file,speaker,label", "0.wav,A B,spoof", "1.wav,C D,bona-fide")
KEY = ("LA_0009 LA_E_1 alaw x - bonafide notrim eval", "LA_0009 LA_E_2 none - A07 spoof notrim eval")
KEY_DF = (
    "s DF_E_1 nocodec asvspoof - bonafide notrim eval",
    "s DF_E_2 nocodec asvspoof A14 spoof notrim eval",
)
KEY_PA = (
    "PA_0010 PA_E_1 R3 M3 d4 - - - - bonafide notrim eval",
    "PA_0011 PA_E_2 R3 M3 D4 r1 m1 s4 c4 spoof notrim eval",
)
KEY_PA_1 = ("PA_0010 PA_E_1 R3M3 d4 bonafide notrim eval", "PA_0011 PA_E_2 R3M3 d4 spoof notrim eval")
FIVE = ("E_2 E_1 M - - - - bonafide bonafide -", "E_2 E_2 M - - - AC1 A17 spoof -")
ADD = ("ADD_E3_00000000.wav genuine 0", "ADD_E3_00000001.wav fake 1")
CODEC = ("a.wav real 0", "F01_a.wav fake 1")
SONGS = ("filepath,label", "fake_songs/a.mp3,full fake", "real_songs/b.mp3,real")
DIFF = (
    "filename,method_name,category,source,set,target",
    "generated_speech/m/s.wav,m,x,y,test,1",
    "real_speech/librispeech/r.flac,,x,y,test,0",
)
LAYOUTS: dict[str, tuple[str, tuple[str, str], Texts]] = {
    "itw in audio": ("itw", ("itw/audio/0.wav", "itw/audio/1.wav"), {"itw/meta.csv": ITW}),
    "itw in wavs": ("itw", ("itw/wavs/0.wav", "itw/wavs/1.wav"), {"itw/meta.csv": ITW}),
    "itw of the paper": ("itw", ("release_in_the_wild/wav16k/0.wav", "release_in_the_wild/wav16k/1.wav"),
                         {"release_in_the_wild/meta.csv": ITW}),
    "itw nested twice": ("itw", ("itw/release_in_the_wild/release_in_the_wild/fake/0.wav",
                                 "itw/release_in_the_wild/release_in_the_wild/real/1.wav"), {"itw/meta.csv": ITW}),
    "itw by split and class": ("itw", ("itw/train/real/1.wav", "itw/test/fake/0.wav"), {"itw/meta.csv": ITW}),
    "itw in words of the table": ("itw", ("release_in_the_wild/bona-fide/1.wav", "release_in_the_wild/spoof/0.wav"),
                                  {"release_in_the_wild/meta.csv": ITW}),
    "itw without a table": ("itw", ("in_the_wild/real/1.wav", "in_the_wild/fake/0.wav"), {}),
    "19la lists in protocols": ("19la", ("LA/ASVspoof2019_LA_eval/flac/LA_E_1.flac",
                                         "LA/ASVspoof2019_LA_eval/flac/LA_E_2.flac"), {f"LA/protocols/{L19}": LA}),
    "19la in eval": ("19la", ("LA/eval/flac/LA_E_1.flac", "LA/eval/flac/LA_E_2.flac"), {f"LA/protocols/{L19}": LA}),
    "19la in audio": ("19la", ("LA/audio/LA_E_1.flac", "LA/audio/LA_E_2.flac"), {f"LA/protocols/{L19}": LA}),
    "19la converted": ("19la", ("LA/wav16k/eval/LA_E_1.wav", "LA/wav16k/eval/LA_E_2.wav"),
                       {f"LA/ASVspoof2019_LA_cm_protocols/{L19}": LA}),
    "21la": ("21la", ("ASVspoof2021/LA/flac/LA_E_1.flac", "ASVspoof2021/LA/flac/LA_E_2.flac"),
             {"ASVspoof2021/LA/keys/LA/CM/trial_metadata.txt": KEY}),
    "21la without _eval": ("21la", ("ASVspoof2021_LA/flac/LA_E_1.flac", "ASVspoof2021_LA/flac/LA_E_2.flac"),
                           {"ASVspoof2021_LA/keys/LA/CM/trial_metadata.txt": KEY}),
    "21df without _eval": ("21df", ("ASVspoof2021_DF/flac/DF_E_1.flac", "ASVspoof2021_DF/flac/DF_E_2.flac"),
                           {"keys/DF/CM/trial_metadata.txt": KEY_DF}),
    "21pa in parts": ("21pa", ("ASVspoof2021_PA_eval_part00/ASVspoof2021_PA_eval/flac/PA_E_1.flac",
                               "ASVspoof2021_PA_eval_part03/ASVspoof2021_PA_eval/flac/PA_E_2.flac"),
                      {"keys/PA/CM/trial_metadata.txt": KEY_PA}),
    "21pa in parts without the inner folder": (
        "21pa", ("ASVspoof2021_PA_eval_part00/flac/PA_E_1.flac", "ASVspoof2021_PA_eval_part03/flac/PA_E_2.flac"),
        {"keys/PA/CM/trial_metadata.txt": KEY_PA}),
    "21pa without flac": ("21pa", ("ASVspoof2021_PA_eval/PA_E_1.flac", "ASVspoof2021_PA_eval/PA_E_2.flac"),
                          {"keys/PA/CM/trial_metadata.txt": KEY_PA}),
    "21pa with the key of stage 1": (
        "21pa", ("ASVspoof2021_PA_eval/flac/PA_E_1.flac", "ASVspoof2021_PA_eval/flac/PA_E_2.flac"),
        {"keys/CM/trial_metadata.txt": KEY_PA_1}),
    "asvspoof5": ("asv5", ("asv5/eval/E_1.flac", "asv5/eval/E_2.flac"), {"asv5/ASVspoof5.eval.track_1.tsv": FIVE}),
    "add": ("add", ("track3R2/ADD_E3_00000000.wav", "track3R2/ADD_E3_00000001.wav"), {"track3_R2_label.txt": ADD}),
    "codecfake lists beside": ("codecfake_c1", ("Codecfake/C1/a.wav", "Codecfake/C1/F01_a.wav"),
                               {"Codecfake/C1.txt": CODEC}),
    "codecfake train_split": ("codecfake_xie@train", ("Codecfake/train_split/a.wav", "Codecfake/train_split/F01_a.wav"),
                              {"Codecfake/label/train.txt": CODEC}),
    "sonics in parts": ("sonics", ("fake_songs/part_01/a.mp3", "real_songs/part_02/b.mp3"),
                        {"test.csv": SONGS, "fake_songs.csv": ("id",)}),
    "partialspoof": ("partialspoof", ("database/eval/con_wav/LA_E_1.wav", "database/eval/con_wav/LA_E_2.wav"),
                     {"database/protocols/PartialSpoof.LA.cm.eval.trl.txt": LA}),
    "diffssd": ("diffssd", ("generated_speech/generated_speech/m/s.wav", "real_speech/LibriSpeech/r.flac"),
                {"train_val_test_splits.csv": DIFF}),
    "deepfake eval, table apart": (
        "DE2024", ("de/audio-data/a.mp3", "de/audio-data/b.mp3"),
        {"de/metadata/audio-metadata-publish.csv":
         ("Filename,Ground Truth,Finetuning Set", "a.mp3,Real,Test", "b.mp3,Fake,Test")}),
}  # fmt: skip


def classes(trials: TrialSet) -> tuple[int, int]:
    bonafide = int((trials.table["label"] == "bonafide").sum())
    return bonafide, len(trials.table) - bonafide


def lay(root: Path, files: tuple[str, ...], texts: Texts) -> None:
    Folder(root).audio(*files)
    for path, lines in texts.items():
        Folder(root).text(path, *lines)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_tree_of_another_shape_is_read(tmp_path: Path, name: str) -> None:
    spec, files, texts = LAYOUTS[name]
    lay(tmp_path, files, texts)
    trials = read_set(spec, data=tmp_path)
    assert classes(trials) == (1, 1)
    assert sorted(trials.table["path"]) == sorted(str(tmp_path / file) for file in files)


@pytest.mark.parametrize("name", LAYOUTS)
def test_beside_every_other_shape_it_is_read_as_well(tmp_path: Path, name: str) -> None:
    # Corpora whose names say which they are keep out of each other's folders.
    for other in ("19la in audio", "21la without _eval", "sonics in parts", "codecfake train_split"):
        if LAYOUTS[other][0] != LAYOUTS[name][0]:
            lay(tmp_path / other.replace(" ", "_"), *LAYOUTS[other][1:])
    spec, files, texts = LAYOUTS[name]
    lay(tmp_path / "own", files, texts)
    trials = read_set(spec, data=tmp_path)
    assert sorted(trials.table["path"]) == sorted(str(tmp_path / "own" / file) for file in files)


def test_where_the_audio_was_found_is_said(tmp_path: Path) -> None:
    lay(tmp_path, *LAYOUTS["19la in audio"][1:])
    assert (
        f"2 audio files found by their names in {tmp_path}/LA/audio" in read_set("19la", data=tmp_path).notes
    )


def test_files_that_are_only_numbered_are_taken_where_nearly_all_are_there(tmp_path: Path) -> None:
    rows = [f"{i}.wav,S,{'spoof' if i % 2 else 'bona-fide'}" for i in range(20)]
    files = tuple(f"release_in_the_wild/some/{i}.wav" for i in range(17))
    lay(tmp_path, files, {"release_in_the_wild/meta.csv": ("file,speaker,label", *rows)})
    with pytest.raises(UsageError, match="none of its 20 audio files is there"):
        read_set("itw", data=tmp_path, skip_missing=True)
    Folder(tmp_path).audio("release_in_the_wild/some/17.wav")
    assert len(read_set("itw", data=tmp_path, skip_missing=True).table) == 18


def test_a_folder_whose_other_files_are_not_in_the_list_is_left_alone(tmp_path: Path) -> None:
    # Two names that 2019 and 2021 share, among files of no list.
    lay(tmp_path, ("LA/x/LA_E_1.flac", *(f"LA/x/LA_E_{i}.flac" for i in range(7, 12))),
        {f"LA/ASVspoof2019_LA_cm_protocols/{L19}": LA})  # fmt: skip
    with pytest.raises(UsageError, match="none of its 2 audio files is there"):
        read_set("19la", data=tmp_path)


def test_the_folder_of_another_corpus_is_not_entered(tmp_path: Path) -> None:
    lay(tmp_path, ("ASVspoof2021_LA_eval/LA_E_1.flac", "ASVspoof2021_LA_eval/LA_E_2.flac"), {L19: LA})
    with pytest.raises(UsageError, match="none of its 2 audio files is there"):
        read_set("19la", data=tmp_path)


def test_a_name_that_two_trials_share_is_not_guessed(tmp_path: Path) -> None:
    lay(
        tmp_path,
        ("D/x/T1.wav",),
        {"D/ch_eval.txt": ("u T1 - - bonafide",), "D/en_eval.txt": ("u T1 - - bonafide",)},
    )
    with pytest.raises(UsageError, match="none of its 2 audio files is there"):
        read_set("decro", data=tmp_path)


def test_a_vocoder_s_copies_are_not_taken_for_the_originals(tmp_path: Path) -> None:
    # WaveGlow's files in WaveFake are called like LJSpeech's, which DiffSSD's table names and the user has not.
    real = [f"LJ001-{i:04}" for i in range(4)]
    rows = [f"real_speech/ljspeech/{stem}.wav,real,real,ljspeech,test,0" for stem in real]
    lay(tmp_path, tuple(f"generated_audio/ljspeech_waveglow/{stem}.wav" for stem in real),
        {"train_val_test_splits.csv": ("filename,method_name,category,source,set,target", *rows)})  # fmt: skip
    with pytest.raises(UsageError, match="none of its 4 audio files is there"):
        read_set("diffssd", data=tmp_path)
    (tmp_path / "generated_audio").rename(tmp_path / "their_audio")
    with pytest.raises(UsageError, match="none of its 4 audio files is there"):
        read_set("diffssd", data=tmp_path)


def test_originals_of_a_spoof_only_corpus_are_not_looked_for_among_its_fakes(tmp_path: Path) -> None:
    header = "path|original_file|language|model_name|transcript"
    row = "./fake/{0}/m/{1}.wav|en_US/by_book/female/s/b/wavs/o.wav|{0}|m|x"
    lay(tmp_path, ("fake/de/m/g.wav", "fake/en/m/o.wav", "real/en_US/x.wav"),
        {f"fake/{a}/m/meta.csv": (header, row.format(a, b)) for a, b in (("de", "g"), ("en", "o"))})  # fmt: skip
    # The English fake is called like the German one's original, which is not there.
    trials = read_set("mlaad@de", data=tmp_path, skip_missing=True)
    assert (classes(trials), trials.skipped) == ((0, 1), 1)
