"""Fake-or-Real (Reimao and Tzerpos, 2019): no protocol, the folder is the label, four variants."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.audio.containers import size_of
from sharpscope.corpora.place import Corpus, Place, counts, total
from sharpscope.corpora.trials import Trial
from sharpscope.errors import UsageError

# The folders are called otherwise than the archives, and Kaggle nests one in the other.
VARIANTS = {
    "norm": "for-norm",
    "original": "for-original",
    "2sec": "for-2seconds",
    "rerec": "for-rerecorded",
}
SPLITS = ("training", "validation", "testing")


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        variant, split = part.split("/")
        wanted = f"{VARIANTS[variant]}/{split}"
        folder = next(place.listing.find((place.folder,), f"{wanted}/", depth=2), None)
        if folder is None and place.folder.name not in set(VARIANTS.values()) - {VARIANTS[variant]}:
            # The folder given is the variant itself.
            folder = place.folder / split
        if folder is None or not place.listing.folders(folder):
            there = ", ".join(place.listing.folders(place.folder))
            raise UsageError(f"{place.folder}: no {wanted}/{{real,fake}}/ in it; it holds {there}")
        for name, label in (("real", "bonafide"), ("fake", "spoof")):
            for path in place.listing.walk(folder / name):
                # The published archives hold empty files.
                if not size_of(path):
                    place.tally.left_out["empty file"] += 1
                    continue
                trial = f"{part}/{name}/{path.relative_to(folder / name).as_posix()}"
                yield Trial(trial, str(path), label, language="en")


CORPORA = {
    "fake_or_real": Corpus(
        title="Fake-or-Real (Reimao and Tzerpos, 2019)",
        read=_read,
        markers=(
            "for-norm/",
            "for-2seconds/",
            "for-rerecorded/",
            "for-original/",
            "testing/real/ & testing/fake/",
        ),
        licence="not stated",
        source="https://bil.eecs.yorku.ca/datasets (for-{original,norm,2sec,rerec}.tar.gz)",
        layout="{for-norm,for-original,for-2seconds,for-rerecorded}/{training,validation,testing}/{real,fake}/*",
        aliases={
            **dict.fromkeys(("FOR", "FakeOrReal"), ""),
            "for-norm": "norm/testing",
            "for-original": "original/testing",
            "for-2sec": "2sec/testing",
            "for-rerec": "rerec/testing",
        },
        parts=tuple(f"{variant}/{split}" for variant in VARIANTS for split in SPLITS),
        default="norm/testing",
        paper="norm/validation+norm/testing",
        synonyms={
            **{split: f"norm/{split}" for split in SPLITS},
            "train": "norm/training",
            "dev": "norm/validation",
            "eval": "norm/testing",
            **{variant: f"{variant}/testing" for variant in VARIANTS},
        },
        counts={
            "norm/testing": counts(2264, 2370),
            "norm/validation": total(10798),
            "norm/training": total(53868),
        },
        evidence="derived from published totals; training from memory",
        traps=(
            "the paper's FoR is validation and testing of for-norm, 15,432 files; DF-Arena's is 4,528",
            "the same file names in real/ and fake/",
            "empty and damaged files",
            "archives for-2sec and for-rerec unpack to for-2seconds/ and for-rerecorded/",
        ),
    )
}
