"""What a checkpoint is, as plain facts, for `sharpscope inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sharpscope.detectors.loading import load_detector
from sharpscope.devices import keep_freed_memory
from sharpscope.measurement.first_look import first_look


def inspect(path: str | Path, *, check: bool = True, **options: Any) -> dict[str, Any]:
    """Load a checkpoint and list what was found, decided and assumed.

    Args:
        path: The checkpoint.
        check: Also run it on noise, which tells live parameters from dead ones.
        **options: As for `load_detector`.

    Returns:
        Plain values by name.

    Raises:
        UsageError: If the file cannot be loaded.
        SharpscopeError: If a check fails.
    """
    detector = load_detector(path, **options)
    spec = detector.spec
    parameters = sum(parameter.numel() for parameter in detector.module.parameters())
    facts: dict[str, Any] = {
        "file": str(path),
        "sha256": detector.sha256,
        "architecture": spec.arch,
        "input": f"{spec.n_samples or 'any number of'} samples at {spec.sample_rate} Hz, {spec.padding}-padded, "
        f"normalisation {spec.normalisation}",
        "output": spec.outputs,
        "bona fide": f"index {spec.bonafide_index} ({spec.polarity_source})",
        "parameters": parameters,
    }
    if check:
        generator = torch.Generator().manual_seed(0)
        length = spec.n_samples or 4 * spec.sample_rate
        waves = 0.05 * torch.randn(2, length, generator=generator)
        keep_freed_memory()
        labels = torch.tensor([1, 0], device=detector.device)
        found = first_look(detector, waves.to(detector.device, detector.dtype), labels)
        facts["live parameters"] = found.live.count
        facts["dead"] = found.live.dead
        facts["frozen"] = found.live.frozen
        facts["batch difference"] = found.batch_difference
        if found.notes:
            facts["notes"] = list(found.notes)
    facts["decisions"] = list(detector.decisions)
    facts["assumptions"] = list(spec.assumptions)
    facts["record"] = detector.record or {}
    facts["conventions"] = {**spec.to_dict(), "assumptions": list(spec.assumptions)}
    facts["spec_hash"] = spec.hash()
    return facts
