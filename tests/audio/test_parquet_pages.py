"""Pages of parquet give what pyarrow gives, however the file was written."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from sharpscope.audio.parquet_pages import ParquetColumn, hybrid
from sharpscope.audio.snappy_ranges import block_starts, expand

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


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_values_read_alone_are_those_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, version: str, dictionary: bool
) -> None:
    # Long values with repeats in them, so that Snappy's blocks begin within values and hold copies; nothing is kept.
    rng = np.random.default_rng(0)
    frames = [rng.bytes(900) for _ in range(40)]
    cells: list[bytes | None] = [
        b"".join(frames[i] for i in rng.integers(0, 40, 60)) + bytes(50) + rng.bytes(40_000)
        for _ in range(60)
    ]
    cells[7], cells[8] = None, b""
    cells[5] = None
    pq.write_table(
        table(cells),
        tmp_path / "a.parquet",
        compression=codec,
        data_page_version=version,
        use_dictionary=dictionary,
    )
    monkeypatch.setattr("sharpscope.audio.parquet_pages.KEPT", 0)
    column = ParquetColumn(str(tmp_path / "a.parquet"), "audio.bytes")
    for _ in range(2):
        order = rng.permutation(60)
        assert [column.read(int(row)) for row in order] == [cells[row] for row in order]
        column._kept.clear()
        assert [column.read(row) for row in range(60)] == cells
        column._kept.clear()
    assert bool(column._spans) == (codec != "zstd")


def test_a_page_that_snappy_squeezes_well_is_read_whole(tmp_path: Path) -> None:
    cells: list[bytes | None] = [b"abcdefgh%d" % (i % 7) * 4000 for i in range(50)]
    pq.write_table(table(cells), tmp_path / "a.parquet", compression="snappy", use_dictionary=False)
    column = ParquetColumn(str(tmp_path / "a.parquet"), "audio.bytes")
    cells[5] = None
    assert [column.read(row) for row in range(50)] == cells
    column._kept.clear()
    assert [column.read(row) for row in range(50)] == cells


def test_a_stretch_of_snappy_is_that_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    frames = [rng.bytes(int(n)) for n in rng.integers(3, 5000, 50)]
    data = b"".join(frames[i] for i in rng.integers(0, 50, 300)) + bytes(70_000)
    packed = bytes(memoryview(pa.Codec("snappy").compress(data)))
    starts = block_starts(packed)
    assert starts is not None
    assert starts[-1] == (len(data), len(packed))
    for out, at in starts[:-1]:
        length = min(90_000, len(data) - out)
        found = expand(packed[at:], length)
        assert found is not None
        assert found[:length] == data[out : out + length]
    # A copy from before the start is not made up.
    assert expand(bytes([(3 << 2) | 2, 9, 0]), 4) is None


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
