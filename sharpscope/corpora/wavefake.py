"""WaveFake (Frank and Schönherr, 2021), spoof only, with LJSpeech (Ito, 2017) and JSUT (Sonobe et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.pairing import with_originals
from sharpscope.corpora.place import Corpus, Place, counts, total
from sharpscope.corpora.protocols import read_lines
from sharpscope.corpora.trials import Trial
from sharpscope.errors import UsageError

PREFIXES = {"ljspeech": ("ljspeech_", "common_voices"), "jsut": ("jsut_",)}


def _fakes(place: Place, prefixes: tuple[str, ...]) -> Iterator[tuple[Trial, str]]:
    root = place.folder / "generated_audio"
    root = root if place.listing.has_folder(root) else place.folder
    copies = 0
    for system in place.listing.folders(root):
        if not system.startswith(prefixes):
            continue
        corpus = "jsut" if system.startswith("jsut_") else "ljspeech"
        # The published archive holds one system's files again under an inner generated/.
        seen = set()
        for path in place.listing.walk(root / system, (".wav",)):
            if path.name in seen:
                copies += 1
                continue
            seen.add(path.name)
            # Waveglow keeps the original's name, HiFi-GAN appends _generated, the others _gen.
            source = path.stem.removesuffix("_generated").removesuffix("_gen")
            source = "" if system.startswith("common_voices") else source
            language = "ja" if corpus == "jsut" else "en"
            yield (
                Trial(f"{system}/{path.name}", str(path), "spoof", system, corpus, language),
                source,
            )
    if copies:
        place.tally.left_out["copy of a file in the same system's folder"] = copies


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    chosen = [name for name in PREFIXES if name in parts or "both" in parts]
    prefixes = tuple(prefix for name in chosen for prefix in PREFIXES[name])
    if place.pairing == "none":
        yield from with_originals(place, _fakes(place, prefixes), lambda _: None, tuple)
        return
    # Only what is on disk decides which partners are needed.
    systems = {trial.speaker for trial, _ in _fakes(place, prefixes)}
    real: dict[str, Trial] = {}
    for name in chosen:
        if name in systems:
            real |= {trial.trial: trial for trial in place.partner(name)[1]()}
    yield from with_originals(place, _fakes(place, prefixes), real.get, real.values)


def _read_ljspeech(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    path = place.protocol("LJSpeech-1.1/metadata.csv", "metadata.csv")
    for number, line in enumerate(read_lines(path), start=1):
        place.tally.lines += 1
        if not line.strip():
            place.tally.blank += 1
            continue
        # Transcripts hold quotation marks that are no quoting.
        name, bar, _ = line.partition("|")
        if not bar or not name:
            raise UsageError(f"{path}, line {number}: no | in it; expected id|text|normalised text")
        place.tally.rows += 1
        audio = f"{path.parent}/wavs/{name}.wav"
        yield Trial(name, audio, "bonafide", speaker="ljspeech", language="en")


def _read_jsut(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    folder = next(place.listing.find((place.folder,), "basic5000/wav/", depth=2))
    for path in place.listing.walk(folder, (".wav",)):
        yield Trial(path.stem, str(path), "bonafide", speaker="jsut", language="ja")


CORPORA = {
    "wavefake": Corpus(
        title="WaveFake (Frank and Schönherr, 2021)",
        read=_read,
        markers=(
            "generated_audio/ljspeech_*/",
            "generated_audio/jsut_*/",
            "ljspeech_melgan/",
            *(f"ljspeech_{name}/" for name in ("hifiGAN", "*_melgan", "parallel_wavegan", "waveglow")),
            "jsut_*_*gan/",
            "generated_audio/common_voices_*/",
        ),
        licence="CC BY-SA 4.0",
        source="https://zenodo.org/records/5642694 (generated_audio.zip)",
        layout="generated_audio/<system>/*.wav, with LJSpeech-1.1/ and jsut_ver1.1/ under the data root",
        aliases={
            "WF": "",
            "WFJ": "jsut",
            "WFL": "ljspeech",
            "WaveFake_JSUT": "jsut",
            "WaveFake_LJSPEECH": "ljspeech",
        },
        parts=("both", "jsut", "ljspeech"),
        default="both",
        counts={"both": total(117985), "jsut": total(10000), "ljspeech": total(107983)},
        evidence="fakes only: 117,985 in the paper, 117,983 by the sum of its parts",
        slack=2,
        classes="spoof",
        partners=("ljspeech", "jsut"),
        traps=(
            "file names repeat in every system's folder",
            "_gen, _generated or nothing stands behind the original's name",
            "the paper's own list (53,405 files) cannot be rebuilt from what is public",
        ),
    ),
    "ljspeech": Corpus(
        title="LJSpeech 1.1 (Ito and Johnson, 2017)",
        read=_read_ljspeech,
        markers=("LJSpeech-1.1/metadata.csv", "metadata.csv & wavs/LJ001-0001.wav"),
        licence="public domain",
        source="https://keithito.com/LJ-Speech-Dataset",
        layout="LJSpeech-1.1/{wavs/*.wav, metadata.csv}",
        aliases=dict.fromkeys(("LJSpeech-1.1",), ""),
        counts={"": counts(13100, 0)},
        classes="bonafide",
        traps=("22.05 kHz", "metadata.csv separates by | without quoting or header"),
    ),
    "jsut": Corpus(
        title="JSUT 1.1 basic5000 (Sonobe et al., 2017)",
        read=_read_jsut,
        markers=("jsut_ver1.1/basic5000/wav/", "basic5000/wav/"),
        licence="CC BY-SA 4.0 for the text; see the corpus for the audio (not verified)",
        source="https://sites.google.com/site/shinnosuketakamichi/publication/jsut",
        layout="jsut_ver1.1/basic5000/wav/BASIC5000_*.wav",
        aliases=dict.fromkeys(("jsut_ver1.1", "basic5000"), ""),
        counts={"": counts(5000, 0)},
        evidence="from memory",
        classes="bonafide",
        traps=("48 kHz",),
    ),
}
