"""ASVspoof 2019 LA (Wang et al., 2020) and PartialSpoof (Zhang et al., 2021): five columns, no header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import Tally, blank_separated
from sharpscope.corpora.trials import Trial, known, label_of

COLUMNS = "speaker utterance environment attack label"


def five_columns(place: Place, path: Path, folders: list[str]) -> Iterator[Trial]:
    """Read ``speaker utterance - attack label``; the audio folders hold files that are in no protocol.

    Args:
        place: The corpus.
        path: The protocol.
        folders: Where audio may lie.

    Yields:
        Trials, the utterance as id.
    """
    for trial in five_column_rows(path, place.tally):
        yield trial._replace(path=place.locate(folders, trial.trial))


def five_column_rows(path: Path, tally: Tally) -> Iterator[Trial]:
    """Read ``speaker utterance - attack label`` without looking for audio.

    Args:
        path: The protocol.
        tally: Counts its lines.

    Yields:
        Trials without a path.
    """
    for where, (speaker, utterance, _, attack, word) in blank_separated(path, tally, COLUMNS):
        label = label_of(word, where)
        made_by = known(attack) if label == "spoof" else ""
        yield Trial(utterance, "", label, made_by, known(speaker), "en")


def _read_2019(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        # The official name of the training list ends in trn, some copies in trl.
        path = place.protocol(*(f"ASVspoof2019.LA.cm.{part}.{kind}.txt" for kind in ("trn", "trl")))
        folders = place.audio_folders(f"ASVspoof2019_LA_{part}/flac/", f"ASVspoof2019_LA_{part}/wav/")
        # Copies also hold the audio without flac/, or the list beside it.
        folders += place.audio_folders(f"ASVspoof2019_LA_{part}/")
        folders += [str(path.parent / "flac"), str(path.parent / "wav"), str(path.parent)]
        yield from five_columns(place, path, folders)


def _read_partial(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        path = place.protocol(f"PartialSpoof.LA.cm.{part}.trl.txt")
        yield from five_columns(place, path, place.audio_folders(f"{part}/con_wav/"))


CORPORA = {
    "asvspoof2019_la": Corpus(
        title="ASVspoof 2019 LA (Wang et al., 2020)",
        read=_read_2019,
        markers=(
            "ASVspoof2019_LA_cm_protocols/",
            "ASVspoof_LA_cm_protocols/",
            "ASVspoof2019.LA.cm.*.txt",
        ),
        licence="ODC-By 1.0",
        source="https://datashare.ed.ac.uk/handle/10283/3336 (LA.zip)",
        layout="LA/ASVspoof2019_LA_{train,dev,eval}/flac/*.flac, "
        "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.*.txt",
        aliases={
            **dict.fromkeys(("19LA", "asv19", "asvspoof2019", "ASV19-LA"), ""),
            "eval_2019": "eval",
            **{f"ASVspoof2019_LA_{part}": part for part in ("train", "dev", "eval")},
        },
        parts=("train", "dev", "eval"),
        default="eval",
        counts={"train": counts(2580, 22800), "dev": counts(2548, 22296), "eval": counts(7355, 63882)},
        traps=(
            "the training list is called trn or trl",
            "audio folders hold files that are in no protocol",
            "Kaggle nests LA/LA/",
            "converted copies hold wav/ instead of flac/",
        ),
    ),
    "partialspoof": Corpus(
        title="PartialSpoof (Zhang et al., 2021)",
        read=_read_partial,
        markers=(
            "PartialSpoof_LA_cm_protocols/",
            "protocols/PartialSpoof_LA_cm_protocols/",
            "protocols/PartialSpoof.LA.cm.*.txt",
            "PartialSpoof.LA.cm.*.txt",
        ),
        licence="CC BY 4.0 (not verified)",
        source="https://zenodo.org/records/5766198",
        layout="database/{train,dev,eval}/con_wav/*.wav, database/protocols/PartialSpoof_LA_cm_protocols/"
        "PartialSpoof.LA.cm.{train,dev,eval}.trl.txt",
        parts=("train", "dev", "eval"),
        default="eval",
        counts={"train+dev+eval": counts(12483, 108978)},
        traps=("utterances are spoofed in part: the label is of the whole file",),
    ),
}
