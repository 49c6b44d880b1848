"""Live parameters: which they are, moved in place, restored bit for bit whatever happens."""

import pytest
import torch
from torch import nn
from toy_networks import SAMPLES, Perceptron, Tied, trials

from sharpscope.errors import SharpscopeError
from sharpscope.measures import parameters
from sharpscope.measures.parameters import LiveParameters, dot


def live_of(network: nn.Module) -> LiveParameters:
    waves = trials()[0].to(next(network.parameters()).dtype)
    return LiveParameters(network.eval(), lambda: network(waves).square().sum())


def test_unused_and_frozen_parameters_are_neither_moved_nor_counted() -> None:
    network = Perceptron()
    live = live_of(network)
    assert live.dead == ["spare.weight", "spare.bias"]
    assert live.frozen == ["fixed"]
    assert live.count == sum(
        p.numel() for n, p in network.named_parameters() if not n.startswith(("spare", "fixed"))
    )
    live.move([torch.ones_like(t) for t in live.tensors], 1.0)
    before = Perceptron()
    assert torch.equal(network.spare.weight, before.spare.weight)
    assert torch.equal(network.first.weight, before.first.weight + 1.0)


def test_tied_parameters_count_once() -> None:
    network = Tied()
    live = live_of(network)
    assert live.names.count("first.weight") == 1
    assert "second.weight" not in live.names
    assert live.count == SAMPLES * SAMPLES + 2 * SAMPLES + 2 * SAMPLES + 2
    live.move([torch.ones_like(t) for t in live.tensors], 0.5)
    assert network.second.weight.data_ptr() == network.first.weight.data_ptr()


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_weights_are_restored_bit_for_bit(error: type[BaseException] | None) -> None:
    network = Perceptron()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pointers = [p.data_ptr() for p in network.parameters()]
    live = live_of(network)
    direction = [torch.randn_like(t) for t in live.tensors]

    def disturb() -> None:
        with live.guarded():
            for scale in (0.3, 1e-7, 1e6):
                live.move(direction, scale)
            if error is not None:
                raise error

    if error is None:
        disturb()
    else:
        with pytest.raises(error):
            disturb()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [p.data_ptr() for p in network.parameters()] == pointers


def test_a_foreign_change_is_noticed() -> None:
    network = Perceptron()
    live = live_of(network)
    with pytest.raises(SharpscopeError, match="could not be restored"), live.guarded():
        live.trained[0] += 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_a_checksum_sees_a_single_bit_and_an_exchange(dtype: torch.dtype) -> None:
    network = nn.Linear(40, 7).to(dtype)
    live = LiveParameters(network, lambda: network(torch.ones(1, 40, dtype=dtype)).float().sum())
    weight = live.tensors[0]
    known = {live.checksum()}
    whole = weight.view({8: torch.int64, 4: torch.int32, 2: torch.int16}[weight.element_size()])
    for row, column, bit in [(0, 0, 0), (6, 39, 0), (3, 20, 8 * weight.element_size() - 1), (2, 5, 9)]:
        with torch.no_grad():
            whole[row, column] ^= torch.tensor(1, dtype=whole.dtype) << bit
        known.add(live.checksum())
    with torch.no_grad():
        weight[0, 0], weight[0, 1] = weight[0, 1].clone(), weight[0, 0].clone()
        known.add(live.checksum())
        live.tensors[1][0] = 0.0
        known.add(live.checksum())
        live.tensors[1][0] = -0.0
        known.add(live.checksum())
    assert len(known) == 8
    live.restore()
    assert live.checksum() in known


def test_a_sum_of_bits_does_not_hang_on_how_a_tensor_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, in whole numbers of Python, on numbers of one part and of several."""
    spread, two = 0x9E3779B97F4A7C15, 2**64
    numbers = torch.randn(11, dtype=torch.float64)
    bits = [int(value) % two for value in numbers.view(torch.int64).tolist()]
    for size in (4, 11):
        monkeypatch.setattr(parameters, "SUMMED_IN_CACHE", size)
        expected = 0
        for start in range(0, len(bits), size):
            part = bits[start : start + size]
            expected = expected * spread + sum(b * ((k * spread) % two | 1) for k, b in enumerate(part))
        assert int(parameters.sum_of_bits(numbers)) % two == expected % two
    assert int(parameters.sum_of_bits(torch.zeros(0))) == 0


def test_a_network_without_live_parameters_is_refused() -> None:
    network = Perceptron()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(SharpscopeError, match="frozen"):
        live_of(network)
    lonely = nn.Linear(2, 2)
    weight = torch.ones(1, requires_grad=True)
    with pytest.raises(SharpscopeError, match="receives a gradient"):
        LiveParameters(lonely, lambda: weight.sum())


def test_dot_accumulates_in_float64() -> None:
    ones = torch.full((3_000_000,), 0.1)
    exact = 3_000_000 * float(ones[0]) ** 2
    assert dot([ones], [ones]) == pytest.approx(exact, rel=1e-12)
