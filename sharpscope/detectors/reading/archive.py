"""What can be told of a file before anything in it is read: its place, its size, its zip archive."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import torch

from sharpscope.errors import UsageError

# A detector of two billion float32 parameters; a file that claims more is a mistake or an attack.
MAXIMUM_BYTES = 8 * 1024**3
# torch stores without compression, so a file that shrinks more than this was not written by it.
MAXIMUM_RATIO = 50
# The pickled skeleton of a state dict has a few hundred bytes a tensor.
MAXIMUM_SKELETON = 64 * 1024**2
# Two files and a folder for each tensor of the largest detector are some thousands.
MAXIMUM_ENTRIES = 200_000
# The fixed part of the header before each entry of a zip archive.
LOCAL_HEADER = 30
# CVE-2026-24747 is in the reader of older versions.
MINIMUM_TORCH = (2, 10)


def check_file(path: Path) -> None:
    """Check what can be told of a file before it is read.

    Args:
        path: The file.

    Raises:
        UsageError: If it is not there, no file, empty, too large, or a zip archive that is damaged or a bomb.
    """
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < MINIMUM_TORCH:
        raise UsageError(f"torch {torch.__version__} reads checkpoints unsafely; 2.10 or newer is needed")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not a checkpoint file")
    if not path.is_file():
        broken = " (a link to nothing)" if path.is_symlink() else ""
        special = " (not an ordinary file)" if path.exists() else ""
        raise UsageError(f"{path}: no such file{broken}{special}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: you may not read this file")
    size = path.stat().st_size
    if size == 0:
        raise UsageError(f"{path}: the file is empty; was the copy interrupted?")
    if size > MAXIMUM_BYTES:
        raise UsageError(f"{path}: {size / 1024**3:.0f} GiB is more than a detector has")
    if is_archive(path):
        _check_archive(path, size)


def is_archive(path: Path) -> bool:
    """Tell whether a file is a zip archive from its first byte on.

    Args:
        path: The file.

    Returns:
        False also for a zip archive that is appended to something else.
    """
    with open(path, "rb") as file:
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            return False
    try:
        return zipfile.is_zipfile(path)
    except (zipfile.BadZipFile, OSError, ValueError):  # it names faults of some archives by raising
        return False


def _check_archive(path: Path, size: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            start = archive.start_dir
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, IndexError) as error:
        raise UsageError(f"{path}: damaged ({str(error)[:120]}); copy it again") from error
    unpacked = sum(entry.file_size for entry in entries)
    if not entries:
        raise UsageError(f"{path}: a zip archive with nothing in it")
    if unpacked > MAXIMUM_BYTES or unpacked > MAXIMUM_RATIO * size:
        raise UsageError(
            f"{path}: {size:,} bytes that unpack to {unpacked:,}; torch.save writes no such file, it is not opened"
        )
    skeleton = max((e.file_size for e in entries if e.filename.endswith(".pkl")), default=0)
    if skeleton > MAXIMUM_SKELETON:
        raise UsageError(
            f"{path}: {skeleton:,} bytes of pickle where a state dict has thousands; it is not opened"
        )
    fault = _fault(entries, start)
    if fault:
        raise UsageError(
            f"{path}: a zip archive with {fault}; torch.save writes no such file, it is not opened"
        )


def _fault(entries: list[zipfile.ZipInfo], start: int) -> str:
    """Say what is wrong with the entries: two readers must not see two different files in one."""
    if len(entries) > MAXIMUM_ENTRIES:
        return f"{len(entries):,} entries"
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        return "two entries of one name"
    if any(".." in name.split("/") or name.startswith("/") or "\\" in name for name in names):
        return "names that climb out of it"
    if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
        return "links in it"
    if any(entry.flag_bits & 1 for entry in entries):
        return "encrypted entries"
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [*(entry.header_offset for entry in ordered[1:]), start]
    for entry, end in zip(ordered, ends, strict=True):
        if entry.header_offset + LOCAL_HEADER + len(entry.filename) + entry.compress_size > end:
            return "entries that overlap"
    return ""


def is_torchscript(path: Path) -> bool:
    """Tell whether a file is a TorchScript program, that is, holds code.

    Args:
        path: The file.

    Returns:
        True when it is a zip archive with a code folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in f"/{name}" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, IndexError):
        return False
