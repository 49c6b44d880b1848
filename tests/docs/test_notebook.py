"""The notebook is the tutorial, run: its cells are the page's, each ran to its end, and something was shown."""

import base64
import importlib.util
import json
import re
from typing import Any

import pytest

from docs_build.notebook import NOTEBOOK, PAGE, cells


@pytest.fixture(scope="module")
def book() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return found


def test_its_cells_are_those_of_the_page(book: dict[str, Any]) -> None:
    own = [(cell["cell_type"], cell["source"]) for cell in book["cells"]]
    assert own == cells(PAGE.read_text(encoding="utf-8")), (
        "python docs_build/notebook.py WORK runs the page anew"
    )
    assert sum(kind == "code" for kind, _ in own) >= 6


def test_every_cell_was_run_in_order_and_none_failed(book: dict[str, Any]) -> None:
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code)
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert "error" not in kinds


def test_it_ends_in_a_figure_and_is_small(book: dict[str, Any]) -> None:
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", ())]
    (picture,) = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert NOTEBOOK.stat().st_size < 400_000
    # Nothing of the machine it was run on.
    assert not re.search(r"/(tmp|home|root|work)/", NOTEBOOK.read_text(encoding="utf-8"))


def test_it_is_valid(book: dict[str, Any]) -> None:
    if importlib.util.find_spec("nbformat") is None:
        pytest.skip("the extra docs, which has nbformat, is not installed")
    import nbformat

    nbformat.validate(nbformat.from_dict(book))
