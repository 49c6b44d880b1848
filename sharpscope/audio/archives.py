"""Members of tar and zip files, read where they lie: the list of members once, then one read a member."""

from __future__ import annotations

import functools
import os
import struct
import tarfile
import zipfile
import zlib
from typing import NamedTuple

from sharpscope.errors import SharpscopeError, UsageError

ENDINGS = (".tar", ".zip")
SQUEEZED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Member(NamedTuple):
    """Where a member lies in its archive.

    Attributes:
        offset: Of its data in a tar, of its local header in a zip.
        size: Bytes in the archive.
        packing: 0 for stored, 8 for deflated.
    """

    offset: int
    size: int
    packing: int


def members(path: str) -> dict[str, Member]:
    """Return the files in an archive, by name, in the order of the archive.

    Args:
        path: A tar or zip.

    Returns:
        Name without a leading "./" -> where it lies. Remembered while the archive does not change.

    Raises:
        UsageError: If the archive is compressed as a whole, encrypted, or damaged.
    """
    if path.lower().endswith(SQUEEZED):
        raise UsageError(
            f"{path}: a tar that is compressed as a whole can only be read from its start; "
            "uncompress it once (gunzip, unxz) and give the .tar"
        )
    try:
        found = os.stat(path)
        return _members(path, found.st_size, found.st_mtime_ns)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: not a readable archive ({error}); fetch it again") from error


@functools.lru_cache(maxsize=256)
def _members(path: str, size: int, changed: int) -> dict[str, Member]:
    if path.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in entries:
            if entry.flag_bits & 1 or entry.compress_type not in {0, 8}:
                raise UsageError(
                    f"{path}: {entry.filename} is encrypted or packed in an unusual way; unpack it"
                )
        return {
            entry.filename.removeprefix("./"): Member(
                entry.header_offset, entry.compress_size, entry.compress_type
            )
            for entry in entries
        }
    files: dict[str, Member] = {}
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if member.isreg():
                files[member.name.removeprefix("./")] = Member(member.offset_data, member.size, 0)
        end = archive.offset
    with open(path, "rb") as file:
        file.seek(end)
        # tarfile stops without a word at a header that is cut or damaged; the true end is empty.
        if any(file.read(512)):
            raise UsageError(f"{path}: cut off or damaged at byte {end}; fetch it again")
    last = max((member.offset + member.size for member in files.values()), default=0)
    if last > size:
        raise UsageError(f"{path}: cut off, it ends at {size} bytes and needs {last}; fetch it again")
    return files


def read_member(path: str, name: str) -> bytes:
    """Return one member of an archive.

    Args:
        path: A tar or zip.
        name: Of the member.

    Returns:
        Its bytes.

    Raises:
        SharpscopeError: If it is not there or damaged.
    """
    member = members(path).get(name.lstrip("/"))
    if member is None:
        raise SharpscopeError(f"{path}: no member {name}")
    with open(path, "rb") as file:
        file.seek(member.offset)
        if path.lower().endswith(".zip"):
            # The central directory does not say how long the names in the local header are.
            header = file.read(30)
            file.seek(sum(struct.unpack("<HH", header[26:30])), os.SEEK_CUR)
        data = file.read(member.size)
    if len(data) < member.size:
        raise SharpscopeError(f"{path}: cut off within {name}")
    try:
        return zlib.decompress(data, -15) if member.packing else data
    except zlib.error as error:
        raise SharpscopeError(f"{path}: {name} is damaged ({error})") from error


@functools.lru_cache(maxsize=64)
def _tree(path: str, size: int, changed: int) -> dict[str, tuple[tuple[str, ...], frozenset[str]]]:
    """Return the folders of an archive: name -> (folders, files) in it."""
    folders: dict[str, set[str]] = {"": set()}
    files: dict[str, set[str]] = {"": set()}
    for name in _members(path, size, changed):
        folder, _, base = name.rpartition("/")
        files.setdefault(folder, set()).add(base)
        while folder:
            above, _, own = folder.rpartition("/")
            known = folders.setdefault(above, set())
            if own in known:
                break
            known.add(own)
            folder = above
    names = {*folders, *files}
    return {name: (tuple(sorted(folders.get(name, ()))), frozenset(files.get(name, ()))) for name in names}


def entries(path: str, folder: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return what lies in a folder of an archive.

    Args:
        path: A tar or zip.
        folder: Within it, "" for the top.

    Returns:
        Names of folders, sorted, and of files; none where there is no such folder.

    Raises:
        UsageError: As for `members`.
    """
    members(path)
    found = os.stat(path)
    return _tree(path, found.st_size, found.st_mtime_ns).get(folder.strip("/"), ((), frozenset()))
