"""Audio inside other files: ``clips.parquet::12``, ``data.arrow::12``, ``shard.tar::a.flac``, ``LA.zip::/LA/a.flac``.

Such a *locator* stands wherever a path to an audio file may. Nothing is unpacked, no handle is kept open, and what is
remembered is where things lie: worker processes may read at will.
"""

from __future__ import annotations

import functools
import io
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from sharpscope.audio.archives import ENDINGS, members, read_member
from sharpscope.audio.parquet_pages import ParquetColumn
from sharpscope.errors import SharpscopeError, UsageError

SEPARATOR = "::"
TABLES = (".parquet", ".arrow")
# Columns of plain bytes that hold audio where there is none of the form {bytes, path}.
PLAIN_COLUMNS = ("audio", "wav", "flac", "mp3", "bytes", "audio_bytes", "content")


def file_of(path: str | Path) -> str:
    """Return the file on disk that a path or a locator names.

    Args:
        path: Of a trial.

    Returns:
        The container, or the path itself.

    Example:
        >>> file_of("a/clips.parquet::12"), file_of("a/b.wav"), file_of("a/odd::name.wav")
        ('a/clips.parquet', 'a/b.wav', 'a/odd::name.wav')
    """
    text = str(path)
    return text if SEPARATOR not in text else (split_locator(text) or (text,))[0]


def split_locator(path: str) -> tuple[str, str] | None:
    """Return the container and what is meant in it, None for a plain path.

    Args:
        path: Of a trial.

    Returns:
        (container, row or member), or None.

    Example:
        >>> split_locator("a/clips.parquet::12"), split_locator("LA.zip::/LA/x.flac"), split_locator("x.wav")
        (('a/clips.parquet', '12'), ('LA.zip', 'LA/x.flac'), None)
    """
    container, between, inside = path.partition(SEPARATOR)
    if not between or not container.lower().endswith((*TABLES, *ENDINGS)):
        return None
    return container, inside.strip("/")


def archive_folder(path: str) -> tuple[str, str] | None:
    """Return the archive and the folder in it that a path names, None for one that lies on disk.

    Args:
        path: Of a folder, such as ``/data/LA.zip::/LA``.

    Returns:
        (archive, folder), the folder "" at the top.
    """
    parts = split_locator(path) if SEPARATOR in path else None
    return parts if parts is not None and parts[0].lower().endswith(ENDINGS) else None


def open_bytes(path: str | Path) -> BinaryIO:
    """Open a file for reading, wherever it lies.

    Args:
        path: A path or a locator.

    Returns:
        An open file.

    Raises:
        OSError: If there is none.
        SharpscopeError: As for `open_audio`.
    """
    found = open_audio(path)
    return open(found, "rb") if isinstance(found, str) else found


def read_bytes(path: str | Path) -> bytes:
    """Return what is in a file, wherever it lies.

    Args:
        path: A path or a locator.

    Returns:
        Its bytes.

    Raises:
        OSError: If there is none.
        SharpscopeError: As for `open_audio`.
    """
    with open_bytes(path) as file:
        return file.read()


def size_of(path: str | Path) -> int:
    """Return how many bytes a file has, wherever it lies.

    Args:
        path: A path or a locator.

    Returns:
        Bytes; those in the archive for a member of one.

    Raises:
        OSError: If there is none.
        SharpscopeError: As for `open_audio`.
    """
    inside = archive_folder(str(path))
    if inside is None:
        return os.stat(file_of(path)).st_size
    member = members(inside[0]).get(inside[1])
    if member is None:
        raise SharpscopeError(f"{inside[0]}: no member {inside[1]}")
    return member.size


def is_there(path: str, has_file: Callable[[str], bool]) -> bool:
    """Tell whether the audio of a trial exists: the file, or the container and the member in it.

    Args:
        path: A path or a locator.
        has_file: Tells it of a file on disk.

    Returns:
        True if it is there. Rows of tables are there when the table is.
    """
    parts = split_locator(path) if SEPARATOR in path else None
    if parts is None:
        return has_file(path)
    there = has_file(parts[0])
    return there and (not parts[0].lower().endswith(ENDINGS) or parts[1] in members(parts[0]))


def require_pyarrow(what: str) -> Any:
    """Return pyarrow, or say which extra brings it.

    Args:
        what: The file that needs it.

    Returns:
        The module.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise UsageError(
            f"{what}: parquet and arrow files need pyarrow; pip install 'sharpscope[hub]'"
        ) from None
    return pyarrow


def open_audio(path: str | Path) -> str | BinaryIO:
    """Return what a decoder can open: the path itself, or the bytes that a locator names.

    Args:
        path: A path or a locator.

    Returns:
        A path, or a file in memory.

    Raises:
        SharpscopeError: If the container does not hold it.
        UsageError: If the container needs an extra that is not installed, or is damaged.
    """
    text = str(path)
    parts = split_locator(text) if SEPARATOR in text else None
    return text if parts is None else io.BytesIO(read_inside(*parts))


def read_inside(container: str, inside: str) -> bytes:
    """Return the bytes of one row or member.

    Args:
        container: A parquet, arrow, tar or zip file.
        inside: A row or the name of a member.

    Returns:
        Its bytes.

    Raises:
        SharpscopeError: If it is not there.
        UsageError: As for `open_audio`.
    """
    if container.lower().endswith(ENDINGS):
        return read_member(container, inside)
    require_pyarrow(container)
    try:
        found = os.stat(container)
        open_table = _parquet if container.lower().endswith(".parquet") else _arrow
        value = open_table(container, found.st_size, found.st_mtime_ns).read(int(inside))
    except (OSError, ValueError, IndexError, struct.error) as error:
        if isinstance(error, SharpscopeError):
            raise
        raise SharpscopeError(f"{container}: row {inside} cannot be read ({error})") from error
    if value is None:
        raise SharpscopeError(f"{container}: row {inside} holds no audio")
    return value


@functools.lru_cache(maxsize=512)
def _parquet(path: str, size: int, changed: int) -> ParquetColumn:
    import pyarrow.parquet as pq

    return ParquetColumn(path, ".".join(audio_column(path, pq.read_schema(path))))


@functools.lru_cache(maxsize=512)
def _arrow(path: str, size: int, changed: int) -> _ArrowColumn:
    return _ArrowColumn(path)


class _ArrowColumn:
    """The audio of a file of `load_from_disk`: mapped into memory, so that a row is a slice."""

    def __init__(self, path: str) -> None:
        column = open_arrow(path)
        name, *inside = audio_column(path, column.schema)
        self._chunks = []
        self._firsts = []
        rows = 0
        for chunk in column.column(name).chunks:
            self._firsts.append(rows)
            self._chunks.append(chunk.field(inside[0]) if inside else chunk)
            rows += len(chunk)
        self.rows = rows

    def read(self, row: int) -> bytes | None:
        import bisect

        if not 0 <= row < self.rows:
            raise IndexError(row)
        at = bisect.bisect_right(self._firsts, row) - 1
        value: bytes | None = self._chunks[at][row - self._firsts[at]].as_py()
        return value


def open_arrow(path: str) -> Any:
    """Return the table of an arrow file, mapped and not loaded.

    Args:
        path: As `datasets` writes it (a stream), or an arrow file with a footer.

    Returns:
        A `pyarrow.Table`.

    Raises:
        UsageError: If it is neither.
    """
    pa = require_pyarrow(path)
    try:
        with pa.memory_map(path) as source:
            try:
                return pa.ipc.open_stream(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                return pa.ipc.open_file(source).read_all()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable arrow file ({error})") from error


def audio_column(path: str, schema: Any) -> Sequence[str]:
    """Return where a table holds its audio.

    Args:
        path: Of the table, for the message.
        schema: Its `pyarrow.Schema`.

    Returns:
        Name of the column, and of the field in it: ("audio", "bytes") for {bytes, path}.

    Raises:
        UsageError: If no column holds any.
    """
    import pyarrow.types as types

    fields = sorted(schema, key=lambda field: (field.name.lower() != "audio", field.name))
    for field in fields:
        if types.is_struct(field.type) and any(inner.name == "bytes" for inner in field.type):
            return field.name, "bytes"
    for field in fields:
        binary = types.is_binary(field.type) or types.is_large_binary(field.type)
        if binary and field.name.lower() in PLAIN_COLUMNS:
            return (field.name,)
    raise UsageError(
        f"{path}: no column holds audio; expected 'audio' of bytes and path, or one of {', '.join(PLAIN_COLUMNS)} of "
        f"bytes; it has {', '.join(schema.names)}"
    )
