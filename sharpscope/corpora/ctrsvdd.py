"""CtrSVDD (Zang et al., 2024), sung and not spoken: the columns of ASVspoof 2019 with one more in front."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import blank_separated
from sharpscope.corpora.trials import Trial, known, label_of

COLUMNS = "source singer utterance - attack label"
MANDARIN = {"opencpop", "m4singer", "kising", "acesinger"}


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        folders = place.audio_folders(f"{part}_set/")
        for where, cells in blank_separated(place.protocol(f"{part}.txt"), place.tally, COLUMNS):
            source, singer, utterance, _, attack, word = cells
            label = label_of(word, where)
            made_by = known(attack) if label == "spoof" else ""
            language = "zh" if source.lower() in MANDARIN else "ja"
            yield Trial(utterance, place.locate(folders, utterance), label, made_by, known(singer), language)


CORPORA = {
    "ctrsvdd": Corpus(
        title="CtrSVDD (Zang et al., 2024)",
        read=_read,
        markers=("train_set/ & train.txt", "dev_set/ & dev.txt", "test_set/ & test.txt"),
        licence="CC BY-NC-ND 4.0",
        source="https://zenodo.org/records/10467648 (train, dev), 12703261 (test)",
        layout="{train,dev,test}_set/*.flac beside {train,dev,test}.txt",
        aliases=dict.fromkeys(("SVDD", "SVDD2024"), ""),
        parts=("train", "dev", "test"),
        default="test",
        synonyms={"eval": "test"},
        counts={"train": counts(12169, 72235), "dev": counts(6547, 37078), "test": counts(13596, 79173)},
        evidence="test and the total verified; train and dev from memory, the sum closes",
        traps=(
            "singing without accompaniment",
            "real singing of Oniku, Ofuton, Kiritan and JVS-MuSiC is listed in train and dev but not shipped",
        ),
    )
}
