"""Freed memory is kept, and results do not depend on it."""

import subprocess
import sys

import pytest

PROBE = """
import resource, sys, torch
from sharpscope.devices import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for _ in range(20):
    torch.ones(40_000_000).sum()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_large_blocks_are_not_mapped_anew() -> None:
    """Twenty blocks of 160 MB fault their pages in twenty times by default, and once where they are kept."""

    def faults(how: str) -> tuple[str, int]:
        done = subprocess.run([sys.executable, "-c", PROBE, how], capture_output=True, text=True, check=True)
        kept, count = done.stdout.split()
        return kept, int(count)

    kept, few = faults("keep")
    if kept == "False":
        pytest.skip("the C library is not glibc")
    assert few < faults("leave")[1] / 2
