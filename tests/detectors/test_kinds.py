"""Files that are no checkpoint of PyTorch: each is named for what it is, with what to do."""

import gzip
import io
import pickle
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sharpscope.detectors import load_detector
from sharpscope.detectors.reading import read_checkpoint
from sharpscope.detectors.reading.kinds import TABLE_END
from sharpscope.errors import UsageError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1281532\n"


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(producer: bytes = b"pytorch") -> bytes:
    """The outer message of an ONNX model: version, producer, graph, opset."""
    graph = field(1, b"node" * 30) + field(2, b"main_graph")
    return b"\x08\x08" + field(2, producer) + field(7, graph) + field(8, b"\x0a\x00\x10\x11")


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return stream.getvalue()


def saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def theirs(
    module: str, name: str, attributes: dict[str, Any], save: Callable[[Any], bytes] = pickle.dumps
) -> bytes:
    """A pickle of a class in a package that is not installed here."""
    made = types.ModuleType(module)
    cls = type(name, (), {"__module__": module})
    setattr(made, name, cls)
    parts = module.split(".")
    before = {key: sys.modules.get(key) for key in (".".join(parts[: i + 1]) for i in range(len(parts)))}
    sys.modules.update({key: types.ModuleType(key) for key, old in before.items() if old is None})
    sys.modules[module] = made
    try:
        instance = cls()
        instance.__dict__.update(attributes)
        return save(instance)
    finally:
        for key, old in before.items():
            if old is None:
                del sys.modules[key]


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, weight=np.ones((2, 3)))
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones((2, 3)))
    return stream.getvalue()


def adam() -> dict[str, Any]:
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return optimiser.state_dict()


# name of the file, its bytes, what must be said of it
FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "LFS pointer": ("c.pth", lambda: POINTER, "Git LFS pointer.*git lfs pull"),
    "LFS pointer named safetensors": ("c.safetensors", lambda: POINTER, "Git LFS pointer.*git lfs pull"),
    "LFS pointer of the older kind": (
        "c.ckpt",
        lambda: POINTER.replace(b"git-lfs.github", b"git-lfs.example"),
        "Git LFS pointer",
    ),
    "HDF5": ("c.h5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(500), "HDF5.*only networks of PyTorch"),
    "HDF5 named pth": ("c.pth", lambda: b"\x89HDF\r\n\x1a\n" + b"keras_version" + bytes(99), "HDF5"),
    "Keras 3": ("c.keras", lambda: archive("metadata.json", "config.json", "model.weights.h5"), "a Keras file"),
    "Keras weights in a zip": ("c.pt", lambda: archive("variables.h5"), "a Keras file"),
    "ONNX": ("c.onnx", onnx, "an ONNX file.*only networks of PyTorch"),
    "ONNX named pt": ("c.pt", lambda: onnx(b"tf2onnx"), "an ONNX file"),
    "ONNX without a producer": ("c.pth", lambda: b"\x08\x09" + field(7, b"graph" * 99), "an ONNX file"),
    "TensorFlow graph": ("frozen.pb", lambda: field(1, b"node" * 9) * 20, "TensorFlow"),
    "TensorFlow Lite": ("c.tflite", lambda: b"\x1c\x00\x00\x00TFL3" + bytes(60), "TensorFlow Lite"),
    "TensorFlow checkpoint": ("c.index", lambda: bytes(99) + TABLE_END, "checkpoint of TensorFlow"),
    "TensorFlow data": ("c.data-00000-of-00001", lambda: bytes(range(1, 200)), "checkpoint of TensorFlow"),
    "zipped SavedModel": ("c.zip", lambda: archive("net/saved_model.pb"), "SavedModel"),
    "scikit-learn": (
        "c.pkl",
        lambda: theirs("sklearn.mixture._gaussian_mixture", "GaussianMixture", {"means_": np.ones((2, 3))}),
        "scikit-learn model, which has no gradients",
    ),
    "scikit-learn in torch.save": (
        "c.pt",
        lambda: theirs("sklearn.svm._classes", "SVC", {"coef_": [1.0]}, saved),
        "scikit-learn model",
    ),
    "scikit-learn by joblib": (
        "c.joblib",
        lambda: theirs("sklearn.linear_model", "LogisticRegression", {}) + b"\x00raw numbers",
        "scikit-learn model",
    ),
    "XGBoost": ("c.pkl", lambda: theirs("xgboost.core", "Booster", {"handle": b"x"}), "boosted trees"),
    "Keras in a pickle": ("c.pkl", lambda: theirs("keras.src.models", "Model", {}), "TensorFlow"),
    "HTML": ("c.pth", lambda: b"<!DOCTYPE html><html>Sign in</html>", "an HTML page.*download it again"),
    "HTML after blanks": ("c.pt", lambda: b"\n\n  <html lang='en'><head>", "an HTML page"),
    "HTML after a comment": ("c.safetensors", lambda: b"<!-- x --><HTML>quota exceeded", "an HTML page"),
    "a server's XML": ("c.pt", lambda: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "XML page"),
    "a server's JSON": ("c.pt", lambda: b'{"error": "Repository not found"}', "JSON text"),
    "npy": ("c.npy", npy, "array of numpy"),
    "npz": ("c.npz", npz, "arrays of numpy"),
    "gzip": ("c.pth.gz", lambda: gzip.compress(saved({"a": torch.ones(3)})), "gzip archive.*unpack it"),
    "zip around a checkpoint": ("c.zip", lambda: archive("runs/best.pth"), r"unpack it.*runs/best\.pth"),
    "cut-off zip": ("c.pth", lambda: saved({"a": torch.ones(999)})[:2000], "damaged.*cut off"),
    "a recording": ("c.wav", lambda: b"RIFF" + bytes(40), "a recording"),
    "GGUF": ("c.gguf", lambda: b"GGUF" + bytes(40), "GGUF"),
    "Flax": ("c.msgpack", lambda: b"\x82\xa6params" + bytes(30), "Flax"),
    "torch.export": ("c.pt2", lambda: archive("c/models/model.json", "c/version"), "torch.export"),
    "optimiser alone": ("c.pt", lambda: saved(adam()), "only an optimiser's state.*saved beside it"),
    "optimiser under its name": ("c.pt", lambda: saved({"optimizer": adam(), "epoch": 3}), "only an optimiser's state"),
    "optimisers of Lightning": ("c.ckpt", lambda: saved({"optimizer_states": [adam()]}), "only an optimiser's state"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_foreign_file_is_named_for_what_it_is(name: str, tmp_path: Path) -> None:
    file, make, expected = FILES[name]
    (tmp_path / file).write_bytes(make())
    with pytest.raises(UsageError, match=expected) as caught:
        read_checkpoint(tmp_path / file)
    message = str(caught.value)
    assert "\n" not in message
    assert "inline_container" not in message
    assert "--allow-pickle" not in message


HEADS = {
    "a linear head": (
        {"fc.weight": torch.ones(2, 256), "fc.bias": torch.ones(2)},
        r"only a head \(256 -> 2\)",
    ),
    "a head of two layers": (
        {
            "model": {
                "0.weight": torch.ones(64, 1024),
                "0.bias": torch.ones(64),
                "2.weight": torch.ones(1, 64),
            }
        },
        r"only a head \(1024 -> 64 -> 1\)",
    ),
    "a head with a norm": (
        {"n.weight": torch.ones(8), "n.running_mean": torch.ones(8), "fc.weight": torch.ones(2, 8)},
        r"only a head \(8 -> 2\)",
    ),
    "the centre of a loss": ({"center": torch.ones(1, 256)}, "only center .*a loss's centre"),
    "the centre of a loss, flat": ({"center": torch.ones(256)}, "only center .*a loss's centre"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_or_a_centre_alone_is_said_to_be_that(name: str, tmp_path: Path) -> None:
    content, expected = HEADS[name]
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(UsageError, match=f"{expected}.*front-end is elsewhere"):
        load_detector(tmp_path / "c.pt")
