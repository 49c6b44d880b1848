"""Small made-up results tables for the tests of the presentation layer; no number in them is a finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, spearmanr

from sharpscope.results.table import COLUMNS, TEXT_COLUMNS

NAN = float("nan")


def make_results(
    sets: Sequence[str] = ("seen", "codec"),
    archs: Sequence[str] = ("tiny",),
    recipes: Sequence[str] = ("adam", "sam"),
    seeds: Sequence[int] = (0, 1, 2),
    measures: Sequence[tuple[str, float]] = (("sam", 0.05),),
    ms: Sequence[float] = (32.0,),
) -> pd.DataFrame:
    """Return a table of every combination; EER rises with the measure, with seeded noise."""
    rng = np.random.default_rng(0)
    rows = []
    for a, arch in enumerate(archs):
        for r, recipe in enumerate(recipes):
            for seed in seeds:
                for k, name in enumerate(sets):
                    eer = float(np.clip(0.05 + 0.05 * k - 0.01 * r + 0.02 * rng.normal(), 0.002, 1))
                    for measure, rho in measures:
                        for m in ms:
                            row: dict[str, Any] = {c: "" if c in TEXT_COLUMNS else NAN for c in COLUMNS}
                            value = (k + 1) * eer * (1 if rho != rho else 20 * rho) + 0.01 * rng.normal()
                            row.update(
                                checkpoint=f"{arch}-{recipe}-{seed}.pt",
                                sha256=f"{a}{r}{seed}" * 21 + "0",
                                arch=arch,
                                recipe=recipe,
                                seed=float(seed),
                                set=name,
                                domain="ood" if k else "id",
                                n_bonafide=400.0,
                                n_spoof=600.0,
                                eer=eer,
                                eer_low=max(eer - 0.01, 0.0),
                                eer_high=eer + 0.012,
                                measure=measure,
                                rho=rho,
                                m=m,
                                value=value,
                                stderr=0.005,
                                value_low=value - 0.01,
                                value_high=value + 0.01,
                                n_groups=20.0,
                                preset="rigorous",
                                loss_name="cross_entropy",
                                version="0.1.0",
                            )
                            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def make_correlation(results: pd.DataFrame) -> pd.DataFrame:
    """Return a correlation table with the contract's columns, computed by scipy."""
    rows = []
    for (measure, rho, m, preset, name), part in results.groupby(
        ["measure", "rho", "m", "preset", "set"], dropna=False, sort=False
    ):
        part = part[np.isfinite(part["value"]) & np.isfinite(part["eer"])]
        usable = len(part) > 3 and part["value"].nunique() > 1 and part["eer"].nunique() > 1
        coefficient, p = spearmanr(part["value"], part["eer"]) if usable else (NAN, NAN)
        rows.append(
            {
                "scope": "set",
                "set": name,
                "subset": "",
                "measure": measure,
                "rho": rho,
                "m": m,
                "preset": preset,
                "n": len(part),
                "spearman": coefficient,
                "spearman_low": max(coefficient - 0.4, -1.0),
                "spearman_high": min(coefficient + 0.3, 1.0),
                "kendall": kendalltau(part["value"], part["eer"])[0] if usable else NAN,
                "p": p,
                "p_holm": min(1.0, 2 * p),
                "q_bh": p,
                "note": "" if usable else "constant",
            }
        )
    return pd.DataFrame(rows)


def make_points(checkpoints: int = 2, sets: int = 1, steps: int = 9, flat: bool = False) -> pd.DataFrame:
    """Points of known bowls."""
    rows = []
    for c in range(checkpoints):
        for k in range(sets):
            for seed in range(3 if flat else 1):
                for x in np.linspace(-1, 1, steps):
                    for y in [NAN] if flat else np.linspace(-1, 1, steps):
                        bowl = 0.1 + (c + 1) * x**2 + (0 if flat else (k + 1) * y**2) + 0.1 * seed * abs(x)
                        rows.append(("adam" if c == 0 else f"sam-{c}", f"{c}" * 64, f"set{k}", "", 64, "random",
                                     "" if flat else "random", seed, x, y, bowl))  # fmt: skip
    names = [
        "checkpoint",
        "sha256",
        "set",
        "subset",
        "n_trials",
        "x_axis",
        "y_axis",
        "seed",
        "x",
        "y",
        "loss",
    ]
    return pd.DataFrame(rows, columns=names)
