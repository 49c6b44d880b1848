"""TorchScript programs: a network together with its code, opened only when the user says so."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.detectors.detector import Detector
from sharpscope.detectors.reading import check_file, sha256_of
from sharpscope.detectors.sidecar import read_sidecar, with_record
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError

NAME = "torchscript"


class Program(nn.Module):
    """A TorchScript program as an ordinary module.

    Args:
        program: What `torch.jit.load` returned.
    """

    def __init__(self, program: Any) -> None:
        super().__init__()
        self.program = program

    def forward(self, waves: Tensor) -> Any:
        """Run the program on waves (B, T)."""
        return self.program(waves)


def load(path: Path, arch: str | None) -> Detector:
    """Load a TorchScript program as a detector.

    Args:
        path: The file.
        arch: Must be "torchscript": a program is code.

    Returns:
        The detector, on the CPU.

    Raises:
        UsageError: If the user did not say so, or it is no such program.
    """
    check_file(path)
    digest = sha256_of(path)
    if arch != NAME:
        raise UsageError(
            f"{path}: a TorchScript program (SHA-256 {digest}), which is code that came with the file. If you trust "
            "it pass --arch torchscript; else save the network's state_dict() and pass --model"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # the reader raises what it meets
        reason = str(error).strip().splitlines()
        raise UsageError(
            f"{path}: not a readable TorchScript program ({reason[0][:120] if reason else 'empty'})"
        ) from error
    if not any(True for _ in program.parameters()):
        raise UsageError(
            f"{path}: a frozen TorchScript program without parameters; there is no loss surface to measure"
        )
    spec = DetectorSpec(
        NAME,
        polarity_source="default",
        assumptions=(
            "16 kHz assumed (a program does not tell)",
            "64,600 samples assumed (a program does not tell)",
            "bona fide assumed at index 1 (a program does not tell)",
        ),
    )
    record = read_sidecar(path)
    return Detector(
        Program(program),
        with_record(spec, record),
        path,
        digest,
        record or None,
        ("TorchScript program: its own code runs",),
    )
