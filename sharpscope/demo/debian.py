"""The recordings that `sharpscope demo` brings along: game dialogue from Debian, without installing anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sharpscope.errors import SharpscopeError

# Acted dialogue of one game in two languages: one is heard in training, the other only in a shifted set.
PACKAGES = {"cs": "fillets-ng-data-cs", "nl": "fillets-ng-data-nl"}
# The letter in a file's name says who speaks: the two leads, the rest are many minor parts.
ROLES = {"m": "small-fish", "v": "big-fish"}
OWN_SPEECH = "or give a folder of your own recordings: sharpscope demo --speech DIR"


def fetch_speech(folder: Path) -> list[str]:
    """Fetch the demo's recordings with ``apt-get download`` and unpack them; nothing is installed.

    Args:
        folder: Where ``<language>/<speaker>/*.ogg`` and ``licences/`` go. What is there is not fetched again.

    Returns:
        One line per source: what it is, its version and under which licence.

    Raises:
        SharpscopeError: If there is no ``apt-get`` or it cannot fetch; says what to do instead.
    """
    return [_fetch(package, language, folder) for language, package in PACKAGES.items()]


def _fetch(package: str, language: str, folder: Path) -> str:
    licence = folder / "licences" / f"{package}.txt"
    if not (folder / language).is_dir():
        work = folder / f".{package}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        archive = _download(package, work)
        unpacked = _run(["dpkg-deb", "-x", archive.name, "files"], work)
        if unpacked.returncode:
            raise SharpscopeError(f"{archive.name} cannot be unpacked ({_last_line(unpacked)}); {OWN_SPEECH}")
        licence.parent.mkdir(exist_ok=True)
        copyright_file = work / "files" / "usr" / "share" / "doc" / package / "copyright"
        licence.write_text(
            f"source: {archive.name}\n\n{copyright_file.read_text(encoding='utf-8')}", encoding="utf-8"
        )
        _sort(work, language).rename(folder / language)
        shutil.rmtree(work)
    text = licence.read_text(encoding="utf-8")
    terms = "GPL-2" if "version 2 dated June, 1991" in text else "see its copyright file"
    return f"{text.splitlines()[0].removeprefix('source: ')}: acted dialogue, {terms} ({licence})"


def _download(package: str, work: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SharpscopeError(
            "this machine has no apt-get and dpkg-deb, with which the demo gets its recordings; use a Debian or "
            f"Ubuntu machine or container, {OWN_SPEECH}"
        )
    done = _run(["apt-get", "download", package], work)
    if done.returncode:
        # A fresh machine has no package lists; making them needs root, which a container usually is.
        _run(["apt-get", "update"], work)
        done = _run(["apt-get", "download", package], work)
    archive = next(work.glob("*.deb"), None)
    if done.returncode or archive is None:
        raise SharpscopeError(
            f"apt-get could not fetch {package} ({_last_line(done)}); check the network, run `sudo apt-get update` "
            f"once, {OWN_SPEECH}"
        )
    return archive


def _sort(work: Path, language: str) -> Path:
    """Lay the files out as <speaker>/<level>_<name>."""
    ready = work / "ready"
    ready.mkdir()
    for path in sorted((work / "files").rglob("*.ogg")):
        if path.parent.name != language:
            continue
        parts = path.stem.split("-")
        role = ROLES.get(parts[1] if len(parts) > 2 else "", "minor-parts")
        (ready / role).mkdir(exist_ok=True)
        shutil.copyfile(path, ready / role / f"{path.parent.parent.name}_{path.name}")
    return ready


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"
