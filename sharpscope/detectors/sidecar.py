"""Conventions that a record states, in a file of our trainer or in ``NAME.sharpscope.json`` beside a file or folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read the record beside a program or a folder.

    Args:
        path: The file or folder; its record is ``STEM.sharpscope.json`` beside it.

    Returns:
        The record, empty when there is none.

    Raises:
        UsageError: If it is not a JSON object, or its conventions are none.
    """
    name = path.resolve().name if path.is_dir() else path.stem
    beside = path.resolve().parent if path.is_dir() else path.parent
    sidecar = beside / f"{name}.sharpscope.json"
    if not sidecar.is_file():
        return {}
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{sidecar}: not JSON ({error})") from error
    if not isinstance(record, dict) or not isinstance(record.get("spec", {}), dict):
        raise UsageError(f'{sidecar}: it must be an object, its "spec" an object of conventions')
    return record


def with_record(spec: DetectorSpec, record: Mapping[str, Any]) -> DetectorSpec:
    """Take over the conventions that a record states; what it states is no longer assumed.

    Args:
        spec: The conventions so far.
        record: May hold "spec", an object of conventions, and "bonafide_index".

    Returns:
        The new conventions.

    Raises:
        UsageError: If a convention is not known or not allowed.

    Example:
        >>> spec = DetectorSpec("a", assumptions=("bona fide assumed at index 1",))
        >>> with_record(spec, {"bonafide_index": 0}).assumptions
        ()
    """
    declared = dict(record.get("spec", {}))
    if "bonafide_index" in record:
        declared["bonafide_index"] = record["bonafide_index"]
    if not declared:
        return spec
    settled = {
        "bonafide_index": "bona fide assumed",
        "n_samples": "64,600 samples assumed",
        "sample_rate": "16 kHz",
    }
    words = tuple(start for name, start in settled.items() if name in declared)
    kept = tuple(line for line in spec.assumptions if not (words and line.startswith(words)))
    return dataclasses.replace(spec, assumptions=kept).declare(declared, "record")
