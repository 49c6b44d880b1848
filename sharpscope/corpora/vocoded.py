"""Corpora of re-synthesised speech in a folder per system: DFADD (Du et al., 2024), LibriSeVoc (Sun et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import blank_separated, file_name
from sharpscope.corpora.trials import Trial

VOCODERS = ("diffwave", "melgan", "parallel_wave_gan", "wavegrad", "wavenet", "wavernn")


def _read_dfadd(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        for top in place.listing.match(place.folder, f"DATASET_*/{part}/"):
            folder = top.parent
            real = "BONAFIDE" in folder.name
            attack = "" if real else folder.name.removeprefix("DATASET_")
            for path in place.listing.walk(top, (".wav", ".flac")):
                trial = f"{folder.name}/{part}/{path.name}"
                label = "bonafide" if real else "spoof"
                # p227_164_GradTTS speaks the sentence of VCTK's p227_164.
                speaker, *utterance = path.stem.split("_")[:2]
                pair = "_".join((speaker, *utterance))
                yield Trial(trial, str(path), label, attack, speaker, "en", pair=pair)


def _read_librisevoc(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    root = place.folder
    for part in parts:
        if part == "all":
            stems: list[str] = [path.stem for path in place.listing.walk(root / "gt", (".wav",))]
        else:
            # The lists lie in the folder or beside it.
            path = next(
                (
                    at
                    for at in (root / f"{part}.txt", root.parent / f"{part}.txt")
                    if place.listing.has_file(at)
                ),
                None,
            ) or place.protocol(f"{part}.txt")
            stems = [
                Path(file_name(cells[0], where)).stem
                for where, cells in blank_separated(path, place.tally, "file")
            ]
        for stem in stems:
            speaker = stem.split("_")[0]
            audio = place.locate([f"{root}/gt"], stem, (".wav",))
            yield Trial(f"gt/{stem}", audio, "bonafide", "", speaker, "en", pair=stem)
        for vocoder in VOCODERS:
            for stem in stems:
                audio = place.locate([f"{root}/{vocoder}"], f"{stem}_gen", (".wav",))
                yield Trial(f"{vocoder}/{stem}", audio, "spoof", vocoder, stem.split("_")[0], "en", pair=stem)


CORPORA = {
    "dfadd": Corpus(
        title="DFADD (Du et al., 2024)",
        read=_read_dfadd,
        markers=("DATASET_VCTK_BONAFIDE/",),
        licence="MIT over VCTK (CC BY 4.0)",
        source="https://huggingface.co/datasets/isjwdu/DFADD",
        layout="DATASET_{GradTTS,MatchaTTS,NaturalSpeech2,PflowTTS,StyleTTS2,VCTK_BONAFIDE}/{train,valid,test}/*",
        aliases=dict.fromkeys(("DIFFADD", "DFAAD"), ""),
        parts=("train", "valid", "test"),
        default="test",
        synonyms={"dev": "valid", "eval": "test"},
        counts={"test": counts(755, 3000)},
        traps=(
            "copies from before April 2025 have wrong labels for Matcha",
            "the older archive has .flac for spoof and .wav for bona fide",
        ),
    ),
    "librisevoc": Corpus(
        title="LibriSeVoc (Sun et al., 2023)",
        read=_read_librisevoc,
        markers=("gt/ & wavernn/", "gt/ & diffwave/"),
        licence="CC BY-SA 4.0",
        source="https://zenodo.org/records/15127251",
        layout="LibriSeVoc/{gt,diffwave,melgan,parallel_wave_gan,wavegrad,wavenet,wavernn}/, {train,dev,test}.txt",
        aliases=dict.fromkeys(("LibriVoc",), ""),
        parts=("train", "dev", "test", "all"),
        default="all",
        counts={"all": counts(13201, 79206), "test": counts(2641, 15846)},
        traps=("24 kHz, 16-bit and float mixed", "vocoded speech is spoof; some toolkits call it bona fide"),
    ),
}
