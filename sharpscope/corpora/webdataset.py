"""Samples of a WebDataset tar, or of a plain tar or zip whose folders tell the label, read where they lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpscope.audio.archives import members, read_member
from sharpscope.audio.containers import SEPARATOR
from sharpscope.corpora.embedded_rows import Row
from sharpscope.corpora.label_words import BONAFIDE, SPOOF
from sharpscope.corpora.listing import AUDIO_ENDINGS
from sharpscope.errors import UsageError

LABEL_ENDINGS = ("cls", "label", "txt")


def samples(file: Path) -> Iterator[Row]:
    """Group the members of an archive into samples: ``a.flac`` belongs to ``a.json`` and ``a.cls``.

    Args:
        file: A tar or zip.

    Yields:
        One row per audio member, in the order of the archive.

    Raises:
        UsageError: If an audio member has no label, in a member beside it or in the names of its folders.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in members(str(file)):
        folder, _, base = name.rpartition("/")
        # WebDataset splits at the first dot of the name; macOS' sidecars begin with one.
        stem, dot, ending = base.partition(".")
        if dot and stem and "__MACOSX" not in folder:
            groups.setdefault(f"{folder}/{stem}" if folder else stem, {})[ending.lower()] = name
    for key, found in groups.items():
        audio = [name for ending, name in found.items() if f".{ending}".endswith(AUDIO_ENDINGS)]
        if audio:
            cells = _cells(file, key, found)
            yield Row(f"member {audio[0]}", f"{file}{SEPARATOR}{audio[0]}", {"__key__": key, **cells})


def _cells(file: Path, key: str, found: dict[str, str]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    if "json" in found:
        try:
            said = json.loads(read_member(str(file), found["json"]))
        except ValueError as error:
            raise UsageError(f"{file}: {found['json']} is not JSON ({error})") from error
        cells = (
            {name.lower(): value for name, value in said.items()}
            if isinstance(said, dict)
            else {"label": said}
        )
        cells = {name: value for name, value in cells.items() if isinstance(value, (str, int, float))}
    for ending in LABEL_ENDINGS:
        if ending in found and not any(name in cells for name in ("label", "cls")):
            word = read_member(str(file), found[ending]).decode("utf-8", "replace").strip()
            # A .txt beside audio is more often a transcript.
            if ending != "txt" or word.lower() in {*BONAFIDE, *SPOOF, "0", "1"}:
                cells["label"] = word
    if not cells:
        for folder in key.split("/")[-2::-1]:
            if folder.lower() in {*BONAFIDE, *SPOOF}:
                return {"label": folder}
        raise UsageError(
            f"{file}: {key} has no label: no {key}.json or .cls beside it, and no folder called real or fake"
        )
    return cells
