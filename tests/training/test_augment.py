"""Rooms, speed, masks and mixing against closed forms; every draw hangs on seed, trial and epoch alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sharpscope.training.augment import augmented, faster, impulse_response, in_a_room, masked
from sharpscope.training.data import TrainingTrials, listed
from sharpscope.training.recipe import Recipe


def test_a_room_decays_by_60_db_in_its_time() -> None:
    """Schroeder's backward integral of the tail falls on a line of -60 dB per decay time."""
    slopes = []
    for seed in range(20):
        taps = impulse_response(np.random.default_rng(seed), 0.5, 3.0)
        energy = 10 * np.log10(np.cumsum(taps[:0:-1] ** 2)[::-1])
        part = slice(0, len(energy) // 2)
        seconds = np.arange(len(energy))[part] / 16_000
        slopes.append(np.polyfit(seconds, energy[part], 1)[0])
    assert np.mean(slopes) == pytest.approx(-60 / 0.5, rel=0.02)


def test_a_room_keeps_energy_and_length() -> None:
    wave = np.random.default_rng(0).standard_normal(8000)
    heard = in_a_room(wave, np.random.default_rng(1))
    assert len(heard) == len(wave)
    assert np.linalg.norm(heard) == pytest.approx(np.linalg.norm(wave))
    assert not np.allclose(heard, wave)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_faster_tone_is_higher_and_shorter(factor: float) -> None:
    heard = faster(np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000), factor)
    assert len(heard) == pytest.approx(16_000 / factor, abs=2)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 160_000))
    assert np.argmax(spectrum) / 10 == pytest.approx(440 * factor, abs=0.3)


def test_a_mask_takes_a_stretch_and_a_band() -> None:
    wave = np.random.default_rng(0).standard_normal(4000)
    for seed in range(20):
        heard = masked(wave, np.random.default_rng(seed))
        assert np.mean(heard == 0) <= 0.2
    rng = np.random.default_rng(5)
    width = int(rng.integers(2001 // 5 + 1))
    start = int(rng.integers(2001 - width + 1))
    spectrum = np.fft.rfft(wave)
    spectrum[start : start + width] = 0
    expected = np.fft.irfft(spectrum, 4000)
    heard = masked(wave, np.random.default_rng(5))
    np.testing.assert_allclose(heard[heard != 0], expected[heard != 0])
    assert width > 0


def test_mixed_trials_are_the_mixture_of_two_and_so_are_their_labels(
    recipe_for: Callable[..., dict[str, Any]],
) -> None:
    recipe = Recipe(recipe_for(augment__mixup=0.8, augment__crop="first"))
    mixed = TrainingTrials(listed(recipe, "train"), recipe, 16_000, 3000)
    plain_recipe = Recipe(recipe_for(augment__crop="first"))
    plain = TrainingTrials(listed(recipe, "train"), plain_recipe, 16_000, 3000)
    targets = mixed.targets(np.arange(16))
    for index in range(4):
        other, own = mixed._partner(index)
        expected = own * plain[0, index][0] + (1 - own) * plain[0, other][0]
        np.testing.assert_allclose(mixed[0, index][0], expected, atol=1e-7)
        labels = plain.trials.labels
        assert targets[index] == pytest.approx(own * labels[index] + (1 - own) * labels[other])
        assert mixed[0, index][1] == targets[index]
    mixed.epoch = 1
    assert not np.array_equal(mixed.targets(np.arange(16)), targets)


def test_each_share_changes_as_many_trials_as_it_says() -> None:
    wave = np.random.default_rng(0).standard_normal(400).astype(np.float32) / 10
    for name in ("noise", "room", "speed"):
        changed = [
            not np.array_equal(augmented(wave, np.random.default_rng(seed), **{name: 0.3}), wave)  # type: ignore[arg-type]
            for seed in range(300)
        ]
        assert np.mean(changed) == pytest.approx(0.3, abs=0.1), name
