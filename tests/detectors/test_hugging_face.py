"""Folders of transformers: how waves are prepared is read from either form of its file, or said to be assumed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sharpscope.detectors import Detector, load_detector
from sharpscope.detectors.architectures.ssl import import_transformers
from sharpscope.errors import UsageError

WAVES = 0.3 * torch.randn(2, 8_000, generator=torch.Generator().manual_seed(0)) + 0.1


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    """A small classifier as `save_pretrained` writes it, without a processor."""
    transformers = import_transformers()
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=[8] * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        id2label={0: "fake", 1: "real"},
        label2id={"fake": 0, "real": 1},
    )
    network: nn.Module = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    folder = tmp_path_factory.mktemp("hf")
    network.save_pretrained(folder)  # type: ignore[operator]
    return folder, network


def copy_of(saved: tuple[Path, nn.Module], folder: Path, **files: Any) -> Path:
    for path in saved[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def told(detector: Detector) -> tuple[str, int]:
    return detector.spec.normalisation, detector.spec.sample_rate


PART = {"do_normalize": False, "sampling_rate": 8_000, "feature_extractor_type": "Wav2Vec2FeatureExtractor"}
OTHER = {**PART, "do_normalize": True}


@pytest.mark.parametrize(
    ("files", "expected", "assumed"),
    [
        # As transformers 5.23 writes a Wav2Vec2Processor, and a feature extractor alone.
        ({"processor_config": {"feature_extractor": PART, "processor_class": "P"}}, ("none", 8_000), 0),
        ({"preprocessor_config": PART}, ("none", 8_000), 0),
        ({"processor_config": PART}, ("none", 8_000), 0),
        ({"processor_config": {"feature_extractor": PART}, "preprocessor_config": PART}, ("none", 8_000), 0),
        ({"processor_config": {"processor_class": "P"}, "preprocessor_config": PART}, ("none", 8_000), 0),
        ({"processor_config": {"feature_extractor": {"do_normalize": False}}}, ("none", 16_000), 1),
        ({"preprocessor_config": {"sampling_rate": 8_000}}, ("layer_norm", 8_000), 1),
        ({"processor_config": {"processor_class": "P"}}, ("layer_norm", 16_000), 2),
        ({}, ("layer_norm", 16_000), 2),
    ],
)
def test_how_waves_are_prepared_is_read_or_said_to_be_assumed(
    files: dict[str, Any],
    expected: tuple[str, int],
    assumed: int,
    saved: tuple[Path, nn.Module],
    tmp_path: Path,
) -> None:
    loaded = load_detector(copy_of(saved, tmp_path, **files))
    assert told(loaded) == expected
    words = [line for line in loaded.spec.assumptions if "unit variance" in line or "16 kHz" in line]
    assert len(words) == assumed
    if not files:
        assert all("no processor file" in line for line in words)
    waves = WAVES
    if expected[0] == "layer_norm":
        waves = (WAVES - WAVES.mean(dim=1, keepdim=True)) / WAVES.std(dim=1, unbiased=False, keepdim=True)
    with torch.no_grad():
        torch.testing.assert_close(loaded(WAVES), saved[1](waves).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("files", "word"),
    [
        (
            {"processor_config": {"feature_extractor": OTHER}, "preprocessor_config": PART},
            "disagree on do_norm",
        ),
        (
            {"processor_config": PART, "preprocessor_config": {"sampling_rate": 1}},
            "disagree on sampling_rate",
        ),
        ({"processor_config": {"feature_extractor": "Wav2Vec2"}}, "must be an object"),
        ({"preprocessor_config": {"do_normalize": "no"}}, "must be true or false"),
        ({"preprocessor_config": {"sampling_rate": "16k"}}, "convention sample_rate"),
        ({"processor_config": {"feature_extractor": {"do_normalize": None}}}, "must be true or false"),
    ],
)
def test_files_that_contradict_each_other_or_say_nonsense_stop(
    files: dict[str, Any], word: str, saved: tuple[Path, nn.Module], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=word):
        load_detector(copy_of(saved, tmp_path, **files))


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_names_with_a_wrapper_before_them_load(
    wrapper: str, saved: tuple[Path, nn.Module], tmp_path: Path
) -> None:
    folder = copy_of(saved, tmp_path, preprocessor_config=PART)
    (folder / "model.safetensors").unlink()
    state = {f"{wrapper}{name}": tensor for name, tensor in saved[1].state_dict().items()}
    torch.save(state, folder / "pytorch_model.bin")
    with torch.no_grad():
        torch.testing.assert_close(load_detector(folder)(WAVES), saved[1](WAVES).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod."])
def test_names_with_a_wrapper_inside_them_load(
    wrapper: str, saved: tuple[Path, nn.Module], tmp_path: Path
) -> None:
    folder = copy_of(saved, tmp_path, preprocessor_config=PART)
    (folder / "model.safetensors").unlink()
    state = {
        name.replace("wav2vec2.encoder.", f"wav2vec2.{wrapper}encoder."): tensor
        for name, tensor in saved[1].state_dict().items()
    }
    torch.save(state, folder / "pytorch_model.bin")
    with torch.no_grad():
        torch.testing.assert_close(load_detector(folder)(WAVES), saved[1](WAVES).logits, atol=1e-4, rtol=1e-4)
