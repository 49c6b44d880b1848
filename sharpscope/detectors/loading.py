"""From a file to a detector, each decision said in a line; never a silent partial load."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope import detectors
from sharpscope.checkpoints import Checkpoint, read_checkpoint
from sharpscope.detectors.spec import Detector, DetectorSpec
from sharpscope.detectors.user_model import build_user_model
from sharpscope.errors import UsageError, unknown_name

SAM_ANTISPOOFING_ENVELOPE = {"optimizer", "epoch"}


def load_detector(
    path: str | Path,
    *,
    arch: str | None = None,
    model: str | None = None,
    model_args: dict[str, Any] | None = None,
    bonafide_index: int | None = None,
    allow_pickle: bool = False,
    device: str = "cpu",
    dtype: str = "float32",
) -> Detector:
    """Load a checkpoint as a detector.

    Who decides the architecture, first that applies: ``model``, ``arch``, the record that our trainer wrote,
    the names and shapes in the state dict.

    Args:
        path: The checkpoint.
        arch: Name in ``ARCHITECTURES``.
        model: ``package.module:factory`` or ``file.py:Class``.
        model_args: Keyword arguments of the model or architecture.
        bonafide_index: Which output is bona fide; None takes the architecture's.
        allow_pickle: Open files that load only by running code.
        device: Where to put the network.
        dtype: "float32" or "float64".

    Returns:
        The detector, in eval mode.

    Raises:
        UsageError: If the file, the architecture or the fit of the two is bad.
    """
    checkpoint = read_checkpoint(path, allow_pickle=allow_pickle)
    network, state, spec, decision = _resolve(checkpoint, arch, model, model_args)
    notes = _fill(network, state, checkpoint.path, spec)
    record = checkpoint.record or {}
    if bonafide_index is not None:
        spec = dataclasses.replace(spec, bonafide_index=bonafide_index, polarity_source="option")
    elif "bonafide_index" in record:
        spec = dataclasses.replace(
            spec, bonafide_index=int(record["bonafide_index"]), polarity_source="record"
        )
    network = network.to(device=device, dtype=getattr(torch, dtype)).eval()
    return Detector(
        module=network,
        spec=spec,
        checkpoint_path=checkpoint.path,
        sha256=checkpoint.sha256,
        record=checkpoint.record,
        decisions=(*checkpoint.notes, decision, *notes),
    )


def _resolve(
    checkpoint: Checkpoint, arch: str | None, model: str | None, arguments: dict[str, Any] | None
) -> tuple[nn.Module, Mapping[str, Tensor], DetectorSpec, str]:
    if model is not None:
        network = build_user_model(model, arguments)
        assumed = ("bona fide assumed at index 1",)
        spec = DetectorSpec(
            f"user:{model.rpartition(':')[2]}", polarity_source="default", assumptions=assumed
        )
        declared = getattr(network, "sharpscope_spec", None)
        if isinstance(declared, Mapping):
            spec = _declared(spec, declared)
        return network, checkpoint.state, spec, f"network from --model {model}"
    record = checkpoint.record or {}
    reason = "named by --arch"
    if arch is None and "arch" in record:
        arch, reason = str(record["arch"]), "named by the file's record"
        arguments = arguments or dict(record.get("arch_args", {}))
    if arch is None:
        arch, reason = _by_signature(checkpoint), "recognised by the names and shapes of its weights"
    if arch not in detectors.ARCHITECTURES:
        raise unknown_name("architecture", arch, detectors.ARCHITECTURES)
    entry = detectors.ARCHITECTURES[arch]
    try:
        network = entry.build(**(arguments or {}))
    except TypeError as error:
        raise UsageError(f"{checkpoint.path}: {arch} cannot be built with {arguments} ({error})") from error
    return network, entry.rename(checkpoint.state), entry.spec, f"{arch}: {reason}"


def _declared(spec: DetectorSpec, declared: Mapping[str, Any]) -> DetectorSpec:
    """Take over the conventions that a user's network states as its attribute ``sharpscope_spec``."""
    known = {field.name for field in dataclasses.fields(DetectorSpec)} - {
        "arch",
        "assumptions",
        "polarity_source",
    }
    for name in declared:
        if name not in known:
            raise unknown_name("convention in sharpscope_spec", name, known)
    return dataclasses.replace(spec, **declared, polarity_source="declared", assumptions=())


def _by_signature(checkpoint: Checkpoint) -> str:
    found = [
        name
        for name, entry in detectors.ARCHITECTURES.items()
        if entry.matches and entry.matches(checkpoint.state)
    ]
    if found == ["aasist"] and set(checkpoint.siblings) >= SAM_ANTISPOOFING_ENVELOPE:
        raise UsageError(
            f"{checkpoint.path}: AASIST weights that fit two different functions, and the file (with "
            f"{', '.join(sorted(checkpoint.siblings))}) looks like SAM-AntiSpoofing's. Say which: "
            "--arch aasist@sam-antispoofing (pool ratios .5/.5/.5) or --arch aasist (.5/.7/.5)"
        )
    if len(found) == 1:
        return found[0]
    names = list(checkpoint.state)
    shown = ", ".join(f"{name} {tuple(checkpoint.state[name].shape)}" for name in [*names[:3], *names[-2:]])
    count = sum(tensor.numel() for tensor in checkpoint.state.values())
    known = ", ".join(detectors.ARCHITECTURES)
    raise UsageError(
        f"{checkpoint.path}: {'several architectures match' if found else 'no known architecture'} for these "
        f"{len(names)} tensors, {count:,} numbers ({shown}). Known: {known}. Name one with --arch, or pass your "
        "own network: --model path/to/model.py:ClassName [--model-args '{\"width\": 64}']"
    )


def _fill(network: nn.Module, state: Mapping[str, Tensor], path: Path, spec: DetectorSpec) -> list[str]:
    """Load the weights; what the file lacks is accepted only where a backward pass proves it unused."""
    own = network.state_dict()
    unexpected = [name for name in state if name not in own]
    if unexpected:
        raise UsageError(
            f"{path}: {len(unexpected)} tensors have no place in {spec.arch} ({', '.join(unexpected[:4])}); is it "
            "another architecture?"
        )
    wrong = [name for name in state if own[name].shape != state[name].shape]
    if wrong:
        name = wrong[0]
        raise UsageError(
            f"{path}: {name} is {tuple(state[name].shape)} where {spec.arch} has {tuple(own[name].shape)}; pass the "
            "sizes with --model-args"
        )
    strange = [name for name in state if state[name].is_complex() or state[name].is_quantized]
    if strange:
        raise UsageError(
            f"{path}: {strange[0]} is {state[strange[0]].dtype}; floating-point weights are needed"
        )
    broken = [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise UsageError(f"{path}: {len(broken)} tensors hold NaN or infinity ({', '.join(broken[:4])})")
    network.load_state_dict(
        {name: tensor.to(own[name].dtype) for name, tensor in state.items()}, strict=False
    )
    missing = [name for name in own if name not in state]
    if not missing:
        return []
    alive = sorted(set(missing) - _unused(network, spec))
    if alive:
        raise UsageError(
            f"{path}: {len(alive)} tensors of {spec.arch} are not in the file ({', '.join(alive[:4])})"
        )
    return [f"{len(missing)} tensors are not in the file and proved unused by a backward pass"]


def _unused(network: nn.Module, spec: DetectorSpec) -> set[str]:
    """Names of parameters that receive no gradient, with the buffers of the modules that hold only such."""
    network.eval()
    waves = torch.randn(2, spec.n_samples or spec.sample_rate, generator=torch.Generator().manual_seed(0))
    out = network(waves)
    tensors = [out] if isinstance(out, Tensor) else [t for t in out if isinstance(t, Tensor)]
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(
        sum((t.sum() for t in tensors if t.requires_grad), torch.zeros(())),
        list(parameters.values()),
        allow_unused=True,
    )
    dead = {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is None}
    for module_name, module in network.named_modules():
        prefix = f"{module_name}." if module_name else ""
        own = [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
        if own and all(name in dead for name in own):
            dead |= {f"{prefix}{name}" for name, _ in module.named_buffers(recurse=False)}
    return dead
