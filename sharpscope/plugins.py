"""Measures, corpora and detectors of other packages, found by the entry points that those declare."""

from __future__ import annotations

import functools
import warnings
from importlib.metadata import entry_points

MEASURES = "sharpscope.measures"
CORPORA = "sharpscope.corpora"
DETECTORS = "sharpscope.detectors"


@functools.cache
def load_plugins(group: str) -> tuple[str, ...]:
    """Call what the installed packages declare under a group, once; each registers what it brings.

    It is called when a name is first looked up, not when a room is imported: a plug-in imports that room itself. A
    package that fails is named in a warning and left out: it must not take the others with it.

    Args:
        group: Name of the entry points, such as ``sharpscope.measures``.

    Returns:
        Names of the entry points that were called.

    Example:
        >>> load_plugins("sharpscope.nothing")
        ()
    """
    loaded = []
    for point in entry_points(group=group):
        try:
            point.load()()
        except Exception as error:  # another package's code may raise anything
            package = point.dist.name if point.dist else point.value
            warnings.warn(
                f"the plug-in '{point.name}' of {package} is left out ({type(error).__name__}: {error})",
                stacklevel=2,
            )
        else:
            loaded.append(point.name)
    return tuple(loaded)
