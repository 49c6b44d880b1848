"""Human speech for the demo: any folder of recordings, cut into pieces that are long enough for two trials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from sharpscope.errors import UsageError

ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".opus")
# Nothing that libsndfile reads; named so that a user hears why they were passed over.
UNREADABLE = (".g722", ".sln", ".m4a", ".aac", ".wma")
# Seconds: a piece gives one human and one spoofed trial of .7 to 1 s, so it has to hold twice that and some silence.
SHORTEST_PIECE = 1.6
LONGEST_PIECE = 2.4


class Recording(NamedTuple):
    """A piece of a file of human speech.

    Attributes:
        path: Audio.
        group: Folders between the root and the file ("cs/small"), which stand for language and speaker.
        start: Where the piece begins, in seconds.
        duration: Seconds.
    """

    path: Path
    group: str
    start: float
    duration: float

    @property
    def language(self) -> str:
        """The first folder, where it is written like a language ("cs", "pt-BR"); else empty."""
        first = self.group.split("/")[0]
        return first if len(first) == 2 or (len(first) == 5 and first[2] in "-_") else ""

    def read(self, sample_rate: int) -> np.ndarray:
        """Decode the piece.

        Args:
            sample_rate: Hz of the result.

        Returns:
            Shape (T,), float64, mono; empty when the file cannot be decoded.
        """
        try:
            with soundfile.SoundFile(str(self.path)) as file:
                own = file.samplerate
                file.seek(int(self.start * own))
                samples = file.read(int(self.duration * own), dtype="float64", always_2d=True)
        except (soundfile.SoundFileError, OSError, RuntimeError):
            return np.zeros(0)
        wave: np.ndarray = soxr.resample(samples.mean(axis=1), own, sample_rate)
        return wave


def find_recordings(folder: Path, *, note: Callable[[str], None] = lambda _: None) -> list[Recording]:
    """Return the pieces of speech under a folder, in a fixed order.

    Args:
        folder: Root; its folders tell languages and speakers apart (``cs/anna/1.wav``).
        note: Called with a line on every kind of file that was passed over.

    Returns:
        Pieces of 1.6 to 2.4 s, sorted by path and time; shorter files are passed over, longer ones cut.

    Raises:
        UsageError: If the folder is not there or holds nothing usable.
    """
    if not folder.is_dir():
        raise UsageError(f"--speech is {folder}, which is not a folder; give one that holds recordings")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    unreadable = sum(path.suffix.lower() in UNREADABLE for path in found)
    if unreadable:
        note(
            f"{unreadable} files in formats that libsndfile cannot read ({', '.join(UNREADABLE)}) passed over"
        )
    files = [path for path in found if path.suffix.lower() in ENDINGS]
    pieces: list[Recording] = []
    short = 0
    for path in files:
        try:
            seconds = soundfile.info(str(path)).duration
        except (soundfile.SoundFileError, RuntimeError):
            note(f"{path}: cannot be decoded, passed over")
            continue
        short += seconds < SHORTEST_PIECE
        pieces += _pieces(path, "/".join(path.relative_to(folder).parts[:-1]), seconds)
    if short:
        note(f"{short} of {len(files)} recordings are shorter than {SHORTEST_PIECE} s and passed over")
    if not pieces:
        raise UsageError(
            f"{folder}: {len(files)} audio files ({', '.join(ENDINGS)}), none of {SHORTEST_PIECE} s or more; "
            "give a folder of recordings of speech"
        )
    return pieces


def _pieces(path: Path, group: str, seconds: float) -> list[Recording]:
    """Cut a file into equal pieces; a wave of an hour gives 720."""
    if seconds < SHORTEST_PIECE:
        return []
    count = max(1, int(seconds // LONGEST_PIECE))
    length = min(seconds / count, LONGEST_PIECE)
    return [Recording(path, group, round(i * length, 3), round(length, 3)) for i in range(count)]
