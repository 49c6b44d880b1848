"""Files that several processes share: written whole or not at all, and locked by one of them at a time."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sharpscope.errors import SharpscopeError, UsageError

# Tables are held for milliseconds; whoever waits this long waits for a process that hangs.
PATIENCE = 600.0
# How often a holder shows that it lives, and whoever waits looks for it.
SIGN_OF_LIFE = 60.0


# What no other try changes: the place is not one to write to.
_NO_PLACE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EINVAL, errno.ENAMETOOLONG,
)  # fmt: skip


def make_folder(path: Path) -> None:
    """Make a folder with those above it, where it is not there.

    Args:
        path: The folder.

    Raises:
        UsageError: If there can be no folder of that name: a file is in the way, the place is not to be written to.
    """
    with _told(f"{path}: cannot be made a folder", "name one in which you may make files"):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def _told(what: str, ask: str) -> Iterator[None]:
    """Say in one line that a place is not one to write to, and what to name in its stead."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        raise UsageError(f"{what} ({error.strerror}); {ask}") from error


def replace_file(path: Path, text: str) -> None:
    """Write a whole file in one step: whoever reads sees the old one or the new one, never a part.

    Args:
        path: The file to make or replace.
        text: What it shall hold.

    Raises:
        UsageError: If the folder of the file is a file, or may not be written to.
    """
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write that takes another's place when all went well, and is gone when not.

    Args:
        path: The file to make or replace.

    Yields:
        Where to write, beside it and with its ending.

    Raises:
        UsageError: If the folder of the file is a file, or may not be written to.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    make_folder(path.parent)
    _touch(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
    except (IsADirectoryError, PermissionError) as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, patience: float = PATIENCE, whole_run: bool = False) -> Iterator[None]:
    """Hold a lock file; other processes wait for it, on every machine that sees the folder.

    Args:
        path: The lock file; made with its folder, and left where it is.
        patience: Seconds to wait for another process before giving up.
        whole_run: The lock is held for as long as a measurement takes. Then the seconds count from the holder's last
            sign of life, which it gives every minute.

    Yields:
        Nothing.

    Raises:
        SharpscopeError: If another process, which is named, still holds the lock, or the file system has no locks.
        UsageError: If the folder may not be written to.
    """
    make_folder(path.parent)
    _touch(path)
    holder = path.with_name(f"{path.name}.holder")
    # The soft locks that filelock falls back to are never released when their holder is killed.
    lock = FileLock(path, fallback_to_soft=False)
    _acquire(lock, path, holder, patience, whole_run)
    done = threading.Event()
    living = threading.Thread(target=_show_life, args=(holder, done), daemon=True)
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        if whole_run:
            living.start()
        yield
    finally:
        done.set()
        holder.unlink(missing_ok=True)
        lock.release()


def _touch(path: Path) -> None:
    """Make an empty file, so that a place that takes none is told before anything else (filelock tries for ever)."""
    with _told(f"{path.parent}: nothing can be written there", "name a folder in which you may make files"):
        path.touch()


def _acquire(lock: FileLock, path: Path, holder: Path, patience: float, whole_run: bool) -> None:
    """Wait for a lock; the waiting is said once, and ends with the name of who holds it."""
    since, seen, said = time.monotonic(), _sign(holder), False
    while True:
        left = patience - (time.monotonic() - since)
        try:
            lock.acquire(timeout=max(0.0, min(left, SIGN_OF_LIFE)))
            return
        except Timeout:
            now = _sign(holder)
            if whole_run and now != seen:
                since, seen = time.monotonic(), now
            elif time.monotonic() - since >= patience:
                silent = " without a sign of life" if whole_run else ""
                raise SharpscopeError(
                    f"{path}: held for more than {patience:.0f} s by {_holder(holder)}{silent}; end that process, or "
                    "delete the lock file when it is gone"
                ) from None
            if not said:
                print(f"waiting for {_holder(holder)}, which holds {path}", file=sys.stderr)
                said = True
        except (NotImplementedError, OSError) as error:
            if isinstance(error, NotImplementedError) or error.errno in NO_LOCKS:
                raise SharpscopeError(
                    f"{path}: the file system has no file locks, so two runs could not be kept apart; put the results "
                    "on another one, or mount it with locks (Lustre: -o flock)"
                ) from error
            raise


NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


def _show_life(holder: Path, done: threading.Event) -> None:
    """Touch a file every minute, until told that it is over."""
    while not done.wait(SIGN_OF_LIFE):
        with suppress(OSError):
            os.utime(holder)


def _sign(holder: Path) -> tuple[str, int]:
    """Return what changes while a holder lives; clocks of two machines are not compared."""
    try:
        return holder.read_text(), holder.stat().st_mtime_ns
    except OSError:
        return "", 0


def _holder(path: Path) -> str:
    """Return who holds a lock, in words."""
    try:
        return path.read_text().strip() or "another process"
    except OSError:
        return "another process"
