"""Codecs of training trials: libsndfile's on every machine, ffmpeg's where it is there and named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.training import codecs
from sharpscope.training.augment import augmented
from sharpscope.training.codecs import CODECS, FFMPEG, LIBSNDFILE, chosen, through_codec
from sharpscope.training.data import TrainingTrials, listed
from sharpscope.training.recipe import Recipe

TONE = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_keeps_length_and_tone(name: str) -> None:
    if name in FFMPEG and FFMPEG[name].encoder not in codecs._encoders():
        pytest.skip(f"this machine has no ffmpeg with {FFMPEG[name].encoder}")
    for bit_rate in CODECS[name].bit_rates or (0,):
        heard = through_codec(TONE, name, bit_rate=bit_rate)
        assert heard.shape == TONE.shape
        assert np.argmax(np.abs(np.fft.rfft(heard))) == 440
        assert not np.array_equal(heard, TONE)
        # Most of what is heard is the tone: quantisation lies 6 dB or more below it.
        power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
        assert power[430:451].sum() > 0.75 * power.sum()


def test_telephones_hear_nothing_above_4_khz() -> None:
    high = 0.3 * np.sin(2 * np.pi * 6000 * np.arange(16_000) / 16_000)
    for name in ("gsm", "g721"):
        assert np.linalg.norm(through_codec(high, name)) < 0.02 * np.linalg.norm(high)
    assert np.linalg.norm(through_codec(high, "ulaw")) > 0.9 * np.linalg.norm(high)


def test_the_draw_is_one_of_the_named_codecs_and_the_default_is_libsndfiles() -> None:
    for seed in range(12):
        heard = augmented(TONE, np.random.default_rng(seed), codec=1.0, codecs=["gsm"])
        np.testing.assert_array_equal(heard, through_codec(TONE, "gsm").astype(np.float32))
    rng = np.random.default_rng(3)
    rng.random()
    expected = through_codec(TONE, list(LIBSNDFILE)[int(rng.integers(8))])
    heard = augmented(TONE, np.random.default_rng(3), codec=1.0)
    np.testing.assert_array_equal(heard, expected.astype(np.float32))


def test_a_codec_that_this_machine_lacks_is_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    codecs._encoders.cache_clear()
    recipe = Recipe(recipe_for(augment__codec=0.5, augment__codecs=["mp3", "aac"]))
    with pytest.raises(
        UsageError, match=r"names aac, which takes aac of ffmpeg, and ffmpeg is not on the PATH"
    ):
        TrainingTrials(listed(recipe, "train"), recipe, 16_000, 4000)
    codecs._encoders.cache_clear()
    with pytest.raises(UsageError, match="codec"):
        chosen(["acc"])
    assert chosen([]) == tuple(LIBSNDFILE)


def test_an_encoder_that_fails_stops_with_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho 'Error while opening encoder' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SharpscopeError, match=r"ffmpeg failed .*Error while opening encoder"):
        through_codec(TONE, "aac")
