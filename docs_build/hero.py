"""Draws the picture of README: how often equal detectors seem to differ, by the table that docs/statistics.md prints.

    python docs_build/hero.py

The numbers are those of `python -m benchmarks.cross_half_calibration 600`; nothing is typed in here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import seaborn
from matplotlib.figure import Figure

from sharpscope.figures import style

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "statistics.md"
PICTURE = ROOT / "docs" / "gallery" / "false_alarms.png"
LEVEL = 5.0


class Design(NamedTuple):
    """One line of the table in which detectors are equal in truth.

    Attributes:
        what: Its size, in words.
        across: Rejections with sharpness and error from different trials, in per cent.
        same: The same from the same trials.
    """

    what: str
    across: float
    same: float


def designs(text: str) -> list[Design]:
    """Return the lines of the page's table in which no detector differs from another.

    Args:
        text: The page.

    Returns:
        The designs, in the table's order.

    Raises:
        ValueError: If the table is not there.
    """
    found = []
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        if "from the same trials" in cells:
            columns = cells
        elif columns and len(cells) == len(columns):
            row = dict(zip(columns, cells, strict=True))
            if row["true spread of detectors"] != "none":
                continue
            sets = "one set" if row["sets"] == "1" else f"{row['sets']} sets"
            what = f"{row['checkpoints']} detectors, {sets},\n{row['trials a class']} trials a class"
            found.append(
                Design(what, _per_cent(row["across halves"]), _per_cent(row["from the same trials"]))
            )
    if not found:
        raise ValueError(f"{PAGE}: no table with a column 'from the same trials'")
    return found


def _per_cent(cell: str) -> float:
    number = re.match(r"\**([\d.]+) %", cell)
    if number is None:
        raise ValueError(f"{PAGE}: '{cell}' is no rate in per cent")
    return float(number[1])


def draw(found: list[Design]) -> Path:
    """Draw the rates, one row per design.

    Args:
        found: The designs.

    Returns:
        The picture.
    """
    ways = {
        "same": "sharpness and error from the same trials, as papers do",
        "across": "from different trials, as sharpscope does",
    }
    table = pd.DataFrame(
        [{"what": one.what, "way": ways[way], "rate": getattr(one, way)} for one in found for way in ways]
    )
    with style.context("web") as venue:
        figure = Figure(figsize=(venue.text * 0.85, 3.4))
        axes = figure.add_subplot()
        seaborn.barplot(
            table, x="rate", y="what", hue="way", ax=axes, palette=[style.PALETTE[2], style.PALETTE[0]],
            width=0.7, edgecolor=style.INK, linewidth=0.5,
        )  # fmt: skip
        for bars in axes.containers:
            for bar in bars:
                # Clear of the line at the level, which would cross a number beside it.
                place = max(bar.get_width(), LEVEL) + 1
                axes.text(place, bar.get_y() + bar.get_height() / 2, f"{bar.get_width():.0f} %", va="center")
        axes.axvline(LEVEL, color=style.INK, linewidth=1, linestyle="--")
        axes.text(LEVEL + 1, -0.52, "5 %: what a test promises", va="bottom", ha="left")
        axes.set(xlabel="studies of equal detectors that find a correlation (%)", ylabel="", xlim=(0, 108))
        axes.legend(title=None, loc="lower center", bbox_to_anchor=(0.35, 1.08), frameon=False, ncols=1)
        return style.save(figure, PICTURE, caption="How often equal detectors seem to differ.", venue="web")


if __name__ == "__main__":
    print(draw(designs(PAGE.read_text(encoding="utf-8"))))
