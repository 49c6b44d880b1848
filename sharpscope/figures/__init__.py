"""Figures: one function per kind, from a table to axes, and the sentence that belongs under it."""

from __future__ import annotations

from sharpscope.figures.correlation_figures import write_correlation_figures
from sharpscope.figures.scatter_plot import scatter

__all__ = ["scatter", "write_correlation_figures"]
