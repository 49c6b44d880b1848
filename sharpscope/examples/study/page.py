"""What the study found, as tables and figures: every claim by halves that share no trial."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from corpus import IN_DOMAIN, PLANS, SETS, SHIFTED
from population import ARCHITECTURES, BASELINE, METHODS, SETTINGS
from scipy import stats

import sharpscope
from sharpscope.analysis.adjustment import holm
from sharpscope.analysis.correlate import write_correlation
from sharpscope.analysis.reliability import agreement, of_the_whole
from sharpscope.detectors import build
from sharpscope.figures import plot
from sharpscope.results.table import read_results
from sharpscope.scoring.eer import rates_of_draws
from sharpscope.tables.kinds import sign_flip

MEASURE, RHO = "sam", 0.05
# EER on the dev set above which a detector has learnt nothing that a test could show.
WORST_DEV = 0.35
SPLITS = 50
FIGURES = ("glance", "scatter", "shift", "transfer", "forest", "pairs")


def learnt(out: Path) -> pd.DataFrame:
    """Return the results of the detectors that learnt their task, judged by the dev set and no other."""
    results = read_results(out / "results.csv")
    runs = results[["arch", "recipe", "seed"]].drop_duplicates()
    names = runs["arch"] + "-" + runs["recipe"] + "-" + runs["seed"].astype(int).astype(str)
    rates = [json.loads((out / "checkpoints" / n / "done.json").read_text())["dev_eer"] for n in names]
    kept = runs[np.array(rates) <= WORST_DEV]
    return results.merge(kept, on=["arch", "recipe", "seed"])


def analyse(out: Path) -> None:
    """Correlate, forecast and draw; everything lands beside the results."""
    results, records = learnt(out), sharpscope.Records.beside(out / "results.csv")
    found = sharpscope.correlate(results, by="arch", records=records, show_progress=True)
    write_correlation(found, out / "correlation")
    told = sharpscope.forecast(results, in_domain=IN_DOMAIN, records=records, show_progress=True)
    told.verdicts.to_csv(out / "verdicts.csv", index=False)
    told.audit.to_csv(out / "audit.csv", index=False)
    (out / "forecast.md").write_text(told.summary, encoding="utf-8")
    for kind in FIGURES:
        plot(
            kind,
            results,
            out=out / f"{kind}.png",
            venue="web",
            measure=MEASURE,
            correlation=out / "correlation" / "correlations.csv",
            records=records,
        )


def page(out: Path) -> str:
    """Put the tables into Markdown."""
    everything, results = read_results(out / "results.csv"), learnt(out)
    found = pd.read_csv(out / "correlation" / "correlations.csv")
    halves = reliabilities(results, sharpscope.Records.beside(out / "results.csv"))
    crossed = pd.read_csv(out / "correlation" / "transfer.csv")
    minutes = pd.read_csv(out / "minutes.csv", names=["stage", "minutes"]).groupby("stage", sort=False).sum()
    n = results["sha256"].nunique()
    parts = {
        "How it was made": _made(everything, results, minutes["minutes"]),
        "The sets": _sets(results, halves),
        "What each training method did": _methods(everything),
        "Table 1: error by architecture and method": sharpscope.table("recipes", results, baseline=BASELINE),
        "Table 2: does sharpness go with error on the same set?": _table_two(found),
        "From the in-domain set to the others": _transfer(crossed),
        "The forecast, audited": _forecast(out),
        "What so many detectors can show": _power(n, halves),
        "What may be said": (out / "correlation" / "summary.md")
        .read_text(encoding="utf-8")
        .split("\n", 1)[1]
        .replace("\n## ", "\n### "),
    }
    return "\n\n".join(f"## {title}\n\n{text.strip()}" for title, text in parts.items()) + "\n"


def lines(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def _made(everything: pd.DataFrame, results: pd.DataFrame, minutes: pd.Series) -> str:
    sizes = {
        arch: sum(p.numel() for p in build(arch, arguments).parameters())
        for arch, arguments in ARCHITECTURES.items()
    }
    stages = ", ".join(f"{stage} {value:.0f}" for stage, value in minutes.items())
    return (
        f"{everything['sha256'].nunique()} detectors: "
        f"{', '.join(f'{arch} ({size:,} parameters)' for arch, size in sizes.items())}; "
        f"{', '.join(m for m in METHODS if m in set(everything['recipe']))}; "
        f"{len(SETTINGS)} settings (learning rates {', '.join(_rates())}, each with and without augmentation), a seed "
        f"each: {', '.join(map(str, SETTINGS))}. Minutes: {stages}; {minutes.sum():.0f} in all. sharpscope "
        f"{sharpscope.__version__}, torch {torch.__version__}, Python {platform.python_version()}. "
        f"{everything['sha256'].nunique() - results['sha256'].nunique()} detectors with an EER above "
        f"{100 * WORST_DEV:g} % on the dev set did not learn the task ({_unlearnt(everything, results)}); they stand "
        "in the table of training methods and nowhere else."
    )


def _unlearnt(everything: pd.DataFrame, results: pd.DataFrame) -> str:
    lost = _once(everything[~everything["sha256"].isin(set(results["sha256"]))])
    counts = lost.drop_duplicates("sha256")["recipe"].value_counts()
    return ", ".join(f"{recipe} {count}" for recipe, count in counts.items()) or "none"


def _rates() -> list[str]:
    return [f"{rate:g}" for rate in dict.fromkeys(setting["optimizer.lr"] for setting in SETTINGS.values())]


def _once(results: pd.DataFrame) -> pd.DataFrame:
    """One EER per detector and set."""
    return results.drop_duplicates(["sha256", "set"])


def _sharpness(results: pd.DataFrame) -> pd.DataFrame:
    return results[(results["measure"] == MEASURE) & np.isclose(results["rho"].fillna(0), RHO)]


def _sets(results: pd.DataFrame, halves: pd.DataFrame) -> str:
    what = {plan.name: plan.what for plan in PLANS}
    rows = []
    for name in SETS:
        own = _once(results[results["set"] == name])
        rates = own["eer"] * 100
        size = f"{own['n_bonafide'].iloc[0]:.0f} + {own['n_spoof'].iloc[0]:.0f}"
        spread = f"{rates.min():.1f} / {rates.median():.1f} / {rates.max():.1f}"
        agree = [f"{halves.loc[name, column]:.2f}" for column in ("eer", "sharpness")]
        rows.append([f"`{name}`", what[name], size, spread, *agree])
    head = ["set", "what is new", "trials", "EER %: least / median / most", "reliability of EER", "of `sam`"]
    return lines(head, rows)


def reliabilities(results: pd.DataFrame, records: sharpscope.Records) -> pd.DataFrame:
    """Return how far two random halves of each set agree on EER and on sharpness, stepped up to the whole."""
    found = {}
    for name in SETS:
        scores, values = [], []
        for row in _sharpness(results[results["set"] == name]).to_dict("records"):
            table, groups = records.scores(row), records.groups(row)
            assert table is not None
            assert groups is not None
            ordered = table.sort_values("trial").sort_values("label", kind="stable")  # bona fide first
            scores.append(ordered["score"].to_numpy())
            n_bonafide = int((ordered["label"] == "bonafide").sum())
            own = groups[(groups["measure"] == MEASURE) & np.isclose(groups["rho"].fillna(0), RHO)]
            values.append(own.sort_values("group")["value"].to_numpy())
        first = _random_halves((n_bonafide, len(scores[0]) - n_bonafide))
        rates = [
            np.array([rates_of_draws(one, n_bonafide, half) for one in scores]) for half in (first, 1 - first)
        ]
        half = _random_halves((len(values[0]),))
        means = [np.array(values) @ (part / part.sum(axis=1, keepdims=True)).T for part in (half, 1 - half)]
        found[name] = {
            "eer": of_the_whole(agreement(*rates)),
            "sharpness": of_the_whole(agreement(*means)),
        }
    return pd.DataFrame(found).T


def _random_halves(sizes: Sequence[int]) -> np.ndarray:
    """Draw halves of each of several classes, a row a split: 1 for what is in, 0 for what is not."""
    rng = np.random.default_rng(0)
    splits = [
        np.concatenate([rng.permutation(np.arange(size) < size // 2) for size in sizes])
        for _ in range(SPLITS)
    ]
    return np.array(splits, dtype=np.int8)


def _methods(results: pd.DataFrame) -> str:
    """Mean differences to the baseline over pairs of the same architecture, setting and seed, with 95 % t intervals."""
    rates = _once(results).pivot_table(index=["arch", "seed", "recipe"], columns="set", values="eer") * 100
    sharp = _sharpness(results).pivot_table(index=["arch", "seed", "recipe"], columns="set", values="value")
    numbers = pd.DataFrame(
        {
            "home": rates[IN_DOMAIN],
            "shifted": rates[list(SHIFTED)].mean(axis=1),
            # A negative rise has no logarithm; differences of ranks would hide the size.
            "sharp_home": sharp[IN_DOMAIN],
            "sharp": sharp[list(SHIFTED)].mean(axis=1),
        }
    ).unstack("recipe")
    rows, p = [], []
    for method in METHODS:
        if method == BASELINE or method not in set(results["recipe"]):
            continue
        cells = [method]
        for name in ("home", "shifted", "sharp_home", "sharp"):
            gaps = (numbers[name][method] - numbers[name][BASELINE]).dropna().to_numpy()
            half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / math.sqrt(len(gaps))
            cells.append(f"{gaps.mean():+.2f} [{gaps.mean() - half:+.2f}, {gaps.mean() + half:+.2f}]")
            if name == "shifted":
                p.append(sign_flip(gaps))
        rows.append([*cells, str(len(gaps))])
    for row, adjusted in zip(rows, holm(p), strict=True):
        row.append(f"{adjusted:.2g}")
    level = {
        name: float(numbers[name][BASELINE].mean()) for name in ("home", "shifted", "sharp_home", "sharp")
    }
    head = [
        "method",
        f"EER on `{IN_DOMAIN}`, points",
        "mean EER on the shifted sets, points",
        f"sharpness on `{IN_DOMAIN}`, nats",
        "mean sharpness on the shifted sets",
        "pairs",
        "p of shifted EER, Holm",
    ]
    return (
        f"Differences to {BASELINE} in pairs of the same architecture, setting and seed, with 95 % t intervals over "
        f"pairs. {BASELINE} itself: EER {level['home']:.1f} % on `{IN_DOMAIN}`, {level['shifted']:.1f} % on the "
        f"shifted sets, sharpness {level['sharp_home']:.2f} and {level['sharp']:.2f} nats. p by flipping signs.\n\n"
        + lines(head, rows)
    )


def _table_two(found: pd.DataFrame) -> str:
    rows = []
    own = found[(found["measure"] == MEASURE) & np.isclose(found["rho"].fillna(0), RHO)]
    loss = found[found["measure"] == "loss"]
    for name in SETS:
        one = own[(own["scope"] == "set") & (own["set"] == name)]
        if one.empty:
            continue
        row = one.iloc[0]
        within = own[(own["scope"] == "within_arch") & (own["set"] == name)]
        beside = loss[(loss["scope"] == "set") & (loss["set"] == name)]
        rows.append(
            [
                f"`{name}`",
                f"{row['spearman_same_trials']:.2f}",
                f"{row['p_same_trials']:.2g}",
                f"{row['spearman']:.2f} [{row['spearman_low']:.2f}, {row['spearman_high']:.2f}]",
                f"{row['p']:.2g}",
                f"{row['p_holm']:.2g}",
                f"{row['shared_noise']:+.2f}",
                *(
                    [f"{within.iloc[0]['spearman']:.2f}", f"{within.iloc[0]['p']:.2g}"]
                    if len(within)
                    else ["–"] * 2
                ),
                f"{beside.iloc[0]['spearman']:.2f}" if len(beside) else "–",
            ]
        )
    joint = own[own["scope"] == "mean_within"]
    if len(joint):
        row = joint.iloc[0]
        beside = loss[loss["scope"] == "mean_within"]
        mean_loss = f"{beside.iloc[0]['spearman']:.2f}" if len(beside) else "–"
        rows.append(
            ["mean over sets", "", "", f"{row['spearman']:.2f}", f"{row['p']:.2g}", *[""] * 4, mean_loss]
        )
    head = [
        "set",
        "as published: Spearman, same trials",
        "p",
        "honest: Spearman between halves",
        "p",
        "p, Holm",
        "noise both share",
        "inside architectures",
        "p",
        "loss, between halves",
    ]
    return lines(head, rows)


def _transfer(crossed: pd.DataFrame) -> str:
    """Sharpness and error on the in-domain set against error on each shifted one."""
    rows = []
    own = crossed[(crossed["source_set"] == IN_DOMAIN) & (crossed["target_set"] != IN_DOMAIN)]
    for name in SHIFTED:
        here = own[own["target_set"] == name]
        sharp = here[(here["measure"] == MEASURE) & np.isclose(here["rho"].fillna(0), RHO)]
        error = here[here["measure"] == "eer"]
        if sharp.empty or error.empty:
            continue
        one = sharp.iloc[0]
        adjusted = f"{one['p_adjusted']:.2g}"
        rows.append(
            [
                f"`{name}`",
                f"{one['spearman']:.2f}",
                f"{one['p']:.2g}",
                adjusted,
                f"{error.iloc[0]['spearman']:.2f}",
            ]
        )
    head = [
        "error on",
        f"`sam` on `{IN_DOMAIN}`: Spearman",
        "p",
        "p, max-T over the matrix",
        f"EER on `{IN_DOMAIN}`: Spearman",
    ]
    return lines(head, rows)


def _forecast(out: Path) -> str:
    audit = pd.read_csv(out / "audit.csv")
    rows = []
    for (left_out, method), part in audit.groupby(["left_out", "method"], sort=False):
        inside = part["inside"].mean()
        rows.append(
            [
                str(left_out),
                str(method),
                f"{100 * part['pairs_right'].mean():.0f} %",
                _shown(part["points"].mean(), "{:.1f}"),
                _shown(100 * inside, "{:.0f} %"),
            ]
        )
    head = ["left out", "method", "pairs in the right order", "mean error, points", "inside the interval"]
    return (
        lines(head, rows)
        + "\n\n"
        + (out / "forecast.md").read_text(encoding="utf-8").split("\n", 1)[1].strip()
    )


def _shown(value: float, pattern: str) -> str:
    return pattern.format(value) if math.isfinite(value) else "–"


def _power(n: int, halves: pd.DataFrame) -> str:
    found = sharpscope.power(n, sets=len(SETS), measures=2)
    worst = halves.loc[list(SHIFTED), "eer"]
    return (
        f"{n} detectors find a Spearman correlation of {found.one_test:.2f} in one set in four studies out of five, "
        f"and {found.family:.2f} after Holm's correction for {len(SETS)} sets and two measures. Halves of shifted sets "
        f"agree on EER to {worst.min():.2f} ({worst.idxmin()}) to {worst.max():.2f}. Detectors of one architecture and "
        f"setting share a seed and begin from the same weights, and SWAD and LAWA average the very run of {BASELINE}: "
        f"they are fewer than {n} independent systems."
    )
