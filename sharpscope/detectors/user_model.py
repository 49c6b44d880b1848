"""A user's own network: ``package.module:factory`` or ``file.py:Class``. Runs their code, when they say so."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from sharpscope.errors import UsageError


def build_user_model(spec: str, arguments: dict[str, Any] | None = None) -> nn.Module:
    """Build the network that ``--model`` names.

    Args:
        spec: ``package.module:factory`` or ``path/to/file.py:Class``; what it names is called with
            ``arguments`` and returns an ``nn.Module`` that maps waves (B, T) to (B, 2) or (B, 1).
        arguments: Keyword arguments.

    Returns:
        The network, with the weights that its constructor gives it.

    Raises:
        UsageError: If the place, the name or the call is wrong.
    """
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(f"--model is '{spec}'; write package.module:factory or path/to/file.py:Class")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    factory: Callable[..., Any] | None = getattr(module, name, None)
    if factory is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UsageError(
            f"{place} has no '{name}'; it has {', '.join(sorted(known)[:12]) or 'nothing to call'}"
        )
    try:
        network = factory(**(arguments or {}))
    except Exception as error:  # the user's code may raise anything
        raise UsageError(
            f"{spec} could not be built ({type(error).__name__}: {error}); see --model-args"
        ) from error
    if not isinstance(network, nn.Module):
        raise UsageError(f"{spec} gave a {type(network).__name__}; it must give a torch.nn.Module")
    return network


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # an import runs the user's code
        raise UsageError(f"cannot import {name} ({type(error).__name__}: {error})") from error


def _import_file(path: Path) -> ModuleType:
    """Import a file under a name of its own: half of this field's files are called model.py."""
    if not path.is_file():
        raise UsageError(f"--model names {path}, which does not exist")
    unique = f"sharpscope_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        sys.modules[unique] = module
        spec.loader.exec_module(module)
    except Exception as error:  # an import runs the user's code
        sys.modules.pop(unique, None)
        raise UsageError(f"cannot import {path} ({type(error).__name__}: {error})") from error
    finally:
        sys.path.remove(folder)
    return module
