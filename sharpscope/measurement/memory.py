"""How much memory a process or its GPU holds, and held at most since a moment."""

from __future__ import annotations

import torch
from torch import nn


def held(device: torch.device) -> int:
    """Return what is held now.

    Args:
        device: A GPU, or the CPU for the whole process.

    Returns:
        Bytes; 0 where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _status("VmRSS")


def start_watching(device: torch.device) -> bool:
    """Forget the peak so far, so that `peak` tells that of what follows.

    Args:
        device: A GPU, or the CPU for the whole process.

    Returns:
        Whether that can be done here; on a CPU it takes Linux.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return _status("VmHWM") > 0


def peak(device: torch.device) -> int:
    """Return the most that was held since `start_watching`.

    Args:
        device: A GPU, or the CPU for the whole process.

    Returns:
        Bytes; 0 where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _status("VmHWM")


def of_weights(module: nn.Module) -> int:
    """Return what the weights of a network take.

    Args:
        module: The network.

    Returns:
        Bytes.

    Example:
        >>> of_weights(nn.Linear(3, 2))
        32
    """
    return sum(p.numel() * p.element_size() for p in module.parameters())


def _status(name: str) -> int:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(name)), 0)
    except OSError:
        return 0
