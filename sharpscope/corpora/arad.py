"""ArAD: Arabic, published as parquet only."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.embedded import embedded_trials
from sharpscope.corpora.place import Corpus, Place, total
from sharpscope.corpora.trials import Trial

FOLDER = "Arabic_Audio_Deepfake"


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        found = embedded_trials(
            place.folder / FOLDER, f"{part}+bonafide:1", place.listing, place.tally, spec=f"arad@{part}"
        )
        yield from (trial._replace(trial=f"{part}/{trial.trial}", language="ar") for trial in found)


CORPORA = {
    "arad": Corpus(
        title="ArAD",
        read=_read,
        markers=(f"{FOLDER}/data/*.parquet", f"{FOLDER}/*.parquet"),
        licence="ODC-By",
        source="https://huggingface.co/datasets/DeepFake-Audio-Rangers/Arabic_Audio_Deepfake",
        layout=f"{FOLDER}/data/{{train,test}}-*.parquet",
        aliases=dict.fromkeys((FOLDER,), ""),
        parts=("train", "test"),
        default="test",
        counts={"train": total(15648), "test": total(3913)},
        traps=(
            "its numbers are 0 = fake, 1 = real",
            "clips from 0.01 s to 3 s",
            "made by one engine, RVC v2",
        ),
    )
}
