"""Published detectors: the authors' numbers, and every key layout written from random weights and read back."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.fft import dct
from torch import Tensor, nn
from torch.nn import functional

from sharpscope.audio.decode import fit_length, read_audio
from sharpscope.detectors import Detector, build, load_detector
from sharpscope.detectors.architectures.cepstra import BaselineCepstra, WideCepstra
from sharpscope.detectors.layout import channels_last
from sharpscope.errors import UsageError
from sharpscope.scoring.eer import equal_error_rate

SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_shared = pytest.mark.skipif(
    not (SHARED / "checkpoints").is_dir(), reason="no published checkpoints here"
)
NOISE = 0.1 * torch.randn(2, 64_600, generator=torch.Generator().manual_seed(0))


def audio(paths: list[Path]) -> Tensor:
    return torch.stack([torch.from_numpy(fit_length(read_audio(p, 16_000), 64_600, "tile")) for p in paths])


@needs_shared
@pytest.mark.parametrize(
    "file", ["AASIST-L.pth", "AASIST.pth", "AASIST_asvspoof5.pth", "AASIST_LanceaKing.pth"]
)
def test_logits_are_those_of_the_authors_code(file: str) -> None:
    # LanceaKing's file is the same function with its dead parameters removed.
    name = file.replace("_LanceaKing", "")
    records = json.loads((SHARED / "reference" / "reference.json").read_text())
    for record in [record for record in records if record["checkpoint"] == name]:
        protocol = pd.read_csv(SHARED / "reference" / record["protocol"])
        trials = [SHARED / "reference" / path for path in protocol["file"][:2]]
        with torch.no_grad():
            logits = load_detector(SHARED / "checkpoints" / file)(audio(trials))
        reference = torch.tensor(record["logits_spoof_bonafide"][:2])
        torch.testing.assert_close(logits, reference, atol=1e-4, rtol=0)


@needs_shared
def test_rawgat_st_is_the_authors_network() -> None:
    loaded = load_detector(SHARED / "checkpoints" / "RawGATST_mul_eurecom.pth")
    with torch.no_grad():
        logits = loaded(NOISE[:1])
    # From eurecom-asp's own model.py on the same noise.
    torch.testing.assert_close(logits, torch.tensor([[-1.91445065, 0.67907548]]), atol=1e-4, rtol=0)
    assert loaded.spec.bonafide_index == 1
    # 5,056 parameters that never receive a gradient, with the statistics of their batch norms.
    assert "left out: 70 tensors (6,090 numbers) that the published forward never uses" in loaded.decisions
    assert sum(p.numel() for p in loaded.module.parameters()) == 440_810 - 5_056


@needs_shared
@pytest.mark.slow
def test_rawgat_st_separates_real_speech() -> None:
    table = pd.read_csv(SHARED / "minibench" / "eval_seen.csv")
    picked = pd.concat([table[table["label"] == label].head(4) for label in ("bonafide", "spoof")])
    loaded = load_detector(SHARED / "checkpoints" / "RawGATST_mul_eurecom.pth")
    waves = audio([SHARED / "minibench" / path for path in picked["file"]])
    with torch.no_grad():
        scores = torch.cat([loaded(wave[None]).diff(dim=1)[:, 0] for wave in waves]).numpy()
    assert equal_error_rate(scores[:4], scores[4:]).eer <= 0.25


@needs_shared
def test_the_published_files_are_named_rightly_without_an_option() -> None:
    names = {
        "AASIST": "aasist",
        "AASIST-L": "aasist-l",
        "AASIST_asvspoof5": "aasist",
        "AASIST_LanceaKing": "aasist",
        "RawGATST_mul_eurecom": "rawgat-st",
    }
    for file, arch in names.items():
        assert load_detector(SHARED / "checkpoints" / f"{file}.pth").spec.arch == arch


def shaken(network: nn.Module) -> nn.Module:
    """Give batch norms statistics that matter."""
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return network.eval()


def clovaai(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """AASIST as clovaai writes it: blocks inside blocks, dead batch norms."""
    out = {re.sub(r"^(encoder\.\d)\.", r"\1.0.", name): tensor for name, tensor in state.items()}
    return {**out, "encoder.1.0.bn1.weight": torch.ones(32), "encoder.1.0.bn1.running_mean": torch.ones(32)}


def lancea_king(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {".bn2.": ".bn1.", ".conv_downsample.": ".downsample."}
    out = {}
    for name, tensor in state.items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs) if name.startswith("encoder.") else name
        out[name] = tensor
    return out


def eurecom(state: dict[str, Tensor]) -> dict[str, Tensor]:
    out = {re.sub(r"^(encoder\d\.\d)\.", r"\1.0.", name): tensor for name, tensor in state.items()}
    out = {
        re.sub(r"^(encoder\d\.0\.0)\.conv1\.", r"\1.conv_1.", name): tensor for name, tensor in out.items()
    }
    return {**out, "encoder1.1.0.bn1.weight": torch.ones(32), "encoder1.1.0.conv_1.bias": torch.ones(32)}


def nested_blocks(state: dict[str, Tensor]) -> dict[str, Tensor]:
    out = {re.sub(r"^((?:block|fc_attention)\d)\.", r"\1.0.", name): tensor for name, tensor in state.items()}
    return {**out, "block2.0.bn1.weight": torch.ones(20)}


def nii(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        **state,
        **{name: torch.ones(1) for name in ("input_mean", "input_std", "output_mean", "output_std")},
    }


def as_it_is(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(state)


LAYOUTS: list[tuple[str, dict[str, Any], Any, int]] = [
    ("aasist", {}, clovaai, 16_000),
    ("aasist", {}, lancea_king, 16_000),
    ("aasist-l", {}, clovaai, 16_000),
    ("rawgat-st-mul", {}, eurecom, 64_600),
    ("rawgat-st", {"fusion": "cat"}, eurecom, 64_600),
    ("rawnet2", {"hidden": 32, "embedding": 16, "layers": 2}, nested_blocks, 16_000),
    ("lfcc-lcnn", {}, nii, 16_000),
    ("lfcc-lcnn", {"fft": 512, "bins": 257}, nii, 16_000),
    ("lfcc-lcnn-lstm", {}, nii, 16_000),
    ("res-tssdnet", {"widths": [4, 8, 8, 8, 8], "fully_connected": [8, 4]}, as_it_is, 16_000),
    ("inc-tssdnet", {"widths": [4, 8, 8, 16, 16], "fully_connected": [8, 4]}, as_it_is, 16_000),
    ("specrnet", {"channels": (1, 20, 24, 24), "hidden": 8}, nested_blocks, 32_000),
]
WRAPPINGS = [
    ("", ""),
    ("model", ""),
    ("state_dict", "module."),
    ("model_state_dict", "module.module."),
    ("MODEL_STATE", "model."),
    ("model_state", "detect_model."),
]


@pytest.mark.parametrize("case", range(len(LAYOUTS)))
def test_every_layout_is_recognised_and_read_back_to_equal_outputs(case: int, tmp_path: Path) -> None:
    arch, arguments, layout, length = LAYOUTS[case]
    torch.manual_seed(case)
    network = shaken(build(arch, arguments))
    envelope, prefix = WRAPPINGS[case % len(WRAPPINGS)]
    state = {f"{prefix}{name}": tensor for name, tensor in layout(network.state_dict()).items()}
    torch.save({envelope: state, "epoch": 1} if envelope else state, tmp_path / "c.pth")
    # Multiplication and addition have the same weights: which it is has to be said.
    loaded = load_detector(tmp_path / "c.pth", arch=arch if arch == "rawgat-st-mul" else None)
    assert loaded.spec.arch == arch
    waves = NOISE[: 1 if length > 40_000 else 2, :length]
    with torch.no_grad():
        contiguous = Detector(network, loaded.spec, tmp_path, "")(waves)
        channels_last(network)
        expected = Detector(network, loaded.spec, tmp_path, "")(waves)
        assert torch.equal(loaded(waves), expected)
    torch.testing.assert_close(expected, contiguous, rtol=1e-4, atol=1e-6)
    assert bool(torch.isfinite(expected).all())


def test_files_that_fit_two_functions_stop(tmp_path: Path) -> None:
    state = clovaai(build("aasist").state_dict())  # type: ignore[arg-type]
    torch.save({"model": state, "optimizer": {}, "epoch": 1}, tmp_path / "c.pth")
    with pytest.raises(UsageError, match="fit two different functions"):
        load_detector(tmp_path / "c.pth")
    one = load_detector(tmp_path / "c.pth", arch="aasist")
    two = load_detector(tmp_path / "c.pth", arch="aasist@sam-antispoofing")
    with torch.no_grad():
        assert not torch.allclose(one(NOISE[:, :20_000]), two(NOISE[:, :20_000]))
    assert one.spec.hash() != two.spec.hash()


def test_tssdnet_by_hand() -> None:
    torch.manual_seed(1)
    network = shaken(build("res-tssdnet", {"widths": [4, 8, 8, 8, 8], "fully_connected": [8, 4]}))
    s = dict(network.state_dict())

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = s[f"{name}.running_mean"], s[f"{name}.running_var"]
        return (x - mean[:, None]) / (var + 1e-5).sqrt()[:, None] * s[f"{name}.weight"][:, None] + s[
            f"{name}.bias"
        ][:, None]

    def pool(x: Tensor) -> Tensor:
        return x[..., : x.shape[-1] // 4 * 4].unflatten(-1, (-1, 4)).amax(dim=-1)

    x = norm(functional.conv1d(NOISE[:, None, :8192], s["conv1.weight"], padding=3), "bn1").relu()
    for name in ("RSM1", "RSM2", "RSM3", "RSM4"):
        x = pool(x)
        y = norm(functional.conv1d(x, s[f"{name}.conv1.weight"], padding=1), f"{name}.bn1").relu()
        y = norm(functional.conv1d(y, s[f"{name}.conv2.weight"], padding=1), f"{name}.bn2").relu()
        y = functional.conv1d(y, s[f"{name}.conv3.weight"], padding=1)
        x = norm(functional.conv1d(x, s[f"{name}.nin.weight"]) + y, f"{name}.bn3").relu()
    x = x.amax(dim=2)
    x = (x @ s["fc1.weight"].T + s["fc1.bias"]).relu()
    x = (x @ s["fc2.weight"].T + s["fc2.bias"]).relu()
    torch.testing.assert_close(
        network(NOISE[:, :8192]), x @ s["out.weight"].T + s["out.bias"], atol=1e-5, rtol=1e-4
    )


def test_baseline_cepstra_of_one_frame_by_hand() -> None:
    wave = NOISE[0, :4_000].double().numpy()
    features = BaselineCepstra()(NOISE[:1, :4_000])[0].double().numpy()  # (frames, 60)
    assert features.shape == (26, 60)
    emphasised = np.concatenate([wave[:1], wave[1:] - 0.97 * wave[:-1]])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(320) / 320)
    statics = []
    for frame in (9, 10, 11):
        centre = 160 * frame
        power = np.abs(np.fft.rfft(emphasised[centre - 160 : centre + 160] * window, 1024))[:256] ** 2
        corners = np.linspace(0, 255, 22)
        place = np.arange(256)
        banks = [np.interp(place, corners[i : i + 3], [0, 1, 0]) for i in range(20)]
        floor = np.finfo(np.float32).eps
        cepstra = dct(np.log10(np.array(banks) @ power + floor), type=2, norm="ortho")
        cepstra[0] = np.log10(power.sum() / 1024 + floor)
        statics.append(cepstra)
    np.testing.assert_allclose(features[10, :20], statics[1], atol=2e-4)
    np.testing.assert_allclose(features[10, 20:40], statics[2] - statics[0], atol=4e-4)


def test_wide_cepstra_by_hand() -> None:
    frontend = WideCepstra()
    ramp = torch.arange(1000.0).expand(1, 2, 1000) * torch.tensor([0.5, -2.0])[:, None]
    slopes = frontend.delta(ramp)[0, :, 500]  # far from both edges the slope itself
    torch.testing.assert_close(slopes, torch.tensor([0.5, -2.0]), atol=1e-3, rtol=1e-3)
    features = frontend(NOISE[:1, :32_000])[0, 0].double().numpy()  # (384, frames)
    assert features.shape == (384, 201)
    wave = NOISE[0, :32_000].double().numpy()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(np.pad(wave[160 * 50 - 200 : 160 * 50 + 200] * hann, 56), 512)) ** 2
    corners = np.linspace(0, 256, 130)
    banks = [np.interp(np.arange(257), corners[i : i + 3], [0, 1, 0]) for i in range(128)]
    decibels = 10 * np.log10(np.maximum(np.array(banks) @ power, 1e-10))
    np.testing.assert_allclose(features[:128, 50], dct(decibels, type=2, norm="ortho"), atol=2e-2)
    assert WideCepstra(longest=20)(NOISE[:1]).shape == (1, 1, 384, 20)
