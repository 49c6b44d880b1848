"""A stretch of a page that Snappy compressed, without the rest of it.

Snappy's compressor works in blocks of 64 KiB that do not refer to each other, and leaves audio that is compressed
already nearly as it is: from the nearest block on, a stretch costs little more than its own bytes. Written from the
published description of the format (Google, 2011).
"""

from __future__ import annotations

BLOCK = 1 << 16


def _preamble(data: bytes) -> int:
    """Return where the tags begin, behind the length."""
    at = 0
    while data[at] & 128:
        at += 1
    return at + 1


def _tag(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (length, distance, where the next byte lies); a distance of 0 means that the bytes follow."""
    tag = data[at]
    kind = tag & 3
    if kind == 0:
        length = tag >> 2
        if length < 60:
            return length + 1, 0, at + 1
        width = length - 59
        return int.from_bytes(data[at + 1 : at + 1 + width], "little") + 1, 0, at + 1 + width
    if kind == 1:
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at + 1], at + 2
    width = 2 if kind == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def block_starts(data: bytes) -> list[tuple[int, int]] | None:
    """Walk a compressed page once and return where its blocks begin.

    Args:
        data: The whole compressed page.

    Returns:
        (bytes of output before it, bytes of input before it) of each block and of the end; None where the page is
        compressed so well that walking it costs more than decompressing it.

    Raises:
        IndexError: If it is cut.
    """
    at, out, tags = _preamble(data), 0, 0
    most = 1000 + len(data) // 500
    starts = [(0, at)]
    while at < len(data):
        length, distance, at = _tag(data, at)
        if not distance:
            at += length
        out += length
        tags += 1
        if tags > most:
            return None
        if out - starts[-1][0] >= BLOCK:
            starts.append((out, at))
    if starts[-1][0] != out:
        starts.append((out, at))
    return starts


def expand(data: bytes, length: int) -> bytes | None:
    """Decompress tags from the start of a block.

    Args:
        data: Tags, from a block's start.
        length: Bytes of output wanted.

    Returns:
        At least that many bytes, None where a tag refers to what lies before the block.

    Raises:
        IndexError: If the input ends too early.

    Example:
        >>> expand(bytes([2 << 2]) + b"abc" + bytes([(5 << 2) | 2, 3, 0]), 9)
        b'abcabcabc'
    """
    found = bytearray()
    at = 0
    while len(found) < length:
        size, distance, at = _tag(data, at)
        if not distance:
            found += data[at : at + size]
            at += size
        elif distance > len(found):
            return None
        elif distance >= size:
            start = len(found) - distance
            found += found[start : start + size]
        else:
            # A copy that overlaps itself repeats its pattern.
            pattern = bytes(found[-distance:])
            found += (pattern * (size // distance + 1))[:size]
    return bytes(found)
