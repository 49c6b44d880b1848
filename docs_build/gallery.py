"""Draws every picture of docs/gallery.md by the commands that stand on that page, from the detectors of `make demo`.

    python docs_build/gallery.py WORK          # WORK holds demo/, as `sharpscope demo --out WORK/demo` leaves it

The page is the only list of commands: an indented line that begins with `sharpscope` is run in WORK, a picture that the
page names is taken from there, and a table below a command is what that command printed. Nothing is drawn by hand.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "gallery"
BROWSER = "chromium"
_PICTURE = re.compile(r"!\[[^\]]*\]\(gallery/([\w-]+)\.png\)")


def commands(text: str) -> list[str]:
    """Return the commands of a page, a line that ends in a backslash joined with the next one.

    Args:
        text: Markdown.

    Returns:
        One line for the shell each, in the page's order.
    """
    joined = re.sub(r"\\\n\s+", "", text)
    return [line.strip() for line in joined.splitlines() if line.startswith("    sharpscope ")]


def pictures(text: str) -> list[str]:
    """Return the names of the pictures that a page shows, without their ending.

    Args:
        text: Markdown.

    Returns:
        Names, in the page's order.
    """
    return _PICTURE.findall(text)


def with_table(text: str, command: str, printed: str) -> str:
    """Return the page with the table below a command replaced by what the command printed.

    Args:
        text: The page.
        command: The line.
        printed: Markdown.

    Returns:
        The page.
    """
    pattern = re.compile(rf"(    {re.escape(command)}\n\n)(?:\|.*\n)+", re.MULTILINE)
    table = "".join(line + "\n" for line in printed.splitlines() if line.startswith("|"))
    return pattern.sub(lambda found: found[1] + table, text)


def run(command: str, work: Path) -> str:
    """Run one command of the page with this clone's sharpscope, and return what it printed.

    Args:
        command: Begins with ``sharpscope``; the shell expands its patterns.
        work: Where.

    Returns:
        Its standard output.
    """
    started = time.monotonic()
    words = f"{sys.executable} -m {command}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", words], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    print(f"{time.monotonic() - started:6.1f} s  {command}", flush=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return done.stdout


def photograph(page: Path, picture: Path) -> None:
    """Let a browser draw the report, as wide as a laptop's window.

    Args:
        page: HTML.
        picture: PNG to write.
    """
    words = [
        *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--window-size=1200,1400", "--virtual-time-budget=20000", f"--screenshot={picture}"),
        page.resolve().as_uri(),
    ]
    subprocess.run(words, check=True, capture_output=True)


def lines_of(work: Path) -> Iterator[Path]:
    """Yield the pictures that the commands have left.

    Args:
        work: Where they ran.

    Yields:
        PNG files, those of a landscape too.
    """
    yield from work.glob("*.png")
    yield from work.glob("landscape/*.png")


def main() -> None:
    """Run the page's commands and take its pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder that holds demo/")
    work = parser.parse_args().work
    if not (work / "demo" / "checkpoints").is_dir():
        sys.exit(f"{work}/demo: no detectors there; run `sharpscope demo --out {work}/demo` first")
    text = PAGE.read_text(encoding="utf-8")
    for command in commands(text):
        printed = run(command, work)
        if command.startswith("sharpscope table") and "--out" not in command:
            text = with_table(text, command, printed)
    PAGE.write_text(text, encoding="utf-8")
    if shutil.which(BROWSER):
        photograph(work / "report.html", work / "report.png")
    found = {path.stem: path for path in lines_of(work)}
    for name in pictures(text):
        if name in found:
            shutil.copyfile(found[name], PICTURES / f"{name}.png")
        else:
            print(f"{name}.png: not drawn here; the old one stays")


if __name__ == "__main__":
    main()
