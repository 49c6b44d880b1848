"""The recipes that come with the package, and pretrained front-ends by their names in the local hub cache."""

from __future__ import annotations

import os
from pathlib import Path

from sharpscope.errors import UsageError, unknown_name

RECIPES = Path(__file__).with_name("recipes")
# What a hub keeps a model's weights in, best first.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def shipped() -> dict[str, Path]:
    """Return the recipes that come with the package.

    Returns:
        Files by name.

    Example:
        >>> "huang2025/code/aasist" in shipped()
        True
    """
    files = sorted(RECIPES.rglob("*.toml"))
    return {file.relative_to(RECIPES).with_suffix("").as_posix(): file for file in files}


def find(name: str) -> Path:
    """Return a recipe that comes with the package.

    Args:
        name: As `shipped` has it.

    Returns:
        Its file.

    Raises:
        UsageError: If there is none of that name.
    """
    there = shipped()
    if name not in there:
        raise unknown_name("recipe", name, there, see="sharpscope train --list")
    return there[name]


def summary(file: Path) -> str:
    """Return what a recipe says about itself in its first line.

    Args:
        file: TOML that begins with a comment.

    Returns:
        One line.
    """
    return file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def hub_cache() -> Path:
    """Return the folder where the hub's own tools keep models, by their variables.

    Returns:
        The folder, which may not exist.
    """
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub")


def pretrained(name: str, beside: Path) -> Path:
    """Return the file of a pretrained front-end: a path, or the name of a model in the local hub cache.

    Args:
        name: ``folder/file.safetensors``, or ``owner/model``; nothing is fetched.
        beside: Folder that relative paths start from.

    Returns:
        The file.

    Raises:
        UsageError: If there is neither a file nor a model of that name on this machine.
    """
    path = beside / name
    if path.is_dir():
        path = next((path / one for one in WEIGHTS if (path / one).is_file()), path)
    if path.is_file():
        # Not resolved: in the hub's cache a link leads away from the configuration that lies beside it.
        return path.absolute()
    snapshots = hub_cache() / f"models--{name.replace('/', '--')}" / "snapshots"
    found = [file for weights in WEIGHTS for file in sorted(snapshots.glob(f"*/{weights}"))]
    if found:
        return found[-1] if len({file.name for file in found}) == 1 else found[0]
    fetch = f"; `hf download {name}` puts it there" if name.count("/") == 1 and not Path(name).suffix else ""
    raise UsageError(
        f"model.frontend: neither {path} nor a model '{name}' in {hub_cache()} is there{fetch}; write the path of its "
        ".safetensors or .pt"
    )
