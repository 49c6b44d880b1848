"""A table that grows is read line by line once; one that changed otherwise is read anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results, measured_keys
from sharpscope.results.table import key_of, parsed_rows, read_results, read_rows
from tests.results_tables import make_results


def rows(count: int) -> list[dict[str, object]]:
    (one,) = make_results(("itw",), seeds=(0,)).head(1).to_dict("records")
    return [{**one, "set": f"set{i}"} for i in range(count)]


def test_each_line_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0

    def counting(path: Path, text: str, **options: bool) -> list[dict[str, str]]:
        nonlocal parsed
        found = parsed_rows(path, text, **options)
        parsed += len(found)
        return found

    monkeypatch.setattr("sharpscope.results.appending.parsed_rows", counting)
    path = tmp_path / "r.csv"
    for n, row in enumerate(rows(40), start=1):
        append_results(path, [row])
        assert len(measured_keys(path)) == n
    assert parsed == 40
    assert measured_keys(path) == {key_of(row) for row in read_rows(path)}
    assert len(read_results(path)) == 40


def test_a_table_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    append_results(path, rows(3))
    measured_keys(path)
    text = path.read_text()
    path.write_text(text.replace("set1", "other"))
    assert {key[1] for key in measured_keys(path)} == {"set0", "other", "set2"}
    path.write_text("\n".join(text.splitlines()[:2]) + "\n")
    assert {key[1] for key in measured_keys(path)} == {"set0"}
    path.unlink()
    assert measured_keys(path) == set()


def test_a_bad_line_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    append_results(path, rows(3))
    measured_keys(path)
    path.write_text(path.read_text() + "a,b\n")
    with pytest.raises(UsageError, match="line 5: too few cells"):
        measured_keys(path)
