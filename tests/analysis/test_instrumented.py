"""What a noisy loss leaves of a correlation: against two-stage least squares, without an effect and with one."""

import math

import numpy as np
import pytest
from scipy import stats

from sharpscope.analysis.confounding import partial_given_noisy
from sharpscope.analysis.instrumented import Given, given_noisy


def study(
    rng: np.random.Generator, n: int, k: int = 1, *, noise: float = 0.5, adds: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Measure, loss, error rate and loss again; measure and error follow the loss (.9) and share ``adds`` beside it."""
    loss, of_x = rng.normal(size=(n, k)), rng.normal(size=(n, k))
    of_y = adds * of_x + math.sqrt(1 - adds**2) * rng.normal(size=(n, k))
    rest = math.sqrt(1 - 0.81)
    # Trials of a half move both of its quantities, though not alike.
    shared, own = rng.normal(size=(2, 2, n, k))
    x, z = 0.9 * loss + rest * of_x + noise * (0.6 * shared[0] + 0.8 * own[0]), loss + noise * shared[0]
    y, w = 0.9 * loss + rest * of_y + noise * (0.6 * shared[1] + 0.8 * own[1]), loss + noise * shared[1]
    return x, z, y, w


def test_the_sign_is_that_of_the_instrumented_regression_by_hand() -> None:
    """Regress y on (x, w) with (x, z) as instruments: the coefficient of x is the tetrad over a positive number."""
    for seed in range(20):
        x, z, y, w = study(np.random.default_rng(seed), 30)
        found = given_noisy(x, z, y, w)
        rx, rz, ry, rw = (stats.rankdata(one[:, 0]) - 15.5 for one in (x, z, y, w))
        instruments, regressors = np.column_stack([rx, rz]), np.column_stack([rx, rw])
        slope, _ = np.linalg.solve(instruments.T @ regressors, instruments.T @ ry)
        # cov(x, x) cov(z, w) - cov(x, w) cov(z, x), the determinant of what is solved.
        sign = np.sign(np.linalg.det(instruments.T @ regressors)) * np.sign(slope)
        assert np.sign(found.estimate) == sign


def test_one_set_is_the_formula_of_cohen_and_cohen_across_halves() -> None:
    x, z, y, w = study(np.random.default_rng(1), 40)
    r = {
        (a, b): stats.spearmanr(p, q).statistic
        for a, p in (("x", x), ("z", z))
        for b, q in (("y", y), ("w", w))
    }
    by_hand = partial_given_noisy(r["x", "y"], r["x", "w"], r["z", "y"], r["z", "w"])
    found = given_noisy(x, z, y, w)
    assert found.estimate == pytest.approx(by_hand, abs=1e-12)
    assert found.reliability == pytest.approx(r["z", "w"], abs=1e-12)
    assert given_noisy(*(np.hstack([one, one]) for one in (x, z, y, w))).estimate == pytest.approx(by_hand)


def test_nothing_beside_the_loss_is_found_at_its_level() -> None:
    rejected = covered = 0
    runs = 400
    rng = np.random.default_rng(0)
    for _ in range(runs):
        x, z, y, w = study(rng, 24, 3)
        found = given_noisy(x, z, y, w)
        rejected += found.p <= 0.05
        low, high = found.interval(0.9)
        covered += low <= 0 <= high
    # 400 studies tell a rate of 5 % to 2 points.
    assert 0.02 <= rejected / runs <= 0.08
    assert covered / runs >= 0.86


def test_what_is_there_beside_the_loss_is_found() -> None:
    found = given_noisy(*study(np.random.default_rng(2), 60, 5, noise=0.2, adds=0.8))
    assert found.p < 1e-4
    assert found.interval(0.95)[0] > 0
    x, z, y, w = study(np.random.default_rng(2), 60, 5, noise=0.2, adds=0.8)
    assert given_noisy(x, z, -y, w).estimate == pytest.approx(-found.estimate)


def test_a_loss_without_noise_is_no_exception() -> None:
    """Ranks of twelve bend: uncorrected, the mean t of five sets is .5 and 8 % of studies reject."""
    rng = np.random.default_rng(3)
    found = [given_noisy(*study(rng, 12, 5, noise=0.0)) for _ in range(300)]
    assert abs(np.mean([one.estimate / one.stderr for one in found])) < 0.25
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.085


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda x, z, y, w: (x[:7], z[:7], y[:7], w[:7]), "fewer than 8 checkpoints"),
        (lambda x, z, y, w: (x, z, y * 0, w), "constant"),
        (lambda x, z, y, w: (x, z, y, -w), "agree by -"),
        (lambda x, z, y, w: (z, z, w, w), "nothing"),
        (lambda x, z, y, w: (x, z * np.nan, y, w), "constant"),
    ],
)
def test_where_nothing_can_be_said_it_is_not(change: object, why: str) -> None:
    assert callable(change)
    found = given_noisy(*change(*study(np.random.default_rng(4), 20, noise=0.1)))
    assert math.isnan(found.estimate)
    assert math.isnan(found.p)
    assert why in found.note
    assert math.isnan(found.interval(0.9)[0])
    assert math.isnan(found.checkpoints_for())


def test_so_many_checkpoints_show_less_than_a_tenth_four_times_out_of_five() -> None:
    """The number that a study of 30 names is taken, and studies of that size are made."""
    rng = np.random.default_rng(5)
    asked = float(
        np.median([given_noisy(*study(rng, 30, 5, noise=0.2)).checkpoints_for(0.2) for _ in range(40)])
    )
    assert 20 < asked < 400
    shown = [given_noisy(*study(rng, int(asked), 5, noise=0.2)).adds_at_most() < 0.2 for _ in range(150)]
    assert 0.65 < np.mean(shown) < 0.95


def test_two_one_sided_tests_are_the_ninety_percent_interval() -> None:
    found = Given(0.2, 0.1, 0.05, 23, 0.9, "")
    t = stats.t.ppf(0.95, 20) * 0.1
    assert found.adds_at_most() == pytest.approx(0.2 + t)
    assert found.interval(0.9) == pytest.approx((0.2 - t, 0.2 + t))
