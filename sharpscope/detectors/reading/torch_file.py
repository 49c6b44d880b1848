"""Files of torch.save and of plain pickle: their skeleton as inert values, their numbers where they lie.

The newer format is a zip archive (``data.pkl``, ``data/0``, ...); the older one is five pickles one after the
other, then each storage as its length and its numbers.
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import torch
from torch import Tensor

from sharpscope.detectors.reading.archive import MAXIMUM_SKELETON, is_archive
from sharpscope.detectors.reading.unpickler import Machine
from sharpscope.detectors.reading.values import Damaged, Source, Storage, Stored

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# Read at once: small enough to stay in the processor's cache between the file, the checksum and its place.
BLOCK = 1 << 20


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        value: Containers, scalars and inert values.
        source: Where its numbers lie; None for a plain pickle.
        names: Every class and function that it mentions.
        fault: Why it could not be read to its end, "" when it could.
    """

    value: Any
    source: Source | None
    names: tuple[str, ...]
    fault: str


class ZipSource:
    """Storages in a zip archive.

    Args:
        path: The archive.
        folder: Of the skeleton inside it.
    """

    def __init__(self, path: Path, folder: str) -> None:
        # Opened once: its directory is as long as the list of tensors. It closes with this object.
        self.archive = zipfile.ZipFile(path)
        self.folder = folder

    def read(self, key: str, size: int) -> Tensor:
        """Return the bytes of a storage, its checksum verified."""
        name = f"{self.folder}data/{key}"
        try:
            entry = self.archive.getinfo(name)
        except KeyError as error:
            raise Damaged(f"storage {key[:40]} is not there") from error
        if entry.file_size < size:
            raise Damaged(f"storage {key[:40]} has {entry.file_size:,} bytes where {size:,} are needed")
        # Memory as torch lays it out: these bytes become the network's own weights.
        data = torch.empty(entry.file_size, dtype=torch.uint8)
        place, got = data.numpy().data, 0
        try:
            with self.archive.open(entry) as file:
                while block := file.read(BLOCK):
                    place[got : got + len(block)] = block
                    got += len(block)
        except Exception as error:  # a damaged entry makes the reader raise many things
            if "CRC" not in str(error):
                raise Damaged(
                    f"storage {key[:40]} is damaged ({type(error).__name__}); copy it again"
                ) from error
            raise Damaged(
                f"the checksum of storage {key[:40]} is wrong: some of its numbers are not those that were saved"
            ) from error
        if got != entry.file_size:
            raise Damaged(f"storage {key[:40]} has {got:,} bytes where its entry says {entry.file_size:,}")
        return data


class StreamSource:
    """Storages behind the skeleton of the older format.

    Args:
        data: The whole file.
        places: First byte and size of each storage.
    """

    def __init__(self, data: Any, places: dict[str, tuple[int, int]]) -> None:
        self.data = data
        self.places = places

    def read(self, key: str, size: int) -> Tensor:
        """Return the first bytes of a storage."""
        start, held = self.places.get(key, (0, -1))
        if held < size:
            raise Damaged(f"storage {key[:40]} is cut off or not there")
        data = torch.empty(size, dtype=torch.uint8)
        with memoryview(self.data) as whole:
            data.numpy().data[:] = whole[start : start + size]
        return data


def read_torch(path: Path) -> Content:
    """Read the skeleton of a file of torch.save or pickle; nothing in it is imported or run.

    Args:
        path: A file that passed `check_file`.

    Returns:
        The content, with a fault where it could not be read.
    """
    machine: Machine | None = None
    try:
        if is_archive(path):
            stream, folder = _skeleton(path)
            machine = Machine(stream, embedded_storage)
            return Content(machine.load(), ZipSource(path, folder), tuple(machine.names), "")
        with open(path, "rb") as file:
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        machine = Machine(cast(BinaryIO, whole), embedded_storage)
        value, source = _read_stream(machine, whole)
        return Content(value, source, tuple(machine.names), "")
    except Exception as error:  # a damaged or hostile file can make the machine raise anything
        names = tuple(machine.names) if machine else ()
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Content(None, None, names, lines[0][:160])


def _skeleton(path: Path) -> tuple[BinaryIO, str]:
    """Return the pickle in an archive and the folder that it lies in."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        found = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(found) != 1:
            raise Damaged(f"a zip archive with {len(found)} skeletons (data.pkl) where torch.save writes one")
        folder = found[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder")[:8] == b"big":
            raise Damaged("saved on a big-endian machine; save it again on another")
        with archive.open(found[0]) as file:
            data = file.read(MAXIMUM_SKELETON + 1)
    if len(data) > MAXIMUM_SKELETON:
        raise Damaged("a skeleton longer than it says")
    return io.BytesIO(data), folder


def _read_stream(machine: Machine, whole: Any) -> tuple[Any, Source | None]:
    """Read the older format, or one plain pickle."""
    first = machine.load()
    if first != MAGIC or type(first) is not int:
        return first, None
    protocol, system = machine.load(), machine.load()
    if protocol != PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Damaged("an older format of another version or byte order")
    value = machine.load()
    keys = machine.load()
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise Damaged("a list of storages that is none")
    sizes = {storage.key: (storage.dtype or 0) for storage in _storages(value)}
    places, at = {}, machine.stream.tell()
    for key in map(str, keys):
        head = whole[at : at + 8]
        if len(head) < 8 or key not in sizes:
            raise Damaged(f"cut off: storage {key[:40]} is not there")
        (count,) = struct.unpack("<q", head)
        size = count * getattr(sizes[key], "itemsize", 1)
        if count < 0 or at + 8 + size > len(whole):
            raise Damaged(f"cut off: storage {key[:40]} should have {size:,} bytes")
        places[key] = (at + 8, size)
        at += 8 + size
    return value, StreamSource(whole, places)


def _storages(value: Any) -> list[Storage]:
    """Find every storage in a skeleton, each place once."""
    from sharpscope.detectors.reading.modules import every

    found = []
    for _, node in every(value):
        if isinstance(node, Stored):
            found.append(node.storage)
        elif isinstance(node, Storage):
            found.append(node)
    return found


def embedded_storage(data: bytes) -> Storage:
    """Read a storage that plain pickle wrote as the bytes of a small older-format file.

    Args:
        data: Those bytes.

    Returns:
        The storage, with where its numbers lie.

    Raises:
        Damaged: If they hold anything else.
    """
    machine = Machine(io.BytesIO(data))
    value, source = _read_stream(machine, data)
    if not isinstance(value, Storage) or source is None:
        raise Damaged("bytes that are no storage")
    value.source = source
    return value
