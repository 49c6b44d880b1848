"""Switches of a whole process around a measurement, also where two mechanisms meet."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_networks import Perceptron, make_group

from sharpscope.detectors import ARCHITECTURES
from sharpscope.measures import MEASURES
from sharpscope.measures.precision import exact_arithmetic, rounded_products


class Watching(nn.Module):
    """Writes down whether cuDNN is on before, in and after its recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(1, 3, batch_first=True)
        self.conv, self.out = Seeing(), Seeing()
        self.cell.register_forward_pre_hook(lambda *_: self.seen.append(torch.backends.cudnn.enabled))
        self.seen: list[bool] = []

    def forward(self, waves: Tensor) -> Tensor:
        self.seen.append(torch.backends.cudnn.enabled)
        hidden: Tensor = self.cell(waves.unsqueeze(2))[0]
        self.seen.append(torch.backends.cudnn.enabled)
        return hidden


class Seeing(nn.Module):
    """Does nothing."""


def test_cudnn_is_off_in_recurrent_layers_only_and_in_every_forward_alike() -> None:
    """Two sets of hooks once left it off for good after the first forward."""
    network = Watching().eval()
    before = torch.backends.cudnn.enabled
    with exact_arithmetic():
        for _ in range(3):
            network(torch.zeros(2, 6))
    assert network.seen == [True, False, True] * 3
    assert torch.backends.cudnn.enabled == before


def test_a_recurrent_layer_that_fails_gives_cudnn_back() -> None:
    network = Watching().eval()
    with exact_arithmetic():
        with pytest.raises((RuntimeError, ValueError)):
            network(torch.zeros(2, 6, 5))
        assert torch.backends.cudnn.enabled
        with exact_arithmetic():
            network(torch.zeros(2, 6))
        assert torch.backends.cudnn.enabled


def test_no_architecture_brings_hooks_of_its_own_beside_these() -> None:
    """One mechanism: a second one on the layers restored what the first had switched off."""
    with torch.device("meta"):
        network = ARCHITECTURES["rawnet2"].build()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.RNNBase)]
    assert layers
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in layers)


def test_a_users_flags_and_old_switches_work_inside() -> None:
    cudnn: Any = torch.backends.cudnn
    with exact_arithmetic():
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            assert not cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32


def test_a_user_who_asked_for_tf32_by_the_old_switch_can_read_it_inside_and_has_it_back() -> None:
    matmul: Any = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    try:
        matmul.allow_tf32 = True
        with exact_arithmetic():
            assert not matmul.allow_tf32
            assert matmul.fp32_precision == "ieee"
        assert matmul.allow_tf32
    finally:
        matmul.allow_tf32 = before


def test_products_are_rounded_inside_and_exact_again_afterwards() -> None:
    cudnn: Any = torch.backends.cudnn
    with exact_arithmetic():
        with rounded_products():
            assert torch.backends.cuda.matmul.allow_tf32
            assert cudnn.conv.fp32_precision == "tf32"
        assert not torch.backends.cuda.matmul.allow_tf32
        assert cudnn.conv.fp32_precision == "ieee"
        with rounded_products(False):
            assert cudnn.conv.fp32_precision == "ieee"


def test_a_tf32_direction_is_taken_with_its_backward_inside_and_differences_outside() -> None:
    seen: list[tuple[str, bool]] = []

    class Telling(Perceptron):
        def forward(self, waves: Tensor) -> Tensor:
            logits = super().forward(waves)
            rounded = torch.backends.cuda.matmul.fp32_precision == "tf32"
            seen.append(("forward" if torch.is_grad_enabled() else "plain", rounded))
            if logits.requires_grad:
                logits.register_hook(
                    lambda _: seen.append(("backward", torch.backends.cuda.matmul.fp32_precision == "tf32"))
                )
            return logits

    network = Telling()
    with exact_arithmetic():
        exact = MEASURES["sam"].function(make_group(network), [0.05])
        seen.clear()
        group = make_group(network, direction="tf32")
        rounded = MEASURES["sam"].function(group, [0.05])
    shared = [entry for entry in seen if entry[0] != "plain"][2:]  # the first look comes before
    assert set(shared) == {("forward", True), ("backward", True)}
    assert {entry for entry in seen if entry[0] == "plain"} == {("plain", False)}
    assert rounded == exact  # on a CPU there is no TF32
