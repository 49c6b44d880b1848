"""DECRO (Ba et al., 2023): the five columns of ASVspoof with blanks at the ends of lines, two languages."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.asvspoof import five_columns
from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.trials import Trial

PARTS = tuple(f"{language}_{split}" for language in ("ch", "en") for split in ("train", "dev", "eval"))


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in place.parts_there(parts, "{}.txt"):
        path = place.protocol(f"{part}.txt")
        for trial in five_columns(place, path, [str(path.parent / part)]):
            language = "zh" if part.startswith("ch") else "en"
            yield trial._replace(trial=f"{part}/{trial.trial}", language=language)


CORPORA = {
    "decro": Corpus(
        title="DECRO (Ba et al., 2023)",
        read=_read,
        markers=("ch_eval.txt", "en_eval.txt", "ch_train.txt", "en_train.txt"),
        licence="see the corpus (not verified)",
        source="https://zenodo.org/records/7603208",
        layout="petrichorwq-DECRO-dataset-*/{ch,en}_{train,dev,eval}/*.wav and .txt of the same names",
        parts=PARTS,
        default="ch_eval+en_eval",
        synonyms={"ch": "ch_eval", "zh": "ch_eval", "en": "en_eval"},
        counts={
            "ch_train+ch_dev+ch_eval": counts(21218, 41880),
            "en_train+en_dev+en_eval": counts(12483, 42800),
        },
        traps=("some lines end in a blank",),
    )
}
