"""A checkpoint of any kind to a safetensors file with its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sharpscope.detectors.fitting import check_numbers
from sharpscope.detectors.reading import read_checkpoint, write_safetensors


def convert(
    path: str | Path,
    out: str | Path,
    *,
    allow_pickle: bool = False,
    weights: str | None = None,
    bonafide_index: int | None = None,
) -> int:
    """Write the weights of a checkpoint, unwrapped, to a file that cannot hold code.

    Args:
        path: The checkpoint.
        out: The file to write, ``something.safetensors``.
        allow_pickle: Open files whose tensors come about only by running code.
        weights: Key of the weights where a file holds several.
        bonafide_index: Put into the record.

    Returns:
        How many tensors were written.

    Raises:
        UsageError: If the checkpoint cannot be read, holds NaN, or the name of ``out`` is wrong.
    """
    checkpoint = read_checkpoint(path, allow_pickle=allow_pickle, weights=weights)
    check_numbers(checkpoint.state, checkpoint.path)
    record: dict[str, Any] = dict(checkpoint.record or {})
    # Whose toolkit wrote the file can be read off its envelope; keep that hint.
    record.update(
        source=checkpoint.path.name,
        source_sha256=checkpoint.sha256,
        envelope=checkpoint.envelope,
        envelope_keys=list(checkpoint.siblings),
    )
    if bonafide_index is not None:
        record["bonafide_index"] = bonafide_index
    write_safetensors(out, checkpoint.state, record)
    return len(checkpoint.state)
