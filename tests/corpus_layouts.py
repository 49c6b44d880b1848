"""Small copies of the corpora in their original layouts, traps included, and the trials they must give.

Everything is generated: a twentieth of a second of noise stands for every utterance.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

Expected = dict[str, list[tuple[str, str, str]]]


@cache
def sound(ending: str, sample_rate: int = 16_000, subtype: str | None = None) -> bytes:
    """The bytes of a short file of that kind."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    wave = 0.1 * rng.standard_normal(sample_rate // 20)
    soundfile.write(buffer, wave, sample_rate, format=ending.upper(), subtype=subtype)
    return buffer.getvalue()


class Folder(NamedTuple):
    """Where a layout is written."""

    root: Path

    def audio(self, *paths: str, rate: int = 16_000, kind: str = "", subtype: str | None = None) -> None:
        for path in paths:
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sound(kind or target.suffix[1:], rate, subtype))

    def text(self, path: str, *lines: str, end: str = "\n", mark: str = "") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((mark + "".join(line + end for line in lines)).encode())


class Layout(NamedTuple):
    """One corpus: what writes it, and per spec the (trial, label, attack) it must give, in order."""

    write: Callable[[Folder], None]
    expected: Expected


def real(*trials: str) -> list[tuple[str, str, str]]:
    return [(trial, "bonafide", "") for trial in trials]


def fake(attack: str, *trials: str) -> list[tuple[str, str, str]]:
    return [(trial, "spoof", attack) for trial in trials]


def _2019(at: Folder) -> None:
    # Kaggle nests LA/LA, the training list is called trn, a flac folder holds a file of no protocol.
    base = "asv/LA/LA"
    for part, letter in (("train", "T"), ("dev", "D"), ("eval", "E")):
        kind = "trn" if part == "train" else "trl"
        at.text(
            f"{base}/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.{part}.{kind}.txt",
            f"LA_0079 LA_{letter}_1 - - bonafide",
            f"LA_0080 LA_{letter}_2 - A11 spoof",
            end="\r\n" if part == "dev" else "\n",
        )
        at.audio(*(f"{base}/ASVspoof2019_LA_{part}/flac/LA_{letter}_{i}.flac" for i in (1, 2, 3)))


def _partialspoof(at: Folder) -> None:
    at.text(
        "database/protocols/PartialSpoof_LA_cm_protocols/PartialSpoof.LA.cm.eval.trl.txt",
        "LA_0039 LA_E_1 - - bonafide",
        "LA_0039 CON_E_2 - CON spoof",
    )
    at.audio("database/eval/con_wav/LA_E_1.wav", "database/eval/con_wav/CON_E_2.wav")


def _2021_la(at: Folder) -> None:
    at.text(
        "keys/LA/CM/trial_metadata.txt",
        "LA_0009 LA_E_11 alaw ita_tx A07 spoof notrim eval",
        "LA_0009 LA_E_12 none - bonafide bonafide notrim eval",
        "LA_0009 LA_E_13 alaw loc_tx A07 spoof notrim progress",
        "LA_0009 LA_E_14 gsm loc_tx A08 spoof trim hidden",
    )
    # The key of the speaker verification system, which comes first in the order of names.
    at.text("keys/LA/ASV/trial_metadata.txt", "LA_0009 LA_E_11 alaw ita_tx bonafide nontarget notrim eval")
    at.text("ASVspoof2021_LA_eval/ASVspoof2021.LA.cm.eval.trl.txt", "LA_E_11")
    at.audio(*(f"ASVspoof2021_LA_eval/flac/LA_E_{i}.flac" for i in range(11, 15)))


def _2021_df(at: Folder) -> None:
    # Stage-1 keys of LA lie where those of DF may, and the audio parts were unpacked one by one.
    at.text("LA-keys/keys/CM/trial_metadata.txt", "LA_0009 LA_E_11 alaw ita_tx A07 spoof notrim eval")
    at.text(
        "keys/DF/CM/trial_metadata.txt",
        "LA_0023 DF_E_1 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -",
        "TEF2 DF_E_2 low_m4a vcc2020 Task1-team20 spoof notrim eval waveform_concatenation Task1 team20 FF E",
        "TGF1 DF_E_3 mp3m4a vcc2020 - bonafide notrim eval bonafide Task2 team12 FF G",
    )
    at.audio("ASVspoof2021_DF_eval_part00/ASVspoof2021_DF_eval/flac/DF_E_1.flac")
    at.audio("ASVspoof2021_DF_eval_part00/ASVspoof2021_DF_eval/flac/DF_E_2.flac")
    at.audio("ASVspoof2021_DF_eval_part01/ASVspoof2021_DF_eval/flac/DF_E_3.flac")


def _asvspoof5(at: Folder) -> None:
    at.text(
        "asv5/ASVspoof5.dev.track_1.tsv",
        "D_4461 D_1 F - - - AC1 A14 spoof -",
        "D_0461 D_2 M - - - - bonafide bonafide -",
    )
    at.text("asv5/ASVspoof5.eval.track_1.tsv", "E_1 E_1 F C05 3 E_9 AC3 A17 spoof -")
    at.audio(
        "asv5/flac_D/D_1.flac", "asv5/flac_D/D_2.flac", "asv5/flac_D/D_9.flac", "asv5/flac_E_eval/E_1.flac"
    )


def _itw(at: Folder) -> None:
    at.text(
        "release_in_the_wild/meta.csv",
        "file,speaker,label",
        "0.wav,Alec Guinness,spoof",
        '1.wav,"Obama, Barack",bona-fide',
        end="\r\n",
        mark="\ufeff",
    )
    at.audio("release_in_the_wild/0.wav", "release_in_the_wild/1.wav", subtype="FLOAT")
    at.audio("release_in_the_wild/._0.wav")


def _itw_kaggle(at: Folder) -> None:
    at.text("wild/meta.csv", "file,speaker,label", "0.wav,Alec,spoof", "1.wav,Alec,bona-fide")
    at.audio("wild/fake/0.wav", "wild/real/1.wav")


MLAAD_HEADER = (
    "path|original_file|language|is_original_language|duration|training_data|"
    "model_name|architecture|transcript"
)
ORIGINAL = "en_US/by_book/male/elliot_miller/poisoned_pen/wavs/pen_1.wav"
MIXED = "it_IT/by_book/mix/novelle/wavs/nov_1.wav"


def _mlaad(at: Folder) -> None:
    base = "MLAAD_v5/fake"
    at.text(
        f"{base}/zh-cn/Resemble.ai (April 12th, 2025)/meta.csv",
        MLAAD_HEADER,
        # A wrong language folder, and a bare quotation mark that would swallow the next line.
        f'./fake/zh/Resemble.ai (April 12th, 2025)/a.wav|{ORIGINAL}|zh|False|2.3|multi|resemble|R|he said "no',
        f"./fake/zh/Resemble.ai (April 12th, 2025)/b.wav|{ORIGINAL}|zh-cn|False|2.3|multi|resemble|R|yes",
    )
    at.text(
        f"{base}/it/xtts_v2/meta.csv",
        MLAAD_HEADER + "|reference_speaker",
        f"a.wav|{MIXED}|it|True|2.3|multi|tts_models/xtts_v2|XTTS|ciao|-",
    )
    at.audio(f"{base}/zh-cn/Resemble.ai (April 12th, 2025)/a.wav", rate=24_000)
    at.audio(f"{base}/zh-cn/Resemble.ai (April 12th, 2025)/b.wav", f"{base}/it/xtts_v2/a.wav")
    at.text("M-AILABS/en_US/by_book/info.txt", "by book")
    at.audio(f"M-AILABS/{ORIGINAL}", f"M-AILABS/{MIXED}", f"M-AILABS/{MIXED.replace('nov_1', 'nov_2')}")
    at.audio(f"M-AILABS/{MIXED.replace('nov_1', '._nov_1')}")


MLAAD_IT = fake("tts_models/xtts_v2", "fake/it/xtts_v2/a.wav")
MLAAD_ZH = fake("resemble", *(f"fake/zh-cn/Resemble.ai (April 12th, 2025)/{name}.wav" for name in "ab"))


def _for(at: Folder) -> None:
    for variant in ("for-norm/for-norm", "for-2sec/for-2seconds"):
        for split in ("training", "validation", "testing"):
            at.audio(*(f"{variant}/{split}/{label}/file1.wav_16k.wav" for label in ("real", "fake")))
    (at.root / "for-norm/for-norm/testing/fake/file2.mp3").write_bytes(b"")
    at.audio("for-norm/for-norm/testing/real/._file1.wav")


def _wavefake(at: Folder) -> None:
    at.audio("generated_audio/ljspeech_hifiGAN/LJ001-0001_generated.wav", rate=22_050)
    at.audio(
        "generated_audio/ljspeech_melgan/LJ001-0001_gen.wav",
        "generated_audio/ljspeech_waveglow/LJ001-0002.wav",
    )
    at.audio("generated_audio/common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech/gen_0.wav")
    at.audio("generated_audio/jsut_parallel_wavegan/BASIC5000_0001_gen.wav")
    ids = ("LJ001-0001", "LJ001-0002", "LJ001-0003")
    at.text("real/LJSpeech-1.1/metadata.csv", *(f'{name}|he said "so|he said so' for name in ids))
    at.audio(*(f"real/LJSpeech-1.1/wavs/{name}.wav" for name in ids), rate=22_050)
    at.audio("real/jsut_ver1.1/basic5000/wav/BASIC5000_0001.wav", rate=48_000)
    at.audio("real/jsut_ver1.1/basic5000/wav/BASIC5000_0002.wav", rate=48_000)


WAVEFAKE_JSUT = fake("jsut_parallel_wavegan", "jsut_parallel_wavegan/BASIC5000_0001_gen.wav")
WAVEFAKE_LJ = [
    *fake(
        "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech",
        "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech/gen_0.wav",
    ),
    *fake("ljspeech_hifiGAN", "ljspeech_hifiGAN/LJ001-0001_generated.wav"),
    *fake("ljspeech_melgan", "ljspeech_melgan/LJ001-0001_gen.wav"),
    *fake("ljspeech_waveglow", "ljspeech_waveglow/LJ001-0002.wav"),
]


def _add(at: Folder) -> None:
    base = "ADD2022track3.2_eval_R2"
    at.text(f"{base}/track3_R2_label.txt", "ADD_E3_00000000.wav genuine 0", "ADD_E3_00000001.wav fake 3")
    at.audio(f"{base}/wav/ADD_E3_00000000.wav", f"{base}/wav/ADD_E3_00000001.wav")
    at.text("ADD2022track1_eval/track1_label.txt", "ADD_E1_00000000.wav genuine", "ADD_E1_00000001.wav fake")
    at.audio(*(f"ADD2022track1_eval/wav/ADD_E1_0000000{i}.wav" for i in range(2)))
    for part, name in (("testR1", "R1_E"), ("testR2", "R2_E")):
        ids = [f"ADD2023_T1.2{name}_0000000{i}" for i in (3, 4)]
        # One of the releases has a header.
        header = ["filename label"] if part == "testR1" else []
        at.text(f"Track1.2/{part}/label.txt", *header, f"{ids[0]}.wav genuine", f"{ids[1]}.wav fake ")
        at.audio(*(f"Track1.2/{part}/wav/{name}.wav" for name in ids))


def _spoofceleb(at: Folder) -> None:
    for part in ("development", "evaluation"):
        names = ["a00/id10318/x-00002-006.flac", "a15/id10326/y-00066-003.flac"]
        rows = [f"{name},{name.split('/')[1]},{name[:3]}" for name in names]
        at.text(f"spoofceleb/metadata/{part}.csv", "file,speaker,attack", *rows)
        at.audio(*(f"spoofceleb/flac/{part}/{name}" for name in names))


def _codecfake(at: Folder) -> None:
    for index in range(1, 8):
        at.text(
            f"Codecfake/label/C{index}.txt",
            "SSB13650058.wav real 0",
            f"F0{index}_SSB13650058.wav fake {index} ",
        )
        folder = "Codecfake/C7" if index == 7 else f"Codecfake/test/C{index}"
        at.audio(f"{folder}/SSB13650058.wav", f"{folder}/F0{index}_SSB13650058.wav")


def _codecfake_wu(at: Folder) -> None:
    at.audio("CodecFake_wavs/encodec_24khz/encodec_24khz+p272_103.wav")
    at.audio("CodecFake_wavs/SpeechTokenizer/SpeechTokenizer+p272_103.wav")
    at.audio("VCTK-Corpus-0.92/wav48_silence_trimmed/p272/p272_103_mic1.flac")
    at.audio("VCTK-Corpus-0.92/wav48_silence_trimmed/p272/p272_103_mic2.flac")
    at.audio("VCTK-Corpus-0.92/wav48_silence_trimmed/p225/p225_001_mic1.flac")


def _dfadd(at: Folder) -> None:
    for part in ("train", "test"):
        at.audio(f"DFADD/DATASET_VCTK_BONAFIDE/{part}/p228_364.wav")
        at.audio(f"DFADD/DATASET_GradTTS/{part}/p227_164_GradTTS.wav")
        at.audio(f"DFADD/DATASET_MatchaTTS/{part}/p228_219_matcha.flac")


VOCODERS = ("diffwave", "melgan", "parallel_wave_gan", "wavegrad", "wavenet", "wavernn")


def _librisevoc(at: Folder) -> None:
    bases = ("6147_34605_000006_000009", "19_198_000000_000000")
    for base in bases:
        at.audio(f"LibriSeVoc/gt/{base}.wav", rate=24_000)
        at.audio(*(f"LibriSeVoc/{name}/{base}_gen.wav" for name in VOCODERS), rate=24_000, subtype="FLOAT")
    at.text("LibriSeVoc/test.txt", f"{bases[0]}.wav")


def _librisevoc_trials(*bases: str) -> list[tuple[str, str, str]]:
    spoofs = [trial for name in VOCODERS for trial in fake(name, *(f"{name}/{base}" for base in bases))]
    return [*real(*(f"gt/{base}" for base in bases)), *spoofs]


def _diffssd(at: Folder) -> None:
    at.text(
        "DiffSSD/train_val_test_splits.csv",
        "filename,method_name,category,source,set,target",
        "real_speech/librispeech/dev-clean/1272/128104/x.flac,real,real,librispeech,test,0",
        "real_speech/ljspeech/LJ001-0001.wav,real,real,ljspeech,test,0",
        "generated_speech/your_tts/speaker_1487/sentence_449.wav,your_tts,open,librispeech,test,1",
        "generated_speech/your_tts/speaker_1487/sentence_1.wav,your_tts,open,librispeech,train,1",
    )
    at.audio("DiffSSD/real_speech/LibriSpeech/dev-clean/1272/128104/x.flac")
    at.audio("DiffSSD/real_speech/LJSpeech-1.1/wavs/LJ001-0001.wav", rate=22_050)
    at.audio(*(f"DiffSSD/generated_speech/your_tts/speaker_1487/sentence_{i}.wav" for i in (1, 449)))


def _dfeval(at: Folder) -> None:
    at.text(
        "DE2024/audio-metadata-publish.csv",
        "Filename,Link,Ground Truth,Finetuning Set,Language",
        'a.mp3,"http://x.org/a,b",Real,Train,English',
        "b.mp4,,Fake,Test,English",
        "c.mp3,,Unknown,Test,Spanish",
    )
    # b was converted; c is of unknown truth.
    at.audio("DE2024/audio-data/a.mp3", "DE2024/audio-data/b.wav", "DE2024/audio-data/c.mp3")


def _odss(at: Folder) -> None:
    at.audio("odss/natural/hui-acg/Anna/1.wav", "odss/vits/hui-acg/Anna/1.wav")
    at.audio("odss/fastpitch-hifigan/openslr-es/s1/1.wav")


def _cfad(at: Folder) -> None:
    at.audio("CFAD/CFAD/clean_version/test_seen_clean/real_clean/aishell1/BAC009S0764W0123.wav")
    at.audio("CFAD/CFAD/clean_version/test_seen_clean/fake_clean/lpcnet/SSB1_lpcnet.wav")
    at.audio("CFAD/CFAD/clean_version/test_unseen_clean/fake_clean/world/SSB1_world.wav")
    at.audio("CFAD/CFAD/codec_version/test_seen_codec/fake_codec/lpcnet/SSB09660003_lpcnet_m4a.wav")
    at.audio("CFAD/CFAD/noisy_version/dev_noise/real_noise/thchs30/a.wav")


def _habla(at: Folder) -> None:
    at.audio(
        "FinalDataset_16khz/Real/Argentina/arf_1/a.wav", "FinalDataset_16khz/StarGAN/Chile-Peru/x-y/a.wav"
    )
    at.audio("FinalDataset_16khz/TTS-StarGAN/Chile/x/a.wav")


def _cvoicefake(at: Folder) -> None:
    at.audio("CVoiceFake/zh-CN/Bonafide/common_voice_1.mp3")
    at.audio("CVoiceFake/zh-CN/world_generated/common_voice_1_Gen.mp3")


def _sonar(at: Folder) -> None:
    at.audio("SONAR/real_samples/1.wav", "SONAR/xTTS/en/1.wav", "SONAR/readme/1.wav")
    # MP3 under the name of wav.
    at.audio("SONAR/OpenAI/1.wav", kind="mp3")


def _timit(at: Folder) -> None:
    at.audio("TIMIT-TTS/CLEAN/single_speaker/fastpitch/a/1.wav", "TIMIT-TTS/DTW/single_speaker/gtts/a/1.wav")
    at.text("LJSpeech-1.1/metadata.csv", "LJ001-0001|a|a")
    at.audio("LJSpeech-1.1/wavs/LJ001-0001.wav")


def _decro(at: Folder) -> None:
    base = "petrichorwq-DECRO-dataset-6fc9884"
    at.text(f"{base}/ch_eval.txt", "unknown 20032123 - baidu spoof ", "G0019 T1 - aidatatang bonafide")
    at.text(f"{base}/en_eval.txt", "LA_1 T1 - - bonafide")
    at.audio(f"{base}/ch_eval/20032123.wav", f"{base}/ch_eval/T1.wav", f"{base}/en_eval/T1.wav")


def _replaydf(at: Folder) -> None:
    at.text(
        "ReplayDF/wav/09252b6aeda2/meta.csv",
        "original_file|path|label|text",
        'x|wav/09252b6aeda2/spoof/bark/de/9d0b.wav|spoof|"so',
        "y|wav/09252b6aeda2/bona-fide/1.wav|bona-fide|so",
    )
    at.audio("ReplayDF/wav/09252b6aeda2/spoof/bark/de/9d0b.wav", "ReplayDF/wav/09252b6aeda2/bona-fide/1.wav")


def _ai4t(at: Folder) -> None:
    at.audio("AI4T_dataset/real/1.wav", "AI4T_dataset/fake/1.wav")


def _sonics(at: Folder) -> None:
    rows = ["fake_songs/fake_54113_suno_0.mp3,half fake", "real_songs/real_1.mp3,real"]
    at.text("SONICS/test.csv", "filepath,label", *rows)
    at.text("SONICS/fake_songs.csv", "id")
    at.audio("SONICS/fake_songs/fake_54113_suno_0.mp3", "SONICS/real_songs/real_1.mp3")


_C = [*real("SSB13650058"), *(t for i in range(1, 8) for t in fake(f"F0{i}", f"C{i}/F0{i}_SSB13650058"))]
_DE = "generated_speech/your_tts/speaker_1487/sentence_"
_CFAD = "clean_version/test_seen_clean"
LAYOUTS: dict[str, Layout] = {
    "asvspoof2019_la": Layout(
        _2019,
        {
            "19LA": real("LA_E_1") + fake("A11", "LA_E_2"),
            "ASVspoof2019_LA_train": real("LA_T_1") + fake("A11", "LA_T_2"),
            "asv19@dev": real("LA_D_1") + fake("A11", "LA_D_2"),
        },
    ),
    "partialspoof": Layout(_partialspoof, {"partialspoof": real("LA_E_1") + fake("CON", "CON_E_2")}),
    "asvspoof2021_la": Layout(
        _2021_la,
        {
            "21LA": fake("A07", "LA_E_11") + real("LA_E_12"),
            "21la@hidden": fake("A08", "LA_E_14"),
            "21la@all": fake("A07", "LA_E_11")
            + real("LA_E_12")
            + fake("A07", "LA_E_13")
            + fake("A08", "LA_E_14"),
        },
    ),
    "asvspoof2021_df": Layout(
        _2021_df,
        {
            "21DF": fake("Task1-team20", "DF_E_2") + real("DF_E_3"),
            "21df@progress": fake("A14", "DF_E_1"),
            "21df@progress+eval": fake("A14", "DF_E_1") + fake("Task1-team20", "DF_E_2") + real("DF_E_3"),
        },
    ),
    "asvspoof5": Layout(
        _asvspoof5, {"asv5@dev": fake("A14", "D_1") + real("D_2"), "asvspoof5": fake("A17", "E_1")}
    ),
    "itw": Layout(_itw, {"ITW": fake("", "0.wav") + real("1.wav")}),
    "itw_kaggle": Layout(_itw_kaggle, {"in_the_wild": fake("", "0.wav") + real("1.wav")}),
    "mlaad": Layout(
        _mlaad,
        {
            "mlaad": MLAAD_IT + MLAAD_ZH + real(f"real/{MIXED}", f"real/{ORIGINAL}"),
            "mlaad@it": MLAAD_IT + real(f"real/{MIXED}"),
            "mlaad@it/all": MLAAD_IT
            + real(f"real/{ORIGINAL}", f"real/{MIXED}", f"real/{MIXED.replace('nov_1', 'nov_2')}"),
            "mlaad@none": MLAAD_IT + MLAAD_ZH,
            "mailabs@it_IT": real(f"real/{MIXED}", f"real/{MIXED.replace('nov_1', 'nov_2')}"),
        },
    ),
    "fake_or_real": Layout(
        _for,
        {
            "for": real("norm/testing/real/file1.wav_16k.wav")
            + fake("", "norm/testing/fake/file1.wav_16k.wav"),
            "for-2sec": real("2sec/testing/real/file1.wav_16k.wav")
            + fake("", "2sec/testing/fake/file1.wav_16k.wav"),
            "for@dev": real("norm/validation/real/file1.wav_16k.wav")
            + fake("", "norm/validation/fake/file1.wav_16k.wav"),
        },
    ),
    "wavefake": Layout(
        _wavefake,
        {
            "WFJ": WAVEFAKE_JSUT + real("BASIC5000_0001"),
            "WFL": WAVEFAKE_LJ + real("LJ001-0001", "LJ001-0002"),
            "wavefake@ljspeech/all": WAVEFAKE_LJ + real("LJ001-0001", "LJ001-0002", "LJ001-0003"),
            "jsut": real("BASIC5000_0001", "BASIC5000_0002"),
        },
    ),
    "add": Layout(
        _add,
        {
            "ADDE": real("ADD_E3_00000000") + fake("3", "ADD_E3_00000001"),
            "add2022_track1": real("ADD_E1_00000000") + fake("", "ADD_E1_00000001"),
            "add2023": real("ADD2023_T1.2R2_E_00000003") + fake("", "ADD2023_T1.2R2_E_00000004"),
            "add2023_r1": real("ADD2023_T1.2R1_E_00000003") + fake("", "ADD2023_T1.2R1_E_00000004"),
        },
    ),
    "spoofceleb": Layout(
        _spoofceleb,
        {
            spec: real("a00/id10318/x-00002-006.flac") + fake("a15", "a15/id10326/y-00066-003.flac")
            for spec in ("SC", "SCD", "spoofceleb@dev")
        },
    ),
    "codecfake_xie": Layout(
        _codecfake,
        {
            "Codecfake": _C,
            "codecfake_c7": real("SSB13650058") + fake("F07", "C7/F07_SSB13650058"),
        },
    ),
    "codecfake_wu": Layout(
        _codecfake_wu,
        {
            "CodecFake": fake("SpeechTokenizer", "SpeechTokenizer+p272_103")
            + fake("encodec_24khz", "encodec_24khz+p272_103")
            + real("p272_103")
        },
    ),
    "dfadd": Layout(
        _dfadd,
        {
            "DFADD": fake("GradTTS", "DATASET_GradTTS/test/p227_164_GradTTS.wav")
            + fake("MatchaTTS", "DATASET_MatchaTTS/test/p228_219_matcha.flac")
            + real("DATASET_VCTK_BONAFIDE/test/p228_364.wav")
        },
    ),
    "librisevoc": Layout(
        _librisevoc,
        {
            "librisevoc": _librisevoc_trials("19_198_000000_000000", "6147_34605_000006_000009"),
            "librisevoc@test": _librisevoc_trials("6147_34605_000006_000009"),
        },
    ),
    "diffssd": Layout(
        _diffssd,
        {
            "diffssd": real(
                "real_speech/librispeech/dev-clean/1272/128104/x.flac", "real_speech/ljspeech/LJ001-0001.wav"
            )
            + fake("your_tts", f"{_DE}449.wav"),
            "diffssd@train": fake("your_tts", f"{_DE}1.wav"),
        },
    ),
    "deepfake_eval_2024": Layout(
        _dfeval, {"DE2024": real("a.mp3") + fake("", "b.mp4"), "DE2024@train": real("a.mp3")}
    ),
    "odss": Layout(
        _odss,
        {
            "odss": real("natural/hui-acg/Anna/1.wav")
            + fake("vits", "vits/hui-acg/Anna/1.wav")
            + fake("fastpitch-hifigan", "fastpitch-hifigan/openslr-es/s1/1.wav")
        },
    ),
    "cfad": Layout(
        _cfad,
        {
            "cfad": fake("lpcnet", f"{_CFAD}/fake_clean/lpcnet/SSB1_lpcnet.wav")
            + real(f"{_CFAD}/real_clean/aishell1/BAC009S0764W0123.wav")
            + fake("world", "clean_version/test_unseen_clean/fake_clean/world/SSB1_world.wav"),
            "cfad@noisy/dev": real("noisy_version/dev_noise/real_noise/thchs30/a.wav"),
        },
    ),
    "habla": Layout(
        _habla,
        {
            "habla": real("Real/Argentina/arf_1/a.wav")
            + fake("StarGAN", "StarGAN/Chile-Peru/x-y/a.wav")
            + fake("TTS-StarGAN", "TTS-StarGAN/Chile/x/a.wav")
        },
    ),
    "cvoicefake": Layout(
        _cvoicefake,
        {
            "CVoiceFake_small": real("zh-CN/Bonafide/common_voice_1.mp3")
            + fake("world", "zh-CN/world_generated/common_voice_1_Gen.mp3")
        },
    ),
    "sonar": Layout(
        _sonar,
        {
            "sonar": fake("OpenAI", "OpenAI/1.wav")
            + real("real_samples/1.wav")
            + fake("xTTS", "xTTS/en/1.wav")
        },
    ),
    "timit_tts": Layout(
        _timit,
        {
            "timit_tts@none": [],
            "timit_tts+ljspeech": fake("fastpitch", "timit_tts/CLEAN/single_speaker/fastpitch/a/1.wav")
            + real("ljspeech/LJ001-0001"),
        },
    ),
    "decro": Layout(
        _decro,
        {
            "decro": fake("baidu", "ch_eval/20032123") + real("ch_eval/T1", "en_eval/T1"),
            "decro@en": real("en_eval/T1"),
        },
    ),
    "replaydf": Layout(
        _replaydf,
        {
            "replaydf": fake("bark", "wav/09252b6aeda2/spoof/bark/de/9d0b.wav")
            + real("wav/09252b6aeda2/bona-fide/1.wav")
        },
    ),
    "ai4t": Layout(_ai4t, {"ai4t": real("AI4T_dataset/real/1.wav") + fake("", "AI4T_dataset/fake/1.wav")}),
    "sonics": Layout(
        _sonics,
        {"sonics": fake("half fake", "fake_songs/fake_54113_suno_0.mp3") + real("real_songs/real_1.mp3")},
    ),
}
del LAYOUTS["timit_tts"].expected["timit_tts@none"]
