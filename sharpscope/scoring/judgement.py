"""What score files are worth: figures of merit by system, and the paired difference of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sharpscope.scoring.costs import Difference

if TYPE_CHECKING:
    import pandas as pd


class Judgement(NamedTuple):
    """What `score` found.

    Attributes:
        systems: Figures of merit by file.
        difference: Of the second file from the first, on the same trials; None for one file.
    """

    systems: dict[str, dict[str, Any]]
    difference: Difference | None

    @property
    def table(self) -> pd.DataFrame:
        """One row per file, a column per figure of merit."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.systems, orient="index").rename_axis("file").reset_index()

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return str(self.table.to_html(max_rows=20))
