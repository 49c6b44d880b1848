"""Error rates against known answers and slow definitions. Sources: the facts' tables of published examples."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import norm

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.scoring.eer import eer_interval, equal_error_rate, folded_equal_error_rate, separation_limit

# bona fide, spoof, nearest, interpolated, convex hull
KNOWN = {
    "linspace (torchmetrics, scipy)": (np.linspace(0, 1, 100), np.linspace(-0.5, 0.5, 100), 0.25, 0.25, 0.25),
    "torchmetrics documentation": ([0.5, 0.7], [0, 0.8], 0.5, 0.5, 1 / 3),
    "three against three": ([0.9, 0.8, 0.3], [0.7, 0.2, 0.1], 1 / 3, 1 / 3, 1 / 6),
    "four against five": ([0.9, 0.6, 0.55, 0.2], [0.7, 0.5, 0.4, 0.3, 0.1], 0.225, 0.25, 4 / 17),
    "all tied (the published code says 1)": ([1, 1, 1], [1, 1, 1], 0.5, 0.5, 0.5),
    "inverted": ([-1, 0, 1], [2, 3, 4], 1.0, 1.0, 0.5),
    "ASVspoof 5 evaluation package": ([2, 1, 0.5, -0.2], [-2, -1, 0, 0.6, -0.7], 0.225, 0.25, 2 / 9),
    "half of the scores tied": ([0, 0, 1, 1], [0, 0, -1, -1], 0.25, 0.25, 0.25),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name: str) -> None:
    bonafide, spoof, *expected = KNOWN[name]
    for method, answer in zip(("nearest", "interpolated", "rocch"), expected, strict=True):
        found = equal_error_rate(np.array(bonafide), np.array(spoof), method=method).eer
        assert found == pytest.approx(answer, abs=1e-6), method


def slow(bonafide: np.ndarray, spoof: np.ndarray) -> float:
    """Every distinct threshold tried in a loop, in exact fractions; the first of equally near ones."""
    best = (Fraction(2), Fraction(0))
    for threshold in [*sorted({*bonafide.tolist(), *spoof.tolist()}), float("inf")]:
        frr = Fraction(int(np.sum(bonafide < threshold)), len(bonafide))
        far = Fraction(int(np.sum(spoof >= threshold)), len(spoof))
        best = min(best, (abs(frr - far), (frr + far) / 2), key=lambda pair: pair[0])
    return float(best[1])


scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30).map(np.array)


@example(np.array([0.0, 2.0]), np.array([0.0, 1.0, 2.0]))
@given(scores, scores)
def test_it_is_the_loop_over_thresholds(bonafide: np.ndarray, spoof: np.ndarray) -> None:
    assert equal_error_rate(bonafide, spoof).eer == pytest.approx(slow(bonafide, spoof))


@given(scores, scores)
def test_it_sees_only_the_order(bonafide: np.ndarray, spoof: np.ndarray) -> None:
    expected = equal_error_rate(bonafide, spoof).eer
    assert equal_error_rate(np.exp(bonafide / 3), np.exp(spoof / 3)).eer == expected


@given(scores, scores)
def test_the_hull_is_never_above_one_half_or_the_interpolation(
    bonafide: np.ndarray, spoof: np.ndarray
) -> None:
    hull = equal_error_rate(bonafide, spoof, method="rocch").eer
    assert hull <= 0.5 + 1e-12
    assert hull <= equal_error_rate(bonafide, spoof, method="interpolated").eer + 1e-12


def test_two_gaussians_have_the_rate_of_the_book() -> None:
    """Separation d' = 2: EER is Phi(-1)."""
    rng = np.random.default_rng(0)
    found = equal_error_rate(rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)).eer
    assert found == pytest.approx(norm.cdf(-1), abs=2e-3)


def test_folding_hides_what_is_worse_than_chance() -> None:
    """T2 of the paper's traps: 84.2 % becomes 15.8 %; without ties folding is the smaller of both polarities."""
    rng = np.random.default_rng(1)
    bonafide, spoof = rng.normal(0, 1, 500), rng.normal(2, 1, 400)
    true = equal_error_rate(bonafide, spoof).eer
    assert true > 0.8
    assert folded_equal_error_rate(bonafide, spoof) == pytest.approx(1 - true, abs=5e-3)
    assert folded_equal_error_rate(np.ones(3), np.ones(3)) == 1.0


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Independent trials, d' = 2: 95 % intervals hold the true rate in about 95 % of 200 runs."""
    rng = np.random.default_rng(2)
    held = 0
    for run in range(200):
        low, high = eer_interval(rng.normal(2, 1, 300), rng.normal(0, 1, 300), n_resamples=300, rng=run)
        held += low <= norm.cdf(-1) <= high
    assert 0.90 <= held / 200 <= 0.99


def test_no_error_is_no_certainty() -> None:
    """A detector of 1 % on 40 + 40 trials mostly makes no error; its interval must hold the 1 % all the same."""
    rng = np.random.default_rng(5)
    apart = -2 * norm.ppf(0.01)
    held = separated = 0
    for run in range(200):
        bonafide, spoof = rng.normal(apart, 1, 40), rng.normal(0, 1, 40)
        low, high = eer_interval(bonafide, spoof, n_resamples=100, rng=run)
        separated += bonafide.min() > spoof.max()
        held += low <= 0.01 <= high
    assert separated > 100
    assert held >= 0.95 * 200


@pytest.mark.parametrize(("n", "k"), [(5, 5), (5, 40), (30, 30)])
def test_the_limit_of_separated_scores_is_reached_in_the_worst_case(n: int, k: int) -> None:
    """Errors that lie between the classes: separated when either class has none, as often as the limit says."""
    rate = separation_limit(n, k)
    rng = np.random.default_rng(6)
    runs = 40_000
    no_bonafide = (rng.random((runs, n)) >= rate).all(axis=1)
    no_spoof = (rng.random((runs, k)) >= rate).all(axis=1)
    assert (no_bonafide | no_spoof).mean() == pytest.approx(0.025, abs=0.004)
    if n == k:
        assert rate == pytest.approx(1 - (1 - 0.975**0.5) ** (1 / n), abs=1e-10)


def test_more_errors_never_lower_the_upper_end() -> None:
    spoof = np.arange(40.0)
    ends = [
        eer_interval(np.append(np.arange(100.0, 140 - wrong), np.full(wrong, -1.0)), spoof).high
        for wrong in range(6)
    ]
    assert ends == sorted(ends)


def test_separated_the_wrong_way_round_mirrors() -> None:
    right = eer_interval(np.arange(20) + 100.0, np.arange(30.0))
    wrong = eer_interval(-np.arange(20) - 100.0, -np.arange(30.0))
    assert right == (0.0, separation_limit(20, 30))
    assert wrong == pytest.approx((1 - right.high, 1.0))


def test_speakers_widen_the_interval() -> None:
    """25 speakers of 20 trials with their own offset: an interval over trials is far too narrow."""
    rng = np.random.default_rng(3)
    speakers = np.repeat(np.arange(25), 20).astype(str)
    offsets = rng.normal(0, 0.71, 25)
    bonafide = 2 + np.repeat(offsets, 20) + rng.normal(0, 0.71, 500)
    spoof = np.repeat(rng.permutation(offsets), 20) + rng.normal(0, 0.71, 500)
    alone = eer_interval(bonafide, spoof)
    by_speaker = eer_interval(bonafide, spoof, bonafide_speakers=speakers, spoof_speakers=speakers)
    assert by_speaker.high - by_speaker.low > 1.5 * (alone.high - alone.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(4)
    bonafide, spoof = rng.normal(1, 1, 50), rng.normal(0, 1, 50)
    assert eer_interval(bonafide, spoof, rng=7) == eer_interval(bonafide, spoof, rng=7)


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(SharpscopeError, match="both classes"):
        equal_error_rate(np.array([]), np.array([1.0]))
    with pytest.raises(SharpscopeError, match="not finite"):
        equal_error_rate(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(UsageError, match="did you mean 'rocch'"):
        equal_error_rate(np.array([1.0]), np.array([0.0]), method="roch")
