"""1,000 checkpoints x 20 sets x 10 measures through `correlate`."""

from __future__ import annotations

import resource
import time

import numpy as np
import pandas as pd

from sharpscope.analysis.correlate import correlate
from sharpscope.results.table import COLUMNS, TEXT_COLUMNS


def correlate_scale(checkpoints: int = 1_000, sets: int = 20, measures: int = 10) -> None:
    """Print time and peak memory; the values are generated."""
    rng = np.random.default_rng(0)
    i, j, k = (a.ravel() for a in np.indices((checkpoints, sets, measures)))
    eer = rng.uniform(size=(checkpoints, sets))
    table = pd.DataFrame({c: "" if c in TEXT_COLUMNS else np.nan for c in COLUMNS}, index=range(len(i)))
    table["checkpoint"] = [f"c{v}" for v in i]
    table["sha256"] = [f"{v:064x}" for v in i]
    table["set"] = [f"set{v}" for v in j]
    table["measure"] = [f"measure{v}" for v in k]
    table["eer"], table["value"] = eer[i, j], eer[i, j] + rng.normal(size=len(i))
    start = time.perf_counter()
    correlate(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"correlate {checkpoints} x {sets} x {measures}: {time.perf_counter() - start:.1f} s, peak {peak:.2f} GiB"
    )


def run() -> None:
    """Run at the size of the requirement."""
    correlate_scale()


if __name__ == "__main__":
    run()
