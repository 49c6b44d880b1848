"""What a file really is when it is no checkpoint of PyTorch, and what to do about it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from sharpscope.detectors.reading.archive import is_archive

HEAD = 4096
ONLY_TORCH = (
    "only networks of PyTorch can be measured; convert it, or save the original network's state_dict()"
)
UNPACK = "unpack it and name the file inside"
RECORDING = "name the network's weights instead"
CUT_OFF = ("a zip archive without its end, damaged", "it was cut off on the way; copy it again")
# First bytes, what such a file is, what to do.
SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "run `git lfs pull` in its repository, or download the file itself",
    ),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and h5py write", ONLY_TORCH),
    (b"GGUF", "a GGUF file of llama.cpp", ONLY_TORCH),
    (b"\x93NUMPY", "an array of numpy", "save the weights by name with torch.save"),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"MATLAB 5.0", "a MATLAB file", ONLY_TORCH),
    (b"RIFF", "a recording (WAV)", RECORDING),
    (b"fLaC", "a recording (FLAC)", RECORDING),
    (b"OggS", "a recording (Ogg)", RECORDING),
    (b"ID3", "a recording (MP3)", RECORDING),
    (b"\x89PNG", "an image (PNG)", RECORDING),
    (b"%PDF", "a PDF document", RECORDING),
    (b"SQLite format 3", "an SQLite database", RECORDING),
    (b"\x7fELF", "a program or a compiled library", RECORDING),
)
# Bytes 4 to 8.
INNER_SIGNATURES = {b"TFL3": "a TensorFlow Lite file", b"ET12": "an ExecuTorch program"}
# The last eight bytes of a table of LevelDB.
TABLE_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
PAGE = re.compile(rb"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body|script)", re.IGNORECASE | re.DOTALL)
MARKUP = re.compile(rb"\s*<(\?xml|error|svg)", re.IGNORECASE)
# A zip archive that holds such a name, what it is, what to do.
ARCHIVES: tuple[tuple[str, str, str], ...] = (
    (r"model\.weights\.h5|.*variables\.h5", "a Keras file", ONLY_TORCH),
    (r"(.*/)?saved_model\.pb", "a zipped SavedModel of TensorFlow", ONLY_TORCH),
    (r".*\.npy", "arrays of numpy (npz)", "save the weights by name with torch.save"),
    (
        r"(.*/)?(serialized_exported_program\.json|models/[^/]*\.json)",
        "a program of torch.export",
        "save the original network's state_dict()",
    ),
    (
        r"(.*/)?\.data/extern_modules",
        "a package of torch.package, which holds code",
        "save its network's state_dict()",
    ),
    (r".*\.(pt|pth|ckpt|bin|safetensors|tar|onnx)", "a zip archive around a model", UNPACK),
)
# Beginnings of classes in pickles, what such a file is.
PICKLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("sklearn.",), "a scikit-learn model, which has no gradients"),
    (("xgboost.", "lightgbm.", "catboost."), "a model of boosted trees, which has no gradients"),
    (("hmmlearn.", "bob.learn."), "a statistical model, which has no gradients"),
    (("keras.", "tensorflow.", "tf_keras."), "a model of TensorFlow"),
    (("paddle.",), "a model of PaddlePaddle"),
    (("jax.", "jaxlib.", "flax."), "a model of JAX"),
    (("mxnet.",), "a model of MXNet"),
    (("pandas.",), "a table of pandas"),
    (("joblib.",), "an object of joblib"),
)
# Whoever pickles one of these means to run something.
WEAPONS = re.compile(
    r"(os|posix|nt|subprocess|pty|runpy|importlib|ctypes|socket|shutil|webbrowser|pip|_posixsubprocess)\.[\w.]+|"
    r"(builtins|__builtin__)\.(eval|exec|execfile|compile|__import__|open|input|breakpoint)|"
    r"(code|codeop|pdb|bdb|timeit|cProfile|profile)\.(interact|InteractiveInterpreter\S*|run|runctx|timeit|compile_command|Pdb\S*)|"
    r"(commands|popen2)\.(get\w*output|popen\w*)|imp\.load_\w+|types\.(CodeType|FunctionType)|sys\.(modules|settrace|path\S*)|"
    r"torch\.(load|hub\.\w+|jit\.load|ops\.load_library|utils\.cpp_extension\.\w+|serialization\.load)|"
    r"_?pickle\.(loads?|Unpickler)|numpy\.(load|fromfile|memmap|save)|pathlib\.\w*Path\.\w+|marshal\.loads?|asyncio\.subprocess\S*"
)


def foreign(path: Path) -> str:
    """Say what a file is when its bytes are those of another program.

    Args:
        path: An ordinary file that is not empty.

    Returns:
        What it is and what to do; "" when nothing speaks against a checkpoint of PyTorch.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
        file.seek(-min(8, path.stat().st_size), 2)
        end = file.read(8)
    found = _by_signature(head) or _by_text(head) or _by_end(path, head, end)
    if not found and head[:4] == b"PK\x03\x04":
        found = _by_entries(path) if is_archive(path) else CUT_OFF
    if not found:
        return ""
    what, advice = found
    return f"{what}, not a PyTorch checkpoint; {advice}"


def _by_signature(head: bytes) -> tuple[str, str] | None:
    for signature, what, advice in SIGNATURES:
        if head.startswith(signature):
            return what, advice
    if head[4:8] in INNER_SIGNATURES:
        return INNER_SIGNATURES[head[4:8]], ONLY_TORCH
    if head[257:262] == b"ustar":
        return "a tar archive (as of NeMo or torch before 0.2)", UNPACK
    return None


def _by_text(head: bytes) -> tuple[str, str] | None:
    again = "the download asked for a login or failed; download it again and look at it in a browser"
    if PAGE.match(head):
        return "an HTML page", again
    if MARKUP.match(head):
        return "an XML page, probably an error of the server", again
    if head.lstrip()[:2] in (b'{"', b"{\n", b"[{"):
        return "JSON text", "name the file of the weights; if this is a server's error, download it again"
    return None


def _by_end(path: Path, head: bytes, end: bytes) -> tuple[str, str] | None:
    if end == TABLE_END or ".data-0000" in path.name:
        return "a checkpoint of TensorFlow", ONLY_TORCH
    fields = _protobuf_fields(path)
    if 7 in fields and fields <= {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25}:
        return "an ONNX file", ONLY_TORCH
    if path.suffix == ".onnx" and fields:
        return "an ONNX file", ONLY_TORCH
    if path.suffix == ".pb" or (fields and b"saved_model" in head):
        return "a graph of TensorFlow", ONLY_TORCH
    if path.suffix == ".msgpack":
        return "weights of Flax (msgpack)", ONLY_TORCH
    if path.suffix == ".distcp":
        return (
            "a shard of a distributed checkpoint",
            "merge the folder with torch.distributed.checkpoint.format_utils.dcp_to_torch_save",
        )
    return None


def _protobuf_fields(path: Path) -> set[int]:
    """Return the numbers of a file's top-level fields when all of it is one message of protobuf."""
    fields: set[int] = set()
    size = path.stat().st_size
    with open(path, "rb") as file:
        while (at := file.tell()) < size:
            tag = _varint(file.read(10))
            if tag is None or len(fields) > 30 or tag[0] >> 3 == 0:
                return set()
            number, kind = tag[0] >> 3, tag[0] & 7
            file.seek(at + tag[1])
            value = _varint(file.read(10))
            if kind not in (0, 2) or value is None:
                return set()
            at += tag[1] + value[1] + (value[0] if kind == 2 else 0)
            if at > size or (number in fields and number not in (2, 8, 14, 20, 25)):
                return set()
            fields.add(number)
            file.seek(at)
    return fields


def _varint(data: bytes) -> tuple[int, int] | None:
    value = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, index + 1
    return None


def _by_entries(path: Path) -> tuple[str, str] | None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        package = next((a for a in ARCHIVES if "extern_modules" in a[0]), None)
        if package and any(re.fullmatch(package[0], name) for name in names):
            return package[1], package[2]
        return None
    for pattern, what, advice in ARCHIVES:
        inner = next((name for name in names if re.fullmatch(pattern, name)), None)
        if inner is not None:
            return what, f"{advice} ({inner[:60]})" if advice == UNPACK else advice
    return None


def weapon(names: Iterable[str]) -> str:
    """Return the first name in a pickle that no checkpoint needs and that runs things, or "".

    Args:
        names: Classes and functions that the pickle mentions.

    Returns:
        The name.

    Example:
        >>> weapon(["collections.OrderedDict", "posix.system"])
        'posix.system'
    """
    return next((name for name in names if WEAPONS.fullmatch(name)), "")


def pickled(names: Iterable[str]) -> str:
    """Say whose model a pickle is by the classes that it mentions, or "".

    Args:
        names: Classes and functions that the pickle mentions.

    Returns:
        What it is.

    Example:
        >>> pickled(["numpy.dtype", "sklearn.svm._classes.SVC"])
        'a scikit-learn model, which has no gradients'
    """
    listed = list(names)
    return next((what for starts, what in PICKLES if any(n.startswith(starts) for n in listed)), "")


def head_only(state: Mapping[str, Any]) -> str:
    """Say so when weights are no more than a classifier's last layers, or a loss's centre.

    Args:
        state: Tensors by plain name.

    Returns:
        What they are, or "" when they may be a network.

    Example:
        >>> import torch
        >>> head_only({"fc.weight": torch.zeros(2, 256), "fc.bias": torch.zeros(2)})
        'only a head (256 -> 2)'
    """
    axes = [len(tensor.shape) for tensor in state.values()]
    matrices = [tuple(tensor.shape) for tensor in state.values() if len(tensor.shape) == 2]
    if not state or max(axes) > 2 or len(matrices) > 3 or len(state) > 12:
        return ""
    if not matrices or (min(matrices[0]) == 1 and len(state) == 1):
        names = ", ".join(f"{name[:40]} {tuple(tensor.shape)}" for name, tensor in list(state.items())[:3])
        return f"only {names}: a loss's centre, a statistic or a counter"
    if not all(one[0] == two[1] for one, two in pairwise(matrices)):
        return ""
    widths = [matrices[0][1], *(rows for rows, _ in matrices)]
    return f"only a head ({' -> '.join(map(str, widths))})" if widths[-1] <= 10 else ""
