"""Decoding: any rate, width and container; errors name the file; a crop costs a crop."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from sharpscope.audio.decode import fit_length, read_audio
from sharpscope.errors import SharpscopeError, UsageError


def tone(rate: int, seconds: float = 0.5, frequency: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_every_width_decodes_to_the_same_wave(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000, subtype=subtype)
    wave = read_audio(tmp_path / "a.wav", 16_000)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, tone(16_000), atol=2 / 2**16)


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(16_000), np.zeros(8000)], axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, 16_000)
    np.testing.assert_allclose(read_audio(tmp_path / "a.flac", None), tone(16_000) / 2, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000])
def test_resampling_keeps_the_tone(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(rate, 1.0), rate, subtype="FLOAT")
    wave = read_audio(tmp_path / "a.wav", 16_000)
    assert len(wave) == 16_000
    # Away from the ends a resampled tone is the tone sampled at the new rate.
    np.testing.assert_allclose(wave[2000:-2000], tone(16_000, 1.0)[2000:-2000], atol=1e-3)
    assert np.array_equal(wave, soxr.resample(tone(rate, 1.0).astype(np.float32), rate, 16_000))


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_crop_is_the_start_of_the_whole(tmp_path: Path, rate: int) -> None:
    noise = np.random.default_rng(0).standard_normal(rate * 3).astype(np.float32) * 0.1
    soundfile.write(tmp_path / "a.wav", noise, rate, subtype="FLOAT")
    whole = read_audio(tmp_path / "a.wav", 16_000)
    crop = read_audio(tmp_path / "a.wav", 16_000, n_samples=10_000)
    assert len(crop) == 10_000
    np.testing.assert_allclose(crop, whole[:10_000], atol=1e-6)


def test_a_crop_of_a_long_file_reads_only_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(16_000 * 300, dtype=np.int16), 16_000)
    read = soundfile.SoundFile.read
    frames = []

    def counted(self: soundfile.SoundFile, n: int = -1, **options: object) -> np.ndarray:
        samples = read(self, n, **options)
        frames.append(len(samples))
        return samples

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    assert len(read_audio(tmp_path / "long.flac", 16_000, n_samples=64_600)) == 64_600
    assert sum(frames) < 70_000


def test_no_rate_keeps_the_file_s(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(8_000), 8_000)
    assert len(read_audio(tmp_path / "a.wav")) == 4000
    assert len(read_audio(tmp_path / "a.wav", n_samples=100)) == 100


def test_mp3_called_wav_is_decoded_by_content(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", tone(16_000, 1.0), 16_000)
    (tmp_path / "a.mp3").rename(tmp_path / "a.wav")
    assert len(read_audio(tmp_path / "a.wav", 16_000)) >= 16_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be decoded"),
        (b"RIFF\x00\x00", "cannot be decoded"),
        (b"text", "cannot be decoded"),
        (None, ""),
    ],
)
def test_what_is_no_audio_is_refused_by_name(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SharpscopeError, match=rf"bad\.wav: .*{message}"):
        read_audio(path, 16_000)


def test_no_samples_and_not_finite_ones_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    with pytest.raises(SharpscopeError, match=r"none\.wav: holds no samples"):
        read_audio(tmp_path / "none.wav", 16_000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16_000, subtype="FLOAT")
    with pytest.raises(SharpscopeError, match=r"nan\.wav: holds samples that are not finite"):
        read_audio(tmp_path / "nan.wav", 16_000)


def test_a_truncated_flac_is_refused_or_shortened_never_a_crash(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).standard_normal(16_000) * 0.1, 16_000)
    content = (tmp_path / "a.flac").read_bytes()
    for kept in range(0, len(content), 997):
        (tmp_path / "cut.flac").write_bytes(content[:kept])
        try:
            wave = read_audio(tmp_path / "cut.flac", 16_000)
        except SharpscopeError as error:
            outcome = str(error)
        else:
            outcome = f"cut.flac {len(wave)}"
            assert len(wave) <= 16_000
        assert "cut.flac" in outcome


@given(st.integers(1, 50), st.integers(1, 200))
def test_tiling_repeats_from_the_start(length: int, n_samples: int) -> None:
    wave = np.arange(length, dtype=np.float32)
    fitted = fit_length(wave, n_samples)
    # The rule of the published detectors: repeat often enough, cut.
    repeated = np.concatenate([wave] * (n_samples // length + 1))[:n_samples]
    assert np.array_equal(fitted, repeated)


def test_unknown_padding_is_refused() -> None:
    with pytest.raises(UsageError, match="tile or zero"):
        fit_length(np.zeros(2), 3, "mirror")
