"""Rates that the program prints are those that the calibration study found."""

import json

import pytest

from benchmarks.calibration.design import RATES
from sharpscope.results import measured_rates
from sharpscope.results.measured_rates import Measured

STORED = json.loads(RATES.read_text(encoding="utf-8"))
CASES = [(one, design) for one in measured_rates.ALL for design in one.per_cent]


@pytest.mark.parametrize(("one", "design"), CASES)
def test_a_printed_rate_is_the_stored_one(one: Measured, design: str) -> None:
    hits, given, _ = STORED[design]["tests"][one.test]
    assert one.per_cent[design] == pytest.approx(100 * hits / given, abs=0.051)


def test_every_rate_is_listed() -> None:
    named = [one for one in vars(measured_rates).values() if isinstance(one, Measured)]
    assert all(one in measured_rates.ALL for one in named)
    assert len(named) == len(measured_rates.ALL)
