"""What `measure` returns: the table, its records, and the next steps from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpscope.results.records import Records
from sharpscope.results.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from sharpscope.analysis.correlate import Correlation
    from sharpscope.figures.request import Plotted


class Measurement:
    """What a call of `measure` did, and its table.

    Args:
        store: Where the rows are.
        rows: Rows written.
        skipped: Rows that were there already.
        failures: One line per checkpoint or set that could not be measured.
        plan: With ``dry_run``, the lines of the plan: what is measured and what it costs.
        costs: With ``dry_run``, the same as plain values, one mapping per checkpoint and set.

    Attributes:
        rows: Rows written.
        skipped: Rows that were there already.
        failures: One line per checkpoint or set that could not be measured.
        plan: With ``dry_run``, the lines of the plan.
        costs: With ``dry_run``, the plan as plain values.
    """

    def __init__(
        self,
        store: Store,
        rows: int,
        skipped: int,
        failures: tuple[str, ...],
        plan: tuple[str, ...],
        costs: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self._store = store
        self.rows = rows
        self.skipped = skipped
        self.failures = failures
        self.plan = plan
        self.costs = costs

    @property
    def out(self) -> Path | None:
        """The results file; None where everything is in memory."""
        return self._store.path

    @property
    def table(self) -> pd.DataFrame:
        """The results table: every row of the file, or of this call where there is none."""
        return self._store.table()

    @property
    def records(self) -> Records:
        """Scores of every trial and values of every group."""
        return self._store.records

    def correlate(self, **options: Any) -> Correlation:
        """Correlate every measure with equal error rate.

        Args:
            **options: As for `correlate`.

        Returns:
            The correlations with their words.
        """
        from sharpscope.analysis.correlate import correlate

        return correlate(self.table, records=self.records, **options)

    def plot(self, kind: str, **options: Any) -> Plotted:
        """Draw a figure of the table.

        Args:
            kind: As for `plot`.
            **options: As for `plot`.

        Returns:
            The figure and its caption.
        """
        from sharpscope.figures.kinds import plot

        return plot(kind, self.table, records=self.records, **options)

    def __repr__(self) -> str:
        """Say what was done, in a line."""
        where = f" in {self.out}" if self.out else ""
        failed = f", {len(self.failures)} failures" if self.failures else ""
        return f"<Measurement: {self.rows} rows{where}, {self.skipped} were there already{failed}>"

    def _repr_html_(self) -> str:
        """Show the table in a notebook, most telling columns first."""
        shown = ["checkpoint", "set", "subset", "eer", "measure", "rho", "m", "value", "stderr", "note"]
        return f"<p>{self!r}</p>".replace("<Meas", "&lt;Meas", 1) + str(
            self.table[shown].to_html(max_rows=20)
        )
