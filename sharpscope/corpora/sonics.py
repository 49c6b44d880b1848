"""SONICS (Rahman et al., 2025): songs; whole, half and mostly generated ones are spoof."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial
from sharpscope.errors import UsageError

LABELS = {"real": "bonafide", "full fake": "spoof", "half fake": "spoof", "mostly fake": "spoof"}


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        path = place.protocol(f"{part}.csv")
        for where, row in with_header(path, place.tally, ("filepath", "label"), several_lines=True):
            word = row["label"].strip().lower()
            if word not in LABELS:
                raise UsageError(f"{where}: label '{row['label']}'; it is one of {', '.join(LABELS)}")
            name = file_name(row["filepath"], where)
            attack = "" if word == "real" else word
            folder, _, file = f"{path.parent}/{name}".rpartition("/")
            stem, dot, ending = file.rpartition(".")
            audio = place.locate((folder,), stem, (dot + ending,)) if dot else f"{folder}/{file}"
            yield Trial(name, audio, LABELS[word], attack)


CORPORA = {
    "sonics": Corpus(
        title="SONICS (Rahman et al., 2025)",
        read=_read,
        markers=("fake_songs.csv", "fake_songs/ & test.csv"),
        licence="see the corpus (not verified)",
        source="https://huggingface.co/datasets/awsaf49/sonics",
        layout="{train,valid,test}.csv, fake_songs/*.mp3, real_songs/*.mp3",
        parts=("train", "valid", "test"),
        default="test",
        synonyms={"dev": "valid", "eval": "test"},
        counts={"train+valid+test": counts(48090, 49074)},
        traps=(
            "real songs are to be fetched by their links: --skip-missing goes on without those that are gone",
        ),
    )
}
