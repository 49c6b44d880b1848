"""Measure whatever published detectors you have on whatever sets you have: table, correlation, forecast.

    sharpscope examples published_detectors published
    python published/run.py WEIGHTS --sets itw,mlaad --data /corpora --in-domain asvspoof2019_la
    python published/run.py WEIGHTS --sets a=a.csv,b=b.csv --limit 64 --groups 4

WEIGHTS is a folder of checkpoints; docs/published_detectors.md says where they are to be had. What does not open is
named and left out. What is measured already is skipped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

import sharpscope

ENDINGS = (".pth", ".pt", ".ckpt", ".safetensors", ".bin")
MEASURES = ("sam", "asam", "loss", "grad_norm", "entropy", "margin", "sam_predicted")


def readable(folder: Path) -> list[Path]:
    """Return the files under a folder that open as detectors, each function once, and say what the others lack."""
    found: dict[tuple[int, ...], Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in ENDINGS):
        try:
            detector = sharpscope.load_detector(path)
            logits = _answer(detector)
        except sharpscope.SharpscopeError as error:
            print(f"left out: {error}")
            continue
        # One network published twice, with other names or without its dead weights, is one piece of evidence.
        if logits in found:
            print(f"left out: {path} gives the same logits as {found[logits]}")
        else:
            found[logits] = path
    return list(found.values())


def _answer(detector: sharpscope.Detector) -> tuple[int, ...]:
    """What a detector says of fixed noise, to four decimals."""
    generator = torch.Generator().manual_seed(0)
    waves = 0.1 * torch.randn(2, detector.spec.n_samples or 64_000, generator=generator)
    with torch.no_grad():
        return tuple(int(round(float(logit), 4) * 10_000) for logit in detector(waves).flatten())


def main() -> None:
    """Measure, tabulate, forecast."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="folder of checkpoints")
    parser.add_argument("--sets", required=True, help="as `sharpscope measure --sets` takes them")
    parser.add_argument("--data", help="folder of corpora")
    parser.add_argument("--in-domain", help="set that the detectors are at home on")
    parser.add_argument("--out", type=Path, default=Path("published"), help="folder for what is found")
    parser.add_argument("--limit", type=int, help="trials of each set")
    parser.add_argument("--groups", type=int, help="groups of each set for sharpness; every trial is scored")
    parser.add_argument("--m", type=int, default=8, help="trials in a group")
    parser.add_argument("--workers", type=int, default=1, help="processes that decode audio")
    options = parser.parse_args()
    paths = readable(options.weights)
    print(f"{len(paths)} detectors: {', '.join(path.name for path in paths)}")
    results = options.out / "results.csv"
    options.out.mkdir(parents=True, exist_ok=True)
    done = sharpscope.measure(
        list(paths),
        options.sets.split(","),
        data=options.data,
        out=results,
        measures=MEASURES,
        rho=(0.05,),
        m=options.m,
        limit=options.limit,
        groups=options.groups,
        workers=options.workers,
    )
    for failure in done.failures:
        print(f"not measured: {failure}")
    print(sharpscope.table("errors", results, threshold_from=options.in_domain))
    try:
        print(sharpscope.correlate(results).summary)
        print(sharpscope.forecast(results, in_domain=options.in_domain).summary)
    except sharpscope.UsageError as error:
        # Too few detectors or sets for one of them is an answer, not a failure.
        print(error)


if __name__ == "__main__":
    try:
        main()
    except sharpscope.SharpscopeError as problem:
        sys.exit(str(problem))
