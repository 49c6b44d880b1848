"""Corpora without a protocol whose folders tell label, system, language and speaker."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from sharpscope.corpora.place import Corpus, Place, counts, total
from sharpscope.corpora.trials import Trial

_CODEC = re.compile(r"_(mp3|m4a|aac|ogg|opus|wma|flac|amr|g7\d\d)$")
Fields = tuple[str, str, str, str, str]


def _alone(names: tuple[str, ...]) -> str:
    """Tell nothing of originals."""
    return ""


class Tree(NamedTuple):
    """How one corpus sorts its files.

    Attributes:
        top: Folders of a part, patterns relative to the corpus; {0} stands for the part, {1} for what follows its "/".
        fields: Folder names below the corpus to (label, attack, speaker, language, codec), None for other files.
        pair: Folder names to what fake and original share, "" where the names do not tell.
    """

    top: tuple[str, ...]
    fields: Callable[[tuple[str, ...]], Fields | None]
    pair: Callable[[tuple[str, ...]], str] = _alone


def _read(place: Place, parts: tuple[str, ...], tree: Tree) -> Iterator[Trial]:
    for part in parts:
        for pattern in tree.top:
            for top in place.listing.match(place.folder, pattern.format(*part.split("/"))):
                for path in place.listing.walk(top):
                    parts_of = path.relative_to(place.folder).parts
                    # An archive unpacked into a folder of its own name doubles that name.
                    names = tuple(
                        name for at, name in enumerate(parts_of) if not at or name != parts_of[at - 1]
                    )
                    fields = tree.fields(names)
                    if fields is None:
                        place.tally.left_out["file outside the known folders"] += 1
                        continue
                    yield Trial("/".join(names), str(path), *fields, pair=tree.pair(names))


def _odss(names: tuple[str, ...]) -> Fields | None:
    if len(names) != 4 or names[0] not in {"natural", "vits", "fastpitch-hifigan"}:
        return None
    system, corpus, speaker, _ = names
    language = {"hifi-tts": "en", "vctk": "en", "hui-acg": "de", "openslr-es": "es"}.get(corpus, "")
    if system == "natural":
        return "bonafide", "", speaker, language, ""
    return "spoof", system, speaker, language, ""


def _odss_pair(names: tuple[str, ...]) -> str:
    """Every system speaks the sentences of natural/ under the same corpus, speaker and name."""
    return "/".join((*names[1:-1], names[-1].rpartition(".")[0]))


def _cfad_pair(names: tuple[str, ...]) -> str:
    """A vocoded file is called as its original with the system behind, and both with the codec behind that."""
    stem = names[-1].rpartition(".")[0]
    if len(names) < 5 or names[3] == "partiallyfake":
        return ""
    made = stem.partition(f"_{names[3]}")[0] if names[2].startswith("fake") else stem
    return f"{names[0]}/{_CODEC.sub('', made)}"


def _cvoicefake_pair(names: tuple[str, ...]) -> str:
    """A vocoded file is called as its original, with _Gen behind."""
    return f"{names[0]}/{names[-1].rpartition('.')[0].removesuffix('_Gen')}"


def _cfad(names: tuple[str, ...]) -> Fields | None:
    if len(names) != 5 or not names[2].startswith(("real", "fake")):
        return None
    label = "bonafide" if names[2].startswith("real") else "spoof"
    codec = "" if names[0] == "clean_version" else names[0].removesuffix("_version")
    return label, names[3] if label == "spoof" else "", "", "zh", codec


def _habla(names: tuple[str, ...]) -> Fields | None:
    if len(names) < 3:
        return None
    if names[0] == "Real":
        return "bonafide", "", names[-2], "es", ""
    # TTS/<country>/TTS-<speaker>_<utterance>.wav tells the speaker in the name; a conversion's folder is
    # <source>-<target>, and it is the target's voice that is heard.
    if names[0].startswith("TTS"):
        stem = names[-1].rpartition(".")[0].partition("-")[2]
        speaker = stem.rpartition("_")[0] if names[-2] == names[1] else names[-2]
    else:
        speaker = names[-2].rpartition("-")[2]
    return "spoof", names[0], speaker, "es", ""


def _cvoicefake(names: tuple[str, ...]) -> Fields | None:
    if len(names) != 3:
        return None
    language = "zh" if names[0] in {"CN", "zh-CN"} else names[0].lower()
    if names[1] == "Bonafide":
        return "bonafide", "", "", language, ""
    if names[1].endswith("_generated"):
        return "spoof", names[1].removesuffix("_generated"), "", language, ""
    return None


def _sonar(names: tuple[str, ...]) -> Fields | None:
    if names[0] == "real_samples":
        return "bonafide", "", "", "", ""
    known = (
        "OpenAI",
        "xTTS",
        "seedtts",
        "FlashSpeech",
        "VoiceBox",
        "AudioGen",
        "VALLE",
        "NaturalSpeech3",
        "PromptTTS2",
    )
    return ("spoof", names[0], "", "", "") if names[0].startswith(known) else None


def _timit_tts(names: tuple[str, ...]) -> Fields | None:
    return ("spoof", names[2], "", "en", "") if len(names) >= 4 else None


def _ai4t(names: tuple[str, ...]) -> Fields | None:
    return {"real": ("bonafide", "", "", "", ""), "fake": ("spoof", "", "", "", "")}.get(names[1])


_CFAD_VERSIONS = ("clean", "noisy", "codec")
_CFAD_SPLITS = ("train", "dev", "test_seen", "test_unseen")
CORPORA = {
    "odss": Corpus(
        title="ODSS (Yaroshchuk et al., 2023)",
        read=partial(_read, tree=Tree(("natural/", "vits/", "fastpitch-hifigan/"), _odss, _odss_pair)),
        markers=("natural/ & vits/ & fastpitch-hifigan/",),
        licence="CC BY-SA 4.0",
        source="https://zenodo.org/records/8370669",
        layout="odss/{natural,vits,fastpitch-hifigan}/{hifi-tts,hui-acg,openslr-es,vctk}/<speaker>/*.wav",
        counts={"": counts(7961, 18993)},
        traps=("natural/vctk (3,071 files) is fetched apart: with it 11,032/18,993", "ids repeat per system"),
    ),
    "cfad": Corpus(
        title="CFAD (Ma et al., 2024)",
        read=partial(_read, tree=Tree(("{0}_version/{1}_*/",), _cfad, _cfad_pair)),
        markers=("clean_version/", "codec_version/", "noisy_version/"),
        licence="CC BY 4.0",
        source="https://zenodo.org/records/8122764",
        layout="CFAD/{clean,noisy,codec}_version/{train,dev,test_seen,test_unseen}_{clean,noise,codec}/"
        "{real,fake}_*/<source>/*.wav",
        aliases={"FAD": ""},
        parts=tuple(f"{v}/{s}" for v in _CFAD_VERSIONS for s in _CFAD_SPLITS),
        default="clean/test_seen+clean/test_unseen",
        synonyms={"clean": "clean/test_seen", **{split: f"clean/{split}" for split in _CFAD_SPLITS}},
        counts={
            "clean/test_seen": counts(14000, 28000),
            "clean/test_unseen": counts(7000, 14000),
            **{"+".join(f"{v}/{s}" for s in _CFAD_SPLITS): counts(38600, 77200) for v in _CFAD_VERSIONS},
        },
        traps=(
            "3,500 of each version's 77,200 spoof files are spoofed in part (partiallyfake, in test_unseen)",
            "one real file (BAC009S0764W0123) lasts 97 minutes: only the crop is decoded",
        ),
    ),
    "habla": Corpus(
        title="HABLA (Tamayo Flórez et al., 2023)",
        read=partial(_read, tree=Tree(("Real/", "CycleGAN/", "Diff/", "StarGAN/", "TTS/", "TTS-*/"), _habla)),
        markers=("Real/ & StarGAN/", "Real/ & TTS/", "Real/Argentina/"),
        licence="CC BY 4.0",
        source="the authors' repository (address not verified)",
        layout="FinalDataset_16khz/{Real,CycleGAN,Diff,StarGAN,TTS,TTS-*}/<country>/<speaker>/*.wav",
        counts={"": counts(22816, 58000)},
    ),
    "cvoicefake": Corpus(
        title="CVoiceFake (Li et al., 2024)",
        read=partial(_read, tree=Tree(("*/Bonafide/", "*/*_generated/"), _cvoicefake, _cvoicefake_pair)),
        markers=("*/Bonafide/ & */*_generated/",),
        licence="see the corpus (not verified)",
        source="https://zenodo.org/records/14062964",
        layout="<language>/{Bonafide,<vocoder>_generated}/*.mp3",
        aliases=dict.fromkeys(("CVoiceFake_small", "CVoiceFake_Large"), ""),
        counts={"": counts(23544, 114592)},
        evidence="verified for the small edition; the large one has more",
        traps=("the small edition says zh-CN, the large one CN", "mp3"),
    ),
    "sonar": Corpus(
        title="SONAR (Li et al., 2024)",
        read=partial(_read, tree=Tree(("*/",), _sonar)),
        markers=("real_samples/",),
        licence="see the corpus (not verified)",
        source="https://github.com/Jessegator/SONAR",
        layout="{real_samples,OpenAI,xTTS,seedtts_*,FlashSpeech,VoiceBox,AudioGen,VALLE,NaturalSpeech3,PromptTTS2}/",
        counts={"": counts(2274, 2274)},
        traps=(
            "OpenAI/ holds MP3 named .wav: decoded by content",
            "DF-Arena leaves out SeedTTS (2,274/1,674)",
        ),
    ),
    "timit_tts": Corpus(
        title="TIMIT-TTS (Salvi et al., 2023)",
        read=partial(_read, tree=Tree(("{0}/",), _timit_tts)),
        markers=("CLEAN/ & DTW/", "CLEAN/single_speaker/"),
        licence="see the corpus (not verified)",
        source="https://zenodo.org/records/6560159",
        layout="TIMIT-TTS/{CLEAN,AUG,DTW,DTW_AUG}/{single,multi}_speaker/<system>/*.wav",
        aliases=dict.fromkeys(("TIMIT-TTS",), ""),
        parts=("CLEAN", "AUG", "DTW", "DTW_AUG"),
        default="CLEAN",
        counts={"CLEAN+AUG+DTW+DTW_AUG": counts(0, 79120)},
        classes="spoof",
        traps=("spoof only and no partner is declared: pool it with a real corpus, timit_tts+ljspeech",),
    ),
    "ai4t": Corpus(
        title="AI4T",
        read=partial(_read, tree=Tree(("AI4T_dataset/real/", "AI4T_dataset/fake/"), _ai4t)),
        markers=("AI4T_dataset/real/",),
        licence="not verified",
        source="address not verified",
        layout="AI4T_dataset/{real,fake}/*.wav",
        counts={"": total(279)},
        evidence="about 279 clips",
        slack=5,
    ),
}
