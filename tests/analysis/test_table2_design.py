"""The design of Huang et al.'s Table 2: 24 checkpoints in four architectures are not 24 pieces of evidence."""

import math

import numpy as np
import pandas as pd

from sharpscope.analysis.correlate import correlate
from sharpscope.analysis.correlation_rows import correlations
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.results.table import COLUMNS, TEXT_COLUMNS

ARCHITECTURES, EACH, SETS = 4, 6, 7


def study(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Architectures differ in both quantities; inside one, sharpness says nothing about error."""
    rng = np.random.default_rng(seed)
    arch = np.repeat(np.arange(ARCHITECTURES), EACH)
    x, y = (2.0 * rng.normal(size=ARCHITECTURES)[arch] + rng.normal(size=len(arch)) for _ in range(2))
    return arch, x, y


def table(seed: int, sets: int = SETS) -> pd.DataFrame:
    rng = np.random.default_rng(seed + 10_000)
    arch, x, y = study(seed)
    rows = []
    for k in range(sets):
        for i in range(len(arch)):
            row = {c: "" if c in TEXT_COLUMNS else math.nan for c in COLUMNS}
            row |= {
                "checkpoint": f"c{i}",
                "sha256": f"{i:064x}",
                "arch": f"arch{arch[i]}",
                "recipe": "sam" if i % 2 else "adam",
            }
            row |= {
                "set": f"set{k}",
                "measure": "sam",
                "rho": 0.05,
                "m": 32.0,
                "preset": "rigorous",
                "seed": float(i % 3),
            }
            noise = rng.normal(size=2)
            row |= {
                "value": x[i] + 0.5 * noise[0],
                "eer": 1 / (1 + math.exp(-(y[i] + 0.5 * noise[1] + 0.3 * k))),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def of_one_set(seed: int) -> pd.DataFrame:
    """Return the rows of `correlate` by scope, without the questions that it asks beside them."""
    return correlations(table(seed, sets=1), "arch", 0, HalvesOfSets(None), lambda: None).set_index("scope")


def rejections(studies: int) -> tuple[float, float]:
    """Shares of studies that the naive and the stratified test reject at 5 % on the first set."""
    naive = within = 0
    for seed in range(studies):
        found = of_one_set(seed)
        naive += float(found.loc["set", "p"]) <= 0.05
        within += float(found.loc["within_arch", "p"]) <= 0.05
    return naive / studies, within / studies


def test_the_naive_answer_and_the_clustered_one_stand_side_by_side() -> None:
    answer = correlate(table(0), by="arch")
    scopes = answer.table.groupby("scope").size()
    assert scopes["set"] == scopes["within_arch"] == SETS
    assert answer.questions["question"].isin(["seeds_as_one", "leave_one_architecture_out"]).sum() == 2


def test_the_rows_of_the_rates_are_those_of_correlate() -> None:
    whole = correlate(table(3, sets=1), by="arch").table.set_index("scope")
    assert (
        whole.loc[["set", "within_arch"], "p"].tolist()
        == of_one_set(3)["p"].loc[["set", "within_arch"]].tolist()
    )


def test_permuting_inside_architectures_keeps_its_level_where_the_naive_test_does_not() -> None:
    naive, within = rejections(100)
    assert naive > 0.25
    assert within <= 0.11


if __name__ == "__main__":
    print(rejections(500))
