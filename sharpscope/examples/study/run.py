"""The study: does sharpness tell how detectors do on speech they have not heard? From nothing, on two cores.

    sharpscope examples study my_study            # copies these files
    python my_study/run.py                        # fetches speech, builds sets, trains, measures, writes study/
    python my_study/run.py --all                  # all eleven methods of training: 132 detectors instead of 72
    python my_study/run.py --only 3               # a trial run of three detectors

What is done is skipped, so that a run that was stopped goes on: each set, each detector, each row.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

from corpus import SETS, make_corpus
from page import analyse, page
from population import CORE, METHODS, checkpoint_of, recipes

from sharpscope.training.train import train_all

MEASURES = "sam,asam,loss,grad_norm,param_norm,entropy,margin,sam_predicted"
RADII = "0.05"
M = 16
# Sharpness is taken from this many groups of each set, the error rate from all trials.
GROUPS = 12
STAGES = ("corpus", "training", "measuring", "analysis")


def measure(checkpoints: list[Path], corpus: Path, out: Path, jobs: int) -> None:
    """Measure in several processes, as on a cluster; rows that are there are skipped."""
    sets = ",".join(f"{name}={corpus.resolve() / name}.csv" for name in SETS)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={jobs}", "-m", "sharpscope"),
        *("measure", *map(str, checkpoints), "--sets", sets, "--group-size", str(M), "--groups", str(GROUPS)),
        *("--rho", RADII, "--measures", MEASURES, "--device", "cpu", "--out", str(out / "results.csv")),
        *("--leaks", "ids", "--workers", "0", "--quiet"),
    ]
    done = subprocess.run(command)
    if done.returncode:
        sys.exit("measure failed; the same command goes on where it stopped")


def main() -> None:
    """Run what is not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("study"), help="folder of the study")
    parser.add_argument("--seed", type=int, default=0, help="of the sets")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--stop-after", choices=STAGES, default=STAGES[-1], help="last stage to run")
    parser.add_argument("--all", action="store_true", help="every method of training")
    parser.add_argument("--only", type=int, default=0, help="train and measure so many detectors; 0: all")
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    last = STAGES.index(options.stop_after)
    clock = Clock(out / "minutes.csv")
    make_corpus(out, options.seed, options.jobs)
    clock.stage("corpus")
    population = recipes(out / "corpus", METHODS if options.all else CORE)
    if options.only:
        step = max(1, len(population) // options.only)
        population = dict(list(population.items())[::step][: options.only])
    if last >= 1:
        train_all(population, out / "checkpoints", jobs=options.jobs)
        clock.stage("training")
    if last >= 2:
        paths = [checkpoint_of(out / "checkpoints" / name) for name in population]
        measure(paths, out / "corpus", out, options.jobs)
        clock.stage("measuring")
    if last >= 3:
        analyse(out)
        clock.stage("analysis")
        (out / "study.md").write_text(page(out), encoding="utf-8")
        print(f"{out / 'study.md'}: written; figures are beside it")


class Clock:
    """Adds the minutes of each stage to a file."""

    def __init__(self, path: Path) -> None:
        self.path, self.start = path, time.monotonic()

    def stage(self, name: str) -> None:
        """Note that a stage has ended."""
        now = time.monotonic()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([name, f"{(now - self.start) / 60:.2f}"])
        self.start = now


if __name__ == "__main__":
    main()
