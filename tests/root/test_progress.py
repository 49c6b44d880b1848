"""Speed and time left as a user may rely on them, and an answer to Ctrl-C while the network computes."""

import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from sharpscope import progress
from sharpscope.progress import Meter, patiently


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr(progress, "time", own)
    return own


def meter(total: int) -> Meter:
    return Meter(total, "trials", None, quiet=True)


def test_what_was_done_before_is_no_speed(clock: Clock) -> None:
    counted = meter(1000)
    counted.skip(900)
    clock.now += 10
    counted.advance(20)
    state = counted.state()
    assert state["per_second"] == 2
    assert state["seconds_left"] == 40


def test_a_set_and_the_whole_call_have_times_of_their_own(clock: Clock) -> None:
    counted = meter(300)
    counted.describe("fast on itw", 100)
    clock.now += 10
    counted.advance(100)
    counted.describe("slow on itw", 200)
    counted.skip(40)
    clock.now += 90
    counted.advance(60)
    state: dict[str, Any] = counted.state()
    assert state["seconds_left_of_part"] == pytest.approx(100 * 90 / 60)
    assert state["seconds_left"] == pytest.approx(100 * 100 / 160)
    assert "2 min left here" in counted.line()


def test_slow_detectors_are_not_said_to_stand_still(clock: Clock) -> None:
    counted = meter(10)
    assert "nothing finished yet" in counted.line()
    assert "left" not in counted.line()
    clock.now += 2000
    counted.advance(1)
    assert "33 min each" in counted.line()
    assert "5.0 h left" in counted.line()


def test_waiting_for_audio_is_said_where_there_is_some(clock: Clock) -> None:
    counted = meter(10)
    with counted.waiting():
        clock.now += 1
    clock.now += 3
    counted.advance(2)
    assert "25% of the time waiting for audio" in counted.line()
    clock.now += 1000
    assert "waiting" not in counted.line()


def test_only_what_takes_long_is_spoken_of(capsys: pytest.CaptureFixture[str]) -> None:
    with patiently("reading a.pt", after=5):
        pass
    assert capsys.readouterr().err == ""
    with patiently("reading a.pt", after=0.01):
        time.sleep(0.2)
    assert "reading a.pt ... 1 s" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_an_interrupt_is_answered_while_the_main_thread_computes() -> None:
    # A hash of many rounds holds the main thread as a convolution does: nothing of Python runs there meanwhile.
    code = (
        "import hashlib, signal, sys\n"
        "from sharpscope.progress import progress\n"
        # As in a terminal: what a shell starts in the background ignores interrupts, and so do its children.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with progress(1, show=True):\n"
        "    print('ready', file=sys.stderr, flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 200_000_000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    time.sleep(0.2)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # a shell's wrapper passes on what the terminal has sent already
    lines = [process.stderr.readline(), process.stderr.readline()]
    answered = time.monotonic() - sent
    assert "interrupted: stopping after the current step" in "".join(lines)
    assert process.poll() is None or answered < 1
    assert answered < 1
    time.sleep(0.2)
    process.kill()
    assert "stopping after" not in process.stderr.read()
    process.wait()
    process.stderr.close()
