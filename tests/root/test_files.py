"""Files that processes share: a lock names its holder, and a file system without locks is refused with words."""

import errno
import multiprocessing
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from sharpscope import files
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.files import locked, replace_file


def hold(path: Path, ready: Any, done: Any) -> None:
    with locked(path):
        ready.set()
        done.wait(20)


def test_whoever_waits_too_long_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "x.lock", ready, done))
    other.start()
    try:
        assert ready.wait(20)
        held = rf"held for more than 0 s by process {other.pid} on "
        with pytest.raises(SharpscopeError, match=held), locked(tmp_path / "x.lock", patience=0.1):
            pass
    finally:
        done.set()
        other.join(20)
    with locked(tmp_path / "x.lock", patience=5):
        assert f"process {os.getpid()}" in (tmp_path / "x.lock.holder").read_text()
    assert not (tmp_path / "x.lock.holder").exists()


def hold_a_run(path: Path, ready: Any, silent: Any, done: Any) -> None:
    files.SIGN_OF_LIFE = 0.05
    with locked(path, whole_run=True):
        ready.set()
        silent.wait(20)
        # As when its machine is gone and the file system still keeps its lock.
        files.os.utime = lambda *_: None
        done.wait(20)


def test_a_run_is_waited_for_while_its_holder_lives_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for ever: a node that is gone once let the others of a job wait until they were killed."""
    monkeypatch.setattr(files, "SIGN_OF_LIFE", 0.1)
    context = multiprocessing.get_context("fork")
    ready, silent, done = context.Event(), context.Event(), context.Event()
    other = context.Process(target=hold_a_run, args=(tmp_path / "x.lock", ready, silent, done))
    other.start()
    try:
        assert ready.wait(20)
        threading.Timer(6.0, silent.set).start()
        started = time.monotonic()
        held = (
            rf"held for more than 5 s by process {other.pid} on .* without a sign of life; end that process"
        )
        with (
            pytest.raises(SharpscopeError, match=held),
            locked(tmp_path / "x.lock", patience=5, whole_run=True),
        ):
            pass
        assert time.monotonic() - started > 10
    finally:
        done.set()
        other.join(20)
    assert f"waiting for process {other.pid} on" in capsys.readouterr().err
    with locked(tmp_path / "x.lock", patience=5, whole_run=True):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused_with_words(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: FileLock, **_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", refuses)
    with (
        pytest.raises(SharpscopeError, match="the file system has no file locks"),
        locked(tmp_path / "x.lock"),
    ):
        pass


def test_a_file_is_replaced_whole_with_the_permissions_of_the_user(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        replace_file(tmp_path / "a" / "b.csv", "one\n")
    finally:
        os.umask(old)
    assert (tmp_path / "a" / "b.csv").read_text() == "one\n"
    assert stat.S_IMODE((tmp_path / "a" / "b.csv").stat().st_mode) == 0o644
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.csv"]
    with pytest.raises(UsageError, match="cannot be made a folder"):
        replace_file(tmp_path / "a" / "b.csv" / "c", "x")
    (tmp_path / "d").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        replace_file(tmp_path / "d", "x")


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOENT, errno.EACCES])
def test_a_place_that_takes_no_files_is_misuse_and_a_full_disk_is_not(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(code: int) -> Any:
        def mkdir(self: Path, **_: Any) -> None:
            raise OSError(code, os.strerror(code), str(self))

        return mkdir

    monkeypatch.setattr(Path, "mkdir", refuse(number))
    for write in (
        lambda: replace_file(tmp_path / "a" / "b", "x"),
        lambda: locked(tmp_path / "a" / "b").__enter__(),
    ):
        with pytest.raises(
            UsageError, match=r"cannot be made a folder .*; name one in which you may make files"
        ):
            write()
    monkeypatch.setattr(Path, "mkdir", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "a" / "b", "x")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nobody can make a file")
def test_a_lock_in_a_folder_that_takes_no_files_is_misuse() -> None:
    with pytest.raises(UsageError, match="/proc: nothing can be written there"), locked(Path("/proc/x.lock")):
        pass


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nobody can make a file")
def test_a_file_where_none_can_be_made_is_misuse() -> None:
    with pytest.raises(UsageError, match=r"/proc: nothing can be written there .*; name a folder in which"):
        replace_file(Path("/proc/x.csv"), "x")
