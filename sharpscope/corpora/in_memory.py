"""Sets that lie in memory: arrays, tables of paths, torch and Hugging Face datasets, beside those on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sharpscope.corpora import read_set
from sharpscope.corpora.trials import COLUMNS, TrialSet, label_of
from sharpscope.errors import UsageError

# What arrays are sampled at where nobody says: the rate of the field.
RATE = 16_000
_PATHS = ("path", "file", "file_name", "audio_path", "filename")


def read_sets(
    sets: str | Sequence[str] | Mapping[str, Any],
    *,
    data: str | Path | None = None,
    skip_missing: bool = False,
    preset: str = "rigorous",
) -> tuple[TrialSet, ...]:
    """Read sets from whatever names or holds them.

    Args:
        sets: One text or several, as ``--sets`` takes them, or a mapping of names to sources; see `in_memory_set`.
        data: Folder that holds the corpora.
        skip_missing: Leave out trials whose audio is missing and count them.
        preset: Which conventions apply where the paper's differ from the literature's.

    Returns:
        The sets, in order.

    Raises:
        UsageError: If a set is unknown, not on disk, or of no kind that can be read.

    Example:
        >>> [found.name for found in read_sets({"noise": (np.zeros((2, 8)), [1, 0])})]
        ['noise']
    """
    reading: dict[str, Any] = {"data": data, "skip_missing": skip_missing, "preset": preset}
    if isinstance(sets, str):
        sets = [spec.strip() for spec in sets.split(",") if spec.strip()]
    if not isinstance(sets, Mapping):
        return _apart([read_set(spec, **reading) for spec in sets])
    found = []
    for name, source in sets.items():
        if isinstance(source, str | Path):
            found.append(read_set(f"{name}={source}", **reading))
        else:
            found.append(in_memory_set(name, source))
    return tuple(found)


def _apart(found: Sequence[TrialSet]) -> tuple[TrialSet, ...]:
    """Refuse two sets of one name: their rows could not be told apart."""
    names = [f"{one.name}@{one.subset}" if one.subset else one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"two sets of --sets are called '{twice}'; give each list a name of its own, NAME=LIST"
        )
    return tuple(found)


def in_memory_set(name: str, source: Any) -> TrialSet:
    """Make a set of what lies in memory.

    Args:
        name: What results call it.
        source: ``(waves, labels)`` or ``(waves, labels, rate in Hz)``, waves of shape (n, T) or n waves of any length,
            labels 1 (bona fide) and 0, or words; a DataFrame with a column of paths (path or file), ``label`` and
            perhaps attack, speaker, language, codec; or a dataset whose items are (wave, label) pairs or mappings with
            ``audio`` (``array``, ``sampling_rate``) and ``label``.

    Returns:
        The set.

    Raises:
        UsageError: If it is none of these, labels are unknown, or waves and labels differ in number.

    Example:
        >>> made = in_memory_set("x", (np.ones((2, 4)), ["bonafide", "spoof"], 8000))
        >>> made.table["label"].tolist(), made.reader(made.table["path"][0])[1]
        (['bonafide', 'spoof'], 8000)
    """
    if isinstance(source, pd.DataFrame):
        return _of_paths(name, source)
    if isinstance(source, tuple | list) and len(source) in (2, 3) and not isinstance(source[0], tuple):
        rate = int(source[2]) if len(source) == 3 else RATE
        waves, labels = source[0], list(source[1])
        if len(waves) != len(labels):
            raise UsageError(
                f"set '{name}': {len(waves)} waves and {len(labels)} labels; each wave needs one"
            )
        return _of_waves(name, labels, lambda index: (_array(waves[index]), rate))
    if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
        labels = list(_labels(name, source))
        return _of_waves(name, labels, lambda index: _item(name, source[index]))
    raise UsageError(
        f"set '{name}' was given as {type(source).__name__}; it is a text, (waves, labels), a DataFrame of paths and "
        "labels, or a dataset"
    )


def _array(wave: Any) -> np.ndarray:
    """Return a wave as (T,) or (T, channels); torch has channels first."""
    array = np.asarray(wave.detach().cpu() if hasattr(wave, "detach") else wave, dtype=np.float32)
    return array.T if array.ndim == 2 and array.shape[0] < array.shape[1] else array


def _word(name: str, label: Any, index: int) -> str:
    where = f"set '{name}', trial {index}"
    if isinstance(label, str):
        return label_of(label, where)
    value = float(label)
    if value not in (0.0, 1.0):
        raise UsageError(f"{where}: label {label!r} is not known; 1 is bona fide, 0 is spoof")
    return "bonafide" if value == 1.0 else "spoof"


def _labels(name: str, dataset: Any) -> Iterator[Any]:
    """Yield the labels of a dataset: from its column where it has columns, else item by item."""
    features = getattr(dataset, "features", None)
    if features is not None and "label" in features:
        names = getattr(features["label"], "names", None)
        yield from (
            (names[label] if names and not isinstance(label, str) else label) for label in dataset["label"]
        )
        return
    for index in range(len(dataset)):
        item = dataset[index]
        yield item["label"] if isinstance(item, Mapping) else item[1]


def _item(name: str, item: Any) -> tuple[np.ndarray, int]:
    if not isinstance(item, Mapping):
        return _array(item[0]), RATE
    audio = item.get("audio", item.get("wave"))
    if isinstance(audio, Mapping) and "array" in audio:
        return _array(audio["array"]), int(audio.get("sampling_rate") or RATE)
    if audio is None:
        raise UsageError(f"set '{name}': an item has {', '.join(item)}; it needs audio and label")
    return _array(audio), int(item.get("sampling_rate") or RATE)


def _of_waves(name: str, labels: Sequence[Any], wave: Any) -> TrialSet:
    words = [_word(name, label, index) for index, label in enumerate(labels)]
    trials = [str(index) for index in range(len(words))]
    table = pd.DataFrame({"trial": trials, "path": trials, "label": words}).reindex(
        columns=list(COLUMNS), fill_value=""
    )
    return TrialSet(name, "", table, 0, (), reader=lambda path: wave(int(path)))


def _of_paths(name: str, source: pd.DataFrame) -> TrialSet:
    column = next((c for c in _PATHS if c in source), None)
    if column is None or "label" not in source:
        raise UsageError(
            f"set '{name}': the DataFrame has the columns {', '.join(map(str, source.columns))}; it needs label "
            f"and one of {', '.join(_PATHS)}"
        )
    paths = source[column].astype(str).tolist()
    found: dict[str, Any] = {
        "path": paths,
        "trial": source["trial"].astype(str) if "trial" in source else paths,
    }
    found["label"] = [_word(name, label, index) for index, label in enumerate(source["label"])]
    for other in COLUMNS[3:]:
        found[other] = source[other].fillna("").astype(str).tolist() if other in source else ""
    table = pd.DataFrame(found).reset_index(drop=True)[list(COLUMNS)]
    if (twice := table["trial"].duplicated()).any():
        raise UsageError(f"set '{name}': trial '{table['trial'][twice].iloc[0]}' stands twice")
    if missing := [path for path in paths if not Path(path).is_file()]:
        raise UsageError(
            f"set '{name}': {len(missing)} of {len(paths)} files are missing (first: {missing[0]})"
        )
    return TrialSet(name, "", table, 0, ())
