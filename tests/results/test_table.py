"""The results table: what is written comes back, and nothing is lost or doubled."""

import math
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results, measured_keys
from sharpscope.results.table import COLUMNS, read_results


def row(**changes: Any) -> dict[str, Any]:
    cells: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    cells |= {
        "checkpoint": "a",
        "sha256": "00",
        "set": "itw",
        "measure": "sam",
        "rho": 0.05,
        "m": 32,
        "value": 0.1,
        "eer": 0.2,
        "seed": None,
        "eer_low": math.nan,
    }
    return cells | changes


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_digit_survives(tmp_path_factory: pytest.TempPathFactory, value: float) -> None:
    path = tmp_path_factory.mktemp("r") / "results.csv"
    append_results(path, [row(value=value)])
    assert read_results(path)["value"].iloc[0] == value


def test_empty_cells_are_nan_and_columns_keep_their_order(tmp_path: Path) -> None:
    append_results(tmp_path / "r.csv", [row()])
    table = read_results(tmp_path / "r.csv")
    assert tuple(table.columns) == COLUMNS
    assert math.isnan(table["seed"].iloc[0])
    assert math.isnan(table["eer_low"].iloc[0])


def test_the_same_measurement_twice_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    append_results(path, [row()])
    before = path.read_bytes()
    with pytest.raises(UsageError, match="--force"):
        append_results(path, [row(rho=0.01), row(value=9.0)])
    assert path.read_bytes() == before
    append_results(path, [row(value=9.0)], force=True)
    assert read_results(path)["value"].tolist() == [9.0]


def test_rows_that_stand_are_never_reformatted(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    append_results(path, [row(note="0.10, with a comma")])
    first = path.read_text().splitlines()[1]
    append_results(path, [row(rho=0.01)])
    assert path.read_text().splitlines()[1] == first


def _append(arguments: tuple[str, int]) -> None:
    path, index = arguments
    for part in range(5):
        append_results(path, [row(set=f"s{index}-{part}")])


def test_ten_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with multiprocessing.get_context("spawn").Pool(10) as pool:
        pool.map(_append, [(str(path), index) for index in range(10)])
    assert len(measured_keys(path)) == 50
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".part"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("measure,", "measurement,", 1), "lacks the columns measure"),
        (lambda text: text.replace("0.05", "x"), "column rho holds 'x'"),
        (lambda text: text.replace("0.05", '"0,05"'), "decimal point"),
        (lambda text: text.replace(",0.2,", ",20,"), "fraction from 0 to 1"),
        (lambda text: text + text.splitlines()[1] + "\n", "the same measurement twice"),
        (lambda text: text + "a,b\n", "too few cells"),
        (lambda text: text.replace("\na,", "\n,", 1), "column checkpoint is empty"),
        (lambda text: "\0" * 100, "zero bytes"),
        (lambda text: "", "lacks the columns"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, damage: Any, message: str) -> None:
    path = tmp_path / "r.csv"
    append_results(path, [row()])
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=message):
        read_results(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b"\xff\xfe\x93" * 1000)
    with pytest.raises(UsageError, match="not a results table"):
        read_results(path)
    with pytest.raises(UsageError, match="no such results file"):
        read_results(tmp_path / "none.csv")


def test_a_row_of_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="other columns"):
        append_results(tmp_path / "r.csv", [{"checkpoint": "a"}])
    assert not (tmp_path / "r.csv").exists()
