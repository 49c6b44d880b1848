"""Arithmetic while differences of losses are taken: the same kernels twice, and no reduced precision."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
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


class _Switches:
    """The precision switches of a GPU, the new and the old ones, which torch refuses to read when they disagree."""

    def __init__(self) -> None:
        cudnn: Any = torch.backends.cudnn
        self._switches = [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]
        self._before = [switch.fp32_precision for switch in self._switches]
        self._old = [(owner, _old_switch(owner)) for owner in (torch.backends.cuda.matmul, cudnn)]

    def exact(self) -> None:
        """Turn TF32 off in both, so that code which reads the old ones goes on working."""
        self._set(False, "ieee")

    def rounded(self) -> None:
        """Turn TF32 on in both."""
        self._set(True, "tf32")

    def _set(self, old: bool, new: str) -> None:
        for owner, _ in self._old:
            owner.allow_tf32 = old
        for switch in self._switches:
            switch.fp32_precision = new

    def restore(self) -> None:
        """Set all as they were."""
        for owner, value in self._old:
            if value is not None:
                owner.allow_tf32 = value
        for switch, value in zip(self._switches, self._before, strict=True):
            switch.fp32_precision = value


def _old_switch(owner: Any) -> bool | None:
    """Return what an older switch says; None where new ones were set apart from it, so that it says nothing."""
    try:
        return bool(owner.allow_tf32)
    except RuntimeError:
        return None


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
    switches = _Switches()
    fastpath, benchmark, deterministic = (
        torch.backends.mha.get_fastpath_enabled(),
        cudnn.benchmark,
        cudnn.deterministic,
    )
    with ExitStack() as stack:
        stack.enter_context(torch.autocast("cuda", enabled=False))
        stack.enter_context(torch.autocast("cpu", enabled=False))
        stack.enter_context(plain_recurrence())
        try:
            switches.exact()
            torch.backends.mha.set_fastpath_enabled(False)
            cudnn.benchmark, cudnn.deterministic = False, True
            yield
        finally:
            switches.restore()
            torch.backends.mha.set_fastpath_enabled(fastpath)
            cudnn.benchmark, cudnn.deterministic = benchmark, deterministic


@contextmanager
def rounded_products(enabled: bool = True) -> Iterator[None]:
    """Let a GPU round the factors of float32 products to 10 bits (TF32), inside `exact_arithmetic` too.

    For directions only: a difference of losses would be one of roundings. A backward must lie inside as its forward
    does. On a CPU nothing changes.

    Args:
        enabled: False changes nothing.

    Yields:
        Nothing.

    Example:
        >>> with exact_arithmetic(), rounded_products():
        ...     torch.backends.cuda.matmul.fp32_precision
        'tf32'
    """
    switches = _Switches() if enabled else None
    try:
        if switches is not None:
            switches.rounded()
        yield
    finally:
        if switches is not None:
            switches.restore()


def _rounds(switch: Any) -> bool:
    """Tell whether products are rounded; a switch that says nothing follows the one above it."""
    above = getattr(torch.backends, "fp32_precision", "none")
    return bool((above if switch.fp32_precision == "none" else switch.fp32_precision) == "tf32")


def global_switches() -> dict[str, Any]:
    """Return the settings of the whole process that change what a forward computes.

    Returns:
        Values by the words that a message names them with; the states of random generators as hashes.

    Example:
        >>> before = global_switches()
        >>> torch.manual_seed(before["seed of torch"] + 1) and None
        >>> [name for name, value in global_switches().items() if value != before[name]]
        ['seed of torch', 'random state of torch']
        >>> torch.manual_seed(before["seed of torch"]) and None
    """
    cudnn: Any = torch.backends.cudnn
    return {
        "TF32 in matrix products": _rounds(torch.backends.cuda.matmul),
        "TF32 in convolutions": _rounds(cudnn.conv),
        "TF32 in recurrent layers": _rounds(cudnn.rnn),
        "autocast": (torch.is_autocast_enabled("cuda"), torch.is_autocast_enabled("cpu")),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "cuDNN enabled": cudnn.enabled,
        "cuDNN benchmark": cudnn.benchmark,
        "cuDNN deterministic": cudnn.deterministic,
        "fused attention": torch.backends.mha.get_fastpath_enabled(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "number of threads": torch.get_num_threads(),
        "seed of torch": torch.initial_seed(),
        "random state of torch": hash(torch.get_rng_state().numpy().tobytes()),
        "random state of numpy": hash(repr(np.random.get_state())),  # noqa: NPY002 - what a forward may still use
        "random state of Python": hash(random.getstate()),
    }
