"""RawBoost against the distributions that its paper and its authors' code state."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal, stats

from sharpscope.training import rawboost
from sharpscope.training.data import Listed, TrainingTrials
from sharpscope.training.rawboost import RAWBOOST, beside, convolutive, filtered, impulsive, notch_filter
from sharpscope.training.recipe import Recipe


def test_gains_of_the_powers_are_single_draws_of_5_to_20_db_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """With filters that do nothing the powers of the wave can be told apart, and their gains read off."""
    monkeypatch.setattr(rawboost, "notch_filter", lambda *_: np.ones(1))
    wave = 0.4 * np.random.default_rng(0).uniform(-1, 1, 400)
    # A filter of one tap comes one sample early, as every filter of the published code.
    early = np.append(wave[1:], 0.0)
    columns = np.stack([early**power - np.mean(early**power) for power in range(1, 6)], axis=1)
    gains = []
    for seed in range(150):
        heard = convolutive(wave, np.random.default_rng(seed))
        found = np.linalg.lstsq(columns, heard, rcond=None)[0]
        assert found[0] == pytest.approx(1)
        gains += (20 * np.log10(found[1:])).tolist()
    assert min(gains) > -20 - 1e-6
    assert max(gains) < -5 + 1e-6
    assert np.mean(gains) == pytest.approx(-12.5, abs=0.6)
    assert stats.kstest(gains, stats.uniform(-20, 15).cdf).pvalue > 0.01


def test_loudness_below_one_is_kept() -> None:
    wave = 0.2 * np.sin(np.arange(4000) / 5)
    peaks = [np.abs(convolutive(wave, np.random.default_rng(seed))).max() for seed in range(20)]
    assert max(peaks) < 0.5
    assert all(np.abs(convolutive(20 * wave, np.random.default_rng(seed))).max() <= 1 for seed in range(5))


def test_filters_have_11_to_99_taps_a_notch(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    widths: list[float] = []
    real = signal.firwin

    def seen(count: int, edges: list[float], **more: object) -> np.ndarray:
        counts.append(count)
        widths.append(edges[1] - edges[0])
        return np.asarray(real(count, edges, **more))

    monkeypatch.setattr(rawboost.signal, "firwin", seen)
    for seed in range(400):
        notch_filter(np.random.default_rng(seed))
    assert set(counts) == set(range(11, 100, 2))
    expected = len(counts) / 45
    assert stats.chisquare([counts.count(n) for n in range(11, 100, 2)], [expected] * 45).pvalue > 0.01
    assert max(widths) <= 1000
    # Widths are drawn from 100 to 1,000 Hz; the ends of the spectrum cut some of them off.
    assert 500 < np.mean(widths) < 560


def test_a_filter_is_a_shifted_causal_one() -> None:
    """The published way: pad by taps + 1 zeros, filter causally, cut half of them at either end."""
    rng = np.random.default_rng(0)
    for length in (30, 700):
        wave, taps = rng.standard_normal(length), rng.standard_normal(41)
        more = len(taps) + 1
        late = signal.lfilter(taps, 1, np.pad(wave, (0, more)))
        np.testing.assert_allclose(filtered(wave, taps), late[more // 2 : len(late) - more // 2], atol=1e-12)


def test_impulsive_noise_has_the_stated_share_and_size() -> None:
    wave = np.full(2000, 0.1)
    shares, sizes = [], []
    for seed in range(200):
        change = impulsive(wave, np.random.default_rng(seed)) - wave
        shares.append(np.mean(change != 0))
        sizes += (np.abs(change[change != 0]) / 0.2).tolist()
    assert stats.kstest(shares, stats.uniform(0, 0.1).cdf).pvalue > 0.01
    # Of a product of two numbers in [-1, 1]: P(|r| < t) = t (1 - ln t), mean 1/4.
    assert np.mean(sizes) == pytest.approx(0.25, abs=0.01)
    assert stats.kstest(sizes[:2000], lambda t: t * (1 - np.log(t))).pvalue > 0.01


def test_every_algorithm_is_its_parts_in_series_and_8_their_sum() -> None:
    wave = 0.1 * np.random.default_rng(3).standard_normal(3000)
    names = {number: [step.__name__ for step in steps] for number, steps in RAWBOOST.items()}
    assert names[4] == ["convolutive", "impulsive", "stationary"]
    assert (names[5], names[6], names[7]) == (
        ["convolutive", "impulsive"], ["convolutive", "stationary"], ["impulsive", "stationary"],
    )  # fmt: skip
    rng = np.random.default_rng(4)
    total = convolutive(wave, rng) + impulsive(wave, rng)
    np.testing.assert_allclose(beside(wave, np.random.default_rng(4)), total / max(np.abs(total).max(), 1))


def test_the_whole_utterance_is_boosted_and_then_cut(tmp_path: Path) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    recipe = Recipe({"augment": {"rawboost": 1, "crop": "first"}})
    listed = Listed((str(tmp_path / "a.wav"),), np.array([1]), np.array([0]))
    short, long = (TrainingTrials(listed, recipe, 16_000, n)[0, 0][0].numpy() for n in (3000, 9000))
    np.testing.assert_array_equal(short, long[:3000])
