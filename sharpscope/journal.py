"""What is finished of a measurement that is still running: append-only lines, each with its checksum.

A run that dies, whatever killed it, goes on at the next group. Lines that were half written, or damaged
since, are not trusted and measured again. Numbers go through JSON, which gives float64 back bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def _line(entry: dict[str, Any]) -> str:
    body = json.dumps(entry, separators=(",", ":"), allow_nan=False)
    return f"{hashlib.sha256(body.encode()).hexdigest()[:16]} {body}\n"


def _parse(line: str) -> dict[str, Any] | None:
    digest, _, body = line.partition(" ")
    if hashlib.sha256(body.encode()).hexdigest()[:16] != digest:
        return None
    entry = json.loads(body)
    return entry if isinstance(entry, dict) else None


class Journal:
    """Finished groups of one measurement on disk.

    Args:
        path: The journal file; made with its folder on the first entry.
        identity: Whatever makes two measurements different. A journal of another identity is not reused.

    Attributes:
        finished: Entries by group name, as they were recorded.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> journal = Journal(Path(folder.name) / "x.journal", "m=32")
        >>> journal.record("0", {"sam": 0.1})
        >>> Journal(Path(folder.name) / "x.journal", "m=32").finished
        {'0': {'sam': 0.1}}
        >>> Journal(Path(folder.name) / "x.journal", "m=8").finished
        {}
        >>> folder.cleanup()
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity
        self.finished: dict[str, Any] = {}
        if path.is_file():
            self._load()

    def _load(self) -> None:
        kept = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            entry = _parse(line)
            if entry is None or entry.get("identity") != self.identity:
                continue
            self.finished[entry["group"]] = entry["values"]
            kept.append(_line(entry))
        # A torn last line has no end: the next entry would be written behind it and lost with it.
        temporary = self.path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text("".join(kept), encoding="utf-8")
        os.replace(temporary, self.path)

    def record(self, group: str, values: Any) -> None:
        """Add one finished group and hand it to the operating system, which keeps it when the run is killed.

        Args:
            group: Its name.
            values: Anything JSON can hold; floats keep every bit.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(_line({"identity": self.identity, "group": group, "values": values}))
        self.finished[group] = values

    def discard(self) -> None:
        """Remove the journal, once its measurement stands in the results table."""
        self.path.unlink(missing_ok=True)
        self.finished = {}
