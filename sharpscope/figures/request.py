"""What a figure is drawn from, and what drawing gives back."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from sharpscope.errors import UsageError
from sharpscope.figures.style import Venue
from sharpscope.results import selection, wording
from sharpscope.results.records import Records
from sharpscope.results.selection import in_order


class Request(NamedTuple):
    """Everything that a kind of figure may need.

    Attributes:
        results: Rows of results.csv.
        variant: The measure, radius, m and preset that were asked for or chosen.
        venue: Where it is printed.
        correlation: Table made by `correlate`; None when it was not needed.
        records: Scores beside results.csv; None when there are none.
        baseline: Recipe that others are compared with; "" takes the first.
    """

    results: pd.DataFrame
    variant: selection.Variant
    venue: Venue
    correlation: pd.DataFrame | None = None
    records: Records | None = None
    baseline: str = ""

    def rows(self) -> pd.DataFrame:
        """Return the rows of the chosen measure that have a finite value, with a column ``panel``.

        Returns:
            Rows of results.csv.

        Raises:
            UsageError: If there is none.
        """
        rows = selection.rows_of(self.results, self.variant)
        rows = rows[rows["value"].notna() & ~rows["value"].isin([float("inf"), float("-inf")])]
        if rows.empty:
            raise UsageError(f"no row has a finite value of {self.variant.label()}: nothing to draw")
        return rows

    def sets(self, rows: pd.DataFrame) -> list[str]:
        """Return the names of the sets in some rows, in the order that every figure has.

        Args:
            rows: Have a column ``panel``.

        Returns:
            From in-domain to most shifted, judged by the whole results table.
        """
        return in_order(rows["panel"], self.results)

    def correlations(self) -> pd.DataFrame:
        """Return the correlation table.

        Returns:
            Its rows.

        Raises:
            UsageError: If there is none.
        """
        if self.correlation is None or self.correlation.empty:
            raise UsageError("there is no correlation to draw: it needs checkpoints with a value and an EER")
        return self.correlation

    def method(self, along: str = "") -> str:
        """Return how the values drawn were measured, and what else the table holds that is not drawn.

        Args:
            along: Column of the horizontal axis, which takes every value.

        Returns:
            Words for a caption, without a full stop.
        """
        variant = self.variant
        words = f"{variant.preset or 'unnamed'} preset"
        if along != "m" and not math.isnan(variant.m):
            words = f"groups of m = {variant.m:g}, {words}"
        rows = self.results[self.results["measure"] == variant.measure]
        others = []
        for column, shown in (("m", variant.m), ("preset", variant.preset)):
            values = [v for v in rows[column].dropna().unique() if v != shown and column != along]
            others += [f"m = {v:g}" if column == "m" else f"preset {v}" for v in sorted(values)]
        return f"{words}; the table also holds {wording.listed(others)}, not drawn" if others else words


class Plotted(NamedTuple):
    """A finished figure.

    Attributes:
        figure: The figure, of its printed size.
        caption: The sentence under it, with n, test and correction.
    """

    figure: Figure
    caption: str

    def _repr_png_(self) -> bytes:
        """Show the figure in a notebook, at twice the dots of a screen."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=192, bbox_inches=None)
        return buffer.getvalue()
