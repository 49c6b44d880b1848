"""The figures that `sharpscope correlate` leaves beside its tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from sharpscope.errors import UsageError
from sharpscope.figures import scatter_plot, style
from sharpscope.progress import progress
from sharpscope.results import selection


def write_correlation_figures(
    results: pd.DataFrame,
    correlation: Any,
    out_dir: str | Path,
    *,
    venue: str = "interspeech",
    show_progress: bool = False,
) -> list[Path]:
    """Write one scatter figure per measure and radius, as PDF and PNG, into ``out_dir/figures``.

    Args:
        results: Rows of results.csv, as `read_results` gives them.
        correlation: What `correlate` returned (its ``table`` is read), the table itself, or None.
        out_dir: The folder of the correlation's tables.
        venue: A key of `sharpscope.figures.style.VENUES`.
        show_progress: Show on standard error how many are drawn.

    Returns:
        The files written.

    Raises:
        UsageError: If the results table has no rows.
    """
    if results.empty:
        raise UsageError("the results table has no rows: nothing to draw; fill it with `sharpscope measure`")
    table: pd.DataFrame | None = getattr(correlation, "table", correlation)
    kinds = selection.variants(selection.whole(results))
    stems = Counter(kind.stem() for kind in kinds)
    written = []
    with progress(len(kinds), "figures", show=show_progress) as meter:
        for kind in kinds:
            meter.describe(kind.stem())
            stem = kind.stem()
            if stems[stem] > 1:  # the same measure with another m or preset
                stem += f"_m{kind.m:g}_{kind.preset}"
            with style.context(venue) as where:
                figure = scatter_plot.scatter_panels(results, kind, where, table)
            caption = scatter_plot.scatter_caption(results, kind, table)
            for ending in (".pdf", ".png"):
                path = Path(out_dir) / "figures" / f"scatter_{stem}{ending}"
                written.append(style.save(figure, path, caption=caption, venue=venue))
            meter.advance()
    return written
