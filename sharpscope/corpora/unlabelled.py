"""A folder of audio that nobody has labelled: every file in it is a trial."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpscope.corpora.listing import AUDIO_ENDINGS, Listing
from sharpscope.corpora.trials import Trial, TrialSet, make_set
from sharpscope.errors import UsageError

NOTE = "no labels: label-free measures and scores only; groups are random"


def read_unlabelled(name: str, folder: str | Path) -> TrialSet:
    """Read every audio file under a folder as a trial without a label.

    Args:
        name: What results call the set.
        folder: Where the audio lies, folders in it included.

    Returns:
        The set, in the order of file names; the id of a trial is its path inside the folder.

    Raises:
        UsageError: If it is no folder, or no audio file is in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as here:
        ...     _ = (Path(here) / "call.wav").write_bytes(b"")
        ...     found = read_unlabelled("target", here)
        >>> found.table[["trial", "label"]].values.tolist()
        [['call.wav', '']]
    """
    place = Path(folder).absolute()
    if not place.is_dir():
        raise UsageError(f"set '{name}': {folder} is not a folder; --unlabelled takes name=FOLDER")
    listing = Listing()
    paths = sorted(str(path) for path in listing.walk(place))
    if not paths:
        raise UsageError(f"set '{name}': no audio under {folder}; looked for {', '.join(AUDIO_ENDINGS)}")
    trials = (Trial(os.path.relpath(path, place), path, "") for path in paths)
    return make_set(name, trials, source=place, notes=(NOTE,), listing=listing)


def read_unlabelled_sets(sets: str | Sequence[str] | Mapping[str, Any]) -> tuple[TrialSet, ...]:
    """Read sets as ``--sets`` names them with ``--unlabelled``.

    Args:
        sets: ``name=FOLDER``, one or several, or a mapping of names to folders.

    Returns:
        The sets, in order.

    Raises:
        UsageError: If one is not written so, or names a folder without audio.
    """
    if isinstance(sets, Mapping):
        pairs = [(str(name), str(folder)) for name, folder in sets.items()]
    else:
        specs = [spec.strip() for spec in sets.split(",")] if isinstance(sets, str) else list(sets)
        pairs = []
        for spec in specs:
            name, _, folder = spec.partition("=")
            if not name or not folder or "@" in name:
                raise UsageError(
                    f"set '{spec}': with --unlabelled write name=FOLDER; sets with labels are measured without it"
                )
            pairs.append((name, folder))
    return tuple(read_unlabelled(name, folder) for name, folder in pairs)
