"""DSD: Korean, English and Japanese; one flat folder and one table."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial, known, label_of

# The authors write Utterence; a copy may have mended it.
NAME = "utterence name (file name)"
MENDED = "utterance name (file name)"
LANGUAGES = {"korean": "ko", "english": "en", "japanese": "ja"}


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    path = place.protocol("DSD_corpus_v1.csv", "DSD_corpus*.csv")
    folders = [str(path.parent), *place.audio_folders("wav/", "wavs/", "audio/")]
    for where, row in with_header(path, place.tally, (f"{NAME}|{MENDED}", "label", "subset")):
        if row["subset"].strip() not in parts:
            place.tally.other_parts += 1
            continue
        name = file_name(row[NAME], where).removesuffix(".wav")
        label = label_of(row["label"], where)
        attack = known(row.get("model")) if label == "spoof" else ""
        spoken = known(row.get("language"))
        audio = place.locate(folders, name, (".wav", ".flac"))
        yield Trial(
            name, audio, label, attack, known(row.get("speaker name")), LANGUAGES.get(spoken.lower(), spoken)
        )


CORPORA = {
    "dsd": Corpus(
        title="DSD",
        read=_read,
        markers=("DSD_corpus_v1.csv", "DSD_corpus*.csv"),
        licence="not verified",
        source="https://zenodo.org/records/13788455",
        layout="*.wav beside DSD_corpus_v1.csv",
        aliases=dict.fromkeys(("DSD-corpus",), ""),
        parts=("train", "dev", "eval"),
        default="eval",
        evidence="columns verified, no published count",
        traps=("the column of files is called 'Utterence name (file name)', so spelt",),
    )
}
