"""What stands beside the results table: scores of every trial and values of every group, for halves and bootstraps.

A file holds one checkpoint on one set, for one draw of trials, one size of groups and one way of measuring. Its path
says so, and so does what is in it: whoever reads compares both with the row of the table.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError
from sharpscope.files import locked, replace_file
from sharpscope.results.group_numbers import same_groups

GROUP_COLUMNS = ("trials_hash", "preset", "m", "group", "measure", "rho", "value", "n_trials")
# What is known of a trial beside its scores; halves, errors by attack and players of audio need it.
KNOWN_OF_TRIALS = ("speaker", "attack", "codec", "pair", "path")
SCORE_COLUMNS = (
    "trial",
    "label",
    "score",
    "logit_spoof",
    "logit_bonafide",
    "group",
    *KNOWN_OF_TRIALS,
    "half",
)
# The half of a trial where groups were drawn from the whole set; files written before `half` have it of every trial.
NO_HALF = -1
_NOTHING = "-"


class Place(NamedTuple):
    """Whose records these are: what keeps two measurements of one table apart.

    Attributes:
        checkpoint: Name in the results table.
        sha256: Of the checkpoint's file.
        set: The set.
        subset: Its part, "" for the whole.
        trials_hash: Of the drawn trials.
        m: Trials in a group.
        preset: How it was measured.
        spec_hash: Of the detector's conventions.
    """

    checkpoint: str
    sha256: str
    set: str
    subset: str
    trials_hash: str
    m: int
    preset: str
    spec_hash: str

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Place:
        """Return the place that a row of the results table names.

        Args:
            row: A mapping with the columns of results.csv; an empty cell may be NaN.

        Returns:
            The place.

        Example:
            >>> row = dict(checkpoint="a", sha256="9f", set="itw", subset=float("nan"), trials_hash="t", m=8.0,
            ...            preset="rigorous", spec_hash="s")
            >>> Place.of(row).subset, Place.of(row).m
            ('', 8)
        """
        cells: dict[str, Any] = {name: "" if pd.isna(row[name]) else str(row[name]) for name in cls._fields}
        return cls(**{**cells, "m": int(float(cells["m"] or 0))})

    @property
    def file(self) -> str:
        """Its path inside the folder of a table's records, without an ending.

        Example:
            >>> Place("best", "814331d088032bb4", "mlaad", "de", "0a1b2c3d4e5f", 32, "rigorous", "feedc0ffee00").file
            'best-814331d0/mlaad.de.0a1b2c3d.m32.rigorous.feedc0ff'
        """
        return (
            f"{checkpoint_folder(self.checkpoint, self.sha256)}/{record_name(self.set, self.subset)}"
            f".{self.trials_hash[:8]}.m{self.m}.{_safe(self.preset)}.{self.spec_hash[:8]}"
        )


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_.+@" else "_" for c in name)


def checkpoint_folder(checkpoint: str, sha256: str) -> str:
    """Return the folder name of a checkpoint: its stem and the start of its hash.

    Two files may share a name (every training run writes a ``best.pt``); their records must not.

    Args:
        checkpoint: The name in the results table.
        sha256: Of the file.

    Returns:
        A name that is safe in a path.

    Example:
        >>> checkpoint_folder("best", "814331d088032bb4")
        'best-814331d0'
    """
    return f"{_safe(checkpoint)}-{sha256[:8]}"


def record_name(set_name: str, subset: str) -> str:
    """Return the start of the file name of a set's records.

    Args:
        set_name: The set.
        subset: Its subset, "" for the whole.

    Returns:
        A name that is safe in a path.

    Example:
        >>> record_name("mlaad", "de/xtts v2")
        'mlaad.de_xtts_v2'
    """
    return _safe(f"{set_name}.{subset}" if subset else set_name)


def folders(results: Path) -> tuple[Path, Path]:
    """Return where the records of a results table lie: its scores and its groups.

    Args:
        results: The table.

    Returns:
        Two folders beside it, which no other table shares.

    Example:
        >>> [folder.as_posix() for folder in folders(Path("run/results.csv"))]
        ['run/scores/results', 'run/groups/results']
    """
    return results.parent / "scores" / results.stem, results.parent / "groups" / results.stem


class Records:
    """Scores and group values of a results table, in memory or beside it on disk.

    Args:
        scores: Tables of trials by place, columns ``SCORE_COLUMNS``.
        groups: Tables of group values by place, columns ``group, measure, rho, value, n_trials``.

    Example:
        >>> Records().scores(dict.fromkeys(Place._fields, "")) is None
        True
    """

    def __init__(
        self,
        scores: Mapping[Place, pd.DataFrame] | None = None,
        groups: Mapping[Place, pd.DataFrame] | None = None,
    ) -> None:
        self._scores = dict(scores or {})
        self._groups = dict(groups or {})
        self.results: Path | None = None

    @classmethod
    def beside(cls, results: str | Path) -> Records:
        """Return the records that `measure` wrote beside a results table; they are read when they are asked for.

        Args:
            results: The table.

        Returns:
            Its records.
        """
        records = cls()
        records.results = Path(results)
        return records

    def add(self, place: Place, scores: pd.DataFrame, groups: pd.DataFrame) -> None:
        """Keep records of one measurement in memory; group values of other measures of it are kept.

        Args:
            place: Whose they are.
            scores: Columns ``SCORE_COLUMNS``.
            groups: Columns ``group, measure, rho, value, n_trials``.
        """
        same = same_groups(self._scores.get(place), scores)
        self._scores[place] = scores
        if (known := self._groups.get(place)) is not None and same:
            fresh = set(zip(groups["measure"], groups["rho"].fillna(-1.0), strict=True))
            kept = [key not in fresh for key in zip(known["measure"], known["rho"].fillna(-1.0), strict=True)]
            groups = pd.concat([known[kept], groups], ignore_index=True)
        self._groups[place] = groups

    def scores(self, row: Mapping[Any, Any], *, unlabelled: bool = False) -> pd.DataFrame | None:
        """Return the scores of the measurement that a row of the table is of.

        Args:
            row: A mapping with the columns of results.csv.
            unlabelled: Whether scores of audio without labels are wanted too; their label is "".

        Returns:
            One row per scored trial: trial, label ("bonafide" or "spoof"), score (higher for bona fide), logit_spoof,
            logit_bonafide, group (-1 for a trial in none), speaker, attack, codec, pair, path ("" where unknown), and
            half: 0 or 1 where groups were drawn inside halves that share no speaker or pair, else -1. None where there
            are no records.

        Raises:
            UsageError: If the file is damaged, or of another measurement than its name says.
        """
        place = Place.of(row)
        if self.results is None:
            found = self._scores.get(place)
        else:
            path = folders(self.results)[0] / f"{place.file}.txt"
            found = read_scores(path, place) if path.is_file() else None
        # Who computes errors must not meet trials of neither class.
        blank = found is not None and bool((found["label"] == "").all())
        return None if blank and not unlabelled else found

    def groups(self, row: Mapping[Any, Any]) -> pd.DataFrame | None:
        """Return the values of every group of the measurement that a row of the table is of.

        Args:
            row: A mapping with the columns of results.csv.

        Returns:
            Columns group, measure, rho (NaN without a radius), value, n_trials; None where there are no records.

        Raises:
            UsageError: If the file is damaged, or of another measurement than its name says.
        """
        place = Place.of(row)
        if self.results is None:
            return self._groups.get(place)
        path = folders(self.results)[1] / f"{place.file}.csv"
        return read_group_values(path, place) if path.is_file() else None


def score_path(results: str | Path, row: Mapping[Any, Any]) -> Path:
    """Return where `measure` keeps the scores of a row of a results table.

    Args:
        results: The table.
        row: A mapping with its columns.

    Returns:
        The path, whether or not a file is there.
    """
    return folders(Path(results))[0] / f"{Place.of(row).file}.txt"


def write_scores(results: Path, place: Place, table: pd.DataFrame) -> None:
    """Write one line per trial beside a results table, every digit of every score kept.

    Args:
        results: The table.
        place: Whose scores they are; the first line of the file names its trials and its m.
        table: Columns ``SCORE_COLUMNS``; ``half`` may be missing. Blanks in ids become underscores, since
                blanks separate the columns.
    """
    words = {
        name: ["_".join(str(cell).split()) or _NOTHING for cell in table[name]]
        for name in ("trial", "label", "speaker", "attack", "codec", "pair")
    }
    words["path"] = [quote(str(cell)) or _NOTHING for cell in table["path"]]
    numbers = {
        name: [repr(float(v)) for v in table[name]] for name in ("score", "logit_spoof", "logit_bonafide")
    }
    half = table["half"] if "half" in table else [NO_HALF] * len(table)
    whole = {"group": [str(int(v)) for v in table["group"]], "half": [str(int(v)) for v in half]}
    columns = {**words, **numbers, **whole}
    lines = [_signature(place), " ".join(SCORE_COLUMNS)]
    lines += map(" ".join, zip(*(columns[name] for name in SCORE_COLUMNS), strict=True))
    replace_file(folders(results)[0] / f"{place.file}.txt", "\n".join(lines) + "\n")


def _signature(place: Place) -> str:
    return (
        f"# trials_hash={place.trials_hash} m={place.m} preset={place.preset} spec_hash={place.spec_hash} "
        f"sha256={place.sha256}"
    )


def read_scores(path: Path, place: Place) -> pd.DataFrame:
    """Read the scores that `measure` wrote of one measurement.

    Args:
        path: The file.
        place: Whose scores are wanted.

    Returns:
        Columns ``SCORE_COLUMNS``; see `Records.scores`.

    Raises:
        UsageError: If it is no such file, or holds the scores of another measurement.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            signature = file.readline().rstrip("\n")
            if signature != _signature(place):
                raise UsageError(
                    f"{path}: its scores are of another measurement than the row's ({signature[:160]!r} instead of "
                    f"{_signature(place)!r}); measure again with --force"
                )
            text = dict.fromkeys(SCORE_COLUMNS, str)
            table = pd.read_csv(file, sep=" ", dtype=text, keep_default_na=False, quoting=csv.QUOTE_NONE)
        if "half" not in table:
            table["half"] = str(NO_HALF)
        table = table[list(SCORE_COLUMNS)]
        for name in ("score", "logit_spoof", "logit_bonafide"):
            table[name] = [float(cell) for cell in table[name]]
        for name in ("group", "half"):
            table[name] = table[name].astype(int)
    except (ValueError, KeyError, OSError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"{path}: not a score file of `measure` ({error}); measure again with --force"
        ) from error
    if (table["label"] == _NOTHING).all():
        table["label"] = ""
    strange = set(table["label"]) - {"bonafide", "spoof"} - ({""} if (table["label"] == "").all() else set())
    if strange or not np.isfinite(table["score"].to_numpy(float)).all():
        raise UsageError(
            f"{path}: labels are bonafide and spoof and scores numbers; found {sorted(strange)[:3]}"
        )
    for name in KNOWN_OF_TRIALS:
        table[name] = table[name].replace(_NOTHING, "")
    table["path"] = table["path"].map(unquote)
    return table


def write_group_values(
    results: Path, place: Place, rows: Sequence[Mapping[str, str]], *, keep: bool = True
) -> None:
    """Add values of groups to a measurement's file, in place of those of the same measure and radius.

    Args:
        results: The results table that the file lies beside.
        place: Whose values they are.
        rows: Mappings with group, measure, rho, value and n_trials, every value a string.
        keep: Whether values of other measures stay; not where their groups were drawn otherwise.
    """
    path = folders(results)[1] / f"{place.file}.csv"
    own = {"trials_hash": place.trials_hash, "preset": place.preset, "m": str(place.m)}
    with locked(path.parent / ".locks" / f"{path.name}.lock"):
        kept: list[dict[str, str]] = []
        fresh = {(row["measure"], row["rho"]) for row in rows}
        if path.is_file() and keep:
            with open(path, encoding="utf-8", newline="") as file:
                kept = [row for row in csv.DictReader(file) if (row["measure"], row["rho"]) not in fresh]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, GROUP_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        writer.writerows({**own, **row} for row in rows)
        replace_file(path, buffer.getvalue())


def read_group_values(path: Path, place: Place) -> pd.DataFrame:
    """Read the values of groups that `measure` wrote of one measurement.

    Args:
        path: The file.
        place: Whose values are wanted.

    Returns:
        Columns group, measure, rho (NaN without a radius), value, n_trials.

    Raises:
        UsageError: If it is no such file, or holds the values of another measurement.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        others = set(zip(table["trials_hash"], table["preset"], table["m"], strict=True))
        if others - {(place.trials_hash, place.preset, str(place.m))}:
            raise UsageError(
                f"{path}: its values are of another measurement than the row's; measure with --force"
            )
        # Python's own reading is exact to the last digit, and so equal to that of the results table.
        numbers = {name: [float(cell or "nan") for cell in table[name]] for name in ("rho", "value")}
        whole = {name: table[name].astype(int) for name in ("group", "n_trials")}
    except (ValueError, KeyError, OSError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: not a file of group values of `measure` ({error})") from error
    return table.assign(**numbers, **whole)[["group", "measure", "rho", "value", "n_trials"]]
