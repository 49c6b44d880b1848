"""Small copies of further corpora in their original layouts, traps included, and the trials they must give."""

from __future__ import annotations

from corpus_layouts import Folder, Layout, fake, real


def _ctrsvdd(at: Folder) -> None:
    for part, letter in (("train", "T"), ("test", "E")):
        at.text(
            f"{part}.txt",
            f"m4singer CtrSVDD_0001 CtrSVDD_0001_{letter}_1 - - bonafide",
            f"jvsmusic CtrSVDD_0097 CtrSVDD_0097_{letter}_2 - A06 deepfake",
        )
        at.audio(f"{part}_set/CtrSVDD_0001_{letter}_1.flac", f"{part}_set/CtrSVDD_0097_{letter}_2.flac")


def _2021_pa(at: Folder) -> None:
    at.text("keys/PA/ASV/trial_metadata.txt", "PA_0010 PA_E_1 - - bonafide target notrim eval")
    at.text(
        "keys/PA/CM/trial_metadata.txt",
        "PA_0010 PA_E_1 R3 M3 d4 r1 m1 s4 c4 spoof notrim eval",
        "PA_0011 PA_E_2 R3 M3 D4 - - - - bonafide notrim eval",
        "PA_0011 PA_E_3 R3 M3 D4 - - - - bonafide trim hidden",
    )
    at.audio(*(f"ASVspoof2021_PA_eval/flac/PA_E_{i}.flac" for i in (1, 2, 3)))


def _laundered(at: Folder) -> None:
    name = "protocols/ASVspoofLauneredDatabase_{}.txt"
    at.text(
        name.format("Noise"),
        "LA_0039 LA_E_1_babble_0 - bonafide Noise babble_0",
        "LA_0039 LA_E_2_babble_0 A11 spoof Noise babble_0",
    )
    at.text(name.format("Filter"), "LA_0039 LA_E_1_lpf - bonafide Filter lpf_7000")
    at.audio(*(f"flac/{name}.flac" for name in ("LA_E_1_babble_0", "LA_E_2_babble_0", "LA_E_1_lpf")))


def _famous(at: Folder) -> None:
    base = "/home/them/data/FamousFigures/"
    at.text(
        "ff/protocol.txt",
        "Speaker\tSource\tLabel\tAudioPath",
        f"Obama\t-\tbonafide\t{base}Obama/-/a.wav",
        f"Obama\tEleven\tspoof\t{base}Obama/Eleven/b.wav",
        end="\r\n",
    )
    at.audio("ff/Obama/Bonafide/a.wav", "ff/Obama/Eleven/b.wav")


def _jspaw2(at: Folder) -> None:
    for part in ("L3", "L4"):
        at.text(
            f"j-spaw2/protocols/CM_LA/metadata_LA_{part}.txt",
            f"F001 F001_R1_E1_{part}_BT _ E1 {part} _ _ _ _ spoof trim eval",
            "F001 F001_R1_E1 _ E1 _ _ _ _ _ bonafide notrim eval",
        )
        at.audio(f"jspaw2/LA/{part}/F001_R1_E1_{part}_BT.wav")
    at.audio("jspaw2/ASV/F001_R1_E1.wav")


def _dsd(at: Folder) -> None:
    at.text(
        "DSD/DSD_corpus_v1.csv",
        # The authors spell the first column so.
        "Utterence name (file name),TTS or VC,Is multi-speaker?,Language,Speaker name,label,Model,subset,duration",
        "a.wav,,,Korean,kim,bonafide,,eval,2.1",
        "b.wav,TTS,no,English,joe,spoof,vits,eval,2.1",
        "c.wav,TTS,no,English,joe,spoof,vits,train,2.1",
    )
    at.audio("DSD/a.wav", "DSD/b.wav", "DSD/c.wav")


def _diffuse(at: Folder) -> None:
    at.audio("doc/dataset_01/wavegrad2/LJ044-0144.wav", "doc/dataset_04/DiffGAN-TTS_aux/LJ044-0144.wav")
    at.text("doc/metadata/metadata/protocols/x_proto.txt", "FILE_PATH|FILE_NAME|TYPE")
    at.text("real/LJSpeech-1.1/metadata.csv", "LJ044-0144|a|a", "LJ044-0145|b|b")
    at.audio("real/LJSpeech-1.1/wavs/LJ044-0144.wav", "real/LJSpeech-1.1/wavs/LJ044-0145.wav")


def _emofake(at: Folder) -> None:
    at.audio("EmoFake/English/test/wav/0012_Angry_000606.wav", "EmoFake/English/test/wav/readme_1.wav")
    at.audio("EmoFake/English/test/wav/S2_Neutral2Sad_0011_000141.wav")
    at.audio("EmoFake/Chinese/test/wav/0001_Happy_000700.wav")


def _jvnv(at: Folder) -> None:
    at.audio("jvnv_v1/F1/anger/free/a.wav", "jvnv_v1/F1/anger/regular/a.wav", "jvnv_v1/M1/sad/free/a.wav")


def _indicsynth(at: Folder) -> None:
    _jvnv(at)
    for language in ("Hindi", "Tamil"):
        at.text(f"IndicSynth/{language}/metadata.csv", "model,path")
        at.audio(f"IndicSynth/{language}/audio/1.wav")


def _auddt(at: Folder) -> None:
    at.text(
        "data/odss/processed/manifest_odss.csv",
        "audio_path,label",
        "/home/them/data/odss/processed/natural/a.wav,bonafide",
        "/home/them/data/odss/processed/vits/a.wav,spoof",
    )
    at.text(
        "data/decro/manifest_decro.csv",
        "audio_path,duration,label",
        "./data/decro/processed/ch_eval/b.wav,1.2,spoof",
    )
    at.text(
        "data/wavefake/processed/manifest_wavefake.csv",
        "audio_path,duration,label",
        "./data/wavefake/processed/x/c.wav,1.2,bonafide",
    )
    at.audio("data/odss/processed/natural/a.wav", "data/odss/processed/vits/a.wav")
    at.audio("data/decro/processed/ch_eval/b.wav")


JSPAW_L3 = fake("CosyVoice2", "F001_R1_E1_L3_BT") + real("F001_R1_E1")
AUDDT_ODSS = real("odss/natural/a.wav") + fake("", "odss/vits/a.wav")
DIFFUSE = fake("wavegrad2", "wavegrad2/LJ044-0144") + fake("DiffGAN-TTS_aux", "DiffGAN-TTS_aux/LJ044-0144")
MORE: dict[str, Layout] = {
    "ctrsvdd": Layout(
        _ctrsvdd,
        {
            "ctrsvdd": real("CtrSVDD_0001_E_1") + fake("A06", "CtrSVDD_0097_E_2"),
            "svdd@train": real("CtrSVDD_0001_T_1") + fake("A06", "CtrSVDD_0097_T_2"),
        },
    ),
    "asvspoof2021_pa": Layout(
        _2021_pa,
        {"21PA": fake("s4c4", "PA_E_1") + real("PA_E_2"), "21pa@hidden": real("PA_E_3")},
    ),
    "asvspoof_ld": Layout(
        _laundered,
        {
            "asvspoof_ld": real("Filter/LA_E_1_lpf", "Noise/LA_E_1_babble_0")
            + fake("A11", "Noise/LA_E_2_babble_0"),
            "asvspoof_ld@Filter": real("Filter/LA_E_1_lpf"),
        },
    ),
    "famous_figures": Layout(
        _famous, {"famous_figures": real("Obama/Bonafide/a.wav") + fake("Eleven", "Obama/Eleven/b.wav")}
    ),
    "jspaw2_la": Layout(
        _jspaw2,
        {"jspaw2_la@L3+L4": JSPAW_L3 + fake("ElevenLabs", "F001_R1_E1_L4_BT"), "jspaw2_la@L3": JSPAW_L3},
    ),
    "dsd": Layout(_dsd, {"dsd": real("a") + fake("vits", "b"), "dsd@train": fake("vits", "c")}),
    "diffuse_or_confuse": Layout(
        _diffuse,
        {
            "diffuse_or_confuse": DIFFUSE + real("LJ044-0144"),
            "diffuse-or-confuse@/all": DIFFUSE + real("LJ044-0144", "LJ044-0145"),
        },
    ),
    "emofake": Layout(
        _emofake,
        {
            "emofake@en": real("English/test/0012_Angry_000606")
            + fake("S2", "English/test/S2_Neutral2Sad_0011_000141"),
            "emofake@zh": real("Chinese/test/0001_Happy_000700"),
        },
    ),
    "indicsynth": Layout(
        _indicsynth,
        {
            "indicsynth+jvnv": fake("", "indicsynth/Hindi/audio/1.wav", "indicsynth/Tamil/audio/1.wav")
            + real("jvnv/F1/anger/free/a.wav", "jvnv/F1/anger/regular/a.wav", "jvnv/M1/sad/free/a.wav")
        },
    ),
    "auddt": Layout(
        _auddt,
        {"auddt": fake("", "decro/ch_eval/b.wav") + AUDDT_ODSS, "auddt@odss": AUDDT_ODSS},
    ),
}
