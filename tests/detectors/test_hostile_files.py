"""Files that are broken or want to run code: each ends in one clear line, exit status 2, nothing executed."""

import io
import json
import os
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save as safe_bytes
from torch import nn

from sharpscope.cli import main
from sharpscope.detectors import build
from sharpscope.detectors.reading import write_checkpoint

GOOD = {"arch": "tiny", "arch_args": {"width": 4, "depth": 2}}


class Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path, function: Any = os.system) -> None:
        self.target = target
        self.function = function

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return self.function, (f"touch {self.target}",)


class GaussianMixture:
    """Stands in for the pickled mixture models of some baselines."""

    def __init__(self) -> None:
        self.means_ = [[0.0, 1.0]]


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(build("tiny", GOOD["arch_args"]).state_dict())  # type: ignore[arg-type]


def saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def with_record(record: dict[str, Any], **changes: torch.Tensor) -> bytes:
    return saved({"model": {**state(), **changes}, "sharpscope": record})


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def replaced(skeleton: bytes) -> bytes:
    """A torch archive whose pickle is another one."""
    entries = {}
    with zipfile.ZipFile(io.BytesIO(saved(state()))) as archive:
        for name in archive.namelist():
            entries[name] = skeleton if name.endswith("data.pkl") else archive.read(name)
    return zipped(entries)


def program() -> bytes:
    import warnings

    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(nn.Linear(3, 2), torch.zeros(1, 3)), stream)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def cifar() -> dict[str, torch.Tensor]:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(7200, 10)).state_dict()


def nested(depth: int) -> Any:
    value: Any = torch.ones(1)
    for _ in range(depth):
        value = {"model": value}
    return value


def nan_weights() -> bytes:
    return with_record(GOOD, **{"out.weight": torch.full_like(state()["out.weight"], float("nan"))})


def header_only(size: int) -> bytes:
    return struct.pack("<Q", size) + b"{}"


def huge_header() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    return struct.pack("<Q", len(header)) + header


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def flipped(data: bytes) -> bytes:
    middle = data.index(b"data.pkl") + 80
    return data[:middle] + bytes(byte ^ 0x5A for byte in data[middle : middle + 40]) + data[middle + 40 :]


Maker = Callable[[Path], bytes]
# name of the file, how to make it from the path that hostile code would touch, a word of the message
FILES: dict[str, tuple[str, Maker, str]] = {
    "empty": ("c.pth", lambda _: b"", "empty"),
    "text": ("c.pth", lambda _: b"epoch 1 loss 0.3\n" * 20, "not a PyTorch checkpoint"),
    "html page": ("c.pt", lambda _: b"<!DOCTYPE html><html>Sign in</html>", "not a PyTorch checkpoint"),
    "lfs pointer": (
        "c.pt",
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "not a PyTorch",
    ),
    "zeros": ("c.pt", lambda _: bytes(4096), "not a PyTorch checkpoint"),
    "truncated zip": ("c.pth", lambda _: cut(saved(state()), 0.6), "c.pth"),
    "truncated legacy": (
        "c.pth",
        lambda _: cut(saved(state(), _use_new_zipfile_serialization=False), 0.6),
        "c.pth",
    ),
    "damaged skeleton": ("c.pth", lambda _: flipped(saved(state())), "c.pth"),
    "empty zip": ("c.pth", lambda _: zipped({}), "nothing in it"),
    "zip of something else": (
        "c.pth",
        lambda _: zipped({"a/readme.txt": b"hello"}),
        "not a PyTorch checkpoint",
    ),
    "zip bomb": (
        "c.pth",
        lambda _: zipped({"a/data.pkl": b"x", "a/data/0": bytes(1 << 26)}, zipfile.ZIP_DEFLATED),
        "unpack",
    ),
    "huge skeleton": (
        "c.pth",
        lambda _: zipped({"a/data.pkl": os.urandom(1 << 16) * 1100}),
        "pickle",
    ),
    "pickle runs a shell": ("c.pth", lambda p: pickle.dumps(Runs(p)), "system"),
    "pickle protocol 0": ("c.pth", lambda p: f"cos\nsystem\n(S'touch {p}'\ntR.".encode(), "os.system"),
    "torch archive runs a shell": ("c.pth", lambda p: saved({"model": state(), "x": Runs(p)}), "system"),
    "legacy archive runs a shell": (
        "c.pth",
        lambda p: saved({"model": state(), "x": Runs(p)}, _use_new_zipfile_serialization=False),
        "system",
    ),
    "skeleton runs a shell": ("c.pth", lambda p: replaced(pickle.dumps(Runs(p))), "system"),
    "eval": ("c.pth", lambda p: saved(Runs(p, eval)), "eval"),
    "pickled module": ("c.pt", lambda _: saved(nn.Linear(2, 2)), "only a head (2 -> 2)"),
    "pickled legacy module": (
        "c.pt",
        lambda _: saved(nn.Linear(2, 2), _use_new_zipfile_serialization=False),
        "only a head (2 -> 2)",
    ),
    "mixture model": ("c.pkl", lambda _: pickle.dumps(GaussianMixture()), "GaussianMixture"),
    "mixture model in an archive": ("c.pt", lambda _: saved({"gmm": GaussianMixture()}), "GaussianMixture"),
    "TorchScript": ("c.pt", lambda _: program(), "TorchScript"),
    "optimiser only": (
        "c.pt",
        lambda _: saved(
            {"optimizer": torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1).state_dict()}
        ),
        "only an optimiser's state",
    ),
    "list of tensors": ("c.pt", lambda _: saved([torch.ones(2)]), "list"),
    "one tensor": ("c.pt", lambda _: saved(torch.ones(2)), "Tensor"),
    "a number": ("c.pt", lambda _: saved(3), "int"),
    "empty state dict": ("c.pt", lambda _: saved(OrderedDict()), "no weights"),
    "envelope in an envelope": ("c.pt", lambda _: saved(nested(6)), "holds only model (1,)"),
    "numbers for names": ("c.pt", lambda _: saved({1: torch.ones(1)}), "no weights"),
    "CIFAR network": ("c.pth", lambda _: saved(cifar()), "no known architecture"),
    "two sets of weights": (
        "c.pth",
        lambda _: saved({"model": state(), "ema": state()}),
        "under model and under ema",
    ),
    "huge declared tensor": (
        "c.pth",
        lambda _: saved({**cifar(), "w": torch.ones(1).expand(1 << 30, 1 << 10)}),
        "claim",
    ),
    "NaN weights": ("c.pt", lambda _: nan_weights(), "NaN"),
    "infinite weights": (
        "c.pt",
        lambda _: with_record(GOOD, **{"out.bias": torch.tensor([torch.inf, 0.0])}),
        "NaN or inf",
    ),
    "whole numbers for weights": (
        "c.pt",
        lambda _: with_record(GOOD, **{"out.bias": torch.tensor([1, 2])}),
        "int64",
    ),
    "complex weights": (
        "c.pt",
        lambda _: with_record(GOOD, **{"out.bias": torch.ones(2, dtype=torch.complex64)}),
        "floating-point",
    ),
    "sparse weights": (
        "c.pt",
        lambda _: with_record(GOOD, **{"out.bias": torch.ones(2).to_sparse()}),
        "dense",
    ),
    "wrong shape": ("c.pt", lambda _: with_record(GOOD, **{"out.bias": torch.ones(3)}), "out.bias is (3,)"),
    "one tensor too many": ("c.pt", lambda _: with_record(GOOD, spare=torch.ones(3)), "have no place"),
    "record names code": ("c.pt", lambda _: with_record({**GOOD, "model": "os:system"}), "names code"),
    "record of an unknown network": ("c.pt", lambda _: with_record({"arch": "tinny"}), "did you mean 'tiny'"),
    "record of the wrong type": ("c.pt", lambda _: with_record({"arch": ["tiny"]}), "must be a name"),
    "record asks for a giant": (
        "c.pt",
        lambda _: with_record({"arch": "tiny", "arch_args": {"width": 10**9}}),
        "at most",
    ),
    "record of unknown arguments": (
        "c.pt",
        lambda _: with_record({"arch": "tiny", "arch_args": {"evil": 1}}),
        "cannot be built",
    ),
    "record of bad conventions": (
        "c.pt",
        lambda _: with_record({**GOOD, "spec": {"n_samples": -5}}),
        "n_samples",
    ),
    "record of no polarity": ("c.pt", lambda _: with_record({**GOOD, "bonafide_index": 7}), "0 or 1"),
    "safetensors: text": ("c.safetensors", lambda _: b"hello", "safetensors"),
    "safetensors: huge header": ("c.safetensors", lambda _: header_only(1 << 60), "safetensors"),
    "safetensors: huge tensor": ("c.safetensors", lambda _: huge_header(), "safetensors"),
    "safetensors: cut": ("c.safetensors", lambda _: cut(safe_bytes(state()), 0.7), "safetensors"),
    "safetensors: a pickle": ("c.safetensors", lambda p: pickle.dumps(Runs(p)), "safetensors"),
    "safetensors: unknown network": ("c.safetensors", lambda _: safe_bytes(cifar()), "no known architecture"),
}


def one_line(path: Path, word: str, *options: str) -> None:
    """Inspecting the file ends with status 2 and says the word, without a traceback."""
    done = CliRunner().invoke(main, ["inspect", str(path), *options])
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stdout == ""
    # An unknown network is followed by a model file to edit; all else is one line.
    first, *more = done.stderr.strip().splitlines()
    assert word in first, first
    assert not more or "no known architecture" in first
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", FILES)
def test_one_clear_line_and_nothing_executed(name: str, tmp_path: Path) -> None:
    file, make, word = FILES[name]
    touched = tmp_path / "touched"
    path = tmp_path / file
    path.write_bytes(make(touched))
    one_line(path, word)
    assert not touched.exists()


def test_there_are_at_least_thirty() -> None:
    assert len(FILES) >= 30
    pickletools.dis(pickle.dumps(Runs(Path("x"))), out=io.StringIO())  # the hostile pickle is a real one


def test_the_hostile_pickle_would_really_run(tmp_path: Path) -> None:
    """What the corpus proves is worth something only if plain pickle does execute it."""
    pickle.loads(pickle.dumps(Runs(tmp_path / "touched")))
    assert (tmp_path / "touched").exists()


def test_places_that_are_no_files(tmp_path: Path) -> None:
    one_line(tmp_path / "none.pt", "no such file")
    (tmp_path / "link.pt").symlink_to(tmp_path / "gone.pt")
    one_line(tmp_path / "link.pt", "a link to nothing")
    (tmp_path / "folder.pt").mkdir()
    one_line(tmp_path / "folder.pt", "without config.json")
    os.mkfifo(tmp_path / "pipe.pt")
    one_line(tmp_path / "pipe.pt", "not an ordinary file")


def test_a_sidecar_cannot_name_code(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "c.pt")
    (tmp_path / "c.sharpscope.json").write_text('{"model": "evil.py:Net"}')
    one_line(tmp_path / "c.pt", "names code")


def test_a_missing_tensor_that_is_used(tmp_path: Path) -> None:
    weights = state()
    del weights["out.bias"]
    write_checkpoint(tmp_path / "c.pt", weights, GOOD)
    one_line(tmp_path / "c.pt", "out.bias")


def test_the_same_corpus_is_safe_to_convert(tmp_path: Path) -> None:
    for name in ("torch archive runs a shell", "one tensor", "zip bomb", "NaN weights"):
        file, make, _ = FILES[name]
        (tmp_path / file).write_bytes(make(tmp_path / "touched"))
        done = CliRunner().invoke(main, ["convert", str(tmp_path / file), str(tmp_path / "o.safetensors")])
        assert done.exit_code == 2, done.output
        assert not (tmp_path / "o.safetensors").exists()
    assert not (tmp_path / "touched").exists()
