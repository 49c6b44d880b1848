"""Devices and processes: which GPU, who of several processes takes what, and who tells whom at the end.

Processes share no state while they work: each records the groups it owns in its own journal file, on a folder that
all of them see, and whoever finds a set complete writes its rows. The only collective comes last.
"""

from __future__ import annotations

import ctypes
import datetime
import itertools
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch.distributed

from sharpscope.errors import UsageError

# A process with little to do waits for the others this long.
PATIENCE = datetime.timedelta(days=14)


class Share(NamedTuple):
    """Which part of the work this process takes.

    Attributes:
        rank: This process, from 0.
        world: Number of processes.
        local: This process among those of its machine; chooses the GPU.

    Example:
        >>> [n for n in range(7) if Share(1, 3).owns(n)]
        [1, 4]
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.world == 1

    def owns(self, number: int) -> bool:
        """Tell whether a piece of work is this process'.

        Args:
            number: Of the piece, counted alike in every process.

        Returns:
            True for every ``world``-th number, from ``rank``.
        """
        return number % self.world == self.rank


ALONE = Share()


def choose_device(name: str, share: Share = ALONE) -> str:
    """Return the device that a process works on.

    Args:
        name: "auto", "cpu", "cuda" or "cuda:N".
        share: This process; with "auto" each process of a machine takes a GPU of its own, as torchrun counts them.

    Returns:
        "cpu" or "cuda:N".

    Raises:
        UsageError: If there is no such device here.

    Example:
        >>> choose_device("cpu")
        'cpu'
    """
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdigit())):
        raise UsageError(f"device '{name}' is not auto, cpu or cuda:N")
    if kind == "cpu" or (kind == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise UsageError(f"device '{name}' was asked for and torch finds no GPU; use --device cpu")
    count = torch.cuda.device_count()
    index = int(number) if number else share.local % count
    if index >= count:
        raise UsageError(f"device '{name}' was asked for and there are {count} GPUs, numbered from 0")
    # What asks for memory or pins it without naming a device means this one.
    torch.cuda.set_device(index)
    return f"cuda:{index}"


def this_share() -> Share:
    """Return this process' share, from the variables that ``torchrun`` sets; all of it where they are not set.

    Returns:
        The share.

    Raises:
        UsageError: If the variables contradict each other.
    """
    try:
        rank, world, local = (
            int(os.environ.get(name, default))
            for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
        )
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE and LOCAL_RANK must be whole numbers ({error})") from None
    if not 0 <= rank < world:
        raise UsageError(f"RANK is {rank} and WORLD_SIZE {world}; start processes with torchrun")
    return Share(rank, world, local)


_meetings = itertools.count()


def join_processes(backend: str, patience: datetime.timedelta | None = None) -> None:
    """Meet the processes that torchrun started, also for a second time in one program.

    Processes find each other by addresses in a common store. A group that was left leaves its own there, and whoever
    meets again under the same name would call at closed doors; so every meeting has a number.

    Args:
        backend: "gloo" or "nccl".
        patience: How long to wait for the others, here and in every exchange; None takes the backend's own.
    """
    more: dict[str, Any] = {} if patience is None else {"timeout": patience}
    # Of its names torch's annotations know only some.
    meeting: Any = torch.distributed
    store, rank, world = next(meeting.rendezvous("env://", **more))
    numbered = meeting.PrefixStore(f"sharpscope/{next(_meetings)}", store)
    meeting.init_process_group(backend, store=numbered, rank=rank, world_size=world, **more)


def gather(share: Share, value: Any) -> list[Any] | None:
    """Collect one value of every process in the first one, when all have come here.

    Args:
        share: This process.
        value: Anything that can be pickled.

    Returns:
        The values in order of rank in process 0; None in the others.
    """
    if share.alone:
        return [value]
    join_processes("gloo", PATIENCE)
    try:
        found: list[Any] | None = [None] * share.world if share.rank == 0 else None
        torch.distributed.gather_object(value, found)
    finally:
        torch.distributed.destroy_process_group()
    return found


# What the libraries of linear algebra read at their start.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Of glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_LARGEST = 2**31 - 1


@contextmanager
def worker_processes(
    jobs: int, start: Callable[..., object] | None = None, given: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Give processes that share the cores of this one among themselves.

    numpy's linear algebra and torch each start a thread a core in every process, and those threads wait by spinning:
    two runs with augmentation beside each other on two cores took four times as long as with a thread each.

    Args:
        jobs: Processes.
        start: What each does first.
        given: Its arguments.

    Yields:
        Whom to give work to; the processes end with the block.

    Example:
        >>> with worker_processes(2) as pool:
        ...     pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == str(max(1, torch.get_num_threads() // 2))
        True
    """
    threads = str(max(1, torch.get_num_threads() // jobs))
    before = {name: os.environ.get(name) for name in _THREADS}
    # A process reads them when it starts, which it does at the first piece of work that finds no free one.
    os.environ.update(dict.fromkeys(_THREADS, threads))
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, _begin, (start, given)) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(start: Callable[..., object] | None, given: tuple[Any, ...]) -> None:
    """Do what a process is to do first, and see to it that it ends with the one that it works for."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*given)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # Killed, it can take no result: its workers would train on, and then wait for ever.
        os._exit(1)


def keep_freed_memory() -> bool:
    """Ask the C library to reuse large blocks within this process.

    By default glibc maps every block above 32 MiB anew and unmaps it when it is freed, and the kernel zeroes
    its pages each time: for activations of raw-waveform networks that takes longer than their arithmetic.
    Values do not change; the process holds on to its peak until it ends.

    Returns:
        Whether it was done; False where the C library is another one.

    Example:
        >>> keep_freed_memory() in (True, False)
        True
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL("libc.so.6")
        return bool(library.mallopt(_MMAP_THRESHOLD, _LARGEST) and library.mallopt(_TRIM_THRESHOLD, _LARGEST))
    except (OSError, AttributeError):
        return False
