"""Data sets of the Hugging Face hub in the local cache: ``hf://owner/name``. Nothing is ever fetched."""

from __future__ import annotations

import os
from pathlib import Path

from sharpscope.errors import UsageError

SCHEME = "hf://"


def caches() -> tuple[Path, Path]:
    """Return where the hub's files and the tables that ``datasets`` made of them are kept.

    Returns:
        (files, tables), from HF_HUB_CACHE, HF_DATASETS_CACHE, HF_HOME and XDG_CACHE_HOME as those libraries read them.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    home = Path(os.environ.get("HF_HOME") or base).expanduser()
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
    tables = os.environ.get("HF_DATASETS_CACHE") or home / "datasets"
    return Path(hub).expanduser(), Path(tables).expanduser()


def hub_name(address: str) -> tuple[str, str]:
    """Return owner and name of an address.

    Args:
        address: ``hf://owner/name``.

    Returns:
        (owner, name).

    Raises:
        UsageError: If it has another form.

    Example:
        >>> hub_name("hf://owner/name")
        ('owner', 'name')
    """
    words = address.removeprefix(SCHEME).removeprefix("datasets/").strip("/").split("/")
    if len(words) != 2 or not all(words):
        raise UsageError(f"'{address}': a data set of the hub is written hf://owner/name")
    return words[0], words[1]


def hub_folder(address: str) -> Path:
    """Return the folder of the local cache that holds a data set of the hub.

    Args:
        address: ``hf://owner/name``.

    Returns:
        Its newest snapshot, or the tables that ``datasets`` made of it.

    Raises:
        UsageError: If it is not in the cache; the message says how to fetch it, since sharpscope itself never does,
            with HF_HUB_OFFLINE set or not.
    """
    owner, name = hub_name(address)
    files, tables = caches()
    base = files / f"datasets--{owner}--{name}"
    main = base / "refs" / "main"
    snapshots = base / "snapshots"
    if main.is_file() and (snapshots / main.read_text().strip()).is_dir():
        return snapshots / main.read_text().strip()
    if snapshots.is_dir():
        there = sorted((path for path in snapshots.iterdir() if path.is_dir()), key=os.path.getmtime)
        if there:
            return there[-1]
    made = tables / f"{owner}___{name.lower()}"
    for folder in (made, tables / f"{owner}___{name}"):
        if folder.is_dir():
            return folder
    offline = (
        " (HF_HUB_OFFLINE is set here)" if os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"} else ""
    )
    raise UsageError(
        f"{address} is not in the local cache; looked for {base} and {made}. Fetch it{offline} with: "
        f"hf download {owner}/{name} --repo-type dataset"
    )
