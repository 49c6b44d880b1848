"""What tables call a checkpoint: a name that tells it from every other one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from sharpscope.detectors.detector import Detector


def distinct_names(given: Sequence[Any]) -> list[str]:
    """Return a name for each detector of a call; files of one stem are told apart by their folders.

    Args:
        given: Paths, networks or detectors.

    Returns:
        One name each, "" where the file and its record decide.

    Example:
        >>> distinct_names(["a/best.pth", "b/best.pth", "c/net.pth"])
        ['a/best', 'b/best', '']
        >>> distinct_names([nn.Identity(), nn.Identity()])
        ['Identity 1', 'Identity 2']
    """
    stems = [_stem(one) for one in given]
    counts = Counter(stems)
    names = []
    for index, (one, stem) in enumerate(zip(given, stems, strict=True)):
        if isinstance(one, Detector):
            names.append(one.label)
        elif isinstance(one, nn.Module):
            number = f" {stems[: index + 1].count(stem)}" if counts[stem] > 1 else ""
            names.append(f"{stem}{number}")
        elif counts[stem] > 1:
            names.append(_with_folder(Path(one), [Path(o) for o in given if _is_file(o)]))
        else:
            names.append("")
    return names


def settle_name(detector: Detector, names: Mapping[str, str]) -> Detector:
    """Return a detector under the name that a table already has for it, or under one that no other checkpoint has.

    Args:
        detector: The checkpoint.
        names: Names in the results table by SHA-256.

    Returns:
        The detector, renamed where that is needed.
    """
    name = detector.name
    if known := names.get(detector.sha256):
        name = known
    elif name in names.values():
        path = detector.checkpoint_path.absolute()
        longer = f"{path.parent.name}/{path.stem}"
        name = f"{name}-{detector.sha256[:8]}" if longer in names.values() or not path.exists() else longer
    return detector if name == detector.name else dataclasses.replace(detector, label=name)


def _is_file(one: Any) -> bool:
    return isinstance(one, str | Path)


def _stem(one: Any) -> str:
    if _is_file(one):
        return Path(one).stem
    return one.name if isinstance(one, Detector) else type(one).__name__


def _with_folder(path: Path, others: Sequence[Path]) -> str:
    """Return a file's stem behind as many of its folders as tell it from the others."""
    path = path.absolute()
    rivals = {other.absolute() for other in others} - {path}
    for depth in range(2, len(path.parts)):
        name = "/".join([*path.parts[-depth:-1], path.stem])
        if all("/".join([*rival.parts[-depth:-1], rival.stem]) != name for rival in rivals):
            return name
    return path.with_suffix("").as_posix()
