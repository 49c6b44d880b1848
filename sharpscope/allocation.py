"""Keep the memory that activations leave behind, instead of returning it to the system after every layer."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_LARGEST = 2**31 - 1


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
