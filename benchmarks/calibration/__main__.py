"""Draw designs and print how often each test rejects and each interval covers.

    python -m benchmarks.calibration [RUNS] [--design WORDS] [--write] [--list]

A design that is in rates.json with so many runs is not drawn again; a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.calibration import interval_designs, null_designs, power
from benchmarks.calibration.design import RATES, Design, draw_until

DESIGNS: tuple[Design, ...] = (*null_designs.DESIGNS, *power.DESIGNS, *interval_designs.DESIGNS)


def main() -> None:
    """Read the command line, draw what it asks for and print a line per test."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument(
        "runs", nargs="?", type=int, help="studies a design at most; none takes each design's own number"
    )
    parser.add_argument(
        "--design", default="", help="only designs whose name or section contains these words"
    )
    parser.add_argument("--list", action="store_true", help="name the designs and stop")
    parser.add_argument("--rates", default=str(RATES), help="file of counts")
    asked = parser.parse_args()
    chosen = [one for one in DESIGNS if asked.design in one.name or asked.design in one.section]
    if not chosen:
        parser.error(f"no design is called '{asked.design}'; --list names them")
    for design in chosen:
        if asked.list:
            print(f"{design.section}: {design.name} ({design.runs})")
            continue
        began = time.perf_counter()
        found = draw_until(design, min(asked.runs or design.runs, design.runs), Path(asked.rates))
        print(f"{design.name} ({design.kind}, {time.perf_counter() - began:.1f} s)")
        for test, rate in found.items():
            given = "" if rate.given == rate.runs else f", given in {100 * rate.given / rate.runs:.0f} %"
            print(f"    {100 * rate.share:5.1f} % ± {100 * rate.error:.1f}  {test}{given}", flush=True)


if __name__ == "__main__":
    main()
