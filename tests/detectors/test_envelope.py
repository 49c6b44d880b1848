"""Where the weights lie: every envelope, wrapper, format and extra; two versions of a network are always a question."""

import argparse
import itertools
import pathlib
import pickle
import re
import sys
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sharpscope.detectors import build, load_detector
from sharpscope.detectors.reading import read_checkpoint
from sharpscope.errors import UsageError

STATE = {
    "conv.weight": torch.arange(24.0).view(4, 2, 3),
    "conv.bias": torch.ones(4),
    "encoder.0.weight": torch.full((4, 4), 0.5),
    "encoder.0.running_mean": torch.zeros(4),
    "out.weight": torch.ones(2, 4),
}
EMA = {name: tensor + 1 for name, tensor in STATE.items()}


def same(read: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return read.keys() == expected.keys() and all(torch.equal(read[k], expected[k]) for k in expected)


def inside(wrapper: str) -> Callable[[str], str]:
    return lambda name: name.replace("encoder.", f"encoder.{wrapper}.")


ENVELOPES: dict[str, Callable[[Any], Any]] = {
    "bare": lambda s: s,
    "model": lambda s: {"model": s},
    "any other key": lambda s: {"generator_weights": s},
    "three levels": lambda s: {"checkpoint": {"module": {"state_dict": s}}},
    "in a tuple": lambda s: (3, s),
    "in an object": lambda s: argparse.Namespace(best=s, lr=0.1),
}
WRAPPERS: dict[str, Callable[[str], str]] = {
    "none": lambda name: name,
    "module.": lambda name: f"module.{name}",
    "model._orig_mod.": lambda name: f"model._orig_mod.{name}",
    "compiled inside": inside("_orig_mod"),
    "parallel inside and outside": lambda name: f"module.{inside('module')(name)}",
}
EXTRAS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "numbers of numpy": {"dev_eer": np.float64(0.83), "curve": np.arange(3), "best": np.int64(3)},
    "the training": {
        "optimizer": torch.optim.SGD([torch.ones(3, requires_grad=True)], 0.1).state_dict(),
        "path": pathlib.Path("/runs/best"),
        "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.98)),
        "rng_state": torch.get_rng_state(),
        "loss": torch.tensor(0.3),
    },
    "counters and a criterion": {"n_averaged": torch.tensor(5), "criterion.weight": torch.tensor([0.1, 0.9])},
}


def save_new(content: Any, path: Path) -> None:
    torch.save(content, path)


def save_old(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=4))


FORMATS = {"zip": save_new, "legacy": save_old, "pickle": save_pickle}
GRID = [
    combination
    for number, combination in enumerate(itertools.product(ENVELOPES, WRAPPERS, EXTRAS, FORMATS))
    if number % 3 == 0
]


@pytest.mark.parametrize(("envelope", "wrapper", "extras", "form"), GRID)
def test_every_envelope_wrapper_extra_and_format_opens(
    envelope: str, wrapper: str, extras: str, form: str, tmp_path: Path
) -> None:
    state: dict[str, Any] = {WRAPPERS[wrapper](name): tensor for name, tensor in STATE.items()}
    beside = EXTRAS[extras]
    # Counters and a criterion lie among the weights, all else beside them.
    state.update(beside if "n_averaged" in beside else {})
    content = ENVELOPES[envelope](state)
    if isinstance(content, dict) and "n_averaged" not in beside:
        content = {**content, **beside}
    FORMATS[form](content, tmp_path / "c.pt")
    read = read_checkpoint(tmp_path / "c.pt")
    assert same(read.state, STATE), read.notes
    assert {read.original[name] for name in STATE} == {WRAPPERS[wrapper](name) for name in STATE}
    among = envelope == "bare" or "n_averaged" in beside
    assert set(read.aside) == (
        {name for name, value in beside.items() if isinstance(value, Tensor)} if among else set()
    )


def test_the_grid_has_more_than_a_hundred() -> None:
    assert len(GRID) > 100


class Net(nn.Module):
    """A network with a part that is used twice, and a buffer that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4))
        self.again = self.first
        self.head = nn.Linear(4, 2)
        self.register_buffer("window", torch.ones(3), persistent=False)
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("empty", None)


WHOLE: dict[str, Callable[[nn.Module], Any]] = {
    "alone": lambda n: n,
    "under a key": lambda n: {"model": n, "epoch": 3},
    "in parallel": nn.DataParallel,
    "in a list": lambda n: [n, {"epoch": 3}],
    "in an object": lambda n: argparse.Namespace(net=n),
    "beside its optimiser": lambda n: {"net": n, "optim": torch.optim.Adam(n.parameters())},
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", WHOLE)
def test_whole_networks_give_their_state_dict_without_their_code(
    name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form != "legacy":  # which copies the source of a class from its file
        their = types.ModuleType("their_package")
        monkeypatch.setitem(sys.modules, "their_package", their)
        monkeypatch.setattr(Net, "__module__", "their_package")
        monkeypatch.setattr(their, "Net", Net, raising=False)
    torch.manual_seed(0)
    network = Net()
    FORMATS[form](WHOLE[name](network), tmp_path / "c.pt")
    monkeypatch.undo()  # their package is not installed here
    read = read_checkpoint(tmp_path / "c.pt")
    assert list(read.state) == list(network.state_dict())
    assert same(read.state, dict(network.state_dict()))
    assert any("its code was not run" in note for note in read.notes)


class Config(OrderedDict):  # type: ignore[type-arg]
    """Stands for the dictionaries of omegaconf, EasyDict and fairseq."""


def test_dictionaries_of_other_classes_are_dictionaries(tmp_path: Path) -> None:
    weights = defaultdict(list, STATE)  # type: ignore[arg-type]
    torch.save({"state_dict": weights, "hyper_parameters": Config(lr=0.1)}, tmp_path / "a.ckpt")
    torch.save(Config(state_dict=Config(STATE), cfg={"x": Config()}), tmp_path / "b.ckpt")
    torch.save({"model": OrderedDict(STATE), "cfg": Config(model=Config(a=1))}, tmp_path / "c.ckpt")
    for name in "abc":
        assert same(read_checkpoint(tmp_path / f"{name}.ckpt").state, STATE)


def test_arrays_of_numpy_by_name_are_weights(tmp_path: Path) -> None:
    arrays = {name: tensor.numpy() for name, tensor in STATE.items()}
    arrays["out.weight"] = np.asfortranarray(arrays["out.weight"].astype(">f4"))
    for protocol in (0, 2, 5):
        (tmp_path / "c.pkl").write_bytes(pickle.dumps({"weights": arrays}, protocol=protocol))
        assert same(read_checkpoint(tmp_path / "c.pkl").state, STATE)


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


# content, the keys that must be offered
RIVALS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "an average with a prefix": (
        {"model": STATE, "model_ema": {f"module.{n}": t for n, t in EMA.items()}},
        ("model", "model_ema"),
    ),
    "an average with equal names": ({"state_dict": STATE, "ema": EMA}, ("state_dict", "ema")),
    "an average in a callback": (
        {"state_dict": STATE, "callbacks": {"EMA": {"ema_weights": EMA}}},
        ("state_dict", "callbacks.EMA.ema_weights"),
    ),
    "an average of the parameters alone": (
        {"model": STATE, "shadow": {n: t for n, t in EMA.items() if "running" not in n}},
        ("model", "shadow"),
    ),
    "an average beside a bare state dict": ({**STATE, "ema": EMA}, (".", "ema")),
    "two usual keys": ({"model": STATE, "net": {"other.weight": torch.ones(40)}}, ("model", "net")),
    "parts under their own names": (
        {"front": {"a.weight": torch.ones(30)}, "back": {"b.weight": torch.ones(20)}},
        ("front", "back"),
    ),
    "two whole networks": ({"model": nn.Linear(4, 2), "best": nn.Linear(4, 2)}, ("model", "best")),
    "a student and a teacher": (
        {**under("student.", STATE), **under("teacher.", EMA)},
        ("student", "teacher"),
    ),
    "an average in Lightning's names": (
        {"state_dict": {**under("net.", STATE), **under("ema_net.module.", EMA)}},
        ("net", "ema_net"),
    ),
    "an average whose names lost their dots": (
        {**under("net.", STATE), **under("model_ema.net", {n.replace(".", ""): t for n, t in EMA.items()})},
        (".", "model_ema"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIVALS)
def test_two_versions_of_a_network_are_asked_for_and_each_can_be_had(name: str, tmp_path: Path) -> None:
    content, keys = RIVALS[name]
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(UsageError, match="--weights") as caught:
        read_checkpoint(tmp_path / "c.pt")
    for key in keys:
        assert re.search(rf"--weights {re.escape(key)}(\s|,|;|$)", str(caught.value)), str(caught.value)
        assert read_checkpoint(tmp_path / "c.pt", weights=key).state
    with pytest.raises(UsageError, match="no weights under 'nothing'"):
        read_checkpoint(tmp_path / "c.pt", weights="nothing")


def test_the_version_that_was_asked_for_is_the_one_that_is_read(tmp_path: Path) -> None:
    for name in ("an average with a prefix", "an average with equal names", "an average in a callback"):
        content, keys = RIVALS[name]
        torch.save(content, tmp_path / "c.pt")
        assert same(read_checkpoint(tmp_path / "c.pt", weights=keys[0]).state, STATE)
        assert same(read_checkpoint(tmp_path / "c.pt", weights=keys[1]).state, EMA)
    for name in ("a student and a teacher", "an average in Lightning's names"):
        content, keys = RIVALS[name]
        torch.save(content, tmp_path / "c.pt")
        assert same(read_checkpoint(tmp_path / "c.pt", weights=keys[0]).state, STATE)
        assert same(read_checkpoint(tmp_path / "c.pt", weights=keys[1]).state, EMA)
    torch.save(RIVALS["an average whose names lost their dots"][0], tmp_path / "c.pt")
    dotted = {f"net.{name}": tensor for name, tensor in EMA.items()}
    assert same(read_checkpoint(tmp_path / "c.pt", weights="model_ema").state, dotted)


def test_parts_are_joined_under_their_keys(tmp_path: Path) -> None:
    torch.save(RIVALS["parts under their own names"][0], tmp_path / "c.pt")
    assert set(read_checkpoint(tmp_path / "c.pt", weights="front,back").state) == {
        "front.a.weight",
        "back.b.weight",
    }


def test_an_average_without_names_is_not_passed_over(tmp_path: Path) -> None:
    torch.save(
        {"model": STATE, "ema": {"decay": 0.999, "shadow_params": list(EMA.values())}}, tmp_path / "c.pt"
    )
    with pytest.raises(UsageError, match=r"without names under ema\.shadow_params.*--weights model"):
        read_checkpoint(tmp_path / "c.pt")
    assert same(read_checkpoint(tmp_path / "c.pt", weights="model").state, STATE)


def test_twins_inside_a_network_are_no_rivals(tmp_path: Path) -> None:
    """RawGAT-ST has one encoder for frequency and one for time, of equal names and shapes."""
    twins = {f"encoder_{k}.{n}": t for k in "ST" for n, t in STATE.items()}
    torch.save(twins, tmp_path / "c.pt")
    assert same(read_checkpoint(tmp_path / "c.pt").state, twins)


def test_what_lies_beside_is_said(tmp_path: Path) -> None:
    torch.save({"model": STATE, "oc_softmax": {"center": torch.ones(1, 4)}}, tmp_path / "c.pt")
    assert "beside the weights, not used: oc_softmax (1 tensors)" in read_checkpoint(tmp_path / "c.pt").notes
    save_file({f"module.{n}": t for n, t in STATE.items()}, tmp_path / "c.pth")
    assert same(read_checkpoint(tmp_path / "c.pth").state, STATE)


OWN = """from torch import nn


class Mine(nn.Module):
    sharpscope_spec = {"n_samples": 3, "bonafide_index": 1}

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        self.criterion = nn.Linear(2, 2)

    def forward(self, waves):
        return self.model(waves)
"""


def test_a_users_own_network_may_call_its_parts_as_wrappers_do(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    network = nn.ModuleDict(
        {"model": nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), "criterion": nn.Linear(2, 2)}
    )
    torch.save({"state_dict": network.state_dict()}, tmp_path / "c.ckpt")
    loaded = load_detector(tmp_path / "c.ckpt", model=f"{tmp_path}/own.py:Mine")
    assert torch.equal(loaded.module.get_parameter("model.0.weight"), network["model"][0].weight)
    assert torch.equal(loaded.module.get_parameter("criterion.bias"), network["criterion"].bias)


def test_load_detector_takes_the_weights_that_are_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = build("tiny", {"width": 4}).state_dict()
    average = {f"module.{n}": t + 1 if t.is_floating_point() else t for n, t in state.items()}
    record = {"arch": "tiny", "arch_args": {"width": 4}}
    torch.save({"model": state, "model_ema": average, "sharpscope": record}, tmp_path / "c.pt")
    name = next(iter(state))
    first, second = (load_detector(tmp_path / "c.pt", weights=key) for key in ("model", "model_ema"))
    assert torch.equal(first.module.state_dict()[name] + 1, second.module.state_dict()[name])
