"""Checkpoint files: read without ever running what is in them, unwrapped to plain tensors."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from sharpscope.detectors.reading import kinds
from sharpscope.detectors.reading.archive import check_file, is_torchscript
from sharpscope.detectors.reading.envelope import Found, open_envelope
from sharpscope.detectors.reading.hashing import hashed_meanwhile
from sharpscope.detectors.reading.modules import every, items, shown
from sharpscope.detectors.reading.tensors import plain, read_tensors
from sharpscope.detectors.reading.torch_file import Content, read_torch
from sharpscope.detectors.reading.values import Array, Damaged, Odd, Placeholder, Stored
from sharpscope.errors import UsageError

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Checkpoint(NamedTuple):
    """A checkpoint file as plain tensors.

    Attributes:
        path: The file.
        sha256: Of the whole file.
        state: Tensors by name, envelope and prefix removed.
        envelope: Key under which the weights were, dots between levels; "" for a bare state dict.
        prefix: What was removed before every name.
        record: What our own trainer wrote beside the weights, or a sidecar file holds.
        notes: What a reader should know about how the file was unwrapped.
        siblings: What else the envelope holds ("optimizer", "epoch", ...), a hint at the toolkit.
        aside: Tensors of the training that lay among the weights (a criterion, counters), by their names in the file.
        original: The name in the file of every tensor in ``state``.
    """

    path: Path
    sha256: str
    state: dict[str, Tensor]
    envelope: str
    prefix: str
    record: dict[str, Any] | None
    notes: tuple[str, ...]
    siblings: tuple[str, ...] = ()
    aside: Mapping[str, Tensor] = NOTHING
    original: Mapping[str, str] = NOTHING


def read_checkpoint(
    path: str | Path, *, allow_pickle: bool = False, weights: str | None = None
) -> Checkpoint:
    """Read a checkpoint as tensors, on the CPU, running nothing that it holds.

    Args:
        path: A ``.pt``, ``.pth``, ``.ckpt`` or ``.safetensors`` file.
        allow_pickle: Open files whose tensors come about only by running code. For files of your own.
        weights: Key of the weights where a file holds several ("model_ema", "callbacks.EMA.state", "teacher").

    Returns:
        The unwrapped checkpoint.

    Raises:
        UsageError: If the file is not there, empty, damaged, no checkpoint, holds several and ``weights`` names none,
            or would run code.
    """
    path = Path(path)
    check_file(path)
    if is_torchscript(path):
        raise UsageError(
            f"{path}: a TorchScript program, which is code; pass --arch torchscript if you trust it, or save "
            "its state_dict() and pass --model"
        )
    with hashed_meanwhile(path) as digest:
        return _read_and_open(path, allow_pickle, weights, digest)


def _read_and_open(
    path: Path, allow_pickle: bool, weights: str | None, digest: Callable[[], str]
) -> Checkpoint:
    if path.suffix == ".safetensors" or _looks_like_safetensors(path):
        state, embedded = _read_safetensors(path)
        content = Content(dict(state), None, (), "")
    else:
        content = _read(path)
        embedded = items(content.value).get("sharpscope") if isinstance(items(content.value), dict) else None
        embedded = plain(embedded) if isinstance(embedded, dict) else None
    try:
        found = open_envelope(str(path), content.value, weights)
        if found is None and allow_pickle and _code_of(content):
            content = Content(_read_pickle(path, content.names, digest()), None, content.names, "")
            found = open_envelope(str(path), content.value, weights)
        if found is None:
            raise _no_weights(path, content)
        state = read_tensors(found.plain.state, content.source)
        aside = _readable(found.plain.aside, content)
    except Damaged as error:
        raise UsageError(f"{path}: {error}") from error
    record = embedded if isinstance(embedded, dict) else _sidecar(path)
    return _checkpoint(path, digest(), found, state, aside, record, content)


def _checkpoint(
    path: Path,
    digest: str,
    found: Found,
    state: dict[str, Tensor],
    aside: dict[str, Tensor],
    record: dict[str, Any] | None,
    content: Content,
) -> Checkpoint:
    notes = list(found.notes)
    if found.plain.prefix:
        notes.append(f"'{found.plain.prefix}' removed from every name")
    top = items(content.value)
    first = found.envelope.partition(".")[0]
    keys = top.keys() - set(found.plain.original.values()) if isinstance(top, dict) else set()
    siblings = tuple(shown(key) for key in top if key in keys and shown(key) != first) if keys else ()
    return Checkpoint(
        path=path,
        sha256=digest,
        state=state,
        envelope=found.envelope,
        prefix=found.plain.prefix,
        record=record,
        notes=tuple(notes),
        siblings=siblings,
        aside=aside,
        original=found.plain.original,
    )


def _readable(aside: Mapping[str, Any], content: Content) -> dict[str, Tensor]:
    """Read what lies beside the weights, as far as it is sound: nothing depends on it."""
    try:
        return read_tensors(aside, content.source)
    except Damaged:
        return {}


def _looks_like_safetensors(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(10)
    if len(head) < 10 or head[8:10] != b'{"':
        return False
    return 2 <= int(struct.unpack("<Q", head[:8])[0]) < path.stat().st_size


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors and the record that `write_safetensors` put into the header."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            text = (file.metadata() or {}).get("sharpscope")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # the reader raises what it meets
        what = kinds.foreign(path)
        raise UsageError(f"{path}: not a readable safetensors file ({what or _first_line(error)})") from error
    try:
        return state, None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the record in its header is not JSON ({error})") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__


def _read(path: Path) -> Content:
    """Read a file of torch.save or pickle as inert values, or say what it is instead."""
    what = kinds.foreign(path)
    if what:
        raise UsageError(f"{path}: {what}")
    content = read_torch(path)
    weapon = kinds.weapon(content.names)
    if weapon:
        raise UsageError(
            f"{path}: would run code to load ({weapon}), which no checkpoint needs; nothing was run. Do not open it "
            "with torch.load or pickle; get the weights from their author"
        )
    model = kinds.pickled(content.names)
    if content.fault and model:
        raise UsageError(f"{path}: {model}; {kinds.ONLY_TORCH}")
    if content.fault:
        raise UsageError(f"{path}: not a PyTorch checkpoint, or damaged ({content.fault}); copy it again")
    return content


def _code_of(content: Content) -> str:
    """Return the class of the first object of the file whose inside is not known without its code."""
    return next((n.name for _, n in every(content.value) if isinstance(n, Placeholder)), "")


def _read_pickle(path: Path, names: tuple[str, ...], digest: str) -> Any:
    listed = ", ".join(name for name in names if not name.startswith("torch._utils.")) or "nothing"
    print(f"{path}: SHA-256 {digest}, --allow-pickle imports {listed}", file=sys.stderr)
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the file's own code raises
        lacking = isinstance(error, ModuleNotFoundError)
        hint = (
            "; run with PYTHONPATH=DIR, the folder that holds the code it was saved with" if lacking else ""
        )
        raise UsageError(f"{path}: could not be loaded ({type(error).__name__}: {error}){hint}") from error
    if isinstance(content, Mapping):
        return {k: v.state_dict() if isinstance(v, torch.nn.Module) else v for k, v in content.items()}
    return content.state_dict() if isinstance(content, torch.nn.Module) else content


def _no_weights(path: Path, content: Content) -> UsageError:
    """Say what a file without weights is."""
    value, held = content.value, items(content.value)
    model = kinds.pickled(content.names)
    if model:
        return UsageError(f"{path}: {model}; {kinds.ONLY_TORCH}")
    code = _code_of(content)
    if isinstance(held, dict) and held and _trains(held):
        keys = ", ".join(shown(key)[:30] for key in list(held)[:4])
        return UsageError(
            f"{path}: holds only an optimiser's state ({keys}), no weights; "
            "name the file of the network that was saved beside it"
        )
    if code:
        return UsageError(
            f"{path}: no weights that can be read without running its code ({code}). Save only the weights, "
            "torch.save(model.state_dict(), FILE); if the file is your own, --allow-pickle runs that code"
        )
    if not isinstance(held, dict):
        kind = "Tensor" if isinstance(value, Stored | Odd | Array) else type(value).__name__
        return UsageError(f"{path}: holds a {kind}, not tensors by name; save the network's state_dict()")
    keys = ", ".join(shown(key)[:30] for key in list(held)[:8]) or "nothing"
    return UsageError(
        f"{path}: no weights in it, that is, tensors by name; the file holds {keys}. Save the "
        "network's state_dict() instead"
    )


def _trains(held: Mapping[Any, Any]) -> bool:
    nested = [held, *(items(child) for child in held.values())]
    lists = [child for child in held.values() if isinstance(child, list)]
    nested += [items(child) for entries in lists for child in entries]
    return any(isinstance(one, dict) and {"param_groups", "state"} <= one.keys() for one in nested)


def _sidecar(path: Path) -> dict[str, Any] | None:
    sidecar = path.with_name(f"{path.stem}.sharpscope.json")
    if not sidecar.is_file():
        return None
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{sidecar}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise UsageError(f"{sidecar}: holds a {type(record).__name__}; it must be an object")
    return record
