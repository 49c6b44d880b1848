"""ASVspoof 5 (Wang et al., 2024), track 1: lists called .tsv whose columns stand apart by blanks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import Tally, blank_separated
from sharpscope.corpora.trials import Trial, known, label_of

COLUMNS = "SPEAKER_ID FLAC_FILE_NAME SPEAKER_GENDER CODEC CODEC_Q CODEC_SEED ATTACK_TAG ATTACK_LABEL KEY TMP"
LISTS = {
    "train": "ASVspoof5.train.tsv",
    "dev": "ASVspoof5.dev.track_1.tsv",
    "eval": "ASVspoof5.eval.track_1.tsv",
}
# The official baseline calls the last one flac_E.
FOLDERS = {"train": ("flac_T/",), "dev": ("flac_D/",), "eval": ("flac_E_eval/", "flac_E/")}


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        folders = place.audio_folders(*FOLDERS[part]) or place.audio_folders(f"*_{part}/flac/")
        path = place.protocol(LISTS[part])
        for trial in list_rows(path, place.tally):
            yield trial._replace(path=place.locate(folders, trial.trial))


def list_rows(path: Path, tally: Tally) -> Iterator[Trial]:
    """Read a list without looking for audio.

    Args:
        path: The list.
        tally: Counts its lines.

    Yields:
        Trials without a path.
    """
    for where, cells in blank_separated(path, tally, COLUMNS, header=("FLAC_FILE_NAME",)):
        speaker, utterance, _, codec, _, _, _, attack, word, _ = cells
        label = label_of(word, where)
        made_by = known(attack) if label == "spoof" else ""
        yield Trial(utterance, "", label, made_by, known(speaker), "en", "none" if codec == "-" else codec)


CORPORA = {
    "asvspoof5": Corpus(
        title="ASVspoof 5, track 1 (Wang et al., 2024)",
        read=_read,
        markers=(
            "ASVspoof5.eval.track_1.tsv",
            "ASVspoof5.dev.track_1.tsv",
            "ASVspoof5.train.tsv",
            "ASVspoof5_protocols/",
            "protocols/ASVspoof5.eval.track_1.tsv",
        ),
        licence="ODC-By 1.0",
        source="https://zenodo.org/records/14498691",
        layout="flac_T/, flac_D/, flac_E_eval/, ASVspoof5.{train,dev.track_1,eval.track_1}.tsv",
        aliases=dict.fromkeys(("asv5", "asvspoof_2024", "ASVspoof2024"), ""),
        parts=("train", "dev", "eval"),
        default="eval",
        counts={
            "train": counts(18797, 163560),
            "dev": counts(31334, 109616),
            "eval": counts(138688, 542086),
        },
        traps=(
            ".tsv holds blanks, no tabs, and no header: readers that expect one lose the first trial",
            "audio folders hold enrolment files that are in no list",
            "attacks A01... are others than those of 2019",
        ),
    )
}
