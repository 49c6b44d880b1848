"""Lines of append-only files: JSON behind its checksum, so that half a line is never taken for a whole one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def line_of(entry: Mapping[str, Any]) -> str:
    r"""Write an entry as one line.

    Args:
        entry: Anything JSON can hold; floats keep every bit.

    Returns:
        The line, with its end.

    Raises:
        ValueError: If a number in it is not finite.

    Example:
        >>> line_of({"group": "0"})
        '8937fcefcbbf691d {"group":"0"}\n'
    """
    body = json.dumps(entry, separators=(",", ":"), allow_nan=False)
    return f"{hashlib.sha256(body.encode()).hexdigest()[:16]} {body}\n"


def entry_of(line: str) -> dict[str, Any] | None:
    """Read a line back.

    Args:
        line: With or without its end.

    Returns:
        The entry; None where the line was half written or damaged.

    Example:
        >>> entry_of(line_of({"group": "0"})), entry_of("8937fcefcbbf691d {torn")
        ({'group': '0'}, None)
    """
    digest, _, body = line.rstrip("\n").partition(" ")
    if hashlib.sha256(body.encode()).hexdigest()[:16] != digest:
        return None
    try:
        entry = json.loads(body)
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None
