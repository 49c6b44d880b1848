"""Spoilt results files end in one clear line, or are read exactly as they stand."""

import csv
import io
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from results_tables import make_results

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results
from sharpscope.results.table import ADDED, COLUMNS, NUMBER_COLUMNS, read_results

JUNK = (
    "",
    "=1+1",
    "@SUM(A1)",
    "0,5",
    "1_000",
    "nan",
    "inf",
    "-3",
    "１",
    "NULL",
    "x" * 5000,
    '"',
    "\ufeff",
    "1e999",
    ";",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("good") / "results.csv"
    append_results(path, make_results(seeds=(0, 1, 2)).to_dict("records"))
    return path.read_text()


Cells = list[list[str]]


def junk(rng: random.Random, cells: Cells) -> Cells:
    line = rng.choice(cells)
    line[rng.randrange(len(line))] = rng.choice(JUNK)
    return cells


def without_column(rng: random.Random, cells: Cells) -> Cells:
    column = rng.randrange(len(cells[0]))
    return [[cell for i, cell in enumerate(line) if i != column] for line in cells]


def doubled(rng: random.Random, cells: Cells) -> Cells:
    return [*cells, list(rng.choice(cells))]


def short_line(rng: random.Random, cells: Cells) -> Cells:
    row = rng.randrange(len(cells))
    cells[row] = cells[row][: rng.randrange(1, len(cells[row]) + 1)]
    return cells


def decimal_commas(_: random.Random, cells: Cells) -> Cells:
    return [[cell.replace(".", ",") for cell in line] for line in cells]


def shuffled(rng: random.Random, cells: Cells) -> Cells:
    return rng.sample(cells, len(cells))


def upper_case_header(_: random.Random, cells: Cells) -> Cells:
    return [[cell.upper() for cell in cells[0]], *cells[1:]]


def semicolons(_: random.Random, cells: Cells) -> Cells:
    return [[";".join(line)] for line in cells]


def cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(1, len(text))]


def character(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text))
    return text[:place] + rng.choice("\0\r\n,\"'=\t\u2028é") + text[place:]


def of_windows(_: random.Random, text: str) -> str:
    return "\ufeff" + text.replace("\n", "\r\n")


IN_CELLS = (
    junk,
    without_column,
    doubled,
    short_line,
    decimal_commas,
    shuffled,
    upper_case_header,
    semicolons,
)
IN_TEXT = (cut, character, of_windows)


def spoil(text: str, seed: int) -> bytes:
    """One to three damages such as editors, spreadsheets, cut copies and merges do."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        if rng.random() < len(IN_TEXT) / len(IN_TEXT + IN_CELLS):
            text = rng.choice(IN_TEXT)(rng, text)
        else:
            cells = [line.split(",") for line in text.splitlines()]
            text = "\n".join(",".join(line) for line in rng.choice(IN_CELLS)(rng, cells)) + "\n"
    return text.encode()


def check(path: Path) -> bool:
    """Whether the file is read; if so, every cell is what the file holds."""
    try:
        table = read_results(path)
    except UsageError as error:
        words = str(error)
    else:
        words = ""
    if words:
        assert str(path) in words
        assert "\n" not in words
        return False
    stands = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"))))
    assert len(table) == len(stands)
    for read, row in zip(table.to_dict("records"), stands, strict=True):
        for column in COLUMNS:
            if column in NUMBER_COLUMNS:
                # Columns that earlier versions did not write may be missing; their cells are blank then.
                cell = row.get(column, "") if column in ADDED else row[column]
                assert read[column] == float(cell or "nan") or cell in ("", "nan")
            else:
                assert read[column] == row[column]
                assert not read[column].startswith(("=", "@"))
    return True


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32))
def test_a_spoilt_table_is_refused_or_read_exactly(
    good: str, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz" / "results.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(spoil(good, seed))
    check(path)


@pytest.mark.parametrize("seed", range(24))
def test_the_command_never_shows_a_traceback(good: str, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(spoil(good, seed))
    readable = check(path)
    done = CliRunner().invoke(
        main, ["correlate", str(path), "--out-dir", str(tmp_path / "out"), "--no-figures"]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in ((0, 2) if readable else (2,)), done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("text", [True, False])
def test_ten_megabytes_of_noise_are_refused(tmp_path: Path, text: bool) -> None:
    noise = random.Random(0).randbytes(10_000_000)
    path = tmp_path / "results.csv"
    path.write_bytes(noise.hex().encode()[:10_000_000] if text else noise)
    done = CliRunner().invoke(main, ["correlate", str(path), "--out-dir", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert len(done.output) < 600
    assert not (tmp_path / "out").exists()


def test_columns_of_others_are_read_over_but_never_written_away(good: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    header, *lines = good.splitlines()
    path.write_text("\n".join([f"{header},mine", *(f"{line},1" for line in lines)]) + "\n")
    before = path.read_bytes()
    assert list(read_results(path).columns) == list(COLUMNS)
    with pytest.raises(UsageError, match="mine, which would be lost"):
        append_results(path, make_results(sets=("new",)).to_dict("records"))
    assert path.read_bytes() == before


def test_a_formula_is_neither_read_nor_written(good: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(good.replace("tiny-adam-0.pt", "=HYPERLINK(1)"))
    with pytest.raises(UsageError, match="formula"):
        read_results(path)
    row = make_results(sets=("a",)).assign(set="@cmd").to_dict("records")[:1]
    with pytest.raises(UsageError, match="formula"):
        append_results(tmp_path / "new.csv", row)
    assert not (tmp_path / "new.csv").exists()
