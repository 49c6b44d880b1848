"""Systems known by their scores only, as rows of the results table: an equal error rate without a sharpness."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import sharpscope
from sharpscope.corpora import trials_hash
from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results
from sharpscope.results.table import COLUMNS, EER_ONLY
from sharpscope.scoring.judgement import Judgement
from sharpscope.scoring.score_files import key_notes, read_key, score


def enter_scores(
    out: str | Path,
    files: Sequence[str | Path],
    *,
    key: str | Path,
    set_name: str,
    higher: str = "bonafide",
    force: bool = False,
    show_progress: bool = False,
) -> Judgement:
    """Judge score files and add a row for each to a results table, so that closed systems stand in its EER table.

    The rows hold the measure "eer" without a value: tables of error rates show them, correlations and figures of
    sharpness leave them out and say so.

    Args:
        out: The results table to add to.
        files: One or two score files; the stem of each names its system.
        key: Labels of the trials.
        set_name: The set, named as in the table's other rows.
        higher: Which class scores higher.
        force: Replace rows of the same files.
        show_progress: As for `score`.

    Returns:
        What `score` found.

    Raises:
        UsageError: If a file cannot be read, does not fit the key or is in the table already, or no set is named.
    """
    if not set_name:
        raise UsageError("a row of a results table needs the name of its set; give --set, such as --set itw")
    known = read_key(key)
    found = score(files, key=known, higher=higher, show_progress=show_progress)
    labels = ["bonafide" if trial.is_bonafide else "spoof" for trial in known.values()]
    shared: dict[str, Any] = {
        **dict.fromkeys(COLUMNS),
        "set": set_name,
        "measure": EER_ONLY,
        "preset": "rigorous",
        "score_rule": "score_file",
        "polarity_source": f"higher={higher}",
        "trials_hash": trials_hash(pd.DataFrame({"trial": list(known), "label": labels})),
        "version": sharpscope.__version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    phases = "".join(f"; {note}" for note in key_notes(key))
    rows = []
    for file, judged in found.systems.items():
        merit = {name: judged[name] for name in ("n_bonafide", "n_spoof", "eer", "eer_low", "eer_high")}
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        note = f"scores of {Path(file).name}; interval over {judged['resampled']}{phases}"
        rows.append({**shared, **merit, "checkpoint": Path(file).stem, "sha256": digest, "note": note})
    append_results(out, rows, force=force)
    return found
