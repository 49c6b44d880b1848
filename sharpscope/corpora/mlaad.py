"""MLAAD (Müller et al., 2024), spoof only, and M-AILABS (Solak, 2019), from which it was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.pairing import with_originals
from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial, known
from sharpscope.errors import UsageError

NEEDED = ("path", "original_file", "language", "model_name")


def _real(root: Path, original: str) -> Trial:
    """Return a recording; its reader is the folder after female or male, books under mix name none."""
    folders = original.split("/")[:-1]
    sex = next((at for at, name in enumerate(folders) if name in {"female", "male"}), len(folders))
    speaker = folders[sex + 1] if sex + 1 < len(folders) else ""
    return Trial(
        f"real/{original}",
        f"{root}/{original}",
        "bonafide",
        speaker=speaker,
        language=original[:2].lower(),
    )


def _included(place: Place, original: str) -> Trial | None:
    """Return a recording of MLAAD-tiny, which lies in original/<language>/ under its last name or whole path."""
    root = place.folder / "original"
    name, language = original.rsplit("/", 1)[-1], original[:2].lower()
    choices = (root / original, root / language / name, root / language / original, root / name)
    path = next((at for at in choices if place.listing.has_file(at)), None)
    return None if path is None else _real(root, original)._replace(path=str(path))


def _fakes(place: Place, languages: list[str]) -> Iterator[tuple[Trial, str]]:
    root = place.folder / "fake"
    elsewhere = 0
    for language in languages:
        for model in place.listing.folders(root / language):
            folder = root / language / model
            if not place.listing.has_file(folder / "meta.csv"):
                continue
            seen: set[str] = set()
            for where, row in with_header(folder / "meta.csv", place.tally, NEEDED, "|", lenient=True):
                # The language in `path` is wrong for about a thousand rows; the table's own folder is right.
                name = file_name(row["path"], where).rsplit("/", 1)[-1]
                if name in seen:
                    place.tally.left_out["row that names a file again"] += 1
                    continue
                seen.add(name)
                elsewhere += row["language"] != language
                audio = f"{folder}/{name}"
                if name not in place.listing.files(folder):
                    other = place.folder / row["path"].strip().removeprefix("./")
                    audio = str(other) if place.listing.has_file(other) else audio
                yield (
                    Trial(
                        f"fake/{language}/{model}/{name}",
                        audio,
                        "spoof",
                        known(row["model_name"]),
                        language=language,
                    ),
                    known(row["original_file"]).removeprefix("./"),
                )
    if elsewhere:
        place.tally.notes.append(
            f"{elsewhere} rows name another language than their folder; the folder was taken"
        )


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    there = place.listing.folders(place.folder / "fake")
    for part in parts:
        if part and part not in there:
            raise UsageError(f"{place.folder}: no language '{part}'; it has {', '.join(there)}")
    fakes = _fakes(place, [language for language in there if language in parts or "" in parts])
    if place.pairing == "none":
        return with_originals(place, fakes, lambda _: None, tuple)
    if place.pairing != "all" and place.listing.has_folder(place.folder / "real"):
        root = place.folder / "real"
        return with_originals(place, fakes, lambda original: _real(root, original), tuple)
    if place.pairing != "all" and place.listing.has_folder(place.folder / "original"):
        return with_originals(place, fakes, lambda original: _included(place, original), tuple)
    root, everything = place.partner("mailabs")
    return with_originals(place, fakes, lambda original: _real(root, original), everything)


def _read_mailabs(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    if place.listing.has_folder(place.folder / "by_book"):
        raise UsageError(
            f"{place.folder}: this is one locale of M-AILABS; give the folder above it, {place.folder.parent}"
        )
    for locale in place.listing.folders(place.folder):
        if "" not in parts and locale not in parts:
            continue
        for path in place.listing.walk(place.folder / locale / "by_book", (".wav",)):
            if path.parent.name == "wavs":
                yield _real(place.folder, path.relative_to(place.folder).as_posix())


CORPORA = {
    "mlaad": Corpus(
        title="MLAAD with M-AILABS (Müller et al., 2024)",
        read=_read,
        markers=("fake/*/*/meta.csv",),
        licence="CC BY-NC 4.0",
        source="https://deepfake-total.com/mlaad (Hugging Face mueller91/MLAAD)",
        layout="fake/<language>/<model>/{*.wav, meta.csv}; originals in real/ or in M-AILABS under the data root",
        aliases={
            **dict.fromkeys(("mlaad_v3", "mlaad_v5", "mlaad_v9", "Multilingual"), ""),
            "MLAAD-EN": "en",
        },
        any_part="a language folder such as de",
        classes="spoof",
        partners=("mailabs",),
        evidence="1,000 files per language and model, 154,000 in v5, 456,000 in v10; other versions unknown",
        traps=(
            "meta.csv separates by | without quoting: transcripts hold bare quotation marks",
            "about 1,000 rows of v5 name a wrong language folder",
            "folder names hold blanks, commas and parentheses",
            "many fakes share an original; languages that M-AILABS lacks have an English one",
        ),
    ),
    "mailabs": Corpus(
        title="M-AILABS (Solak, 2019)",
        read=_read_mailabs,
        markers=("*_*/by_book/", "by_book/info.txt"),
        licence="BSD-like, after LibriVox (not verified)",
        source="https://www.caito.de/2019/01/03/the-m-ailabs-speech-dataset/",
        layout="<locale>/by_book/{female,male}/<speaker>/<book>/wavs/*.wav, <locale>/by_book/mix/<book>/wavs/*.wav",
        aliases=dict.fromkeys(("m-ailabs",), ""),
        any_part="a locale such as de_DE",
        counts={"": counts(584006, 0)},
        classes="bonafide",
        traps=("books under mix name no speaker", "six ._*.wav sidecars of macOS"),
    ),
}
