"""From a file to plain tensors: nothing in it is imported or run, and no choice is made in silence."""

from sharpscope.detectors.reading.archive import check_file, is_torchscript
from sharpscope.detectors.reading.checkpoint import Checkpoint, read_checkpoint
from sharpscope.detectors.reading.hashing import sha256_of
from sharpscope.detectors.reading.names import strip_prefixes
from sharpscope.detectors.reading.writing import write_checkpoint, write_safetensors

__all__ = [
    "Checkpoint",
    "check_file",
    "is_torchscript",
    "read_checkpoint",
    "sha256_of",
    "strip_prefixes",
    "write_checkpoint",
    "write_safetensors",
]
