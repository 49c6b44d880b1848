"""Run every benchmark and say what machine it was."""

from __future__ import annotations

import importlib
import os
import platform
import sys

import torch

# Each module has a function run() that prints ratios measured in one run.
BENCHMARKS = [
    "shared_pass",
    "scale",
    "trace_and_average",
    "corpus_readers",
    "full_size_lists",
    "mutated_lists",
    "embedded_audio",
    "correlate_scale",
    "sam_cost",
    "fast_direction",
]


def machine() -> str:
    """One line that describes this machine."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"


if __name__ == "__main__":
    print(machine())
    for name in sys.argv[1:] or BENCHMARKS:
        importlib.import_module(f"benchmarks.{name}").run()
