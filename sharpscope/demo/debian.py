"""Recordings of human speech that Debian carries: game dialogue and voice prompts, without installing anything."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sharpscope.errors import SharpscopeError


class Package(NamedTuple):
    """A package that holds recordings.

    Attributes:
        name: In Debian.
        place: Folder under which its recordings go: a language, or a language and a speaker.
        what: What is said, and how it was recorded.
    """

    name: str
    place: str
    what: str


# Acted dialogue of one game in two languages: one is heard in training, the other only in a shifted set.
DIALOGUE = (
    Package("fillets-ng-data-cs", "cs", "acted dialogue"),
    Package("fillets-ng-data-nl", "nl", "acted dialogue"),
)
# Prompts of a telephone exchange: one professional speaker each, 8 kHz.
PROMPTS = (
    Package("asterisk-core-sounds-en-wav", "en/allison", "voice prompts, 8 kHz"),
    Package("asterisk-core-sounds-es-wav", "es/allison", "voice prompts, 8 kHz"),
    Package("asterisk-core-sounds-fr-wav", "fr/june", "voice prompts, 8 kHz"),
    Package("asterisk-core-sounds-it-wav", "it/carlo", "voice prompts, 8 kHz"),
    Package("asterisk-core-sounds-ru-wav", "ru/ivrvoice", "voice prompts, 8 kHz"),
    Package("asterisk-prompt-it-menardi-wav", "it/menardi", "voice prompts, 8 kHz"),
)
# The letter in a file's name says who speaks: the two leads, the rest are many minor parts.
ROLES = {"m": "small-fish", "v": "big-fish"}
OWN_SPEECH = "or give a folder of your own recordings: sharpscope demo --speech DIR"


def fetch_speech(folder: Path, packages: Sequence[Package] = DIALOGUE) -> list[str]:
    """Fetch recordings with ``apt-get download`` and unpack them; nothing is installed.

    Args:
        folder: Where ``<language>/<speaker>/*`` and ``licences/`` go. What is there is not fetched again.
        packages: Which.

    Returns:
        One line per source: what it is, its version and under which licence.

    Raises:
        SharpscopeError: If there is no ``apt-get`` or it cannot fetch; says what to do instead.
    """
    return [_fetch(package, folder) for package in packages]


def _fetch(package: Package, folder: Path) -> str:
    licence = folder / "licences" / f"{package.name}.txt"
    place = folder / package.place
    if not place.is_dir():
        work = folder / f".{package.name}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        archive = _download(package.name, work)
        unpacked = _run(["dpkg-deb", "-x", archive.name, "files"], work)
        if unpacked.returncode:
            raise SharpscopeError(f"{archive.name} cannot be unpacked ({_last_line(unpacked)}); {OWN_SPEECH}")
        licence.parent.mkdir(exist_ok=True)
        copyright_file = work / "files" / "usr" / "share" / "doc" / package.name / "copyright"
        licence.write_text(
            f"source: {archive.name}\n\n{copyright_file.read_text(encoding='utf-8')}", encoding="utf-8"
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        sort = _sort_dialogue if package in DIALOGUE else _sort_prompts
        sort(work, package.place).rename(place)
        shutil.rmtree(work)
    text = licence.read_text(encoding="utf-8")
    stated = re.search(r"^ ?License: *(\S+)", text, re.MULTILINE)
    old = "GPL-2" if "version 2 dated June, 1991" in text else "see its copyright file"
    terms = stated[1] if stated else old
    return f"{text.splitlines()[0].removeprefix('source: ')}: {package.what}, {terms} ({licence})"


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


def _sort_dialogue(work: Path, language: str) -> Path:
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


def _sort_prompts(work: Path, _: str) -> Path:
    """Lay the files out as <folder>_<name>; letters, digits and beeps are no sentences, but too short anyway."""
    ready = work / "ready"
    ready.mkdir()
    for path in sorted((work / "files").rglob("*.wav")):
        shutil.copyfile(path, ready / f"{path.parent.name}_{path.name}")
    return ready


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"
