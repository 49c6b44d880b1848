"""WAV files whose header announces more samples than are there: a download or a copy that broke off."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from sharpscope.audio.containers import open_bytes

# Some writers count a header or a last chunk among the samples; so little is no cut.
_SLACK_BYTES = 4096


def cut(path: str | Path) -> str:
    """Return in words how much of a WAV file is missing at its end, "" for none and for other formats.

    Args:
        path: A path or a locator.

    Returns:
        What its header announces against what is there.

    Raises:
        OSError: If it cannot be read.
    """
    with open_bytes(path) as file:
        return _told(*announced(file))


def broken_off(file: BinaryIO) -> str:
    """Return in words how much is missing where it is more than writers get wrong, "" otherwise.

    Args:
        file: Open; its position is moved.

    Returns:
        What its header announces against what is there.

    Example:
        >>> import io
        >>> head = b"RIFF" + struct.pack("<I", 20036) + b"WAVEdata" + struct.pack("<I", 20000)
        >>> broken_off(io.BytesIO(head + bytes(100)))
        '100 of 20000 bytes of samples'
        >>> broken_off(io.BytesIO(head + bytes(20000)))
        ''
    """
    there, length = announced(file)
    return _told(there, length) if length - there > max(_SLACK_BYTES, length // 100) else ""


def announced(file: BinaryIO) -> tuple[int, int]:
    """Return how many bytes of samples a WAV file has and how many its header announces.

    Args:
        file: Open; its position is moved.

    Returns:
        (there, announced); equal for other formats and where the writer left the length open; (0, -1) for a file that
        ends within its header.
    """
    file.seek(0)
    if file.read(4) != b"RIFF":
        return 0, 0
    size = file.seek(0, 2)
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            there = size - at - 8
            # Writers to a pipe do not know the length and leave it open.
            open_ended = length in {0, 0x7FFFFFFF} or length >= 0xFFFFFF00
            return (there, there) if open_ended or there >= length else (there, length)
        at += 8 + length + length % 2
    return 0, -1


def _told(there: int, length: int) -> str:
    if length < 0:
        return "no samples: it ends within its header"
    return "" if there >= length else f"{there} of {length} bytes of samples"
