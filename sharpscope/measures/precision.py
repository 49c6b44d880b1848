"""Arithmetic while differences of losses are taken: the same kernels twice, and no reduced precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as module_hooks


@contextmanager
def plain_recurrence() -> Iterator[None]:
    """Run GRU, LSTM and RNN layers without cuDNN, whose backward exists in training mode only, and only once.

    The rest of the network keeps cuDNN. Forwards inside take the same kernels with and without a graph.

    Yields:
        Nothing.
    """
    cudnn: Any = torch.backends.cudnn
    before = cudnn.enabled

    def switch_off(layer: nn.Module, _: Any) -> None:
        if isinstance(layer, nn.RNNBase):
            cudnn.enabled = False

    def switch_on(layer: nn.Module, *_: Any) -> None:
        if isinstance(layer, nn.RNNBase):
            cudnn.enabled = before

    handles = [
        module_hooks.register_module_forward_pre_hook(switch_off),
        module_hooks.register_module_forward_hook(switch_on, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        cudnn.enabled = before


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Turn off everything that makes two forwards of one network differ by more than rounding.

    TF32 rounds products to 10 bits, autocast keeps stale half-precision copies of weights that were moved
    in place (sharpness comes out near zero), cuDNN's benchmark mode picks kernels by speed, and attention
    takes another kernel without a graph than with one. Each is off inside and as it was afterwards; on a GPU
    recurrent layers leave cuDNN (see `plain_recurrence`).

    Yields:
        Nothing.

    Example:
        >>> with exact_arithmetic():
        ...     torch.backends.mha.get_fastpath_enabled()
        False
    """
    cudnn: Any = torch.backends.cudnn
    # Only the new precision switches are touched: mixing them with allow_tf32 makes torch refuse both.
    switches = [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]
    before = [switch.fp32_precision for switch in switches]
    fastpath, benchmark, deterministic = (
        torch.backends.mha.get_fastpath_enabled(),
        cudnn.benchmark,
        cudnn.deterministic,
    )
    with ExitStack() as stack:
        stack.enter_context(torch.autocast("cuda", enabled=False))
        stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.cuda.is_available():
            stack.enter_context(plain_recurrence())
        try:
            for switch in switches:
                switch.fp32_precision = "ieee"
            torch.backends.mha.set_fastpath_enabled(False)
            cudnn.benchmark, cudnn.deterministic = False, True
            yield
        finally:
            for switch, value in zip(switches, before, strict=True):
                switch.fp32_precision = value
            torch.backends.mha.set_fastpath_enabled(fastpath)
            cudnn.benchmark, cudnn.deterministic = benchmark, deterministic
