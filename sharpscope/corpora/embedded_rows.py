"""Rows of containers: their columns as the field calls them, and what their labels mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sharpscope.corpora.trials import known, label_of
from sharpscope.errors import UsageError

# Names of columns, the surest first.
LABELS = (
    *("label", "labels", "key", "class", "target", "is_fake", "is_spoof", "fake", "spoof", "deepfake"),
    *(
        "is_deepfake",
        "is_synthetic",
        "synthetic",
        "is_real",
        "is_bonafide",
        "real",
        "bonafide",
        "ground_truth",
    ),
    "cls",
)
ONE_IS_BONAFIDE = {"is_real", "real", "is_bonafide", "bonafide"}
ONE_IS_SPOOF = {*LABELS[5:13]}
IDS = (
    *("utterance_id", "utt_id", "utt", "trial", "file", "file_name", "filename", "path", "audio_path"),
    *("audio.path", "name", "id", "__key__"),
)
PATHS = ("path", "audio_path", "file_name", "filename", "file", "audio.path")
ABOUT = {
    "attack": ("attack", "attack_type", "attack_id", "system", "system_id", "model", "model_name", "generator",
               "method"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id"),
    "language": ("language", "lang", "locale"),
    "codec": ("codec", "compression"),
}  # fmt: skip
SPLITS = ("split", "subset", "partition")


class Row(NamedTuple):
    """One row of a table or one sample of an archive.

    Attributes:
        where: Container and row, for messages and as an id of last resort.
        path: Locator of the audio, or a path to it.
        cells: Column in lower case -> value; what the notes say in JSON is among them.
    """

    where: str
    path: str
    cells: dict[str, Any]


class Labels:
    """Turns the labels of one container into "bonafide" and "spoof", and remembers how numbers were understood.

    Args:
        names: What the numbers mean, where the container says so.
        given: What the user said: number -> label.
    """

    def __init__(self, names: Sequence[str], given: dict[int, str]) -> None:
        self.names = list(names)
        self.given = given
        self.said = ""

    def of(self, cells: dict[str, Any], where: str) -> str | None:
        """Return a row's label, None where it has none.

        Args:
            cells: Of the row.
            where: For the message.

        Returns:
            "bonafide", "spoof" or None.

        Raises:
            UsageError: If the word is unknown, or a number whose meaning nothing tells.
        """
        column = next((name for name in LABELS if name in cells), None)
        if column is None:
            raise UsageError(
                f"{where}: no column with labels; expected one of {', '.join(LABELS[:6])} ...; it has "
                f"{', '.join(cells) or 'none'}"
            )
        value = cells[column]
        if isinstance(value, float) and value == int(value):
            value = int(value)
        if isinstance(value, str) and value.strip() in {"0", "1", "-1"}:
            value = int(value)
        if value is None or (not isinstance(value, str) and int(value) < 0):
            return None
        if isinstance(value, str):
            return label_of(value, where) if known(value) else None
        return self._number(int(value), column, where)

    def _number(self, value: int, column: str, where: str) -> str:
        if self.given:
            meaning, source = self.given, "as said with the set"
        elif self.names:
            if value >= len(self.names):
                raise UsageError(f"{where}: label {value}, and the file names only {', '.join(self.names)}")
            meaning = {i: label_of(name, where) for i, name in enumerate(self.names)}
            source = f"the file's own names {', '.join(self.names)}"
        elif column in ONE_IS_SPOOF | ONE_IS_BONAFIDE:
            one, zero = ("spoof", "bonafide") if column in ONE_IS_SPOOF else ("bonafide", "spoof")
            meaning, source = {0: zero, 1: one}, f"column {column}"
        else:
            raise UsageError(
                f"{where}: label {value}, and nothing in the file says which number is bona fide; say it with the set: "
                "name@bonafide:0=FILE or name@bonafide:1=FILE"
            )
        if value not in meaning:
            raise UsageError(f"{where}: label {value}; it is one of {', '.join(map(str, meaning))}")
        self.said = f"labels {', '.join(f'{i} = {word}' for i, word in sorted(meaning.items()))} ({source})"
        return meaning[value]


def said_numbers(words: Iterable[str], spec: str) -> tuple[list[str], dict[int, str]]:
    """Split the words of a part into splits and the meaning of numbers, such as ``bonafide:1``.

    Args:
        words: Of a part.
        spec: The set as the user wrote it, for messages.

    Returns:
        The other words, and number -> label; empty where nothing was said.

    Raises:
        UsageError: If the number is neither 0 nor 1.

    Example:
        >>> said_numbers(["dev", "bonafide:1"], "x")
        (['dev'], {1: 'bonafide', 0: 'spoof'})
    """
    parts: list[str] = []
    given: dict[int, str] = {}
    for word in words:
        text, colon, number = word.partition(":")
        if not colon:
            parts.append(word)
            continue
        if number not in {"0", "1"}:
            raise UsageError(f"set '{spec}': '{word}'; write bonafide:0 or bonafide:1")
        label = label_of(text, f"set '{spec}'")
        other = "spoof" if label == "bonafide" else "bonafide"
        given = {int(number): label, 1 - int(number): other}
    return parts, given
