"""Every architecture of the package, as small as its code allows and as short as its audio may be."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from sharpscope.detectors import ARCHITECTURES, Detector
from sharpscope.detectors.architectures import lcnn, rawgat_st
from sharpscope.detectors.opening import as_detector

FRONT_END = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [4] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SAMPLES = {"aasist": 2400, "rawgat": 7586, "rawnet2": 4000, "lfcc-lcnn-lstm": 4000, "specrnet": 16_000}
CONFORMER = {"inner": 8, "heads": 2, "blocks": 1, "hidden": 8, "channels": 8, "kernel": 3, "positions": 16}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "aasist": {"width": 8, "graph": 8},
    "rawnet2": {"widths": (4, 4, 4, 8, 8, 8, 8), "hidden": 8, "layers": 1, "embedding": 8, "taps": 129},
    "specrnet": {"channels": (1, 4, 8, 8), "hidden": 8, "layers": 1},
    "tssdnet": {"widths": (8, 8, 8, 8, 8)},
    "ssl-sls": {"head_arguments": {"flat": 5, "hidden": 8}},
    "ssl-conformer": {"head_arguments": CONFORMER},
    "ssl-mamba": {"head_arguments": {"inner": 8, "layers": 2, "state": 2}},
    "ssl-nes2net": {"head_arguments": {"outer": 2, "groups": 2, "inner": 4}},
}


def samples_of(arch: str) -> int:
    """The shortest audio that the small form of an architecture takes."""
    return next((n for start, n in SAMPLES.items() if arch.startswith(start)), 1600)


@contextmanager
def short_trials() -> Iterator[None]:
    """Let the two architectures that are made for one length be made for a shorter one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lcnn, "FRAMES", 32)
        patch.setattr(rawgat_st, "NODES", (3, 2))
        yield


def small(arch: str) -> Detector:
    """A small detector of an architecture with seeded random weights, for use inside `short_trials`."""
    arguments: dict[str, Any] = dict(FRONT_END) if arch.startswith(("ssl", "antideepfake")) else {}
    for start, own in ARGUMENTS.items():
        if start in arch:
            arguments |= own
    torch.manual_seed(0)
    module = ARCHITECTURES[arch].build(**arguments)
    if arch.startswith("rawgat"):
        module.register_buffer("filters", module.get_buffer("filters")[:16].clone(), persistent=False)
    spec = dataclasses.replace(ARCHITECTURES[arch].spec, n_samples=samples_of(arch))
    return as_detector(module, name=arch, spec=spec)
