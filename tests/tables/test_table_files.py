from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from results_tables import make_results

from sharpscope.errors import UsageError
from sharpscope.tables import table


def test_tables_are_made_without_matplotlib_and_torch() -> None:
    code = "import sys, sharpscope.tables; print([m for m in ('matplotlib', 'seaborn', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["x.docx", "x", "x.csv"])
def test_an_ending_that_is_no_table_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.md, \.txt, \.tex"):
        table("eer", make_results(), out=tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(("name", "word"), [("x.md", "| Checkpoint"), ("X.TEX", r"\toprule")])
def test_the_ending_chooses_the_format(name: str, word: str, tmp_path: Path) -> None:
    table("eer", make_results(), out=tmp_path / name)
    assert word in (tmp_path / name).read_text()


def test_a_stated_format_needs_no_ending(tmp_path: Path) -> None:
    table("eer", make_results(), out=tmp_path / "x", format="latex")
    assert r"\toprule" in (tmp_path / "x").read_text()
