"""Every error against an independent implementation on published scores, and intervals that cover."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu, norm

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.scoring.eer import eer_interval
from sharpscope.scoring.errors import (
    ERRORS,
    Scores,
    error_interval,
    error_of,
    errors_by_group,
    fixed_limit,
    half_total_error,
)

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


def independent(name: str, scores: Scores, home: Scores) -> float:
    """The same from loops over trials and from scipy; nothing of sharpscope."""
    b, s = scores.bonafide, scores.spoof

    def point(part: Scores) -> tuple[float, float]:
        """Equal error rate and threshold by trying every distinct score."""
        best = (math.inf, math.nan, math.nan)
        for t in [*np.unique(np.r_[part.bonafide, part.spoof]), math.inf]:
            frr = sum(v < t for v in part.bonafide) / len(part.bonafide)
            far = sum(v >= t for v in part.spoof) / len(part.spoof)
            if abs(frr - far) < best[0] - 1e-12:
                best = (abs(frr - far), (frr + far) / 2, t)
        return best[1:]

    if name == "eer":
        return point(scores)[0]
    if name == "gap":
        return point(scores)[0] - point(home)[0]
    if name == "hter":
        t = point(home)[1]
        return (sum(v < t for v in b) / len(b) + sum(v >= t for v in s) / len(s)) / 2
    if name == "auc":
        return float(mannwhitneyu(b, s).statistic) / (len(b) * len(s))
    if name == "min_dcf":
        thresholds = [*np.unique(np.r_[b, s]), math.inf]
        return min((0.95 * np.mean(b < t) + 0.5 * np.mean(s >= t)) / 0.5 for t in thresholds)
    if name == "act_dcf":
        t = math.log(0.05 * 10 / 0.95)
        return (0.95 * sum(v < t for v in b) / len(b) + 0.5 * sum(v >= t for v in s) / len(s)) / 0.5
    bits = [
        sum(math.log2(1 + math.exp(sign * v)) for v in part) / len(part) for sign, part in ((-1, b), (1, s))
    ]
    return sum(bits) / 2


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("detector", ["AASIST", "AASIST-L"])
def test_published_scores_give_the_same_by_an_independent_implementation(name: str, detector: str) -> None:
    file = REFERENCE / f"scores_{detector}.csv"
    if not file.is_file():
        pytest.skip("the reference scores are not on this machine")
    table = pd.read_csv(file)
    sets = {
        key: Scores(
            *(
                part.loc[part["label"] == label, "logit_bonafide"].to_numpy()
                for label in ("bonafide", "spoof")
            )
        )
        for key, part in table.groupby("set")
    }
    for scores in sets.values():
        ours = error_of(name, scores, in_domain=sets["dev"])
        assert ours == pytest.approx(independent(name, scores, sets["dev"]), abs=1e-9)


@pytest.mark.parametrize("name", ERRORS)
def test_ties_and_small_sets_give_the_same(name: str) -> None:
    rng = np.random.default_rng(0)
    home = Scores(rng.normal(1, 1, 9).round(1), rng.normal(0, 1, 12).round(1))
    for _ in range(20):
        scores = Scores(rng.normal(1, 1, 7).round(1), rng.normal(0, 1, 11).round(1))
        assert error_of(name, scores, in_domain=home) == pytest.approx(
            independent(name, scores, home), abs=1e-9
        )


def test_hter_sees_the_shift_that_eer_does_not() -> None:
    rng = np.random.default_rng(1)
    home = Scores(rng.normal(2, 1, 500), rng.normal(-2, 1, 500))
    away = Scores(rng.normal(5, 1, 500), rng.normal(1, 1, 500))
    assert error_of("eer", away) < 0.05
    assert error_of("hter", away, in_domain=home) > 0.4


def test_what_is_missing_is_named() -> None:
    scores = Scores(np.array([1.0]), np.array([0.0]))
    with pytest.raises(UsageError, match="hter is relative to an in-domain set"):
        error_of("hter", scores)
    with pytest.raises(UsageError, match="unknown error 'err'; did you mean 'eer'"):
        error_of("err", scores)
    with pytest.raises(SharpscopeError, match="both classes"):
        error_of("cllr", Scores(np.array([]), np.array([0.0])))
    with pytest.raises(SharpscopeError, match="not finite"):
        error_of("auc", scores, in_domain=Scores(np.array([np.nan]), np.array([0.0])))


@pytest.mark.parametrize(
    ("name", "true"), [("auc", norm.cdf(2 / math.sqrt(2))), ("hter", norm.cdf(-1)), ("gap", 0.0)]
)
def test_intervals_over_trials_cover(name: str, true: float) -> None:
    rng = np.random.default_rng(2)
    held = 0
    for run in range(60):
        home, away = (Scores(rng.normal(1, 1, 200), rng.normal(-1, 1, 200)) for _ in range(2))
        low, high = error_interval(name, away, in_domain=home, n_resamples=99, rng=run)
        held += low <= true <= high
    assert 0.85 <= held / 60 <= 1.0


def test_intervals_over_eight_speakers_cover() -> None:
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(8), 20)
    held = 0
    for run in range(30):
        first, second = (
            np.sqrt(0.3) * rng.normal(size=8)[who] + np.sqrt(0.7) * rng.normal(size=160) for _ in range(2)
        )
        scores = Scores(first + 2, second, who, who)
        low, high = error_interval("auc", scores, n_resamples=99, rng=run)
        held += low <= norm.cdf(2 / math.sqrt(2)) <= high
    assert held / 30 >= 0.8


def test_no_error_is_no_certainty() -> None:
    right = Scores(np.arange(30.0) + 10, -np.arange(50.0) - 10)
    home = Scores(np.array([1.0]), np.array([-1.0]))
    for name in ("hter", "min_dcf", "act_dcf"):
        low, high = error_interval(name, right, in_domain=home, n_resamples=20)
        assert low == 0
        assert high > 0.02
    assert error_interval("auc", right, n_resamples=20).low < 0.85
    assert error_interval("eer", right) == eer_interval(right.bonafide, right.spoof)


@pytest.mark.parametrize(("n", "k"), [(5, 5), (5, 400), (40, 7)])
@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.9, 1.0)])
def test_the_limit_at_a_fixed_threshold_is_the_largest(n: int, k: int, weights: tuple[float, float]) -> None:
    f = np.linspace(0, 1 - 0.025 ** (1 / n), 20_001)
    a = 1 - (0.025 / (1 - f) ** n) ** (1 / k)
    assert fixed_limit(n, k, weights) == pytest.approx((weights[0] * f + weights[1] * a).max(), abs=1e-6)


def test_groups_share_the_bona_fide_trials_or_have_their_own() -> None:
    scores = Scores(np.array([1.0, 2, 3, 4]), np.array([0.0, 3.5]))
    shared = errors_by_group(["eer", "auc"], scores, ["A1", "A2"])
    assert shared["A2"]["auc"] == 0.25
    own = errors_by_group(["auc"], scores, ["mp3", "ogg"], bonafide_groups=["mp3", "mp3", "mp3", "ogg"])
    assert own["ogg"]["auc"] == 1.0
    assert half_total_error(scores, 2.5) == 0.5
