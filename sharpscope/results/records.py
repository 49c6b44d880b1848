"""What stands beside the results table: per-trial scores and per-group values, for bootstraps and audits."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from sharpscope.errors import UsageError
from sharpscope.results.table import replace_file

GROUP_COLUMNS = ("preset", "m", "group", "measure", "rho", "value", "n_trials")


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
    safe = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in checkpoint)
    return f"{safe}-{sha256[:8]}"


def record_name(set_name: str, subset: str) -> str:
    """Return the file stem of a set's records.

    Args:
        set_name: The set.
        subset: Its subset, "" for the whole.

    Returns:
        A name that is safe in a path.

    Example:
        >>> record_name("mlaad", "de/xtts v2")
        'mlaad.de_xtts_v2'
    """
    name = f"{set_name}.{subset}" if subset else set_name
    return "".join(c if c.isalnum() or c in "-_.+@" else "_" for c in name)


def write_scores(path: Path, trials: Sequence[str], labels: np.ndarray, logits: np.ndarray) -> None:
    """Write one line per trial: ``trial label score logit_spoof logit_bonafide``.

    Args:
        path: The file to replace.
        trials: Trial ids; blanks in them become underscores, since blanks separate the columns.
        labels: Shape (n,), 1 = bona fide.
        logits: Shape (n, 2), columns spoof and bona fide; the score is their difference.
    """
    lines = ["trial label score logit_spoof logit_bonafide"]
    for trial, label, (spoof, bonafide) in zip(trials, labels, logits.tolist(), strict=True):
        word = "bonafide" if label else "spoof"
        lines.append(f"{'_'.join(trial.split())} {word} {bonafide - spoof!r} {spoof!r} {bonafide!r}")
    replace_file(path, "\n".join(lines) + "\n")


def score_file(folder: Path, checkpoint: str, sha256: str, set_name: str, subset: str) -> Path:
    """Return where `measure` keeps the scores of one checkpoint on one set.

    Args:
        folder: The folder ``scores`` beside results.csv.
        checkpoint: Name in the results table.
        sha256: Of the checkpoint.
        set_name: The set.
        subset: Its subset, "" for the whole.

    Returns:
        The path, whether or not a file is there.

    Example:
        >>> score_file(Path("scores"), "best", "814331d088032bb4", "mlaad", "de").as_posix()
        'scores/best-814331d0/mlaad.de.txt'
    """
    return folder / checkpoint_folder(checkpoint, sha256) / f"{record_name(set_name, subset)}.txt"


def read_score_file(path: Path, *, columns: Sequence[str] = ("label", "score")) -> pd.DataFrame:
    """Read a score file written by `measure`.

    Args:
        path: Columns trial, label, score, ... separated by blanks, with a header.
        columns: Those wanted, label and score among them.

    Returns:
        The columns.

    Raises:
        UsageError: If it is not one.
    """
    try:
        table = pd.read_csv(
            path, sep=" ", usecols=list(columns), dtype={"trial": str, "label": str, "score": float}
        )
    except (ValueError, OSError) as error:
        raise UsageError(f"{path}: not a score file ({error}); expected: trial label score ...") from error
    strange = set(table["label"]) - {"bonafide", "spoof"}
    if strange or table["score"].isna().any():
        raise UsageError(
            f"{path}: labels are bonafide and spoof and scores numbers; found {sorted(strange)[:3]}"
        )
    return table


def write_group_values(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Add per-group values to a set's file, in place of those of the same preset, m, measure and radius.

    Args:
        path: The file.
        rows: Mappings with the columns of ``GROUP_COLUMNS``, every value a string.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        kept: list[dict[str, str]] = []
        fresh = {(row["preset"], row["m"], row["measure"], row["rho"]) for row in rows}
        if path.is_file():
            with open(path, encoding="utf-8", newline="") as file:
                kept = [
                    row
                    for row in csv.DictReader(file)
                    if (row["preset"], row["m"], row["measure"], row["rho"]) not in fresh
                ]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, GROUP_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        writer.writerows(rows)
        replace_file(path, buffer.getvalue())
