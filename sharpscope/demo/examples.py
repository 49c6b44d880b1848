"""The examples that come with the package: what they are, and a copy of one to change."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

from sharpscope.errors import UsageError, unknown_name

_FOLDER = Path(__file__).parents[1] / "examples"


def examples() -> dict[str, str]:
    """Return the examples that come with the package.

    Returns:
        What each shows, by name.

    Example:
        >>> "bring_your_detector" in examples()
        True
    """
    found = {}
    for folder in sorted(_FOLDER.iterdir()):
        # What is run says what it shows; an example in one file may have any name.
        scripts = sorted(folder.glob("*.py"), key=lambda path: path.name != "run.py")
        if scripts:
            first = ast.get_docstring(ast.parse(scripts[0].read_text(encoding="utf-8"))) or ""
            found[folder.name] = first.splitlines()[0].rstrip(".")
    return found


def copy_example(name: str, out: str | Path | None = None) -> list[Path]:
    """Copy an example into a folder of its own, to be run and changed.

    Args:
        name: Which; see `examples`.
        out: The folder; None takes one of the example's name here.

    Returns:
        The files written.

    Raises:
        UsageError: If there is no such example, or one of its files would be written over.
    """
    known = examples()
    if name not in known:
        raise unknown_name("example", name, known, see="sharpscope examples")
    source, folder = _FOLDER / name, Path(name if out is None else out)
    files = sorted(path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
    targets = [folder / path.relative_to(source) for path in files]
    for target in targets:
        if target.exists():
            raise UsageError(f"{target}: is there already; name another folder")
    try:
        for path, target in zip(files, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"{folder}: cannot be written to ({error.strerror}); name another folder") from error
    return targets
