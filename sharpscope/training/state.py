"""What a training run keeps on disk, each file replaced in one step."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sharpscope.errors import UsageError
from sharpscope.files import replacing

LOG = ("epoch", "step", "lr", "rho", "loss", "dev_eer", "dev_loss", "dev_eers")
# Columns that are numbers, for TensorBoard.
SCALARS = ("lr", "rho", "loss", "dev_eer", "dev_loss")


def open_folder(folder: Path) -> None:
    """Make the folder of a run and see that it can be written to.

    Args:
        folder: Of the run.

    Raises:
        UsageError: If it is a file, or cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; --out takes the folder of a run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written to ({error.strerror}); choose another with --out"
        ) from error


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write what a killed run needs to go on.

    Args:
        folder: Of the run.
        state: Tensors and plain values.
    """
    with replacing(folder / "state.pt") as temporary:
        torch.save(state, temporary)


def load_state(folder: Path, recipe: str, device: torch.device) -> dict[str, Any] | None:
    """Read what `save_state` wrote.

    Args:
        folder: Of the run.
        recipe: What the run does, as text; another one's state is not taken.
        device: Where tensors go.

    Returns:
        The state, None at the start of a run.

    Raises:
        UsageError: If the folder holds a run of another recipe, or the file is damaged.
    """
    path = folder / "state.pt"
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        own = state["recipe"]
    except Exception as error:  # a damaged file may fail in any way
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise UsageError(
            f"{path} is damaged ({reason}); remove it to start the run anew, best.pt and last.pt stay until then"
        ) from error
    if own != recipe:
        raise UsageError(
            f"{folder} holds a run of another recipe; give another folder with --out, or remove it"
        )
    return state


def write_log(folder: Path, rows: Sequence[dict[str, Any]], *, tensorboard: bool) -> None:
    """Write one line per epoch.

    Args:
        folder: Of the run.
        rows: Values by column of ``LOG``.
        tensorboard: Write the last one as events too.

    Raises:
        UsageError: If TensorBoard is asked for and not installed.
    """
    with (
        replacing(folder / "log.csv") as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, LOG, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if not tensorboard or not rows:
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "run.tensorboard needs the extra `track`: pip install 'sharpscope[track]', or set it to false"
        ) from None
    with SummaryWriter(str(folder)) as events:
        for name in SCALARS:
            events.add_scalar(name, rows[-1][name], rows[-1]["epoch"])
