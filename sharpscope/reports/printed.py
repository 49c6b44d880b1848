"""The figures of the paper inside the page: the same as `sharpscope plot` writes, to look at and to save as PDF."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sharpscope.errors import UsageError
from sharpscope.figures import PLOTS, plot, style

VENUE = "interspeech"
DRAWN_LIVE = ("scatter", "shift", "forest", "heatmap")  # the page's script draws these to be hovered over
SHOWN_DPI = 130


class Printed(NamedTuple):
    """One figure.

    Attributes:
        kind: A key of ``PLOTS``.
        caption: Its caption.
        image: PNG in base64; "" where the page draws the figure itself.
        pdf: PDF in base64.
        width: In inches.
    """

    kind: str
    caption: str
    image: str
    pdf: str
    width: float


def printed(results: str | Path | pd.DataFrame, correlation: pd.DataFrame, **choice: Any) -> list[Printed]:
    """Draw every kind of figure that a table has rows for.

    Args:
        results: The results file, or its table.
        correlation: The correlation table.
        choice: Measure, rho, m and preset, as for `plot`.

    Returns:
        The figures, in the order of ``PLOTS``; kinds that the table has nothing for are left out.
    """
    found = []
    for kind in PLOTS:
        try:
            done = plot(
                kind, results, correlation=correlation, venue=VENUE, **({} if kind == "layers" else choice)
            )
        except UsageError:  # says that there is nothing of this kind
            continue
        files = {}
        for ending in ("pdf", "png"):
            if ending == "png" and kind in DRAWN_LIVE:
                files[ending] = ""
                continue
            buffer = io.BytesIO()
            with style.context(VENUE):
                metadata = (
                    {"CreationDate": None, "Subject": done.caption} if ending == "pdf" else {"Software": None}
                )
                done.figure.savefig(buffer, format=ending, metadata=metadata, dpi=SHOWN_DPI)
            files[ending] = base64.b64encode(buffer.getvalue()).decode("ascii")
        width = float(done.figure.get_size_inches()[0])
        found.append(Printed(kind, done.caption, files["png"], files["pdf"], width))
    return found


def commands(table: str, landscape: str, variant: Any, kinds: list[str]) -> list[str]:
    """Return the command lines that make what the page shows.

    Args:
        table: Path of the results table.
        landscape: Path of the points of loss surfaces; "" where there are none.
        variant: The measure shown.
        kinds: Kinds of figures.

    Returns:
        One command a line.
    """
    chosen = f" --measure {variant.measure}"
    for name, value in (("rho", variant.rho), ("m", variant.m)):
        chosen += "" if math.isnan(value) else f" --{name} {value:g}"
    lines = [f"sharpscope correlate {table}"]
    for kind in kinds:
        lines.append(f"sharpscope plot {kind} {table}{'' if kind == 'layers' else chosen} --out {kind}.pdf")
    lines.append(f"sharpscope table eer {table} --out eer.tex")
    lines.append(f"sharpscope report {table}" + (f" --landscape {landscape}" if landscape else ""))
    return lines
