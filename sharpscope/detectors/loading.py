"""From a file or folder to a detector, each decision said in a line; never a silent partial load."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.detectors import hugging_face, torchscript
from sharpscope.detectors.detector import Detector
from sharpscope.detectors.fitting import fill
from sharpscope.detectors.layout import channels_last
from sharpscope.detectors.reading import Checkpoint, is_torchscript, read_checkpoint
from sharpscope.detectors.reading.kinds import head_only
from sharpscope.detectors.resolution import check_record, resolve
from sharpscope.detectors.sidecar import with_record
from sharpscope.errors import UsageError
from sharpscope.plugins import DETECTORS, load_plugins

DTYPES = ("float32", "float64")


def load_detector(
    path: str | Path,
    *,
    arch: str | None = None,
    model: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    bonafide_index: int | None = None,
    allow_pickle: bool = False,
    weights: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
) -> Detector:
    """Load a checkpoint as a detector.

    Who decides what it is, first that applies: ``model``, ``arch``, the record that our trainer wrote into or
    somebody put beside the file, a folder of Hugging Face, the names and shapes of the weights.

    Args:
        path: The checkpoint, or a folder with config.json.
        arch: Name in ``ARCHITECTURES``, or "torchscript" for a program whose code may run.
        model: ``package.module:factory`` or ``file.py:Class``.
        model_args: Keyword arguments of the model or architecture.
        bonafide_index: Which output is bona fide; None takes what the file or architecture says.
        allow_pickle: Open files whose tensors come about only by running code.
        weights: Key of the weights where a file holds several (an average, a teacher).
        device: Where to put the network.
        dtype: "float32" or "float64".

    Returns:
        The detector, in eval mode.

    Raises:
        UsageError: If the file, the architecture or the fit of the two is bad.
    """
    load_plugins(DETECTORS)
    path = Path(path)
    if dtype not in DTYPES:
        raise UsageError(f"dtype is '{dtype}'; it must be one of {', '.join(DTYPES)}")
    if bonafide_index not in (None, 0, 1):
        raise UsageError(f"bonafide_index is {bonafide_index}; it must be 0 or 1")
    own = False
    if path.is_dir():
        loaded = hugging_face.load(path, bonafide_index)
    elif arch == torchscript.NAME or (path.is_file() and is_torchscript(path)):
        loaded = torchscript.load(path, arch)
    else:
        loaded = _from_weights(path, arch, model, model_args, allow_pickle, weights)
        # A user's own network may take its images apart in a way that needs them contiguous.
        own = model is None
    spec = loaded.spec
    if bonafide_index is not None:
        kept = tuple(line for line in spec.assumptions if not line.startswith("bona fide assumed"))
        spec = dataclasses.replace(
            spec, bonafide_index=bonafide_index, polarity_source="option", assumptions=kept
        )
    network = _place(loaded.module, device, dtype)
    if own and device == "cpu" and dtype == "float32":
        channels_last(network)
    layers = sum(isinstance(module, nn.RNNBase) for module in network.modules())
    more = (
        (f"{layers} recurrent layer(s) run without cuDNN, whose backward needs train mode",) if layers else ()
    )
    return dataclasses.replace(loaded, module=network, spec=spec, decisions=(*loaded.decisions, *more))


def _place(network: nn.Module, device: str, dtype: str) -> nn.Module:
    try:
        return network.to(device=device, dtype=getattr(torch, dtype)).eval()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:160]
        raise UsageError(f"the network cannot be put on '{device}' ({reason}); use --device cpu") from error


def _from_weights(
    path: Path,
    arch: str | None,
    model: str | None,
    arguments: Mapping[str, Any] | None,
    allow_pickle: bool,
    weights: str | None,
) -> Detector:
    checkpoint = read_checkpoint(path, allow_pickle=allow_pickle, weights=weights)
    try:
        found = resolve(checkpoint, arch, model, arguments)
    except UsageError as error:
        raise _said_of_a_part(checkpoint, error) from error
    spec = found.spec
    record = checkpoint.record or {}
    if model is None:
        spec = with_record(spec, check_record(checkpoint))
    state = found.state if model is None else _as_the_user_names(checkpoint, found.state, found.network)
    notes = fill(found.network, state, path, spec, given_away=model is None)
    return Detector(
        module=found.network,
        spec=spec,
        checkpoint_path=path,
        sha256=checkpoint.sha256,
        record=record or None,
        decisions=(*checkpoint.notes, *found.decisions, *notes),
    )


def _said_of_a_part(checkpoint: Checkpoint, error: UsageError) -> UsageError:
    """Return the error, which begins with the reason where a file holds a head or a centre alone."""
    part, unknown = head_only(checkpoint.state), "no known architecture"
    if not part:
        return error
    reason = f"holds {part}, the front-end is elsewhere: put both into one network of your own; {unknown}"
    return UsageError(str(error).replace(unknown, reason, 1))


def _as_the_user_names(
    checkpoint: Checkpoint, state: Mapping[str, Tensor], network: nn.Module
) -> Mapping[str, Tensor]:
    """Return the weights under the names of a user's own network, whose parts may be called as wrappers are."""
    own = network.state_dict().keys()
    beside = {name: tensor for name, tensor in checkpoint.aside.items() if name in own}
    if state.keys() <= own:
        return {**state, **beside}
    as_in_file = {checkpoint.original.get(name, name): tensor for name, tensor in state.items()}
    return {**(as_in_file if as_in_file.keys() <= own else state), **beside}
