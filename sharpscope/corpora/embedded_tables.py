"""Rows of parquet and arrow files without their audio: what they say of it, and where it lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpscope.audio.containers import SEPARATOR, audio_column, open_arrow, require_pyarrow
from sharpscope.corpora.embedded_rows import ABOUT, IDS, LABELS, PATHS, SPLITS, Row
from sharpscope.corpora.listing import Listing, below
from sharpscope.errors import UsageError

NOTES = ("notes", "metadata", "json")
WANTED = {*LABELS, *IDS, *PATHS, *SPLITS, *NOTES, *(name for names in ABOUT.values() for name in names)}


def table_rows(file: Path, listing: Listing) -> tuple[list[str], Iterator[Row]]:
    """Read a table without its audio.

    Args:
        file: A parquet or arrow file.
        listing: Folders that were listed already.

    Returns:
        (what its numeric labels mean, where it says so, and its rows).

    Raises:
        UsageError: If pyarrow is not installed, the file is damaged, or names no audio.
    """
    require_pyarrow(str(file))
    try:
        if file.name.lower().endswith(".parquet"):
            import pyarrow.parquet as pq

            schema = pq.read_schema(file)
            held, batches = _embedded(file, schema), _parquet_batches(file, schema)
        else:
            table = open_arrow(str(file))
            schema = table.schema
            held = _embedded(file, schema)
            batches = (batch for batch in table.select(_names(schema, held)).to_batches(10_000))
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{file}: not a readable table ({error}); fetch it again") from error
    return _label_names(schema), _rows(file, batches, held, listing)


def _embedded(file: Path, schema: Any) -> tuple[str, ...]:
    """Return where the audio lies in the table, () for a table of paths."""
    try:
        held = tuple(audio_column(str(file), schema))
    except UsageError:
        if not any(name.lower() in PATHS for name in schema.names):
            raise
        return ()
    if file.name.lower().endswith(".parquet") and _all_empty(file, ".".join(held)):
        return ()
    return held


def _all_empty(file: Path, column: str) -> bool:
    """Tell whether a parquet's audio was never embedded: the statistics count nothing but empty cells."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    names = [metadata.schema.column(i).path for i in range(len(metadata.schema))]
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(names.index(column))
        counts = chunk.statistics
        if counts is None or not counts.has_null_count or counts.null_count < chunk.num_values:
            return False
    return bool(metadata.num_row_groups)


def _names(schema: Any, held: tuple[str, ...]) -> list[str]:
    import pyarrow.types as types

    taken = []
    for field in schema:
        simple = not types.is_nested(field.type) and not types.is_binary(field.type)
        if (simple and field.name.lower() in WANTED) or (len(held) == 2 and field.name == held[0]):
            taken.append(field.name)
    return taken


def _parquet_batches(file: Path, schema: Any) -> Iterator[Any]:
    import pyarrow.parquet as pq
    import pyarrow.types as types

    taken = []
    for field in schema:
        if types.is_struct(field.type):
            if any(inner.name == "path" for inner in field.type):
                taken.append(f"{field.name}.path")
        elif (
            field.name.lower() in WANTED
            and not types.is_nested(field.type)
            and not types.is_binary(field.type)
        ):
            taken.append(field.name)
    with pq.ParquetFile(file) as table:
        if taken:
            yield from table.iter_batches(batch_size=10_000, columns=taken)


def _label_names(schema: Any) -> list[str]:
    """Return what ``datasets`` wrote about the numbers of the label column, [] where it did not."""
    try:
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = {name.lower(): feature for name, feature in info["info"]["features"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    for column in LABELS:
        feature = features.get(column)
        if isinstance(feature, dict) and isinstance(feature.get("names"), list):
            return [str(name) for name in feature["names"]]
    return []


def _rows(file: Path, batches: Iterator[Any], held: tuple[str, ...], listing: Listing) -> Iterator[Row]:
    number = 0
    for batch in batches:
        columns: dict[str, list[Any]] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if hasattr(column.type, "num_fields") and column.type.num_fields:
                columns[f"{name.lower()}.path"] = column.field("path").to_pylist()
            else:
                columns[name.lower()] = column.to_pylist()
        # datasets calls its column audio; others mean the same.
        if held and f"{held[0].lower()}.path" in columns:
            columns["audio.path"] = columns.pop(f"{held[0].lower()}.path")
        for at in range(batch.num_rows):
            cells = {name: values[at] for name, values in columns.items()}
            cells |= _noted(cells)
            path = f"{file}{SEPARATOR}{number}" if held else _outside(file, cells, listing, number)
            yield Row(f"row {number}", path, cells)
            number += 1


def _noted(cells: dict[str, Any]) -> dict[str, Any]:
    """Return what a column of notes says in JSON and no column of its own does."""
    for name in NOTES:
        text = cells.get(name)
        if isinstance(text, str) and text.lstrip().startswith("{"):
            try:
                said = json.loads(text)
            except ValueError:
                continue
            return {
                key.lower(): value
                for key, value in said.items()
                if isinstance(value, (str, int, float))
                and cells.get(key.lower()) is None
                and key.lower() not in LABELS
            }
    return {}


def _outside(file: Path, cells: dict[str, Any], listing: Listing, number: int) -> str:
    """Return the file that a table of paths means: as it stands, else beside the table or in the folder above."""
    name = next((str(cells[column]) for column in PATHS if cells.get(column)), "")
    if not name:
        raise UsageError(f"{file}, row {number}: neither audio nor a path to it")
    if listing.has_file(file.parent.parent / name):
        return str(file.parent.parent / name)
    return below(name, (file.parent, file.parent.parent), listing)
