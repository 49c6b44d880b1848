"""In-the-Wild (Müller et al., 2022): one folder of numbered wav files beside ``meta.csv``."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

# The number of the last file.
LAST = 31_778


def _by_folder(place: Place) -> Iterator[Trial]:
    """Read copies without the table, sorted by class: [train/|val/|test/]{real,fake}/<number>.wav."""
    place.tally.notes.append("no meta.csv: labels are those of the folders, speakers unknown")
    wild = [name for name in place.listing.folders(place.folder) if "wild" in name]
    for top in wild or ("", "train", "val", "valid", "dev", "test"):
        for sort, label in (("fake", "spoof"), ("real", "bonafide")):
            for path in place.listing.walk(place.folder / top / sort):
                if not path.stem.isdecimal() or int(path.stem) > LAST:
                    raise UsageError(
                        f"{path}: files of In-the-Wild are called 0 to {LAST}; if this folder is another corpus, give "
                        "--sets a list of its own: name=LIST"
                    )
                yield Trial(f"{path.stem}.wav", str(path), label, language="en")


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    tables = ("release_in_the_wild/meta.csv", "meta.csv", "modified_meta.csv")
    if all(next(place.listing.match(place.folder, table), None) is None for table in tables):
        yield from _by_folder(place)
        return
    path = place.protocol("release_in_the_wild/meta.csv", "meta.csv", "modified_meta.csv")
    for where, row in with_header(path, place.tally, ("file", "label")):
        label = label_of(row["label"], where)
        name = file_name(row["file"], where)
        stem = name.removesuffix(".wav")
        # Kaggle sorts the files by class.
        sort = "real" if label == "bonafide" else "fake"
        tops = (path.parent, path.parent / "release_in_the_wild")
        folders = [str(at) for top in tops for at in (top, top / sort)]
        yield Trial(
            name,
            place.locate(folders, stem, (".wav",)),
            label,
            speaker=known(row.get("speaker")),
            language="en",
        )


CORPORA = {
    "itw": Corpus(
        title="In-the-Wild (Müller et al., 2022)",
        read=_read,
        markers=(
            "release_in_the_wild/meta.csv",
            "meta.csv & release_in_the_wild/",
            "meta.csv & #.wav",
            "meta.csv & #.flac",
            "meta.csv & real/ & fake/",
            *(f"meta.csv & {name}/#.*" for name in ("audio", "wav", "wavs", "wav16k", "flac")),
            "meta.csv & train/real/#.*",
            "*wild*/real/#.* & *wild*/fake/#.*",
            "train/real/#.* & train/fake/#.* & test/real/#.*",
            "modified_meta.csv",
        ),
        licence="CC BY-SA 4.0 (dataset card); others say Apache-2.0",
        source="https://deepfake-total.com/in_the_wild",
        layout="release_in_the_wild/{0.wav ... 31778.wav, meta.csv}",
        aliases=dict.fromkeys(
            (
                "in_the_wild",
                "in-the-wild",
                "InTheWild",
                "wild",
                "release_in_the_wild",
                "Fraunhofer_Deepfake_in_wild",
            ),
            "",
        ),
        parts=("eval",),
        default="eval",
        counts={"eval": counts(19963, 11816)},
        traps=(
            "the label is bona-fide, with a hyphen: readers that expect bonafide lose a class",
            "32-bit float wav: read as int16 it is silence",
            "re-packs sort the files into real/ and fake/",
        ),
    )
}
