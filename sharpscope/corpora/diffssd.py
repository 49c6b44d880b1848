"""DiffSSD (Bhagtani et al., 2024): fakes and a table of splits; the real speech is to be fetched beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import file_name, read_lines, with_header
from sharpscope.corpora.trials import Trial, known
from sharpscope.errors import UsageError

TARGETS = {"0": "bonafide", "1": "spoof", "real": "bonafide", "fake": "spoof"}
# The table names the real corpora otherwise than they unpack.
RENAMED = (
    ("", ""),
    ("real_speech/librispeech/", "real_speech/LibriSpeech/"),
    ("real_speech/ljspeech/", "real_speech/LJSpeech-1.1/wavs/"),
    ("real_speech/ljspeech/", "real_speech/ljspeech/LJSpeech-1.1/wavs/"),
)


def _header_within(path: Path, needed: tuple[str, ...]) -> int:
    """Return in how many lines the header is to be looked for: 20 where one of them is it, else only the first."""
    for line in read_lines(path)[:20]:
        cells = {cell.strip() for cell in line.lower().split(",")}
        if all(cells & set(choice.split("|")) for choice in needed):
            return 20
    return 0


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    path = place.protocol("train_val_test_splits.csv")
    needed = ("filename", "method_name", "set", "target|label")
    for where, row in with_header(path, place.tally, needed, search=_header_within(path, needed)):
        split = row["set"].strip()
        if split not in {"train", "val", "test"}:
            raise UsageError(f"{where}: set '{split}'; it is train, val or test")
        label = TARGETS.get(row["target"].strip().lower())
        if label is None:
            raise UsageError(f"{where}: target '{row['target']}'; it is 0 (real) or 1 (fake)")
        if split not in parts and "all" not in parts:
            place.tally.other_parts += 1
            continue
        name = file_name(row["filename"], where)
        choices = [path.parent / name.replace(old, new, 1) for old, new in RENAMED]
        audio = next((at for at in choices if place.listing.has_file(at)), choices[0])
        attack = known(row["method_name"]) if label == "spoof" else ""
        yield Trial(name, str(audio), label, attack, language="en")


CORPORA = {
    "diffssd": Corpus(
        title="DiffSSD (Bhagtani et al., 2024)",
        read=_read,
        markers=("train_val_test_splits.csv",),
        licence="see LICENSE.txt of the corpus (not verified)",
        source="https://huggingface.co/datasets/purdueviperlab/diffssd",
        layout="generated_speech/<method>/..., train_val_test_splits.csv, real_speech/{librispeech,ljspeech}/...",
        parts=("train", "val", "test", "all"),
        default="test",
        synonyms={"dev": "val", "eval": "test"},
        counts={"all": counts(24226, 70000)},
        traps=(
            "LibriSpeech and LJSpeech are not included",
            "three methods stand only in test",
            "the label column is called target or label",
        ),
    )
}
