"""Pages of parquet give what pyarrow gives, however the file was written."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from sharpscope.audio.parquet_pages import ParquetColumn, hybrid

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def values() -> list[bytes | None]:
    """Bytes of many lengths, empty ones, missing ones, a missing struct, and one value three times."""
    rng = np.random.default_rng(0)
    made: list[bytes | None] = [rng.bytes(int(n)) for n in rng.integers(1, 3000, 300)]
    made[3::7] = [None] * len(made[3::7])
    made[10] = b""
    made[20] = made[21] = made[22]
    made[5] = None
    return made


def table(cells: list[bytes | None]) -> "pa.Table":
    structs = [None if i == 5 else {"bytes": cell, "path": f"{i}.flac"} for i, cell in enumerate(cells)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.table({"label": list(range(len(cells))), "audio": pa.array(structs, kind)})


@pytest.mark.parametrize(
    ("codec", "dictionary"), list(itertools.product(("none", "snappy", "gzip", "zstd", "lz4"), (True, False)))
)
def test_every_value_is_the_one_that_was_written(tmp_path: Path, codec: str, dictionary: bool) -> None:
    cells = values()
    for version, page, group in itertools.product(("1.0", "2.0"), (2000, 1 << 20), (100, 1000)):
        path = str(tmp_path / "a.parquet")
        pq.write_table(
            table(cells), path, compression=codec, use_dictionary=dictionary, data_page_version=version,
            data_page_size=page, row_group_size=group, write_batch_size=16,
        )  # fmt: skip
        column = ParquetColumn(path, "audio.bytes")
        order = np.random.default_rng(1).permutation(len(cells))
        assert [column.read(int(row)) for row in order] == [cells[row] for row in order]


def test_a_required_column_of_plain_bytes(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("wav", pa.binary(), nullable=False)])
    pq.write_table(pa.table({"wav": [b"a", b"bc", b""]}, schema), tmp_path / "a.parquet")
    column = ParquetColumn(str(tmp_path / "a.parquet"), "wav")
    assert [column.read(row) for row in (2, 0, 1)] == [b"", b"a", b"bc"]
    with pytest.raises(IndexError):
        column.read(3)


def test_what_is_kept_stays_below_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = values()
    pq.write_table(table(cells), tmp_path / "a.parquet", row_group_size=10, use_dictionary=False)
    column = ParquetColumn(str(tmp_path / "a.parquet"), "audio.bytes")
    monkeypatch.setattr("sharpscope.audio.parquet_pages.KEPT", 40_000)
    for row in range(len(cells)):
        column.read(row)
        held = sum(len(value or b"") for page in column._kept.values() for value in page)
        assert held == column._bytes
        assert held <= 40_000 or len(column._kept) == 1


def test_runs_and_packed_bits_by_hand() -> None:
    # Three times 2, then the packed 0, 1, 2, 3, 0, 1, 2, 3 in two bits each, as the specification draws them.
    data = bytes([3 << 1, 2, (1 << 1) | 1, 0b11100100, 0b11100100])
    assert hybrid(data, 2, 11).tolist() == [2, 2, 2, 0, 1, 2, 3, 0, 1, 2, 3]
    assert hybrid(b"", 0, 4).tolist() == [0, 0, 0, 0]
