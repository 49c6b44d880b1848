"""A tensor that a file lacks is accepted only when a backward pass proves it unused, whatever a network returns."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sharpscope.detectors import ARCHITECTURES
from sharpscope.detectors.fitting import build_to_fit, check_numbers, fill
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


SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


class Drawn(TorchFunctionMode):
    """Counts the numbers that are drawn into memory."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        if re.search("(normal|uniform)_$", getattr(func, "__name__", "")) and not target.is_meta:
            self.count += target.numel()
        return func(*args, **kwargs)


@pytest.mark.parametrize(
    ("arch", "arguments", "allowed"),
    [
        ("rawnet2", {}, 0),
        ("tiny", {}, 0),
        ("tiny-gru", {}, 0),
        ("tiny-attention", {}, 0),
        # Into the product of direction and length of its normalised filters, which is thrown away in any case.
        ("ssl-linear", SMALL, 16 * 8 * 8),
        ("ssl-linear", {**SMALL, "kind": "wavlm"}, 16 * 8 * 8),
    ],
)
def test_weights_are_not_drawn_only_to_be_replaced(
    arch: str, arguments: dict[str, Any], allowed: int
) -> None:
    """Most of the time that loading a large front-end took went into random numbers that nobody saw.

    transformers draws through functions of its own, which it puts in the place of torch's while it builds.
    """
    entry = ARCHITECTURES[arch]
    torch.manual_seed(0)
    with Drawn() as usual:
        state = entry.build(**arguments).state_dict()
    assert usual.count > 1_000
    with Drawn() as drawn:
        network = build_to_fit(entry.build, arguments, state, Path("x.pt"), arch)
    assert drawn.count <= allowed
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


def test_a_network_keeps_the_tensors_that_it_is_given_each_apart_and_in_its_own_type() -> None:
    """One that moves must move no other: tensors that overlap in the file, or differ in type, become its own copies."""
    network = Net(lambda x: x)
    both = torch.arange(4.0)
    state = {
        "out.weight": torch.ones(2, 1),
        "out.bias": both[:2],
        "spare.weight": torch.ones(2, 1, dtype=torch.float16),
        "spare.bias": both[2:],
    }
    assert fill(network, state, Path("a.pt"), SPEC, given_away=True) == []
    own = dict(network.named_parameters())
    assert own["out.weight"].data_ptr() == state["out.weight"].data_ptr()
    assert len({parameter.untyped_storage().data_ptr() for parameter in own.values()}) == 4
    assert all(p.dtype == torch.float32 and p.requires_grad and p.is_leaf for p in own.values())
    assert all(torch.equal(p.detach(), state[name].float()) for name, p in own.items())
    assert own["out.bias"].untyped_storage().nbytes() == 8


def test_parameters_with_two_names_stay_one() -> None:
    class Tied(Net):
        def __init__(self) -> None:
            super().__init__(lambda x: x)
            self.spare.weight = self.out.weight

    network = Tied()
    state = {name: torch.ones_like(tensor) for name, tensor in network.state_dict().items()}
    fill(network, state, Path("a.pt"), SPEC, given_away=True)
    assert network.spare.weight is network.out.weight
    assert bool((network.out.weight == 1).all())


@pytest.mark.parametrize("arch", [name for name in ARCHITECTURES if not name.startswith("ssl")])
def test_a_network_that_keeps_its_tensors_computes_what_a_copy_of_them_computes(arch: str) -> None:
    entry = ARCHITECTURES[arch]
    torch.manual_seed(0)
    state = entry.build().state_dict()
    copied, kept = entry.build().eval(), build_to_fit(entry.build, {}, state, Path("x.pt"), arch).eval()
    fill(copied, state, Path("x.pt"), entry.spec)
    fill(kept, {name: t.clone() for name, t in state.items()}, Path("x.pt"), entry.spec, given_away=True)
    names = [name for name, _ in copied.named_parameters()]
    assert [name for name, _ in kept.named_parameters()] == names
    waves = 0.1 * torch.randn(1, entry.spec.n_samples or 16_000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        first, second = copied(waves), kept(waves)
    for one, other in zip(
        *(
            [out] if isinstance(out, Tensor) else [t for t in out if isinstance(t, Tensor)]
            for out in (first, second)
        ),
        strict=True,
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_number_that_is_not_finite_is_found_among_large_ones(value: float) -> None:
    """Sums overflow before numbers do; only then is each one asked."""
    large = torch.full((1000,), 3e38)
    check_numbers({"a": large}, Path("a.pt"))
    large[500] = value
    with pytest.raises(UsageError, match=re.escape("1 tensors hold NaN or infinity (a)")):
        check_numbers({"a": large, "b": torch.ones(3)}, Path("a.pt"))
