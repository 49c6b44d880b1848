"""Ready-made front-ends against torchaudio, librosa and slow definitions; networks of features keep their names."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dct
from torch import Tensor, nn

from sharpscope.detectors import Detector, DetectorSpec
from sharpscope.detectors.front_ends import FRONT_ENDS, LAYOUTS, deltas, front_end, on_features
from sharpscope.detectors.front_ends.spectra import filterbank, from_scale, to_scale
from sharpscope.errors import UsageError

INDEX = np.arange(16_000)
TIME = INDEX / 16_000
WAVE = (
    0.3 * np.sin(2 * np.pi * 440 * TIME) * np.exp(-2 * TIME)
    + 0.2 * np.sin(2 * np.pi * (300 * TIME + 900 * TIME * TIME))
    + 0.02 * np.sin(1e4 * np.sin(INDEX))
).astype(np.float32)
WAVES = torch.from_numpy(WAVE)[None]

# torchaudio 2.11 (spectrogram, mel, mfcc, lfcc) and librosa 0.11 with their defaults at 16 kHz, on this very wave:
# shape, some values (row, column, value), mean.
PUBLISHED: dict[str, Any] = {
    "spectrogram": (
        (201, 81),
        [(5, 1, 0.07651041), (9, 10, 0.02828194), (15, 20, 0.00090187), (18, 30, 0.0007072965)],
        4.622801,
    ),
    "mel": (
        (128, 81),
        [(5, 1, 0.002436768), (9, 10, 0.003139463), (15, 20, 0.001369343), (18, 30, 0.01283002)],
        7.253998,
    ),
    "mfcc": (
        (40, 81),
        [(5, 1, -73.20467), (9, 10, 38.94353), (15, 20, -7.789538), (18, 30, 14.87541)],
        -9.32271,
    ),
    "lfcc": (
        (40, 81),
        [(5, 1, 24.05141), (9, 10, -2.408033), (15, 20, -22.80349), (18, 30, 0.9454664)],
        -4.301449,
    ),
    "mel-librosa": (
        (128, 32),
        [(5, 1, 0.5166883), (9, 10, 0.0113071), (15, 20, 0.009363674), (18, 30, 25.36122)],
        6.737562,
    ),
    "mfcc-librosa": (
        (20, 32),
        [(5, 1, -21.13861), (9, 10, -24.30755), (15, 20, -5.457572), (18, 30, 6.508829)],
        -9.811396,
    ),
}
LIBROSA_CQT = [(45, 2, 3.3474), (45, 10, 1.9974), (44, 5, 1.35327), (60, 12, 0.895883)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_values_are_those_of_torchaudio_and_librosa(name: str) -> None:
    shape, values, mean = PUBLISHED[name]
    features = front_end(name)(WAVES)[0]
    assert tuple(features.shape) == shape
    for row, column, value in values:
        assert float(features[row, column]) == pytest.approx(value, rel=2e-3, abs=2e-4)
    assert float(features.double().mean()) == pytest.approx(mean, rel=1e-4)


def test_the_constant_q_transform_is_that_of_librosa_where_there_is_energy() -> None:
    features = front_end("cqt")(WAVES)[0]
    assert features.shape == (84, 32)
    # librosa 0.11's cqt, which halves the sample rate from octave to octave.
    for row, column, value in LIBROSA_CQT:
        assert float(features[row, column]) == pytest.approx(value, rel=0.02)


def test_the_constant_q_transform_by_its_definition() -> None:
    options: dict[str, Any] = {"hop_length": 400, "f_min": 220.0, "n_bins": 24, "bins_per_octave": 12}
    features = front_end("cqt", **options)(WAVES)[0].double().numpy()
    ratio = 2 ** (1 / 6)
    for band in (0, 7, 12, 23):
        frequency = 220 * 2 ** (band / 12)
        length = (ratio + 1) / (ratio - 1) * 16_000 / frequency
        time = np.arange(np.floor(-length / 2), np.floor(length / 2))
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(time)) / len(time))
        for frame in (4, 17, 30):
            part = WAVE[(400 * frame + time).astype(int)].astype(np.float64)
            value = abs((part * window * np.exp(-2j * np.pi * frequency * time / 16_000)).sum())
            assert features[band, frame] == pytest.approx(
                value * np.sqrt(len(time)) / window.sum(), rel=1e-3, abs=1e-5
            )


def test_mel_and_linear_cepstra_by_hand() -> None:
    options: dict[str, Any] = {
        "n_fft": 512,
        "win_length": 320,
        "hop_length": 160,
        "filters": 20,
        "coefficients": 13,
    }
    for name, scale in (("lfcc", "linear"), ("mfcc", "htk")):
        features = front_end(name, **options)(WAVES)[0].double().numpy()
        hann = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(320) / 320), 96)
        wave = WAVE.astype(np.float64)
        frames = [np.abs(np.fft.rfft(wave[160 * t - 256 : 160 * t + 256] * hann)) ** 2 for t in range(2, 98)]
        ends = to_scale(np.array([0.0, 8000.0]), scale)
        corners = from_scale(np.linspace(*ends, 22), scale)
        place = np.linspace(0, 8000, 257)
        banks = np.array([np.interp(place, corners[i : i + 3], [0, 1, 0]) for i in range(20)])
        decibels = 10 * np.log10(np.maximum(banks @ np.array(frames).T, 1e-10))
        expected = dct(decibels, type=2, norm="ortho", axis=0)[:13]
        np.testing.assert_allclose(features[:, 2:98], expected, atol=0.02)


def test_scales_at_their_known_points() -> None:
    # 1 kHz is about 1000 mel on O'Shaughnessy's scale, 15 on Slaney's.
    assert float(to_scale(np.array(1000.0), "htk")) == pytest.approx(999.9855, abs=1e-3)
    assert float(to_scale(np.array(1000.0), "slaney")) == pytest.approx(15)
    grid = np.linspace(0, 8000, 33)
    for scale in ("htk", "slaney", "linear"):
        np.testing.assert_allclose(from_scale(to_scale(grid, scale), scale), grid, atol=1e-9)
    area = filterbank(4001, 10, 16_000, 0, 8000, "slaney", True)
    np.testing.assert_allclose(area.sum(axis=0) * 2, 1, atol=1e-3)  # bins are 2 Hz apart


def test_decibels_are_those_of_the_trial_alone() -> None:
    # torchaudio takes the loudest point of the batch, so that its scores hang on what stands beside a trial.
    quiet = 1e-4 * WAVES
    module = front_end("mfcc")
    torch.testing.assert_close(module(torch.cat([WAVES, quiet]))[1:], module(quiet), atol=1e-3, rtol=1e-4)


def test_what_stands_around_a_front_end() -> None:
    plain = front_end("mel")(WAVES)
    cut = front_end("mel", frames=200)(WAVES)
    assert torch.equal(cut[:, :, 81:162], plain)
    assert torch.equal(front_end("mel", frames=20)(WAVES), plain[:, :, :20])
    normal = front_end("mfcc", normalise="mean_variance")(WAVES)
    torch.testing.assert_close(normal.mean(dim=2), torch.zeros(1, 40), atol=1e-4, rtol=0)
    torch.testing.assert_close(normal.std(dim=2, unbiased=False), torch.ones(1, 40), atol=1e-3, rtol=0)
    triple = front_end("lfcc", differences=2)(WAVES)
    assert triple.shape == (1, 120, 81)
    torch.testing.assert_close(triple[:, 80:], deltas(deltas(triple[:, :40])), atol=1e-4, rtol=1e-4)
    emphasised = torch.cat([WAVES[:, :1], WAVES[:, 1:] - 0.97 * WAVES[:, :-1]], dim=1)
    torch.testing.assert_close(front_end("mel", emphasis=0.97)(WAVES), front_end("mel")(emphasised))
    shapes = {layout: tuple(front_end("mel", layout=layout)(WAVES).shape) for layout in LAYOUTS}
    assert shapes["(B, 1, T, D)"] == (1, 1, 81, 128)
    assert shapes["(B, T, D)"] == (1, 81, 128)
    assert shapes["(B, 3, D, T)"] == (1, 3, 128, 81)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_no_front_end_has_parameters_or_changes_its_input(name: str) -> None:
    module = front_end(name)
    assert not list(module.state_dict())
    assert not list(module.parameters())
    waves = torch.cat([WAVES, 0.1 * WAVES.flip(1)])
    before = waves.clone()
    both = module(waves)
    assert torch.equal(waves, before)
    torch.testing.assert_close(module(waves[1:]), both[1:], atol=1e-3, rtol=1e-4)
    assert bool(torch.isfinite(module(torch.zeros(1, 16_000))).all())
    assert module.double()(waves.double()).dtype == torch.float64


class Cnn(nn.Module):
    """A network of images (B, 1, D, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.out = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.out(self.conv(image).relu().mean(dim=(2, 3)))


def test_a_network_of_features_takes_waves_and_keeps_its_names() -> None:
    torch.manual_seed(0)
    plain = Cnn().eval()
    wrapped = on_features(copy.deepcopy(plain), "mfcc", layout="(B, 1, D, T)")
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        expected = plain(front_end("mfcc")(WAVES).unsqueeze(1))
        assert torch.equal(wrapped(WAVES), expected)
        assert torch.equal(copy.deepcopy(wrapped)(WAVES), expected)
        assert torch.equal(Detector(wrapped, DetectorSpec("x"), None, "")(WAVES), expected)  # type: ignore[arg-type]
        assert wrapped.double()(WAVES.double()).dtype == torch.float64
    assert type(wrapped).__name__ == "Cnn"
    sequence = nn.Sequential(nn.Flatten(), nn.Linear(40 * 81, 2))
    assert on_features(sequence, "lfcc")(WAVES).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("mfc", {}, "did you mean 'mfcc'"),
        ("mfcc", {"n_mfcc": 13}, "n_mfcc"),
        ("mel", {"layout": "(T, D)"}, "layout of a front-end"),
        ("mel", {"scale": "bark"}, "scale of a front-end"),
        ("mel", {"log": "loud"}, "log of a front-end"),
        ("mel", {"normalise": "max"}, "normalise of a front-end"),
        ("mel", {"f_min": 9000.0}, "f_min < f_max"),
        ("mel", {"f_min": float("nan")}, "f_min < f_max"),
        ("mel", {"win_length": 500}, "a window fits"),
        ("mfcc", {"coefficients": 200}, "take fewer"),
        ("lfcc", {"differences": 3}, "must be 0, 1 or 2"),
        ("cqt", {"n_bins": 120}, "above half"),
        ("cqt", {"log": "loud"}, "log of a front-end"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        front_end(name, **options)
