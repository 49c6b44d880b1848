"""Figures: one function per kind, from a table to axes, and the sentence that belongs under it."""

from __future__ import annotations

from sharpscope.figures.correlation_figures import write_correlation_figures
from sharpscope.figures.curves import curve
from sharpscope.figures.forest_plot import forest
from sharpscope.figures.heat_maps import heatmap
from sharpscope.figures.kinds import PLOTS, Kind, plot
from sharpscope.figures.pairs_plot import pairs
from sharpscope.figures.request import Plotted
from sharpscope.figures.scatter_plot import scatter
from sharpscope.figures.shift_plot import shift

__all__ = [
    "PLOTS",
    "Kind",
    "Plotted",
    "curve",
    "forest",
    "heatmap",
    "pairs",
    "plot",
    "scatter",
    "shift",
    "write_correlation_figures",
]
