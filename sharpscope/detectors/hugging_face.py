"""Folders of Hugging Face: audio classifiers from local files only, without code that came with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sharpscope.detectors.architectures.ssl import NORM, import_transformers
from sharpscope.detectors.detector import Detector
from sharpscope.detectors.fitting import build_to_fit, fill
from sharpscope.detectors.reading import read_checkpoint
from sharpscope.detectors.sidecar import read_sidecar, with_record
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError

# Classifiers that take the wave itself.
FAMILIES = (
    "wav2vec2",
    "hubert",
    "wavlm",
    "unispeech",
    "unispeech-sat",
    "wav2vec2-conformer",
    "data2vec-audio",
)
BONAFIDE = re.compile(r"bona|real|genuine|human|authentic|original|live", re.IGNORECASE)
SPOOF = re.compile(r"spoof|fake|synth|generated|\bai\b|deep|clone|artificial", re.IGNORECASE)
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# Levels that data-parallel training and compilation put into names; transformers itself has no such level.
WRAPPER = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod)\.")
PROCESSORS = ("processor_config.json", "preprocessor_config.json")


class AudioClassifier(nn.Module):
    """A classifier of transformers, from waves (B, T) to logits (B, 2)."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, waves: Tensor) -> Tensor:
        """Classify waves (B, T)."""
        logits: Tensor = self.classifier(waves).logits
        return logits


def polarity_of(labels: Mapping[str, str]) -> int | None:
    """Tell which output is bona fide from the names of two labels.

    Args:
        labels: ``id2label`` of a configuration.

    Returns:
        0 or 1; None when the names do not say.

    Example:
        >>> polarity_of({"0": "fake", "1": "real"}), polarity_of({"0": "LABEL_0", "1": "LABEL_1"})
        (1, None)
    """
    if set(labels) != {"0", "1"}:
        return None
    kinds = [(bool(BONAFIDE.search(str(labels[k]))), bool(SPOOF.search(str(labels[k])))) for k in ("0", "1")]
    if kinds == [(True, False), (False, True)]:
        return 0
    return 1 if kinds == [(False, True), (True, False)] else None


def read_json(path: Path) -> dict[str, Any]:
    """Read an object of JSON, such as a configuration.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        UsageError: If it cannot be read, or holds no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds a {type(content).__name__}; it must be an object")
    return content


def _check_config(folder: Path, config: dict[str, Any], bonafide_index: int | None) -> tuple[int, str]:
    """Return the polarity and who says so, or stop where a configuration is not for us."""
    if "auto_map" in config:
        raise UsageError(f"{folder}: its config.json asks for code of its own (auto_map), which is not run")
    if config.get("model_type") not in FAMILIES:
        raise UsageError(
            f"{folder}: a '{config.get('model_type')}' model; of classifiers, those over raw audio are read "
            f"({', '.join(FAMILIES)}). Wrap yours in a file and pass its weights with --model"
        )
    labels = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    polarity = polarity_of(labels) if isinstance(labels, dict) else None
    if isinstance(labels, dict) and len(labels) != 2:
        raise UsageError(
            f"{folder}: {len(labels)} classes ({', '.join(map(str, labels.values()))[:80]}); a detector has two"
        )
    if bonafide_index is not None:
        return bonafide_index, "option"
    if polarity is None:
        raise UsageError(
            f"{folder}: its labels are {labels}, which do not say which is bona fide; pass --bonafide-index 0 or 1"
        )
    return polarity, "labels"


def _rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the older names of weight normalisation to the newer ones, without the levels of wrappers."""
    renamed = {}
    for name, tensor in state.items():
        name = WRAPPER.sub("", name)
        if name.endswith("masked_spec_embed"):
            continue
        new = name.replace("encoder.pos_conv_embed.conv.weight_g", f"{NORM}0")
        new = new.replace("encoder.pos_conv_embed.conv.weight_v", f"{NORM}1")
        renamed[f"classifier.{new}"] = tensor
    return renamed


def _processor(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Read how waves are prepared, from either form in which transformers writes it; say what had to be assumed."""
    # Since version 5 a whole processor lies in processor_config.json, the part for waves under "feature_extractor".
    found: dict[str, dict[str, Any]] = {}
    for name in PROCESSORS:
        if (folder / name).is_file():
            content = read_json(folder / name)
            part = content.get("feature_extractor", content)
            if not isinstance(part, dict):
                raise UsageError(
                    f"{folder / name}: its feature_extractor is {part!r:.40}; it must be an object"
                )
            found[name] = {key: part[key] for key in ("do_normalize", "sampling_rate") if key in part}
    told: dict[str, Any] = {}
    for name, part in found.items():
        for key, value in part.items():
            if key in told and told[key] != value:
                raise UsageError(
                    f"{folder}: {' and '.join(PROCESSORS)} disagree on {key} ({told[key]!r:.20} and {value!r:.20}); "
                    "delete the one that is out of date"
                )
            told[key] = value
            if key == "do_normalize" and not isinstance(value, bool):
                raise UsageError(f"{folder / name}: do_normalize is {value!r:.40}; it must be true or false")
    where = "the folder has no processor file" if not found else f"not in {' or '.join(found)}"
    missing = {"do_normalize": "zero mean and unit variance a wave", "sampling_rate": "16 kHz"}
    assumed = [f"{words} assumed ({where})" for key, words in missing.items() if key not in told]
    normalise = "layer_norm" if told.get("do_normalize", True) else "none"
    return {"normalisation": normalise, "sample_rate": told.get("sampling_rate", 16_000)}, assumed


def load(folder: Path, bonafide_index: int | None) -> Detector:
    """Load a folder with config.json and weights as a detector.

    Args:
        folder: As `save_pretrained` writes it.
        bonafide_index: For labels that have no names.

    Returns:
        The detector, on the CPU.

    Raises:
        UsageError: If something is missing, not for raw audio, or its labels do not tell the polarity.
    """
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder}: a folder without config.json; name the checkpoint file inside it")
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise UsageError(f"{folder}: neither {' nor '.join(WEIGHTS)} is there (sharded weights are not read)")
    config = read_json(folder / "config.json")
    polarity, source = _check_config(folder, config, bonafide_index)
    checkpoint = read_checkpoint(weights)
    # No family's names share a first level, so that a prefix which was removed was a wrapper's.
    state = _rename(checkpoint.state)
    transformers = import_transformers()
    off = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "apply_spec_augment": False, "layerdrop": 0.0}
    try:
        settings = transformers.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, **off
        )
    except Exception as error:  # a configuration may hold anything
        raise UsageError(f"{folder}: transformers cannot use its config.json ({str(error)[:160]})") from error
    settings._attn_implementation = "eager"

    def build() -> nn.Module:
        return AudioClassifier(transformers.AutoModelForAudioClassification.from_config(settings))

    network = build_to_fit(build, {}, state, folder, str(config["model_type"]))
    conventions, assumed = _processor(folder)
    spec = DetectorSpec(
        f"hf:{config['model_type']}",
        polarity_source=source,
        assumptions=("64,600 samples assumed (not in config.json)", *assumed),
    ).declare({"bonafide_index": polarity, **conventions}, source)
    record = read_sidecar(folder)
    spec = with_record(spec, record)
    notes = fill(network, state, folder, spec, given_away=True)
    decisions = (
        f"Hugging Face {config['model_type']} classifier; bona fide is index {polarity} by {source}",
        *checkpoint.notes,
        *notes,
    )
    return Detector(network, spec, folder, checkpoint.sha256, record or None, decisions)
