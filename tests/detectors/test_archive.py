"""Zip archives that two readers would read in two ways, or that hide their size."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sharpscope.detectors.reading import read_checkpoint
from sharpscope.errors import UsageError


def good() -> dict[str, bytes]:
    stream = io.BytesIO()
    torch.save({"conv.weight": torch.arange(600.0).view(2, 3, 100), "conv.bias": torch.ones(2)}, stream)
    with zipfile.ZipFile(stream) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(
    entries: list[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_STORED
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()


def with_entry(name: str | zipfile.ZipInfo, data: bytes = b"x") -> bytes:
    return zipped([*good().items(), (name, data)])


def changed(ending: str, data: bytes | None) -> bytes:
    entries = {n: data if n.endswith(ending) else d for n, d in good().items()}
    return zipped([(n, d) for n, d in entries.items() if d is not None])


def overlapping() -> bytes:
    """The directory's last entry points at the first one's header."""
    data = bytearray(zipped([*good().items()]))
    at = data.rindex(b"PK\x01\x02")
    data[at + 42 : at + 46] = struct.pack("<I", 0)
    return bytes(data)


def twice() -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return with_entry("archive/data.pkl", good()["archive/data.pkl"])


def link() -> bytes:
    entry = zipfile.ZipInfo("archive/data/9")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return with_entry(entry, b"/etc/passwd")


def encrypted() -> bytes:
    data = bytearray(zipped([*good().items()]))
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


def flipped() -> bytes:
    data = bytearray(zipped([*good().items()]))
    at = data.index(struct.pack("<3f", 5, 6, 7))
    data[at] ^= 1
    return bytes(data)


def larger_than_it_is() -> bytes:
    data = bytearray(zipped([*good().items()]))
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    return bytes(data)


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "entries that overlap": (overlapping, "overlap|damaged|differ"),
    "one name twice": (twice, "two entries of one name|damaged"),
    "a name that climbs": (lambda: with_entry("archive/../../../root/.bashrc"), "climb"),
    "a name at the root": (lambda: with_entry("/etc/cron.d/x"), "climb"),
    "a name of Windows": (lambda: with_entry("archive\\..\\x"), "climb"),
    "a link": (link, "links"),
    "encrypted": (encrypted, "encrypted"),
    "two skeletons": (lambda: with_entry("other/data.pkl", good()["archive/data.pkl"]), "2 skeletons"),
    "no storage": (lambda: changed("data/0", None), "storage 0 is not there"),
    "half a storage": (lambda: changed("data/0", bytes(100)), "100 bytes where 2,400"),
    "a flipped bit in the weights": (flipped, "checksum"),
    "another byte order": (lambda: changed("byteorder", b"big"), "big-endian"),
    "a bomb among the storages": (
        lambda: zipped([*good().items(), ("archive/data/9", bytes(1 << 27))], zipfile.ZIP_DEFLATED),
        "unpack",
    ),
    "a skeleton of nothing": (lambda: changed("data.pkl", b""), "damaged"),
    "two gigabytes that are not there": (larger_than_it_is, "unpack|overlap|damaged"),
    "a directory that is garbage": (
        lambda: zipped([*good().items()])[:-60] + os.urandom(30) + zipped([*good().items()])[-30:],
        "damaged|overlap|unpack|climb",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_archives_that_torch_would_not_write_are_named(name: str, tmp_path: Path) -> None:
    make, expected = FILES[name]
    (tmp_path / "c.pt").write_bytes(make())
    with pytest.raises(UsageError, match=expected) as caught:
        read_checkpoint(tmp_path / "c.pt")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.pt"]


def test_the_same_archive_unchanged_or_compressed_opens(tmp_path: Path) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        (tmp_path / "c.pt").write_bytes(zipped([*good().items()], compression))
        read = read_checkpoint(tmp_path / "c.pt").state
        assert torch.equal(read["conv.weight"], torch.arange(600.0).view(2, 3, 100))
