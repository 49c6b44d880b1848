"""Single values of a parquet column, and no row group read for one.

Page headers are walked once. The first value of a page costs the page; the others, where it is not compressed or by
Snappy, little more than their own bytes.

Written from the format's specification (Apache Parquet format 2.11: page headers in Thrift's compact protocol, levels
in the hybrid of runs and packed bits, byte arrays in plain or dictionary encoding). Whatever else a file holds is read
by pyarrow, a row group at a time.
"""

from __future__ import annotations

import bisect
import struct
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sharpscope.audio import snappy_ranges

PLAIN, PLAIN_DICTIONARY, RLE_DICTIONARY = 0, 2, 8
# Bytes of decoded pages that a process keeps: neighbours in a page are often asked for one after the other.
KEPT = 64 * 1024**2


class Page(NamedTuple):
    """Where some rows of a column lie in the file.

    Attributes:
        first: First row, counted through the file.
        rows: How many.
        group: Row group.
        offset: Of the data behind the header.
        size: Bytes in the file.
        full: Bytes after decompression.
        encoding: Of the values; -1 leaves the row group to pyarrow.
        levels: Bytes of definition levels that lie uncompressed before the values, -1 for pages of version 1.
        codec: Compression of the values, "" for none.
        dictionary: (offset, size, full bytes, values, codec) of the dictionary page, None where there is none.
    """

    first: int
    rows: int
    group: int
    offset: int
    size: int
    full: int
    encoding: int
    levels: int
    codec: str
    dictionary: tuple[int, int, int, int, str] | None


class _Spans(NamedTuple):
    """Where the values of a page lie in the uncompressed bytes of it or of its dictionary.

    Attributes:
        base: Where in the file these bytes begin, as they are compressed.
        starts: Of each row.
        lengths: Of each row, -1 for an empty cell.
        blocks: Where Snappy's blocks begin, [] where nothing is compressed.
    """

    base: int
    starts: np.ndarray
    lengths: np.ndarray
    blocks: list[tuple[int, int]]


class ParquetColumn:
    """A column of byte arrays in one file.

    Args:
        path: The file.
        column: Dotted path of the column, such as ``audio.bytes``.
    """

    def __init__(self, path: str, column: str) -> None:
        import pyarrow.parquet as pq

        self.path = path
        self.column = column
        metadata = pq.read_metadata(path)
        schema = metadata.schema
        names = [schema.column(i).path for i in range(len(schema))]
        self._at = names.index(column)
        self._most = schema.column(self._at).max_definition_level
        self._flat = schema.column(self._at).max_repetition_level == 0
        self.rows = metadata.num_rows
        self._pages: list[Page] = []
        self._kept: OrderedDict[int, list[bytes | None]] = OrderedDict()
        self._bytes = 0
        self._spans: dict[int, _Spans] = {}
        first = 0
        with open(path, "rb") as file:
            for group in range(metadata.num_row_groups):
                chunk = metadata.row_group(group).column(self._at)
                self._pages += self._chunk(file, chunk, group, first)
                first += metadata.row_group(group).num_rows
        self._firsts = [page.first for page in self._pages]

    def _chunk(self, file: Any, chunk: Any, group: int, first: int) -> list[Page]:
        """Return the pages of one column chunk, or one that stands for the whole of it."""
        whole = [Page(first, chunk.num_values, group, 0, 0, 0, -1, -1, "", None)]
        codec = "" if chunk.compression == "UNCOMPRESSED" else chunk.compression.lower()
        if not self._flat or codec not in {"", "snappy", "gzip", "zstd", "brotli"}:
            return whole
        try:
            pages = list(_walk(file, chunk, group, first, codec))
        except (IndexError, KeyError, struct.error):
            return whole
        plain = all(page.encoding in {PLAIN, PLAIN_DICTIONARY, RLE_DICTIONARY} for page in pages)
        return pages if plain and sum(page.rows for page in pages) == chunk.num_values else whole

    def read(self, row: int) -> bytes | None:
        """Return one value.

        Args:
            row: Counted through the file from 0.

        Returns:
            Its bytes, None where the cell is empty.

        Raises:
            IndexError: If there is no such row.
        """
        if not 0 <= row < self.rows:
            raise IndexError(row)
        number = bisect.bisect_right(self._firsts, row) - 1
        if number in self._kept:
            self._kept.move_to_end(number)
        elif number in self._spans:
            return self._stretch(number, row - self._firsts[number])
        else:
            values = self._values(self._pages[number])
            self._kept[number] = values
            self._bytes += sum(len(value or b"") for value in values)
            while self._bytes > KEPT and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= sum(len(value or b"") for value in dropped)
        return self._kept[number][row - self._firsts[number]]

    def _stretch(self, number: int, row: int) -> bytes | None:
        """Read one value of a page that was seen before, without the rest of the page."""
        spans, page = self._spans[number], self._pages[number]
        start, length = int(spans.starts[row]), int(spans.lengths[row])
        if length < 0:
            return None
        if not spans.blocks:
            first, begin, end = 0, start, start + length
        else:
            at = bisect.bisect_right(spans.blocks, start, key=lambda block: block[0]) - 1
            last = bisect.bisect_left(spans.blocks, start + length, key=lambda block: block[0])
            first, begin = spans.blocks[at]
            end = spans.blocks[min(last, len(spans.blocks) - 1)][1]
        with open(self.path, "rb") as file:
            file.seek(spans.base + begin)
            data = file.read(end - begin)
        if not spans.blocks:
            return data
        expanded = snappy_ranges.expand(data, start - first + length)
        if expanded is None:
            return self._values(page)[row]
        return expanded[start - first : start - first + length]

    def _remember(
        self, page: Page, base: int, packed: bytes, codec: str, spans: np.ndarray, rows: np.ndarray
    ) -> None:
        """Keep where the values of a page lie, if they can be read one by one.

        Args:
            page: The page.
            base: Where in the file the bytes begin that hold them.
            packed: These bytes, as they are compressed.
            codec: How.
            spans: Shape (values, 2): start and length of each value in the uncompressed bytes.
            rows: Shape (rows,): which value each row has, -1 for none.
        """
        blocks = snappy_ranges.block_starts(packed) if codec == "snappy" else []
        if blocks is None or codec not in {"", "snappy"}:
            return
        whole = np.concatenate([spans, [[0, -1]]])  # -1 is the last: an empty cell
        number = bisect.bisect_left(self._firsts, page.first)
        self._spans[number] = _Spans(base, whole[rows, 0], whole[rows, 1], blocks)

    def _values(self, page: Page) -> list[bytes | None]:
        if page.encoding < 0:
            return self._by_pyarrow(page)
        with open(self.path, "rb") as file:
            file.seek(page.offset)
            data = file.read(page.size)
        levels, packed, whole, begin = self._opened(page, data)
        there = np.ones(page.rows, dtype=bool)
        if self._most:
            there = hybrid(levels, self._most.bit_length(), page.rows) == self._most
        number = int(there.sum())
        rows = np.full(page.rows, -1)
        if page.encoding == PLAIN:
            rows[there] = np.arange(number)
            base, codec = page.offset + max(page.levels, 0), page.codec
        else:
            rows[there] = hybrid(whole[begin + 1 :], whole[begin], number)
            base, packed, whole, codec, number, begin = self._dictionary(page)
        spans = _byte_arrays(whole, number, begin)
        self._remember(page, base, packed, codec, spans, rows)
        values = [whole[start : start + length] for start, length in spans.tolist()]
        return [None if row < 0 else values[row] for row in rows.tolist()]

    def _opened(self, page: Page, data: bytes) -> tuple[bytes, bytes, bytes, int]:
        """Return a data page's levels, its compressed and uncompressed bytes, and where values begin in these."""
        if page.levels >= 0:
            packed = data[page.levels :]
            return data[: page.levels], packed, _expand(packed, page.full - page.levels, page.codec), 0
        whole = _expand(data, page.full, page.codec)
        if not self._most:
            return b"", data, whole, 0
        (length,) = struct.unpack_from("<I", whole)
        return whole[4 : 4 + length], data, whole, 4 + length

    def _dictionary(self, page: Page) -> tuple[int, bytes, bytes, str, int, int]:
        """Return a dictionary page: where it lies, compressed, uncompressed, codec, values, and where they begin."""
        if page.dictionary is None:
            raise ValueError("a page refers to a dictionary that is not there")
        offset, size, full, number, codec = page.dictionary
        with open(self.path, "rb") as file:
            file.seek(offset)
            packed = file.read(size)
        return offset, packed, _expand(packed, full, codec), codec, number, 0

    def _by_pyarrow(self, page: Page) -> list[bytes | None]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            column = file.read_row_group(page.group, columns=[self.column]).column(0).combine_chunks()
        for name in self.column.split(".")[1:]:
            column = column.field(name)
        return [None if value is None else bytes(value) for value in column.to_pylist()]


def _walk(file: Any, chunk: Any, group: int, first: int, codec: str) -> Iterator[Page]:
    starts = [chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset]
    at, dictionary, left = min(starts), None, chunk.num_values
    while left > 0:
        header, length = _header(file, at)
        offset, size, full = at + length, header[3], header[2]
        at = offset + size
        if header[1] == 2:
            dictionary = (offset, size, full, header[7][1], codec)
        elif header[1] == 0:
            data = header[5]
            yield Page(first, data[1], group, offset, size, full, data[2], -1, codec, dictionary)
            first, left = first + data[1], left - data[1]
        elif header[1] == 3:
            data = header[8]
            packed = codec if data.get(7, True) else ""
            levels = data[5] + data[6]
            yield Page(first, data[1], group, offset, size, full, data[4], levels, packed, dictionary)
            first, left = first + data[1], left - data[1]


def _header(file: Any, at: int) -> tuple[dict[int, Any], int]:
    """Return a page header and its length; statistics in it may be long."""
    for most in (1024, 1024**2):
        file.seek(at)
        data = file.read(most)
        try:
            return _struct(data, 0)
        except IndexError:
            if len(data) < most:
                raise
    raise IndexError(at)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Parse a struct of Thrift's compact protocol: field -> value, and where it ends."""
    fields: dict[int, Any] = {}
    last = 0
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        if step:
            last += step
        else:
            value, at = _varint(data, at)
            last = (value >> 1) ^ -(value & 1)
        fields[last], at = _field(data, at, kind)
    return fields, at + 1


def _field(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in {1, 2}:
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in {4, 5, 6}:
        value, at = _varint(data, at)
        return (value >> 1) ^ -(value & 1), at
    if kind == 7:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 8:
        length, at = _varint(data, at)
        if at + length > len(data):
            raise IndexError(at)
        return data[at : at + length], at + length
    if kind == 12:
        return _struct(data, at)
    raise KeyError(kind)  # lists and maps stand in no page header


def _expand(data: bytes, size: int, codec: str) -> bytes:
    if not codec or not size:
        return data
    import pyarrow as pa

    return bytes(memoryview(pa.Codec(codec).decompress(data, decompressed_size=size)))


def _byte_arrays(data: bytes, number: int, at: int) -> np.ndarray:
    """Return where plain byte arrays lie, (values, 2) of start and length: four bytes of length stand before each."""
    spans = np.zeros((number, 2), dtype=np.int64)
    for value in range(number):
        (length,) = struct.unpack_from("<I", data, at)
        spans[value] = at + 4, length
        at += 4 + length
    return spans


def hybrid(data: bytes, width: int, number: int) -> np.ndarray:
    """Decode the hybrid of runs and packed bits that levels and dictionary indices are written in.

    Args:
        data: The bytes.
        width: Bits a value.
        number: Values wanted.

    Returns:
        Shape (number,), integers.

    Example:
        >>> hybrid(bytes([6, 1]), 1, 3).tolist(), hybrid(bytes([3, 0b101]), 1, 4).tolist()
        ([1, 1, 1], [1, 0, 1, 0])
    """
    if not width:
        return np.zeros(number, dtype=int)
    parts: list[np.ndarray] = []
    at = found = 0
    size = (width + 7) // 8
    while found < number:
        head, at = _varint(data, at)
        if head & 1:
            packed = np.frombuffer(data[at : at + (head >> 1) * width], dtype=np.uint8)
            bits = np.unpackbits(packed, bitorder="little")
            values = bits.reshape(-1, width) @ (1 << np.arange(width))
            at += (head >> 1) * width
        else:
            values = np.full(head >> 1, int.from_bytes(data[at : at + size], "little"))
            at += size
        parts.append(values)
        found += len(values)
    return np.concatenate(parts)[:number] if parts else np.zeros(0, dtype=int)
