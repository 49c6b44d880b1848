"""ADD 2022 (Yi et al., 2022) and ADD 2023 (Yi et al., 2023): ids with their ending, genuine or fake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import blank_separated
from sharpscope.corpora.trials import Trial, label_of
from sharpscope.errors import UsageError


def _read(
    place: Place, parts: tuple[str, ...], lists: Mapping[str, tuple[str, ...]], prefixes: tuple[str, ...]
) -> Iterator[Trial]:
    for part in parts:
        path = place.protocol(*lists[part])
        # Older releases hand out the labels apart from the audio.
        folders = [f"{path.parent}/wav", str(path.parent), f"{path.parent.parent}/{part}"]
        folders += place.audio_folders("wav/", "track1test/")
        header = ("label", "key", "filename", "file", "utt")
        for where, cells in blank_separated(
            path, place.tally, "utterance label attack", optional=1, header=header
        ):
            name = cells[0]
            if not name.startswith(prefixes):
                raise UsageError(
                    f"{where}: '{name}' is of another track; this one's begin with {' or '.join(prefixes)}"
                )
            label = label_of(cells[1], where)
            attack = cells[2] if len(cells) == 3 and label == "spoof" else ""
            stem = name.removesuffix(".wav")
            yield Trial(stem, place.locate(folders, stem, (".wav",)), label, attack, language="zh")


_T32 = {"eval": ("track3_R2_label.txt", "ADD2022track3.2_eval_R2/label.txt")}
_T1 = {
    "eval": ("*rack1*label*.txt", "*rack1*/label.txt"),
    "dev": ("label/dev_label.txt",),
    "train": ("label/train_label.txt",),
}
_T12 = {
    "r1": ("testR1/label.txt", "ADD2023track1.2_eval_R1/label.txt"),
    "r2": ("testR2/label.txt", "ADD2023track1.2_eval_R2/label.txt"),
    "train": ("?rack1.2/train/label.txt",),
    "dev": ("?rack1.2/dev/label.txt",),
}
CORPORA = {
    "add2022_t32r2": Corpus(
        title="ADD 2022 track 3.2, round 2 (Yi et al., 2022)",
        read=partial(_read, lists=_T32, prefixes=("ADD_E3_",)),
        markers=("track3_R2_label.txt", "ADD2022track3.2_eval_R2/"),
        licence="CC BY-NC-ND 4.0",
        source="https://zenodo.org/records/12188055",
        layout="ADD2022track3.2_eval_R2/{track3_R2_label.txt, wav/*.wav}",
        aliases=dict.fromkeys(
            ("add2022", "ADD", "ADDE", "ADD2022_eval", "add22_t3.2", "add_2022_track_3"), ""
        ),
        parts=("eval",),
        default="eval",
        counts={"eval": counts(20776, 106085)},
        slack=1,
        traps=(
            "round 1 is another list",
            "a third column is the attack",
            "labels may lie apart from the audio",
        ),
    ),
    "add2022_track1": Corpus(
        title="ADD 2022 track 1 (Yi et al., 2022)",
        read=partial(_read, lists=_T1, prefixes=("ADD_",)),
        markers=("*rack1*label*.txt", "*rack1*/label.txt", "ADD_train_dev/"),
        licence="CC BY-NC-ND 4.0",
        source="https://zenodo.org/records/10843991; train and dev https://zenodo.org/records/12188127",
        layout="<track1 folder>/{*track1*label*.txt, wav/*.wav}, ADD_train_dev/label/{train,dev}_label.txt",
        aliases=dict.fromkeys(("add_2022_track_1",), ""),
        parts=("train", "dev", "eval"),
        default="eval",
        counts={"eval": counts(31334, 77865), "train": counts(3012, 24072), "dev": counts(2307, 26017)},
        evidence="verified; the names of the label files were not seen for every release",
        traps=("clips of 0.26 to 158 s",),
    ),
    "add2023_t12": Corpus(
        title="ADD 2023 track 1.2 (Yi et al., 2023)",
        read=partial(_read, lists=_T12, prefixes=("ADD2023_T1.2",)),
        markers=("testR2/label.txt", "testR1/label.txt", "?rack1.2/", "ADD2023track1.2_eval_R?/"),
        licence="not stated",
        source="https://zenodo.org/records/12175884 (R1), https://zenodo.org/records/12176326 (R2)",
        layout="Track1.2/{testR1,testR2}/{label.txt, wav/*.wav}, track1.2/{train,dev}/{label.txt, wav/*.wav}",
        aliases={
            "add2023": "",
            "add2023_r1": "r1",
            "add2023_r2": "r2",
            "add_2023_round_1": "r1",
            "add_2023_round_2": "r2",
        },
        parts=("train", "dev", "r1", "r2"),
        default="r2",
        counts={"r1": counts(80000, 31976), "r2": counts(87500, 30977)},
        traps=("round 1 and round 2 are different audio",),
    ),
}
