"""A user's own network: ``package.module:factory`` or ``file.py:Class``. Runs their code, when they say so.

``mfcc+file.py:Class`` puts a ready-made front-end before it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from torch import nn

from sharpscope.detectors.failures import first_line, place_of
from sharpscope.detectors.front_ends import FRONT_ENDS, on_features
from sharpscope.detectors.model_arguments import call_with
from sharpscope.errors import UsageError, unknown_name


class UserModel(NamedTuple):
    """A network that a user named.

    Attributes:
        network: With the weights that its constructor gives it.
        decisions: How it was built, a line a step.
    """

    network: nn.Module
    decisions: tuple[str, ...]


def build_user_model(spec: str, arguments: Mapping[str, Any] | None = None) -> UserModel:
    """Build the network that ``--model`` names.

    Args:
        spec: ``package.module:factory`` or ``path/to/file.py:Class``; what it names is called with
            ``arguments`` and returns an ``nn.Module`` that maps waves (B, T) to (B, 2) or (B, 1). With the name of a
            front-end and a plus sign before it, the network maps those features to scores.
        arguments: Keyword arguments, one dictionary that the constructor takes whole, or a configuration with a
            section for the model; options of the front-end under "front_end".

    Returns:
        The network and how it was built.

    Raises:
        UsageError: If the place, the name or the call is wrong.
    """
    front, place, name = _parts(spec)
    given = dict(arguments or {})
    options = given.pop("front_end", {}) if front else {}
    if not isinstance(options, Mapping):
        raise UsageError(f"front_end in --model-args is {options!r:.40}; it must be an object of options")
    is_file = place.endswith(".py")
    with _folder_of(Path(place) if is_file else None):
        module = _import_file(Path(place)) if is_file else _import_module(place)
        factory: Callable[..., Any] | None = getattr(module, name, None)
        if factory is None:
            known = [
                key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
            ]
            raise UsageError(
                f"{place} has no '{name}'; it has {', '.join(sorted(known)[:12]) or 'nothing to call'}"
            )
        network, notes = call_with(factory, given, spec)
    if not isinstance(network, nn.Module):
        raise UsageError(f"{spec} gave a {type(network).__name__}; it must give a torch.nn.Module")
    decisions = (f"network from --model {spec}", *notes)
    if not front:
        return UserModel(network, decisions)
    said = f"front-end {front} ({FRONT_ENDS[front].reference})"
    return UserModel(on_features(network, front, **options), (*decisions, said))


def _parts(spec: str) -> tuple[str, str, str]:
    """Take ``front-end+place:name`` apart; a plus sign in the name of an existing file stays there."""
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(
            f"--model is '{spec}'; write package.module:factory or path/to/file.py:Class, with a front-end as "
            "mfcc+path/to/file.py:Class"
        )
    front, plus, rest = place.partition("+")
    if not plus or Path(place).is_file():
        return "", place, name
    if front not in FRONT_ENDS:
        raise unknown_name("front-end", front, FRONT_ENDS)
    return front, rest, name


@contextmanager
def _folder_of(path: Path | None) -> Iterator[None]:
    """Let code beside a file be imported while the file is, and while its network is built.

    What was imported from there is forgotten afterwards: half of this field's files are called model.py, and the
    next folder's must not be taken for this one's.
    """
    if path is None:
        yield
        return
    folder = str(path.resolve().parent)
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None) or ""
            if origin.startswith(folder + "/") and not name.startswith("sharpscope_user_"):
                del sys.modules[name]


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # an import runs the user's code
        raise UsageError(f"cannot import {name} ({first_line(error)}{_where(error)})") from error


def _where(error: BaseException) -> str:
    place = place_of(error)
    return f", {place}" if place and "importlib" not in place else ""


def _import_file(path: Path) -> ModuleType:
    """Import a file under a name of its own."""
    if not path.is_file():
        raise UsageError(f"--model names {path}, which does not exist")
    unique = f"sharpscope_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        sys.modules[unique] = module
        spec.loader.exec_module(module)
    except Exception as error:  # an import runs the user's code
        sys.modules.pop(unique, None)
        hint = (
            "; put it beside the file, or its folder into PYTHONPATH"
            if isinstance(error, ModuleNotFoundError)
            else ""
        )
        raise UsageError(f"cannot import {path} ({first_line(error)}{_where(error)}){hint}") from error
    return module
