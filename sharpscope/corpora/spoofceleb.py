"""SpoofCeleb (Jung et al., 2025): the attack is the label, a00 is bona fide."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial, known
from sharpscope.errors import UsageError


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        path = place.protocol(f"metadata/{part}.csv")
        root = path.parent.parent
        # `file` is relative to the split's folder; some copies have no flac/ above it.
        folder = root / "flac" / part
        folder = folder if place.listing.has_folder(folder) else root / part
        doubled = place.listing.has_folder(folder / part)
        for where, row in with_header(path, place.tally, ("file", "speaker", "attack")):
            attack = row["attack"].strip().lower()
            if not re.fullmatch(r"a\d\d", attack):
                raise UsageError(f"{where}: attack '{row['attack']}'; expected a00 (bona fide) to a23")
            name = file_name(row["file"], where)
            label = "bonafide" if attack == "a00" else "spoof"
            made_by = "" if label == "bonafide" else attack
            above, _, file = f"{folder}/{name}".rpartition("/")
            if not place.listing.has_file(f"{above}/{file}"):
                # The archive of a split may have been unpacked into a folder of its own name.
                above = above.replace(str(folder), f"{folder}/{part}", 1) if doubled else above
            yield Trial(name, f"{above}/{file}", label, made_by, known(row["speaker"]), "en")


CORPORA = {
    "spoofceleb": Corpus(
        title="SpoofCeleb (Jung et al., 2025)",
        read=_read,
        markers=("metadata/evaluation.csv", "metadata/development.csv", "metadata/train.csv"),
        licence="not verified",
        source="https://jungjee.github.io/spoofceleb (Hugging Face jungjee/spoofceleb)",
        layout="spoofceleb/{flac/{train,development,evaluation}/aXX/idYYYYY/*.flac, metadata/*.csv}",
        aliases={
            "SC": "evaluation",
            "SCE": "evaluation",
            "SCD": "development",
            "SpoofCeleb_evaluation": "evaluation",
        },
        parts=("train", "development", "evaluation"),
        default="evaluation",
        synonyms={"dev": "development", "eval": "evaluation"},
        counts={
            "evaluation": counts(9113, 82017),
            "development": counts(7963, 47778),
            "train": counts(230948, 2309473),
        },
        evidence="classes from users' lists; the total of evaluation verified twice",
        slack=1,
        traps=("file is relative to the split's folder, not to flac/",),
    )
}
