"""Where rows and records go: a results table on disk with its records beside it, or the same in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpscope.errors import UsageError
from sharpscope.files import locked, make_folder
from sharpscope.results.appending import append_results, measured_keys
from sharpscope.results.group_numbers import same_groups
from sharpscope.results.records import Place, Records, folders, write_group_values, write_scores
from sharpscope.results.table import key_of, read_results, read_rows, typed

if TYPE_CHECKING:
    import pandas as pd


class Store:
    """Rows of measurements with their records.

    Args:
        path: The results table; None keeps everything in memory.
        force: Replace rows that measure the same thing.

    Attributes:
        records: Scores and group values of the rows.

    Example:
        >>> Store(None).missing([]), len(Store(None).table())
        ([], 0)
    """

    def __init__(self, path: Path | None, *, force: bool = False) -> None:
        self.path = path
        self.force = force
        self.records = Records() if path is None else Records.beside(path)
        self._rows: dict[tuple[str, ...], Mapping[str, Any]] = {}

    def make_room(self) -> None:
        """Make the folder of the records, so that a place that takes no files is told before anything is measured.

        Raises:
            UsageError: If there can be none.
        """
        if self.path is not None:
            make_folder(folders(self.path)[1])

    def missing(self, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows that are not there yet; all of them where measuring again is asked for.

        Args:
            wanted: Rows with the columns of the key.

        Returns:
            Those to measure.
        """
        return list(wanted) if self.force else self.absent(wanted)

    def absent(self, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows that are not in the table, whether or not they are measured again.

        Args:
            wanted: Rows with the columns of the key.

        Returns:
            Those without a value.
        """
        known = set(self._rows) if self.path is None else measured_keys(self.path)
        return [row for row in wanted if key_of(row) not in known]

    def names(self) -> dict[str, str]:
        """Return what the checkpoints with rows are called, by the SHA-256 of their files."""
        rows = (
            self._rows.values() if self.path is None else read_rows(self.path) if self.path.is_file() else []
        )
        return {row["sha256"]: row["checkpoint"] for row in rows}

    def journal(self, place: Place) -> Path | None:
        """Return where a measurement that is not finished is written down; None in memory.

        Args:
            place: Whose it is.

        Returns:
            The journal's path.
        """
        return None if self.path is None else folders(self.path)[1] / f"{place.file}.journal"

    @contextmanager
    def alone(self, place: Place) -> Iterator[None]:
        """Hold the lock of one checkpoint on one set; whoever comes later waits and then finds the rows.

        Args:
            place: Whose it is.

        Yields:
            Nothing.
        """
        if self.path is None:
            yield
            return
        file = folders(self.path)[1] / f"{place.file}.csv"
        with locked(file.parent / ".locks" / f"{file.name}.run.lock", whole_run=True):
            yield

    def add(
        self,
        place: Place,
        rows: Sequence[Mapping[str, Any]],
        scores: pd.DataFrame,
        groups: Sequence[Mapping[str, str]],
    ) -> None:
        """Add finished rows and their records; the rows come last, so that a row never lacks its records.

        Args:
            place: Whose they are.
            rows: With every column of the table.
            scores: One row per trial, the columns of the records.
            groups: Values per group, as `write_group_values` takes them.

        Raises:
            UsageError: If a row is there already and ``force`` is not set.
        """
        if self.path is None:
            import pandas as pd

            own = pd.DataFrame(groups, columns=["group", "measure", "rho", "value", "n_trials"])
            numbers = {name: [float(cell or "nan") for cell in own[name]] for name in ("rho", "value")}
            whole = {name: own[name].astype(int) for name in ("group", "n_trials")}
            self.records.add(place, scores, own.assign(**numbers, **whole))
            self._rows.update({key_of(row): row for row in rows})
            return
        keep = same_groups(self._known_scores(place), scores)
        write_scores(self.path, place, scores)
        write_group_values(self.path, place, groups, keep=keep)
        append_results(self.path, rows, force=self.force)

    def _known_scores(self, place: Place) -> pd.DataFrame | None:
        """Return the scores that new ones take the place of; None where there are none that can be read."""
        assert self.path is not None
        try:
            return Records.beside(self.path).scores(place._asdict(), unlabelled=True)
        except UsageError:
            return None

    def table(self) -> pd.DataFrame:
        """Return the results table, typed as `read_results` has it.

        Returns:
            One row per measurement.
        """
        if self.path is not None and self.path.is_file():
            return read_results(self.path)
        import pandas as pd

        from sharpscope.results.table import COLUMNS

        return typed(pd.DataFrame(list(self._rows.values()), columns=list(COLUMNS)))
