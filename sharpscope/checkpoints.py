"""Checkpoint files: read without ever running what is in them, unwrapped to plain tensors.

Files are opened with ``weights_only=True`` on the CPU, or as safetensors. There is no fallback to pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sharpscope.errors import UsageError

# Where toolkits put the weights inside their file, in the order in which they are looked for.
ENVELOPES = (
    "model",
    "state_dict",
    "model_state",
    "model_state_dict",
    "MODEL_STATE",
    "net",
    "network",
    "weights",
)
PREFIXES = ("module.", "_orig_mod.", "model.", "detect_model.", "detector.")
# A detector of two billion float32 parameters; a file that claims more is a mistake or an attack.
MAXIMUM_BYTES = 8 * 1024**3
# CVE-2026-24747 is in the reader of older versions.
MINIMUM_TORCH = (2, 10)


class Checkpoint(NamedTuple):
    """A checkpoint file as plain tensors.

    Attributes:
        path: The file.
        sha256: Of the whole file.
        state: Tensors by name, envelope and prefix removed.
        envelope: Key under which the weights were, "" for a bare state dict.
        prefix: What was removed from every name.
        record: What our own trainer wrote beside the weights, or a sidecar file holds.
        notes: What a reader should know about how the file was unwrapped.
        siblings: What else the envelope holds ("optimizer", "epoch", ...), a hint at the toolkit.
    """

    path: Path
    sha256: str
    state: dict[str, Tensor]
    envelope: str
    prefix: str
    record: dict[str, Any] | None
    notes: tuple[str, ...]
    siblings: tuple[str, ...] = ()


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_checkpoint(path: str | Path, *, allow_pickle: bool = False) -> Checkpoint:
    """Read a checkpoint as tensors, on the CPU, running nothing that it holds.

    Args:
        path: A ``.pt``, ``.pth``, ``.ckpt`` or ``.safetensors`` file.
        allow_pickle: Open files that only load by running code. For files of your own.

    Returns:
        The unwrapped checkpoint.

    Raises:
        UsageError: If the file is not there, empty, damaged, no checkpoint, or would run code.
    """
    path = Path(path)
    _check_file(path)
    digest = sha256_of(path)
    if path.suffix == ".safetensors":
        content: Any = _read_safetensors(path)
    else:
        content = _read_torch(path, allow_pickle)
    state, envelope, notes = _open_envelope(path, content)
    state, prefix = strip_prefixes(state)
    embedded = content.get("sharpscope") if isinstance(content, Mapping) else None
    record = embedded if isinstance(embedded, dict) else _sidecar(path)
    siblings = tuple(str(key) for key in content if str(key) != envelope) if envelope else ()
    return Checkpoint(path, digest, state, envelope, prefix, record, tuple(notes), siblings)


def _check_file(path: Path) -> None:
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < MINIMUM_TORCH:
        raise UsageError(f"torch {torch.__version__} reads checkpoints unsafely; 2.10 or newer is needed")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not a checkpoint file")
    if not path.is_file():
        broken = " (a link to nothing)" if path.is_symlink() else ""
        raise UsageError(f"{path}: no such file{broken}")
    size = path.stat().st_size
    if size == 0:
        raise UsageError(f"{path}: the file is empty; was the copy interrupted?")
    if size > MAXIMUM_BYTES:
        raise UsageError(f"{path}: {size / 1024**3:.0f} GiB is more than a detector has")
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError) as error:
            raise UsageError(f"{path}: damaged ({error}); copy it again") from error
        if unpacked > MAXIMUM_BYTES:
            raise UsageError(f"{path}: unpacks to {unpacked / 1024**3:.0f} GiB, more than a detector has")
        if any("/code/" in name for name in names):
            raise UsageError(
                f"{path}: a TorchScript program, which is code; save its state_dict() and pass --model"
            )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable safetensors file ({error})") from error


def _read_torch(path: Path, allow_pickle: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = globals_of(path)
        if allow_pickle:
            return _read_pickle(path, wanted)
        if not wanted:
            raise UsageError(f"{path}: not a PyTorch checkpoint, or damaged; copy it again") from error
        raise UsageError(
            f"{path}: would run code to load ({', '.join(wanted[:4])}). Save only the weights, "
            "torch.save(model.state_dict(), FILE), or pass --allow-pickle if the file is your own"
        ) from error
    except (
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        OSError,
        TypeError,
        IndexError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path}: not a PyTorch checkpoint, or damaged ({reason[:120]})") from error


def _read_pickle(path: Path, wanted: list[str]) -> Any:
    import sys

    names = ", ".join(wanted) or "nothing that can be told beforehand"
    print(f"{path}: SHA-256 {sha256_of(path)}, --allow-pickle imports {names}", file=sys.stderr)
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the file's own code raises
        raise UsageError(f"{path}: could not be loaded ({type(error).__name__}: {error})") from error
    return content.state_dict() if isinstance(content, torch.nn.Module) else content


def globals_of(path: Path) -> list[str]:
    """List what a pickled file would import, without loading it.

    Args:
        path: A zip-format or legacy checkpoint.

    Returns:
        ``module.name`` of every import outside torch's own tensor machinery, sorted.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inner = [name for name in archive.namelist() if name.endswith("data.pkl")]
                data = b"".join(archive.read(name) for name in inner)
        else:
            data = path.read_bytes()[: 1 << 24]
    except (OSError, zipfile.BadZipFile):
        return []
    found: set[str] = set()
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL" and isinstance(argument, str):
                found.add(argument.replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
                found.add(f"{strings[-2]}.{strings[-1]}")
            if isinstance(argument, str):
                strings.append(argument)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        pass
    harmless = ("torch._utils.", "torch.FloatStorage", "torch.LongStorage", "collections.OrderedDict")
    return sorted(name for name in found if not name.startswith(harmless))


def _tensors(content: Any) -> dict[str, Tensor] | None:
    """Return a mapping as a state dict when that is what it is: tensors by name, nothing else."""
    if not isinstance(content, Mapping) or not content:
        return None
    if all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()):
        return dict(content)
    return None


def _open_envelope(path: Path, content: Any) -> tuple[dict[str, Tensor], str, list[str]]:
    bare = _tensors(content)
    if bare is not None:
        return bare, "", []
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: holds a {type(content).__name__}, not tensors by name")
    found = {key: state for key in ENVELOPES if (state := _tensors(content.get(key))) is not None}
    if not found:
        keys = ", ".join(str(key)[:30] for key in list(content)[:8])
        raise UsageError(
            f"{path}: no weights under any of {', '.join(ENVELOPES)}; the file holds {keys}. Save the "
            "network's state_dict() instead"
        )
    envelope = next(iter(found))
    others = [key for key in content if key != envelope and isinstance(content[key], Mapping)]
    rivals = [key for key in others if (_tensors(content[key]) or {}).keys() & found[envelope].keys()]
    if rivals:
        raise UsageError(
            f"{path}: weights under {envelope} and under {', '.join(rivals)}; keep the one you mean: "
            f"torch.save(torch.load(FILE)['{envelope}'], NEW)"
        )
    return found[envelope], envelope, [f"weights under '{envelope}'"]


def strip_prefixes(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Remove what wrappers put before every name (``module.``, ``model.``, ...), as often as they did.

    Args:
        state: Tensors by name.

    Returns:
        The tensors under their own names, and what was removed.

    Example:
        >>> strip_prefixes({"module.module.a": torch.zeros(1), "module.module.b": torch.zeros(1)})[1]
        'module.module.'
    """
    names, removed = list(state), ""
    while names and (prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in names)), "")):
        names = [name.removeprefix(prefix) for name in names]
        removed += prefix
    return dict(zip(names, state.values(), strict=True)), removed


def _sidecar(path: Path) -> dict[str, Any] | None:
    sidecar = path.with_name(f"{path.stem}.sharpscope.json")
    if not sidecar.is_file():
        return None
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{sidecar}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise UsageError(f"{sidecar}: holds a {type(record).__name__}; it must be an object")
    return record


def write_checkpoint(path: str | Path, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write weights with their record, in one step: the file is the old one or the whole new one.

    Args:
        path: The file to make or replace.
        state: Tensors by name.
        record: Plain facts about the weights (architecture, recipe, seed, ...) for `load_detector`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        torch.save({"model": dict(state), "sharpscope": dict(record)}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
