"""The SHA-256 of a file, taken beside its reading: what one of them fetched from the disk serves the other."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 1 << 20


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    return _digest(path, threading.Event())


@contextmanager
def hashed_meanwhile(path: str | Path) -> Iterator[Callable[[], str]]:
    """Take the SHA-256 of a file in a thread while the file is read inside.

    Args:
        path: The file.

    Yields:
        A function that waits for the 64 hexadecimal digits. Whoever leaves without them stops the thread.
    """
    enough = threading.Event()
    found: list[str | OSError] = []

    def work() -> None:
        try:
            found.append(_digest(path, enough))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=work, name="sha256", daemon=True)
    thread.start()

    def digest() -> str:
        thread.join()
        if isinstance(found[0], OSError):
            raise found[0]
        return found[0]

    try:
        yield digest
    finally:
        enough.set()
        thread.join()


def _digest(path: str | Path, enough: threading.Event) -> str:
    digest = hashlib.sha256()
    block = bytearray(BLOCK)
    view = memoryview(block)
    with open(path, "rb", buffering=0) as file:
        while (got := file.readinto(block)) and not enough.is_set():
            digest.update(view[:got])
    return digest.hexdigest()
