"""How a network lies in memory on a CPU, where that decides how fast it is."""

from __future__ import annotations

import torch
from torch import nn


def channels_last(network: nn.Module) -> int:
    """Store the filters of two-dimensional convolutions with the channels innermost, in place.

    oneDNN then keeps images in that order from layer to layer instead of reordering each one twice; the
    function is the same up to rounding. Forwards with and without a graph both run on it, so that a
    difference of losses still compares equal kernels.

    Args:
        network: On a CPU, in float32. Its outputs of convolutions must not be taken apart with ``view``.

    Returns:
        Number of layers that were changed.

    Example:
        >>> layer = nn.Conv2d(2, 3, (2, 2))
        >>> channels_last(layer), layer.weight.is_contiguous()
        (1, False)
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for layer in layers:
        layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)
    return len(layers)
