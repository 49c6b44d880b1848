"""What is finished of a measurement that is still running: append-only lines, each with its checksum.

A run that dies, whatever killed it, goes on at the next group. Lines that were half written, or damaged
since, are not trusted and measured again. Numbers go through JSON, which gives float64 back bit for bit.
"""

from __future__ import annotations

import glob
import hashlib
import os
import socket
import time
from pathlib import Path
from typing import Any

from sharpscope.files import make_folder
from sharpscope.results.lines import entry_of, line_of


class Journal:
    """Finished groups of one measurement on disk, from any number of processes.

    Every process adds to a file of its own, named after the journal, and reads those of all; nobody rewrites
    another's. So processes that share a measurement need no lock while they work.

    Args:
        path: The journal; its files are ``<path>.<process>``, made with their folder on the first entry. None
            keeps entries in memory only.
        identity: Whatever makes two measurements different. Entries of another identity are not reused.

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

    def __init__(self, path: Path | None = None, identity: str = "") -> None:
        self.path = path
        self.identity = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.finished: dict[str, Any] = {}
        # A name that no other process and no earlier run has: a torn last line is never written behind.
        self._own = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns():x}"
        self.reload()

    def files(self) -> list[Path]:
        """Return the files that hold the journal so far."""
        if self.path is None or not self.path.parent.is_dir():
            return []
        return sorted(self.path.parent.glob(f"{glob.escape(self.path.name)}.*"))

    def reload(self) -> None:
        """Read what every process has recorded by now."""
        for file in self.files():
            try:
                with open(file, encoding="utf-8", errors="replace") as lines:
                    for line in lines:
                        entry = entry_of(line)
                        if entry is not None and entry.get("identity") == self.identity:
                            self.finished[entry["group"]] = entry["values"]
            except FileNotFoundError:  # another process has finished the measurement and taken it away
                continue

    def record(self, group: str, values: Any) -> None:
        """Add one finished group and hand it to the operating system, which keeps it when the run is killed.

        Args:
            group: Its name.
            values: Anything JSON can hold; floats keep every bit.
        """
        if self.path is not None:
            make_folder(self.path.parent)
            with open(self.path.with_name(f"{self.path.name}.{self._own}"), "a", encoding="utf-8") as file:
                file.write(line_of({"identity": self.identity, "group": group, "values": values}))
        self.finished[group] = values

    def discard(self) -> None:
        """Remove the journal, once its measurement stands in the results table; what another one has finished stays."""
        for file in self.files():
            if not self._foreign(file):
                file.unlink(missing_ok=True)
        self.finished = {}

    def _foreign(self, file: Path) -> bool:
        """Tell whether a file holds a whole line of another measurement."""
        try:
            with open(file, encoding="utf-8", errors="replace") as lines:
                entries = [entry_of(line) for line in lines]
        except FileNotFoundError:
            return False
        return any(entry is not None and entry.get("identity") != self.identity for entry in entries)
