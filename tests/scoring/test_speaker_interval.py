"""The interval of an equal error rate over speakers covers as often as it says, from five speakers on."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.stats import multivariate_normal, norm

from sharpscope.scoring.eer import eer_interval, separation_limit
from sharpscope.scoring.speaker_interval import _both_beyond, clustered_interval, intraclass_correlation

Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


def covered(true: float, n_speakers: int, trials: int, alike: float, *, own: bool, runs: int = 300) -> float:
    """Share of intervals that hold the true rate; ``own`` gives each class speakers of its own."""
    rng = np.random.default_rng(round(1000 * true) + n_speakers)
    speakers = np.repeat(np.arange(n_speakers), trials)
    names = speakers.astype(str), np.char.add("other" if own else "", speakers.astype(str))
    held = 0
    for _ in range(runs):
        first, second = (
            np.sqrt(alike) * rng.normal(size=n_speakers)[speakers]
            + np.sqrt(1 - alike) * rng.normal(size=len(speakers))
            for _ in range(2)
        )
        low, high = eer_interval(
            first - 2 * norm.ppf(true), second, bonafide_speakers=names[0], spoof_speakers=names[1]
        )
        held += low <= true <= high
    return held / runs


@pytest.mark.parametrize(
    ("true", "n_speakers", "trials"), [(0.129, 5, 20), (0.129, 10, 20), (0.129, 20, 20), (0.039, 20, 10)]
)
@pytest.mark.parametrize(("alike", "own"), [(0.5, False), (0.5, True), (0.2, False)])
def test_few_speakers_are_covered(true: float, n_speakers: int, trials: int, alike: float, own: bool) -> None:
    """Audit C: drawing speakers with replacement covered .75 at five and .86 at ten."""
    assert 0.915 <= covered(true, n_speakers, trials, alike, own=own) <= 0.99


def test_few_speakers_with_few_errors_are_covered_at_the_upper_end() -> None:
    """Audit C: at 3.9 % and ten speakers the old interval covered .78, its upper end too low."""
    assert covered(0.039, 10, 20, 0.5, own=False) >= 0.93


def test_no_error_counts_speakers_and_not_trials() -> None:
    speakers = np.repeat(np.arange(8), 50)
    bonafide, spoof = 10 + np.arange(400.0), -np.arange(400.0)
    right = eer_interval(bonafide, spoof, bonafide_speakers=speakers, spoof_speakers=speakers)
    assert right == (0.0, separation_limit(8, 8))
    wrong = eer_interval(spoof, bonafide, bonafide_speakers=speakers, spoof_speakers=speakers)
    assert wrong == pytest.approx((1 - separation_limit(8, 8), 1.0))


def test_four_speakers_are_no_basis() -> None:
    speakers = np.repeat(np.arange(4), 5)
    found = eer_interval(
        np.arange(20.0), np.arange(20.0) - 5, bonafide_speakers=speakers, spoof_speakers=speakers
    )
    assert np.isnan(found).all()


def test_one_trial_a_speaker_is_an_interval_over_trials() -> None:
    """The linearised variance is then that of independent trials, e(1 - e)(1/4n + 1/4k) for equal spreads."""
    rng = np.random.default_rng(0)
    bonafide, spoof = rng.normal(2, 1, 4000), rng.normal(0, 1, 4000)
    who = np.arange(4000)
    rate, threshold = 0.1587, 1.0
    low, high = clustered_interval(bonafide, spoof, who, who + 0, eer=rate, threshold=threshold, joint=False)
    half = stats.norm.ppf(0.975) * np.sqrt(rate * (1 - rate) / 8000)
    assert high - low == pytest.approx(2 * half, rel=0.03)


def test_names_and_order_of_speakers_change_nothing() -> None:
    rng = np.random.default_rng(1)
    speakers = np.repeat(np.arange(6), 10)
    bonafide, spoof = rng.normal(1, 1, 60), rng.normal(0, 1, 60)
    found = eer_interval(bonafide, spoof, bonafide_speakers=speakers, spoof_speakers=speakers)
    order, renamed = rng.permutation(60), 100 - speakers
    again = eer_interval(bonafide[order], spoof, bonafide_speakers=renamed[order], spoof_speakers=renamed)
    assert again == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("r", [-0.6, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("z", [-1.7, 0.0, 1.2])
def test_the_covariance_of_two_tails_is_that_of_the_bivariate_normal(r: float, z: float) -> None:
    joint = multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([z, z])
    assert _both_beyond(r, z) == pytest.approx(joint - norm.cdf(z) ** 2, abs=2e-6)


def test_the_correlation_within_speakers_is_recovered() -> None:
    rng = np.random.default_rng(2)
    speakers = np.repeat(np.arange(3000), 4)
    scores = np.sqrt(0.3) * rng.normal(size=3000)[speakers] + np.sqrt(0.7) * rng.normal(size=12000)
    assert intraclass_correlation(scores, speakers) == pytest.approx(0.3, abs=0.03)
    assert intraclass_correlation(scores, np.arange(12000)) == 0.0
