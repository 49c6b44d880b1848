"""What a figure is drawn from, and what drawing gives back."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from sharpscope.errors import UsageError
from sharpscope.figures import selection
from sharpscope.figures.style import Venue
from sharpscope.results.records import Records


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


class Plotted(NamedTuple):
    """A finished figure.

    Attributes:
        figure: The figure, of its printed size.
        caption: The sentence under it, with n, test and correction.
    """

    figure: Figure
    caption: str
