"""Processes that work for another share its cores and do not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sharpscope.devices import worker_processes

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PARENT = """
import os, pathlib, sys, time
from sharpscope.devices import worker_processes

def work(folder):
    (pathlib.Path(folder) / str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    with worker_processes(1) as pool:
        pool.submit(work, sys.argv[1]).result()
"""


def test_each_takes_its_part_of_the_cores_and_the_parent_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(NAMES[0], "7")
    monkeypatch.delenv(NAMES[1], raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 12)
    with worker_processes(4) as pool:
        assert [pool.submit(os.getenv, name).result() for name in NAMES] == ["3"] * 3
    assert os.environ[NAMES[0]] == "7"
    assert NAMES[1] not in os.environ


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the state of processes as Linux has it")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_they_work_for(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    folder = tmp_path / "workers"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)])
    try:
        _wait_until(lambda: any(folder.iterdir()))
    finally:
        parent.send_signal(how)
        parent.wait()
    (worker,) = (int(file.name) for file in folder.iterdir())
    _wait_until(lambda: not _runs(worker))


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(true: Callable[[], bool], patience: float = 120) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)
