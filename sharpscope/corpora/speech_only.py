"""Corpora of one class whose folders say all: IndicSynth (spoof), JVNV (bona fide)."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.trials import Trial
from sharpscope.errors import UsageError

LANGUAGES = {
    **{
        "assamese": "as",
        "bengali": "bn",
        "gujarati": "gu",
        "hindi": "hi",
        "kannada": "kn",
        "malayalam": "ml",
    },
    **{
        "marathi": "mr",
        "odia": "or",
        "punjabi": "pa",
        "sanskrit": "sa",
        "tamil": "ta",
        "telugu": "te",
        "urdu": "ur",
    },
}


def _read_indicsynth(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    there = [
        name
        for name in place.listing.folders(place.folder)
        if place.listing.has_folder(place.folder / name / "audio")
    ]
    asked = {part.lower() for part in parts} - {""}
    names = {name.lower() for name in there} | {LANGUAGES.get(name.lower(), "") for name in there}
    if asked - names:
        raise UsageError(
            f"{place.folder}: no language {', '.join(sorted(asked - names))}; it has {', '.join(there)}"
        )
    for name in there:
        code = LANGUAGES.get(name.lower(), name)
        if asked and not asked & {name.lower(), code}:
            continue
        for path in place.listing.walk(place.folder / name / "audio"):
            yield Trial(path.relative_to(place.folder).as_posix(), str(path), "spoof", language=code)


def _read_jvnv(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for speaker in ("F1", "F2", "M1", "M2"):
        for path in place.listing.walk(place.folder / speaker):
            name = path.relative_to(place.folder).as_posix()
            yield Trial(name, str(path), "bonafide", speaker=speaker, language="ja")


CORPORA = {
    "indicsynth": Corpus(
        title="IndicSynth (Sharma et al., 2025)",
        read=_read_indicsynth,
        markers=tuple(f"{name}/audio/ & {name}/metadata.csv" for name in ("Hindi", "Bengali", "Tamil", "*")),
        licence="CC BY-NC 4.0",
        source="https://huggingface.co/datasets/vdivyasharma/IndicSynth",
        layout="IndicSynth/<language>/audio/*.wav beside metadata.csv",
        any_part="languages by name or code",
        classes="spoof",
        evidence="layout as the authors' page has it; about 1.9 million clips",
        traps=("spoof only: pool it with real speech, such as Kathbath", "the engine of a clip is not read"),
    ),
    "jvnv": Corpus(
        title="JVNV (Xin et al., 2024)",
        read=_read_jvnv,
        markers=("F1/*/free/ & M1/", "F1/*/regular/ & M1/"),
        licence="CC BY-SA 4.0 (not verified)",
        source="address not verified (jvnv_ver1.zip)",
        layout="jvnv_v1/{F1,F2,M1,M2}/<emotion>/{free,regular}/*.wav",
        classes="bonafide",
        evidence="layout verified, no published count",
        traps=("acted speech with cries and laughs: a probe of false alarms, no EER alone",),
    ),
}
