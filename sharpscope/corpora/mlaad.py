"""MLAAD (Müller et al., 2024), spoof only, with its real partner M-AILABS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.trials import Trial, known, read_lines
from sharpscope.errors import UsageError

NEEDED = ("path", "original_file", "language", "model_name")


def find(folder: Path) -> bool:
    """Tell whether a folder is the corpus: ``fake/<language>/<model>/meta.csv``.

    Args:
        folder: A candidate.

    Returns:
        True if it is.
    """
    return (folder / "fake").is_dir() and next((folder / "fake").glob("*/*/meta.csv"), None) is not None


def find_partner(folder: Path) -> bool:
    """Tell whether a folder is M-AILABS: ``<locale>/by_book/``.

    Args:
        folder: A candidate.

    Returns:
        True if it is.
    """
    return next(folder.glob("*_*/by_book"), None) is not None


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Split at every bar and nowhere else: transcripts hold bare quotation marks that are no quoting."""
    lines = read_lines(path)
    header = lines[0].split("|")
    lacking = [column for column in NEEDED if column not in header]
    if lacking:
        raise UsageError(f"{path}: no column {', '.join(lacking)}; expected {', '.join(NEEDED)} among others")
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("|")
        if len(cells) != len(header):
            raise UsageError(f"{path}, line {number}: {len(cells)} cells, the header has {len(header)}")
        yield number, dict(zip(header, cells, strict=True))


def read(folder: Path, split: str, partner: Path | None) -> Iterator[Trial]:
    """Read the fakes of every model and, once each, the recordings that they were made from.

    Args:
        folder: The corpus.
        split: A language folder such as "de", or "all".
        partner: Root of M-AILABS; None where the originals lie under ``real/`` in the corpus.

    Yields:
        Spoofed trials by language and model, then the bona fide originals.

    Raises:
        UsageError: If the language is not there, a row is damaged, or the real partner is not on disk.
    """
    languages = sorted(path.name for path in (folder / "fake").iterdir() if path.is_dir())
    if split != "all" and split not in languages:
        raise UsageError(f"{folder}: no language '{split}'; it has {', '.join(languages)}")
    originals: dict[str, str] = {}
    chosen = languages if split == "all" else [split]
    for path in (p for language in chosen for p in sorted((folder / "fake" / language).glob("*/meta.csv"))):
        for _, row in _rows(path):
            # The language in `path` is wrong for about a thousand rows: the folder of the table is right.
            name = row["path"].rsplit("/", 1)[-1]
            audio = path.parent / name
            trial = f"fake/{path.parent.parent.name}/{path.parent.name}/{name}"
            language = path.parent.parent.name
            yield Trial(trial, str(audio), "spoof", attack=known(row["model_name"]), language=language)
            if known(row["original_file"]):
                originals.setdefault(row["original_file"], language)
    root = partner or (folder / "real" if (folder / "real").is_dir() else None)
    if root is None:
        raise UsageError(
            f"{folder}: MLAAD holds only spoofed speech and its real partner M-AILABS is not on disk; looked for a "
            "folder with <locale>/by_book/ under the data root and for real/ in the corpus. Get it from "
            "https://www.caito.de/2019/01/03/the-m-ailabs-speech-dataset/"
        )
    for original in originals:
        locale, *_ = original.split("/")
        yield Trial(
            f"real/{original}",
            str(root / original),
            "bonafide",
            speaker=_speaker(original),
            language=locale[:2],
        )


def _speaker(original: str) -> str:
    """Return the reader of a recording: the folder after female or male; books under mix name none."""
    parts = original.split("/")
    for sex in ("female", "male"):
        if sex in parts[:-1]:
            return parts[parts.index(sex) + 1]
    return ""
