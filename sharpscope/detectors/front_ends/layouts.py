"""The orders of axes in which networks take features of D numbers a frame."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "(B, D, T)": lambda x: x,
    "(B, T, D)": lambda x: x.transpose(1, 2),
    "(B, 1, D, T)": lambda x: x.unsqueeze(1),
    "(B, 1, T, D)": lambda x: x.transpose(1, 2).unsqueeze(1),
    "(B, 3, D, T)": lambda x: x.unsqueeze(1).expand(-1, 3, -1, -1),
}
