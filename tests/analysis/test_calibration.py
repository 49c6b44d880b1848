"""A reduced form of benchmarks/calibration: a broken test statistic rejects too often, or never.

200 studies know a rate of 5 % to 1.5 points; the bounds are those that a rate within 3.5 to 6.5 % leaves once in ten
thousand. Studies are numbered, so that the same ones are drawn every time.
"""

import pytest
from scipy.stats import binom

from benchmarks.calibration.__main__ import DESIGNS
from benchmarks.calibration.design import Rate, simulate
from benchmarks.calibration.promises import PROMISES, promise_of
from benchmarks.calibration.tables import BEGIN, FIELD, PAGE, drawn, off, ours, with_part

RUNS = 200
BY_NAME = {design.name: design for design in DESIGNS}


def bounds(low: float, high: float, runs: int) -> tuple[float, float]:
    return binom.ppf(1e-4, runs, low), binom.ppf(1 - 1e-4, runs, high)


def within(rate: Rate, low: float, high: float) -> bool:
    fewest, most = bounds(low, high, rate.given)
    return fewest <= rate.hits <= most


@pytest.mark.parametrize(
    "name",
    [
        "equal detectors, n = 12, 40 trials a class",
        "checkpoints and sets have effects, n = 12",
        "6 runs x 4 epochs",
        "3 architectures move sharpness and error, n = 12",
        "largest of 3 radii, n = 12",
        "two measures equally good, n = 12",
        "6 corpora x 2 subsets, n = 12",
    ],
)
def test_p_values_reject_five_per_cent_where_nothing_goes_with_error(name: str) -> None:
    rates = simulate(BY_NAME[name], 0, RUNS)
    assert {test: rate for test, rate in rates.items() if test in ours(rates)}
    for test in ours(rates):
        low = 0.02 if promise_of(BY_NAME[name], test) else 0.035
        assert within(rates[test], low, 0.08 if low < 0.03 else 0.065), (test, rates[test])


@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("equal detectors, n = 12, 40 trials a class", 0.55),
        ("largest of 4 measures x 3 radii, n = 12", 0.2),
        ("6 runs x 4 epochs", 0.25),
        ("3 architectures move sharpness and error, n = 12", 0.5),
        ("only through the loss, which alone is noisy, reliability 0.8, n = 12", 0.15),
    ],
)
def test_the_usual_tests_find_what_is_not_there(name: str, at_least: float) -> None:
    rates = simulate(BY_NAME[name], 0, 60)
    usual = [rate for test, rate in rates.items() if test.startswith(FIELD)]
    assert usual
    assert all(rate.hits >= bounds(at_least, 1.0, rate.given)[0] for rate in usual)


def test_a_real_difference_is_found_across_halves() -> None:
    rates = simulate(BY_NAME["true spread 0.5, n = 12, 100 trials a class"], 0, 40)
    assert rates["across halves"].share > 0.9


@pytest.mark.parametrize(
    "name",
    [
        "correlation 0.6, n = 12",
        "mean over sets: correlation 0.95, n = 12",
        "EERs 10 and 15 %, 200 trials a class of 20 speakers",
        "--tolerance 0.1: log-normal .5",
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(name: str) -> None:
    rates = simulate(BY_NAME[name], 0, 100)
    for test in ours(rates):
        assert within(rates[test], 0.9, 0.985), (test, rates[test])


def test_a_study_is_the_same_whatever_was_drawn_before_it() -> None:
    design = BY_NAME["6 runs x 4 epochs"]
    parts = [simulate(design, 0, 3), simulate(design, 3, 6)]
    whole = simulate(design, 0, 6)
    assert {test: parts[0][test].hits + parts[1][test].hits for test in whole} == {
        test: rate.hits for test, rate in whole.items()
    }


def test_what_was_drawn_rejects_and_covers_as_often_as_is_said() -> None:
    """What is printed as valid rejects 3.5 to 6.5 % up to two Monte Carlo errors; all else is said to be otherwise."""
    rows = drawn()
    assert len(rows) > 60
    for design, rates in rows:
        for test in ours(rates):
            if off(design, test, rates[test]):
                assert promise_of(design, test), (design.name, test, rates[test])


def test_promises_are_about_designs_and_said_somewhere() -> None:
    for promise in PROMISES:
        assert any(promise.design in name for name in BY_NAME), promise
        assert promise.where


def test_the_tables_of_the_page_are_those_of_the_counts() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert BEGIN in page
    assert with_part(page) == page, "run python -m benchmarks.calibration.tables"
