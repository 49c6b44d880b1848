"""Audio inside other files decodes to what the file itself gives, in every process, and damage is named."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sharpscope.audio.archives import entries, members
from sharpscope.audio.batches import load_groups
from sharpscope.audio.cache import open_cache
from sharpscope.audio.containers import is_there, read_bytes, size_of
from sharpscope.audio.decode import read_audio
from sharpscope.errors import SharpscopeError, UsageError


def clip(seed: int, ending: str = "flac") -> bytes:
    buffer = io.BytesIO()
    wave = 0.1 * np.random.default_rng(seed).standard_normal(1600)
    soundfile.write(buffer, wave, 16_000, format=ending.upper())
    return buffer.getvalue()


CLIPS = {f"a/{i}.flac": clip(i) for i in range(12)}


def _tar(path: Path) -> list[str]:
    with tarfile.open(path, "w") as archive:
        for name, data in CLIPS.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return [f"{path}::{name}" for name in CLIPS]


def _zip(path: Path, packing: int = zipfile.ZIP_DEFLATED) -> list[str]:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in CLIPS.items():
            archive.writestr(name, data)
    return [f"{path}::{name}" for name in CLIPS]


def _stored(path: Path) -> list[str]:
    return _zip(path, zipfile.ZIP_STORED)


def _parquet(path: Path) -> list[str]:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"audio": [{"bytes": data, "path": name} for name, data in CLIPS.items()]}), path)
    return [f"{path}::{row}" for row in range(len(CLIPS))]


def _arrow(path: Path) -> list[str]:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"audio": [{"bytes": data, "path": name} for name, data in CLIPS.items()]})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    return [f"{path}::{row}" for row in range(len(CLIPS))]


KINDS = {"x.tar": _tar, "x.zip": _zip, "stored.zip": _stored, "x.parquet": _parquet, "x.arrow": _arrow}


@pytest.mark.parametrize("name", KINDS)
def test_a_clip_inside_decodes_as_the_file_would(tmp_path: Path, name: str) -> None:
    make: Callable[[Path], list[str]] = KINDS[name]
    for locator, data in zip(make(tmp_path / name), CLIPS.values(), strict=True):
        expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
        assert np.array_equal(read_audio(locator, 16_000), expected)
        assert read_bytes(locator) == data


@pytest.mark.parametrize("name", KINDS)
def test_worker_processes_read_the_same(tmp_path: Path, name: str) -> None:
    paths = KINDS[name](tmp_path / name)
    groups = [np.arange(6), np.arange(6, 12)]
    read_audio(paths[3])  # what this process remembers must not disturb its children
    here, there = (
        list(load_groups(paths, groups, sample_rate=16_000, n_samples=800, workers=workers))
        for workers in (0, 2)
    )
    assert all(bool((one == two).all()) for one, two in zip(here, there, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_the_cache_of_waves_takes_containers(tmp_path: Path, name: str) -> None:
    paths = KINDS[name](tmp_path / name)
    kinds = {"sample_rate": 16_000, "n_samples": 800, "padding": "tile", "folder": tmp_path / "packs"}
    assert open_cache(paths, **kinds) is not None
    assert open_cache([f"{tmp_path}/gone.tar::a"], **kinds) is None


def test_what_is_not_inside_is_named(tmp_path: Path) -> None:
    _tar(tmp_path / "x.tar")
    with pytest.raises(SharpscopeError, match=r"x\.tar: no member a/99\.flac"):
        read_audio(f"{tmp_path}/x.tar::a/99.flac")
    assert is_there(f"{tmp_path}/x.tar::a/1.flac", lambda _: True)
    assert not is_there(f"{tmp_path}/x.tar::a/99.flac", lambda _: True)
    assert size_of(f"{tmp_path}/x.tar::/a/1.flac") == len(CLIPS["a/1.flac"])


def test_rows_that_are_not_there_or_hold_nothing_are_named(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    cells = [{"bytes": None, "path": "a.flac"}, {"bytes": b"", "path": "b.flac"}]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"audio": pa.array(cells, kind)}), tmp_path / "x.parquet")
    for row, message in ((0, "row 0 holds no audio"), (1, "cannot be decoded"), (2, "row 2 cannot be read")):
        with pytest.raises(SharpscopeError, match=message):
            read_audio(f"{tmp_path}/x.parquet::{row}")


def test_archives_that_cannot_be_read_say_what_to_do(tmp_path: Path) -> None:
    _tar(tmp_path / "x.tar")
    whole = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:4000])
    with pytest.raises(UsageError, match=r"cut\.tar: (cut off|not a readable archive).*fetch it again"):
        members(str(tmp_path / "cut.tar"))
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match="not a readable archive"):
        members(str(tmp_path / "cut.zip"))
    with pytest.raises(UsageError, match=r"uncompress it once"):
        members(str(tmp_path / "x.tar.gz"))


@pytest.mark.parametrize("name", ["x.tar", "x.zip"])
def test_an_archive_is_a_folder(tmp_path: Path, name: str) -> None:
    KINDS[name](tmp_path / name)
    assert entries(str(tmp_path / name), "") == (("a",), frozenset())
    assert entries(str(tmp_path / name), "/a")[1] == {f"{i}.flac" for i in range(12)}
    assert entries(str(tmp_path / name), "b") == ((), frozenset())


def test_a_file_with_two_colons_in_its_name_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "odd::1.flac").write_bytes(clip(1))
    assert len(read_audio(tmp_path / "odd::1.flac")) == 1600
