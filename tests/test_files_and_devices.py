"""Locks that end, and the device that a process works on."""

import errno
from pathlib import Path

import filelock
import pytest
import torch

from sharpscope import files
from sharpscope.devices import Share, choose_device
from sharpscope.errors import SharpscopeError
from sharpscope.files import locked


def test_who_waits_too_long_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "table.lock"
    with (
        locked(path),
        pytest.raises(SharpscopeError, match=r"held for more than 0 s by process \d+ on "),
        locked(path, patience=0.05),
    ):
        pass
    with locked(path, patience=0.05):
        pass
    assert not path.with_name("table.lock.holder").exists()


def test_a_file_system_without_locks_is_refused_with_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A soft lock in its place would outlive a killed process, and others would wait for ever."""

    def without(self: filelock.FileLock) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(files.FileLock, "_acquire", without)
    with pytest.raises(SharpscopeError, match="no file locks"), locked(tmp_path / "x.lock"):
        pass


@pytest.mark.parametrize(("name", "local", "index"), [("auto", 1, 1), ("auto", 5, 1), ("cuda:2", 0, 2)])
def test_a_process_makes_its_device_the_current_one(
    monkeypatch: pytest.MonkeyPatch, name: str, local: int, index: int
) -> None:
    """Otherwise memory of GPU 0 is reported for all, and pinning opens a context there for every process."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert choose_device(name, Share(local, 8, local)) == f"cuda:{index}"
    assert chosen == [index]
