"""When a network's own code fails: what it was given, what it raised and where, and how to wrap it, in one line."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.detectors.front_ends.layouts import LAYOUTS
from sharpscope.errors import SharpscopeError, UsageError

# What detectors of the field take in place of (B, T), as it is written in a forward.
SHAPES: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "(B, 1, T)": ("waves.unsqueeze(1)", lambda waves: waves.unsqueeze(1)),
    "(B, T, 1)": ("waves.unsqueeze(2)", lambda waves: waves.unsqueeze(2)),
    "(B, 1, 1, T)": ("waves[:, None, None]", lambda waves: waves[:, None, None]),
}
WRAP = "wrap it: class Mine(YourClass): def forward(self, waves): return super().forward({})"
FEATURES = (
    "it takes features, not waves; compute them in its forward (ready-made ones: "
    "sharpscope.detectors.front_ends.on_features, see docs/bring_your_detector.md)"
)
# How torch says that the number of dimensions or a width is not that of the layer.
MISFITS = (
    "mat1 and mat2",
    "expected 3d",
    "expected 4d",
    "expected 2d",
    "expected input",
    "to have",
    "unbatched",
    "batched",
    "dimension",
    "shape",
    "size",
    "not enough values to unpack",
    "too many values to unpack",
)


def first_line(error: BaseException) -> str:
    r"""Return the type of an error and the first line of its message.

    Args:
        error: Any.

    Returns:
        At most 220 characters.

    Example:
        >>> first_line(ValueError("no\nmore"))
        'ValueError: no'
    """
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:220] if lines else type(error).__name__


def place_of(error: BaseException) -> str:
    """Name the line of the user's own code at which an error was raised.

    Args:
        error: With its traceback.

    Returns:
        ``name.py, line n`` of the innermost frame outside torch and this package; empty when there is none.
    """
    ours, theirs = str(Path(__file__).resolve().parents[1]), str(Path(torch.__file__).resolve().parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((ours, theirs, "<")):
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return ""


def describe_failure(error: BaseException, shape: Sequence[int], module: nn.Module) -> SharpscopeError:
    """Turn whatever a forward raised into one line that says how to go on.

    The other shapes that detectors take are tried on a little noise, so that the line can say which one works.

    Args:
        error: What the network raised.
        shape: Of the waves that it was given, (B, T).
        module: The network.

    Returns:
        An error to raise: a `UsageError`, or a `SharpscopeError` where memory ran out. One of ours comes back as
        it is.

    Example:
        >>> network = nn.Sequential(nn.Conv1d(1, 2, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten())
        >>> try:
        ...     network(torch.zeros(2, 3, 50))
        ... except RuntimeError as error:
        ...     "it takes (B, 1, T)" in str(describe_failure(error, (2, 50), network))
        True
    """
    if isinstance(error, SharpscopeError):
        return error
    what = first_line(error)
    given = "x".join(str(size) for size in shape)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in what.lower():
        return SharpscopeError(
            f"memory ran out while the network ran on {given} samples ({what}); lower --batch-size"
        )
    where = place_of(error)
    name = type(module).__name__
    kind = "waves (B, T)" if len(shape) == 2 else "features"
    said = f"the network ({name}) failed on {kind} of {given} with {what}"
    return UsageError(f"{said}{f' ({where})' if where else ''}; {_advice(error, what, shape, module)}")


def _advice(error: BaseException, what: str, shape: Sequence[int], module: nn.Module) -> str:
    if isinstance(error, TypeError) and "positional argument" in what:
        return "its forward gets the waves alone; " + WRAP.format("waves, ...")
    front = getattr(module, "sharpscope_front_end", None)
    if front is not None:
        return _layout_advice(shape, module, front[0])
    works = _shape_that_works(shape, module)
    if works is not None:
        return f"it takes {works}; " + WRAP.format(SHAPES[works][0])
    if any(word in what.lower() for word in MISFITS):
        return FEATURES
    return "run its forward on such waves yourself; it must map (B, T) to (B, 2) or (B, 1)"


def _shape_that_works(shape: Sequence[int], module: nn.Module) -> str | None:
    """Try what else detectors take, on two short trials of noise; None when nothing works, or no shape was given."""
    if len(shape) != 2:
        return None
    first = next(module.parameters(), torch.zeros(()))
    generator = torch.Generator().manual_seed(0)
    waves = (0.1 * torch.randn(min(shape[0], 2), shape[1], generator=generator)).to(first.device, first.dtype)
    for name, (_, change) in SHAPES.items():
        try:
            with torch.no_grad():
                out = module(change(waves))
        except Exception:  # the user's code may raise anything; that is what is being found out
            continue
        if _scores(out, len(waves)):
            return name
    return None


def _layout_advice(shape: Sequence[int], module: nn.Module, front: Any) -> str:
    """Try the other orders of axes of a ready-made front-end, whose features the network did not take."""
    given, found = front.layout, None
    first = next(module.parameters(), torch.zeros(()))
    waves = 0.1 * torch.randn(min(shape[0], 2), 32_000, generator=torch.Generator().manual_seed(0))
    for layout in LAYOUTS:
        front.layout = layout
        try:
            with torch.no_grad():
                out = module(waves.to(first.device, first.dtype))
        except Exception:  # as above
            continue
        if _scores(out, len(waves)):
            found = layout
            break
    front.layout = given
    if found is None:
        return (
            f"its front-end gives {given}; no order of axes works, so look at the number of features and frames in its "
            'own code and set them under "front_end" in --model-args'
        )
    argument = json.dumps({"front_end": {"layout": found}})
    return f"its front-end gives {given} and it takes {found}: --model-args '{argument}'"


def _scores(out: Any, batch: int) -> bool:
    """Tell whether an output holds something of the shape of class scores."""
    if isinstance(out, dict):
        out = list(out.values())
    listed = out if isinstance(out, list | tuple) else [getattr(out, "logits", out)]
    return any(
        isinstance(t, Tensor)
        and t.dim() in (1, 2)
        and t.shape[0] == batch
        and (t.dim() == 1 or t.shape[1] <= 2)
        for t in listed
    )
