"""A tensor that a file lacks is accepted only when a backward pass proves it unused, whatever a network returns."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpscope.detectors import ARCHITECTURES
from sharpscope.detectors.fitting import build_to_fit, fill
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError

SPEC = DetectorSpec("user:Net", n_samples=4_000)


class Net(nn.Module):
    """Two layers, one of them never used; what it returns is up to a function."""

    def __init__(self, returns: Any) -> None:
        super().__init__()
        self.out = nn.Linear(1, 2)
        self.spare = nn.Linear(1, 2)
        self.returns = returns

    def forward(self, waves: Tensor) -> Any:
        return self.returns(self.out(waves.std(dim=1, keepdim=True)))


RETURNS = {
    "a tensor": lambda x: x,
    "a tuple": lambda x: (torch.ones(len(x)), x),
    "a dictionary": lambda x: {"scores": x},
    "a dictionary of lists": lambda x: {"all": [None, x], "n": 3},
    "an object with logits": lambda x: type("Output", (), {"logits": x})(),
}


@pytest.mark.parametrize("what", RETURNS)
def test_what_is_unused_is_found_whatever_is_returned(what: str) -> None:
    network = Net(RETURNS[what])
    state = {name: t.clone() for name, t in network.state_dict().items()}
    without = {name: t for name, t in state.items() if not name.startswith("spare")}
    assert fill(network, without, Path("a.pt"), SPEC) == [
        "2 tensors are not in the file and proved unused by a backward pass"
    ]
    with pytest.raises(UsageError, match=re.escape("1 tensors of user:Net are not in the file (out.bias)")):
        fill(network, {k: v for k, v in state.items() if k != "out.bias"}, Path("a.pt"), SPEC)


@pytest.mark.parametrize(
    ("returns", "word"),
    [
        (lambda x: x.detach(), "nothing that has a gradient"),
        (lambda x: None, "nothing that has a gradient"),
        (lambda x: {}, "nothing that has a gradient"),
        (lambda x: x.unflatten(1, (3, 5)), r"failed on waves \(B, T\) of 2x4000 with RuntimeError"),
        (lambda x: x.logits, r"failed on waves \(B, T\) of 2x4000 with"),
    ],
)
def test_a_network_that_proves_nothing_stops_in_one_line(returns: Any, word: str) -> None:
    network = Net(returns)
    with pytest.raises(UsageError, match=word) as caught:
        fill(network, {"out.weight": torch.ones(2, 1), "out.bias": torch.ones(2)}, Path("a.pt"), SPEC)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arch", ["rawnet2", "tiny", "tiny-gru", "tiny-attention"])
def test_weights_are_not_drawn_only_to_be_replaced(arch: str) -> None:
    """Most of the time that loading a large front-end took went into random numbers that nobody saw."""
    entry = ARCHITECTURES[arch]
    torch.manual_seed(0)
    state = entry.build().state_dict()
    before = torch.get_rng_state()
    network = build_to_fit(entry.build, {}, state, Path("x.pt"), arch)
    assert torch.equal(torch.get_rng_state(), before)
    assert fill(network, state, Path("x.pt"), entry.spec) == []
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_what_the_file_lacks_starts_from_sound_numbers() -> None:
    """A tensor that is missing, and may prove unused, must not be left as memory happened to be."""

    def build() -> nn.Module:
        return Net(lambda x: x)

    state = {name: tensor for name, tensor in build().state_dict().items() if not name.startswith("spare")}
    before = torch.get_rng_state()
    network = build_to_fit(build, {}, state, Path("x.pt"), "net")
    assert not torch.equal(torch.get_rng_state(), before)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())
