"""Checkpoint files: read without ever running what is in them, unwrapped to plain tensors.

Files are opened with ``weights_only=True`` on the CPU, or as safetensors. There is no fallback to pickle:
whoever wants one says ``allow_pickle`` and is told what the file would import.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import pickletools
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
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
# What weights_only itself imports.
HARMLESS = ("torch._utils.", "torch.nn.parameter.", "collections.OrderedDict", "argparse.Namespace")
PREFIXES = ("module.", "_orig_mod.", "model.", "detect_model.", "detector.")
# A detector of two billion float32 parameters; a file that claims more is a mistake or an attack.
MAXIMUM_BYTES = 8 * 1024**3
# torch stores without compression, so a file that shrinks more than this was not written by it.
MAXIMUM_RATIO = 50
# The pickled skeleton of a state dict has a few hundred bytes a tensor.
MAXIMUM_SKELETON = 64 * 1024**2
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
    check_file(path)
    if is_torchscript(path):
        raise UsageError(
            f"{path}: a TorchScript program, which is code; pass --arch torchscript if you trust it, or save "
            "its state_dict() and pass --model"
        )
    digest = sha256_of(path)
    embedded: Any = None
    if path.suffix == ".safetensors":
        content, embedded = _read_safetensors(path)
    else:
        content = _read_torch(path, allow_pickle)
        embedded = content.get("sharpscope") if isinstance(content, Mapping) else None
    state, envelope, notes = _open_envelope(path, content)
    _check_sizes(path, state)
    state, prefix = strip_prefixes(state)
    if prefix:
        notes.append(f"'{prefix}' removed from every name")
    record = embedded if isinstance(embedded, dict) else _sidecar(path)
    siblings = tuple(str(key) for key in content if str(key) != envelope) if envelope else ()
    return Checkpoint(path, digest, state, envelope, prefix, record, tuple(notes), siblings)


def check_file(path: Path) -> None:
    """Check what can be told of a file before it is read.

    Args:
        path: The file.

    Raises:
        UsageError: If it is not there, no file, empty, too large, or a zip archive that is damaged or a bomb.
    """
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < MINIMUM_TORCH:
        raise UsageError(f"torch {torch.__version__} reads checkpoints unsafely; 2.10 or newer is needed")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not a checkpoint file")
    if not path.is_file():
        broken = " (a link to nothing)" if path.is_symlink() else ""
        special = " (not an ordinary file)" if path.exists() else ""
        raise UsageError(f"{path}: no such file{broken}{special}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: you may not read this file")
    size = path.stat().st_size
    if size == 0:
        raise UsageError(f"{path}: the file is empty; was the copy interrupted?")
    if size > MAXIMUM_BYTES:
        raise UsageError(f"{path}: {size / 1024**3:.0f} GiB is more than a detector has")
    if zipfile.is_zipfile(path):
        _check_archive(path, size)


def _check_archive(path: Path, size: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UsageError(f"{path}: damaged ({error}); copy it again") from error
    unpacked = sum(entry.file_size for entry in entries)
    if not entries:
        raise UsageError(f"{path}: a zip archive with nothing in it")
    if unpacked > MAXIMUM_BYTES or unpacked > MAXIMUM_RATIO * size:
        raise UsageError(
            f"{path}: {size:,} bytes that unpack to {unpacked:,}; torch.save writes no such file, it is not opened"
        )
    skeleton = max((e.file_size for e in entries if e.filename.endswith(".pkl")), default=0)
    if skeleton > MAXIMUM_SKELETON:
        raise UsageError(
            f"{path}: {skeleton:,} bytes of pickle where a state dict has thousands; it is not opened"
        )


def is_torchscript(path: Path) -> bool:
    """Tell whether a file is a TorchScript program, that is, holds code.

    Args:
        path: The file.

    Returns:
        True when it is a zip archive with a code folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in f"/{name}" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors and the record that `write_safetensors` put into the header."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            text = (file.metadata() or {}).get("sharpscope")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # the reader raises what it meets
        raise UsageError(f"{path}: not a readable safetensors file ({_first_line(error)})") from error
    try:
        return state, None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the record in its header is not JSON ({error})") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__


def _read_torch(path: Path, allow_pickle: bool) -> Any:
    # A namespace of options is data; the training scripts of this field store theirs.
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can make the reader raise anything
        wanted = globals_of(path)
        if allow_pickle:
            return _read_pickle(path, wanted)
        if not wanted:
            raise UsageError(
                f"{path}: not a PyTorch checkpoint, or damaged ({_first_line(error)}); copy it again"
            ) from error
        raise UsageError(
            f"{path}: would run code to load ({', '.join(wanted[:4])}). Save only the weights, "
            "torch.save(model.state_dict(), FILE), or pass --allow-pickle if the file is your own"
        ) from error


def _read_pickle(path: Path, wanted: list[str]) -> Any:
    names = ", ".join(wanted) or "nothing that can be told beforehand"
    print(f"{path}: SHA-256 {sha256_of(path)}, --allow-pickle imports {names}", file=sys.stderr)
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the file's own code raises
        lacking = isinstance(error, ModuleNotFoundError)
        hint = (
            "; run with PYTHONPATH=DIR, the folder that holds the code it was saved with" if lacking else ""
        )
        raise UsageError(f"{path}: could not be loaded ({type(error).__name__}: {error}){hint}") from error
    return content.state_dict() if isinstance(content, torch.nn.Module) else content


def _check_sizes(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse tensors that claim more than they store: any use of one would fill the memory."""
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > MAXIMUM_BYTES:
        raise UsageError(f"{path}: its tensors claim {claimed / 1024**3:,.0f} GiB, more than a detector has")


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
            with open(path, "rb") as file:
                data = file.read(MAXIMUM_SKELETON)
    except (OSError, zipfile.BadZipFile):
        return []
    found: set[str] = set()
    stream = io.BytesIO(data)
    # torch's older format is several pickles one after the other.
    for _ in range(8):
        try:
            _collect_globals(stream, found)
        except Exception:  # not a pickle, or a broken one: what was found so far stands
            break
    return sorted(name for name in found if not name.startswith(HARMLESS) and not name.endswith("Storage"))


def _collect_globals(stream: io.BytesIO, found: set[str]) -> None:
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in {"GLOBAL", "INST"} and isinstance(argument, str):
            found.add(argument.replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
            found.add(f"{strings[-2]}.{strings[-1]}")
        if isinstance(argument, str):
            strings.append(argument)


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
    except (OSError, ValueError, RecursionError) as error:
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


def write_safetensors(path: str | Path, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write weights as safetensors, a format that cannot hold code, with their record in its header.

    Args:
        path: The file to make or replace; its name ends in ``.safetensors``.
        state: Tensors by name.
        record: Plain facts about the weights.

    Raises:
        UsageError: If the name does not end so, and the file could not be told apart when it is read.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise UsageError(f"{path}: name the file to write something.safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    # Tensors that share memory (tied weights) are written once each, as the format wants.
    own = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    try:
        save_file(own, temporary, metadata={"sharpscope": json.dumps(dict(record), sort_keys=True)})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
