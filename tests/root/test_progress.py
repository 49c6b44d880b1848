"""The time that is left rests on what this run did, not on what it found done."""

import time

from sharpscope.progress import Meter


def test_what_was_resumed_is_no_speed() -> None:
    meter = Meter(1_000, "trials", None, quiet=True)
    meter.skip(900)
    meter._start = time.monotonic() - 10
    assert meter.state()["seconds_left"] is None
    meter.advance(10)
    state = meter.state()
    assert state["done"] == 910
    assert 0.9 < state["per_second"] < 1.1
    assert 80 < state["seconds_left"] < 100
