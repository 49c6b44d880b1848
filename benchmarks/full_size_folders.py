"""Corpora at their published sizes whose folders tell the label, and those with a table a system; see the layouts."""

from __future__ import annotations

from itertools import chain

from benchmarks.full_size_layouts import Layout, labelled
from benchmarks.full_size_tree import Tree

LJSPEECH = [f"LJ{i // 262 + 1:03}-{i % 262 + 1:04}" for i in range(13_100)]
VOCODERS = ("diffwave", "melgan", "parallel_wave_gan", "wavegrad", "wavenet", "wavernn")
MLAAD = "path|original_file|language|is_original_language|duration|training_data|model_name|architecture|transcript"


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (i < total % parts) for i in range(parts)]


def _wavefake(at: Tree) -> None:
    base = "generated_audio/"
    for system, ending in (("hifiGAN", "_generated"), ("melgan", "_gen"), ("melgan_large", "_gen"),
                           ("full_band_melgan", "_gen"), ("multi_band_melgan", "_gen"), ("parallel_wavegan", "_gen"),
                           ("waveglow", "")):  # fmt: skip
        at.audio(f"{base}ljspeech_{system}", (f"{stem}{ending}.wav" for stem in LJSPEECH))
    # The published archive holds the files of this system twice.
    prompts = f"{base}common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech"
    for folder in (prompts, f"{prompts}/generated"):
        at.audio(folder, (f"gen_{i}.wav" for i in range(16_283)))
    basic = [f"BASIC5000_{i:04}" for i in range(1, 5001)]
    for system in ("multi_band_melgan", "parallel_wavegan"):
        at.audio(f"{base}jsut_{system}", (f"{stem}_gen.wav" for stem in basic))
    at.text("real/LJSpeech-1.1/metadata.csv", (f'{stem}|he said "so|he said so' for stem in LJSPEECH))
    at.audio("real/LJSpeech-1.1/wavs", (f"{stem}.wav" for stem in LJSPEECH))
    at.audio("real/jsut_ver1.1/basic5000/wav", (f"{stem}.wav" for stem in basic))


def _mlaad(at: Tree) -> None:
    # Version 5: 154 tables of 1,000, 38 languages; 584,006 recordings of nine locales.
    for table in range(154):
        language = f"l{table % 38:02}"
        folder = f"MLAAD_v5/fake/{language}/model {table} (v{table})"
        book = f"en_US/by_book/female/s{table % 20}/b/wavs"
        about = f'{language}|False|2.3|multi|m{table % 82}|a|said "so'
        rows = (f"./{folder[9:]}/u{i}.wav|{book}/b_{i % 700:06}.wav|{about}" for i in range(1000))
        at.text(f"{folder}/meta.csv", chain([MLAAD], rows))
        at.audio(folder, (f"u{i}.wav" for i in range(1000)))
    locales = ("de_DE", "en_UK", "en_US", "es_ES", "fr_FR", "it_IT", "pl_PL", "ru_RU", "uk_UK")
    for locale, number in zip(locales, _shares(584_006, 9), strict=True):
        at.text(f"M-AILABS/{locale}/by_book/info.txt", ["by book"])
        for speaker, each in enumerate(_shares(number, 20)):
            folder = f"M-AILABS/{locale}/by_book/female/s{speaker}/b/wavs"
            at.audio(folder, (f"b_{i:06}.wav" for i in range(each)))
        if locale in locales[:6]:  # what macOS leaves behind
            at.audio(folder, ["._b_000000.wav"])


def _fake_or_real(at: Tree) -> None:
    for split, real, fake in (
        ("testing", 2264, 2370),
        ("validation", 5400, 5398),
        ("training", 26_941, 26_927),
    ):
        for label, number in (("real", real), ("fake", fake)):
            # The reader looks at the size: published archives hold empty files.
            folder = f"for-norm/for-norm/{split}/{label}"
            at.audio(folder, (f"file{i}.wav_16k.wav" for i in range(1, number + 1)), size=44)


def _librisevoc(at: Tree) -> None:
    bases = [f"{i % 97}_{i:06}_000006_000009" for i in range(13_201)]
    at.audio("LibriSeVoc/gt", (f"{base}.wav" for base in bases))
    for vocoder in VOCODERS:
        at.audio(f"LibriSeVoc/{vocoder}", (f"{base}_gen.wav" for base in bases))
    at.text("LibriSeVoc/test.txt", (f"{base}.wav" for base in bases[:2641]))


def _dfadd(at: Tree) -> None:
    at.audio("DATASET_VCTK_BONAFIDE/test", (f"p228_{i:03}.wav" for i in range(755)))
    for system in ("GradTTS", "MatchaTTS", "NaturalSpeech2", "PflowTTS", "StyleTTS2"):
        at.audio(f"DATASET_{system}/test", (f"p227_{i:03}_{system}.wav" for i in range(600)))


def _diffssd(at: Tree) -> None:
    files = [(f"real_speech/librispeech/dev-clean/{i % 40}/x{i}.flac", "real", 0) for i in range(11_126)]
    files += [(f"real_speech/ljspeech/{stem}.wav", "real", 0) for stem in LJSPEECH]
    files += [(f"generated_speech/m{m}/sentence_{i}.wav", f"m{m}", 1) for m in range(10) for i in range(7000)]
    header = "filename,method_name,category,source,set,target"
    rows = (f"{name},{method},open,x,{('train', 'val', 'test')[i % 3]},{target}"
            for i, (name, method, target) in enumerate(files))  # fmt: skip
    at.text("train_val_test_splits.csv", chain([header], rows))
    folders: dict[str, list[str]] = {}
    for name, _, _ in files:
        name = name.replace("/librispeech/", "/LibriSpeech/").replace("/ljspeech/", "/LJSpeech-1.1/wavs/")
        folder, _, file = name.rpartition("/")
        folders.setdefault(folder, []).append(file)
    for folder, names in folders.items():
        at.audio(folder, names)


def _deepfake_eval(at: Tree) -> None:
    rows = (
        f'r{i}.mp3,"http://x.org/a,b",{"Fake" if a else "Real"},Test,English' for i, a in labelled(1000, 980)
    )
    at.text("audio-metadata-publish.csv", chain(["Filename,Link,Ground Truth,Finetuning Set,Language"], rows))
    at.audio("audio-data", (f"r{i}.mp3" for i in range(1980)))


def _odss(at: Tree) -> None:
    for corpus, number in (("hifi-tts", 2653), ("hui-acg", 2654), ("openslr-es", 2654), ("vctk", 3071)):
        for system in ("natural", "vits", "fastpitch-hifigan"):
            # natural/vctk is fetched apart, and FastPitch does not speak it.
            if corpus != "vctk" or system == "vits":
                at.audio(f"odss/{system}/{corpus}/s1", (f"{i}.wav" for i in range(number)))


def _cfad(at: Tree) -> None:
    seen_real = ("aishell1", "aishell3", "magicread", "thchs30")
    seen_fake = ("gl", "hifigan", "lpcnet", "mbmelgan", "pwg", "straight", "stylegan", "wavenet")
    unseen_fake = ("fasthifigan", "partiallyfake", "tacohifigan", "world")
    splits = {
        "train": (seen_real, 12_800, seen_fake, 25_600),
        "dev": (seen_real, 4800, seen_fake, 9600),
        "test_seen": (seen_real, 14_000, seen_fake, 28_000),
        "test_unseen": (("magicconversa", "selfrecording"), 7000, unseen_fake, 14_000),
    }
    for version, word in (("clean", "clean"), ("noisy", "noise"), ("codec", "codec")):
        for split, (reals, n_real, fakes, n_fake) in splits.items():
            for label, sources, number in (("real", reals, n_real), ("fake", fakes, n_fake)):
                for source, each in zip(sources, _shares(number, len(sources)), strict=True):
                    folder = f"CFAD/CFAD/{version}_version/{split}_{word}/{label}_{word}/{source}"
                    at.audio(folder, (f"{source}_{i}.wav" for i in range(each)))


def _habla(at: Tree) -> None:
    base = "FinalDataset_16khz"
    for speaker, number in enumerate(_shares(22_816, 162)):
        at.audio(f"{base}/Real/Argentina/ar_{speaker}", (f"u{i}.wav" for i in range(number)))
    for system, number in zip(("CycleGAN", "Diff", "StarGAN", "TTS-VC"), _shares(46_000, 4), strict=True):
        at.audio(f"{base}/{system}/Chile-Peru/a_1-b_2", (f"u{i}.wav" for i in range(number)))
    at.audio(f"{base}/TTS/Chile", (f"TTS-abc_1_{i}.wav" for i in range(12_000)))


def _cvoicefake(at: Tree) -> None:
    vocoders = [f"v{i}_generated" for i in range(5)]
    for i, (language, real, fake) in enumerate(
        zip(("de", "en", "fr", "it", "zh-CN"), _shares(23_544, 5), _shares(114_592, 5), strict=True)
    ):
        at.audio(f"{language}/Bonafide", (f"common_voice_{i}{n}.mp3" for n in range(real)))
        for vocoder, each in zip(vocoders, _shares(fake, 5), strict=True):
            at.audio(f"{language}/{vocoder}", (f"common_voice_{i}{n}_Gen.mp3" for n in range(each)))


def _sonar(at: Tree) -> None:
    at.audio("SONAR/real_samples", (f"{i}.wav" for i in range(2274)))
    # SeedTTS has 600; the other systems 1,674.
    at.audio("SONAR/seedtts_en", (f"{i}.wav" for i in range(600)))
    others = (
        "OpenAI",
        "xTTS",
        "FlashSpeech",
        "VoiceBox",
        "AudioGen",
        "VALLE",
        "NaturalSpeech3",
        "PromptTTS2",
    )
    for system, number in zip(others, _shares(1674, 8), strict=True):
        at.audio(f"SONAR/{system}/en", (f"{i}.wav" for i in range(number)))


def _timit_tts(at: Tree) -> None:
    for part in ("CLEAN", "AUG", "DTW", "DTW_AUG"):
        for kind, number in (("single_speaker", 9890), ("multi_speaker", 9890)):
            at.audio(f"TIMIT-TTS/{part}/{kind}/gtts/a", (f"{i}.wav" for i in range(number)))


def _jspaw2(at: Tree) -> None:
    real = [f"F{i:03}_R1_E1" for i in range(800)]
    at.audio("jspaw2/ASV", (f"{name}.wav" for name in real))
    for part in ("L3", "L4", "L5"):
        fakes = [f"{name}_{part}_BT" for name in real]
        rows = chain(
            (f"{n[:4]} {n} _ E1 _ _ _ _ _ bonafide notrim eval" for n in real),
            (f"{n[:4]} {n} _ E1 {part} _ _ _ _ spoof trim eval" for n in fakes),
        )
        at.text(f"j-spaw2/protocols/CM_LA/metadata_LA_{part}.txt", rows)
        at.audio(f"jspaw2/LA/{part}", (f"{name}.wav" for name in fakes))


def _emofake(at: Tree) -> None:
    for language, real, fake in (("English", 17_500, 26_600), ("Chinese", 17_500, 26_600)):
        shares = zip(("train", "dev", "test"), _shares(real, 3), _shares(fake, 3), strict=True)
        for split, n_real, n_fake in shares:
            folder = f"EmoFake/{language}/{split}/wav"
            at.audio(folder, (f"0012_Angry_{i:06}.wav" for i in range(n_real)))
            at.audio(folder, (f"S{i % 7 + 1}_Neutral2Sad_0011_{i:06}.wav" for i in range(n_fake)))


def _ai4t(at: Tree) -> None:
    at.audio("AI4T_dataset/real", (f"{i}.wav" for i in range(140)))
    at.audio("AI4T_dataset/fake", (f"{i}.wav" for i in range(139)))


FOLDERS: dict[str, Layout] = {
    "WaveFake, LJSpeech, JSUT": (_wavefake, {"WFL": (13_100, 107_983), "WFJ": (5000, 10_000),
                                             "ljspeech": (13_100, 0), "jsut": (5000, 0)}),
    "MLAAD v5, M-AILABS": (_mlaad, {"mlaad@none": (0, 154_000), "mailabs": (584_006, 0)}),
    "Fake-or-Real, norm": (_fake_or_real, {"for": (2264, 2370), "for@dev": (5400, 5398),
                                           "for@train": (26_941, 26_927)}),
    "LibriSeVoc": (_librisevoc, {"librisevoc": (13_201, 79_206), "librisevoc@test": (2641, 15_846)}),
    "DFADD": (_dfadd, {"dfadd": (755, 3000)}),
    "DiffSSD": (_diffssd, {"diffssd@all": (24_226, 70_000)}),
    "Deepfake-Eval-2024": (_deepfake_eval, {"DE2024": (1000, 980)}),
    "ODSS": (_odss, {"odss": (7961, 18_993)}),
    "CFAD": (_cfad, {"cfad@test_seen": (14_000, 28_000), "cfad@test_unseen": (7000, 14_000),
                     **{f"cfad@{v}/train+{v}/dev+{v}/test_seen+{v}/test_unseen": (38_600, 77_200)
                        for v in ("clean", "noisy", "codec")}}),
    "HABLA": (_habla, {"habla": (22_816, 58_000)}),
    "CVoiceFake, small": (_cvoicefake, {"cvoicefake": (23_544, 114_592)}),
    "SONAR": (_sonar, {"sonar": (2274, 2274)}),
    "TIMIT-TTS": (_timit_tts, {"timit_tts@CLEAN+AUG+DTW+DTW_AUG": (0, 79_120)}),
    "J-SPAW2, logical access": (_jspaw2, {f"jspaw2_la@{part}": (800, 800) for part in ("L3", "L4", "L5")}),
    "EmoFake": (_emofake, {"emofake@English/train+English/dev+English/test+Chinese/train+Chinese/dev+Chinese/test":
                           (35_000, 53_200)}),
    "AI4T": (_ai4t, {"ai4t": (140, 139)}),
}  # fmt: skip
