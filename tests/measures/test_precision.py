"""Switches of a whole process around a measurement, also where two mechanisms meet."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpscope.detectors import ARCHITECTURES
from sharpscope.measures.precision import exact_arithmetic


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
