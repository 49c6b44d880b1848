"""Recurrent layers on a GPU: cuDNN refuses their backward in eval mode, so they run without it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def _without_cudnn(module: nn.Module, _: Any) -> None:
    module.__dict__["cudnn_before"] = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False


def _as_before(module: nn.Module, _: Any, __: Any) -> None:
    torch.backends.cudnn.enabled = bool(module.__dict__["cudnn_before"])


def keep_from_cudnn(network: nn.Module) -> int:
    """Make every recurrent layer of a network run torch's own kernels; the other layers keep cuDNN.

    Args:
        network: Changed in place; the hooks are copied with it.

    Returns:
        How many layers there are.

    Example:
        >>> keep_from_cudnn(nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2)))
        1
    """
    layers = [module for module in network.modules() if isinstance(module, nn.RNNBase)]
    for layer in layers:
        layer.register_forward_pre_hook(_without_cudnn)
        layer.register_forward_hook(_as_before, always_call=True)
    return len(layers)
