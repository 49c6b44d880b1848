"""The paper's study in small: 24 detectors, Adam against SAM, five sets, Tables 1 and 2, Figures 1 to 3, and a page.

    sharpscope examples paper_in_miniature study    # copies this file
    python study/run.py                       # from nothing: speech from Debian's packages
    python study/run.py --train train=a.csv --dev dev=b.csv --sets seen=c.csv,itw --data /corpora

Everything is done by the commands that a user has, each printed before it runs; what is done already is skipped.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import torch

import sharpscope
from sharpscope.results.table import read_results
from sharpscope.training.recipe import toml

ARCHITECTURES = ("tiny", "tiny-gru")
SHIFTED = ("attacks", "codecs", "speakers", "languages")
SEEDS = 4


def command(*words: str | Path) -> str:
    """Print and run one command of sharpscope; return what it printed."""
    shown = ["sharpscope", *map(str, words)]
    print("$", " ".join(shown), flush=True)
    done = subprocess.run([sys.executable, "-m", *shown], capture_output=True, text=True)
    if done.returncode:
        sys.exit("\n".join(done.stderr.splitlines()[-5:]))
    return done.stdout


def recipe_file(folder: Path, arch: str, train: str, dev: str, data: str, epochs: int) -> Path:
    """Write the recipe that all detectors of an architecture have in common."""
    sections: dict[str, dict[str, object]] = {
        "data": {"train": [train], "dev": [dev], "in_domain": ["seen"], "root": data},
        "model": {"arch": arch, "args": {"width": 12, "bands": 80}},
        "optimizer": {"base": "adamw", "lr": 5e-3, "weight_decay": 1e-2},
        "schedule": {"epochs": epochs, "batch_size": 28},
    }
    lines = []
    for section, keys in sections.items():
        lines += [f"[{section}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    path = folder / f"{arch}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def study(out: Path, train: str, dev: str, sets: str, data: str, epochs: int, jobs: int) -> None:
    """Train, measure, correlate, draw."""
    out.mkdir(parents=True, exist_ok=True)
    for arch in ARCHITECTURES:
        recipe = recipe_file(out, arch, train, dev, data, epochs)
        grid = ("--grid", "optimizer=adamw,sam", "--grid", "rho=0.02,0.05", "--seeds", str(SEEDS))
        command("train", recipe, *grid, "--jobs", str(jobs), "--quiet")
    checkpoints = sorted(out.glob("*/*/best.pt"))
    results = out / "results.csv"
    measures = "sam,asam,loss,grad_norm,entropy,margin"
    where = ("--data", data) if data else ()
    command("measure", *checkpoints, "--sets", sets, *where, "--m", "16", "--rho", "0.05,0.01", "--measures",
            measures, "--out", results, "--quiet")  # fmt: skip
    command("correlate", results, "--out-dir", out / "correlation", "--by", "arch")
    for kind in ("shift", "pairs", "scatter", "forest"):
        command("plot", kind, results, "--venue", "web", "--out", out / f"{kind}.png")


def table_two(correlations: pd.DataFrame) -> str:
    """Three coefficients of `sam` at rho 0.05 per set, with naive and honest p-values."""
    own = correlations[(correlations["measure"] == "sam") & (correlations["rho"] == 0.05)]
    within = own[own["scope"] == "within_arch"].set_index("set")
    lines = [
        "| set | Spearman | Kendall | Pearson | p | p, Holm | p, max-T | inside architectures | p |",
        "|---" * 9 + "|",
    ]
    for _, row in own[own["scope"] == "set"].iterrows():
        inside = within.loc[row["set"]]
        if not math.isfinite(row["spearman"]):
            lines.append(f"| {row['set']} | {row['note']} |" + " |" * 7)
            continue
        numbers = [f"{row[name]:.2f}" for name in ("spearman", "kendall", "pearson")]
        numbers += [f"{row[name]:.2g}" for name in ("p", "p_holm", "p_max_t")]
        lines.append(
            f"| {row['set']} | " + " | ".join(numbers) + f" | {inside['spearman']:.2f} | {inside['p']:.2g} |"
        )
    joint = own[own["scope"] == "mean_within"]
    if len(joint):
        row = joint.iloc[0]
        lines.append(
            f"| mean over sets | {row['spearman']:.2f} [{row['spearman_low']:.2f}, {row['spearman_high']:.2f}] | | | "
            f"{row['p']:.2g} | | | | |"
        )
    return "\n".join(lines)


def page(out: Path, minutes: float, paired: str) -> str:
    """What this run found, whatever it is."""
    results = read_results(out / "results.csv")
    correlations = pd.read_csv(out / "correlation" / "correlations.csv", keep_default_na=True)
    summary = (out / "correlation" / "summary.md").read_text().split("\n", 1)[1].strip()
    summary = summary.replace("\n## ", "\n### ")
    seeds = sorted({int(seed) for seed in results["seed"].dropna()})
    return f"""# The paper in miniature

Written by `run.py` of `sharpscope examples paper_in_miniature` (sharpscope {sharpscope.__version__},
torch {torch.__version__}, {torch.get_num_threads()} threads, {minutes:.0f} minutes).
{results["sha256"].nunique()} detectors: {", ".join(sorted(set(results["arch"])))}; AdamW, and SAM with rho 0.02 and
0.05 around it; seeds {", ".join(map(str, seeds))}. They were trained on human speech and vocoded copies of it, the best
epoch was chosen on the source domain, and nothing was tuned on a set under test. The sets are small and the speech is
that of games: this shows how such a study is done, and what its numbers can bear. It says nothing about the detectors
of the paper.

## Table 1: error of AdamW and of SAM

{paired.strip()}

## Table 2: does sharpness (`sam`, rho 0.05) go with EER?

{table_two(correlations)}

The column p treats the detectors as independent; the last two permute inside architectures.

## What may be said

{summary}

## Figures

![Sharpness from the in-domain set to the most shifted](shift.png)
![From AdamW to SAM, one arrow a seed](pairs.png)
![EER against sharpness](scatter.png)
"""


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("miniature"), help="folder of the study")
    parser.add_argument("--demo", type=Path, help="folder of an earlier `sharpscope demo`; default: make one")
    parser.add_argument("--train", help="set to train on; default: the demo's")
    parser.add_argument("--dev", help="set of the source domain to choose the epoch on; default: the demo's")
    parser.add_argument("--sets", help="sets under test, the in-domain one called seen; default: the demo's")
    parser.add_argument("--data", default="", help="folder of corpora")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    start = time.monotonic()
    if options.train is None:
        demo = options.demo or options.out / "demo"
        if not (demo / "results.csv").exists():
            command("demo", "--out", demo)
        corpus = (demo / "corpus").resolve()
        options.train, options.dev = f"train={corpus / 'train.csv'}", f"dev={corpus / 'dev.csv'}"
        options.sets = ",".join(f"{name}={corpus / name}.csv" for name in ("seen", *SHIFTED))
    study(options.out, options.train, options.dev, options.sets, options.data, options.epochs, options.jobs)
    paired = command("table", "recipes", options.out / "results.csv")
    text = page(options.out, (time.monotonic() - start) / 60, paired)
    (options.out / "paper_in_miniature.md").write_text(text, encoding="utf-8")
    print(f"{options.out / 'paper_in_miniature.md'}: written; figures are beside it")


if __name__ == "__main__":
    main()
