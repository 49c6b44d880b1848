"""Makes docs/tutorial.ipynb of docs/tutorial.md: its Python becomes cells, which are run, its prose stands between.

    python docs_build/notebook.py WORK         # WORK holds weights/ and minibench/, the folders that the page names

Needs the extra `docs`. A test compares the cells of the notebook with the page, so neither changes without the other.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
_PYTHON = re.compile(r"^```python\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def cells(text: str) -> list[tuple[str, str]]:
    r"""Cut a page into cells.

    Args:
        text: Markdown with fences of Python.

    Returns:
        Pairs of "markdown" or "code" and the source.

    Example:
        >>> cells("# Title\n\n```python\n1 + 1\n```\n\nTwo.\n")
        [('markdown', '# Title'), ('code', '1 + 1'), ('markdown', 'Two.')]
    """
    found = []
    for number, part in enumerate(_PYTHON.split(text)):
        if part.strip():
            found.append(("code" if number % 2 else "markdown", part.strip()))
    return found


def notebook(text: str) -> dict[str, Any]:
    """Return a page as a notebook that has not been run.

    Args:
        text: Markdown with fences of Python.

    Returns:
        A notebook of format 4.5.
    """
    made = []
    for number, (kind, source) in enumerate(cells(text)):
        # Pages link to one another by files that lie beside the notebook too.
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source}
        made.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def main() -> None:
    """Run the cells in a folder and write the notebook with what they showed."""
    import nbformat
    from nbclient import NotebookClient

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder with weights/ and minibench/")
    work = parser.parse_args().work
    for needed in ("weights", "minibench"):
        if not (work / needed).is_dir():
            sys.exit(f"{work / needed}: not there; the page says what it holds")
    os.environ["PYTHONPATH"] = str(ROOT)
    book = nbformat.from_dict(notebook(PAGE.read_text(encoding="utf-8")))
    NotebookClient(
        book,
        timeout=None,
        startup_timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": str(work)}},
    ).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(book)
    NOTEBOOK.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{NOTEBOOK}: {NOTEBOOK.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
