"""The mixed model against generalised least squares by hand, and what it says where it cannot be fitted."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sharpscope.analysis.mixed_model import MOST_CELLS, _normal_scores, mixed_model


def cells(rng: np.random.Generator, slope: float, *, sets: int = 5) -> pd.DataFrame:
    """Four architectures of three recipes of two seeds; error follows the measure with a slope."""
    arch, recipe = np.repeat(np.arange(4), 6), np.repeat(np.arange(12), 2)

    def quantity() -> np.ndarray:
        effects = 0.7 * rng.normal(size=(4, 1))[arch] + 0.7 * rng.normal(size=(12, 1))[recipe]
        return effects + 0.5 * rng.normal(size=(24, 1)) + 0.5 * rng.normal(size=(24, sets))

    x = quantity()
    y = slope * x + quantity()
    i, j = (index.ravel() for index in np.indices(x.shape))
    return pd.DataFrame(
        {"sha256": i, "arch": arch[i].astype(str), "recipe": (recipe[i] % 3).astype(str), "place": j}
        | {"value": x.ravel(), "eer": y.ravel()}
    )


def test_the_slope_is_that_of_generalised_least_squares() -> None:
    table = cells(np.random.default_rng(0), 0.8)
    found = mixed_model(table)
    by_set = table.groupby("place")
    x, y = (by_set[name].transform(_normal_scores).to_numpy() for name in ("value", "eer"))
    made = table["arch"] + table["recipe"]
    shared = {"architecture": table["arch"], "recipe": made, "checkpoint": table["sha256"]}
    covariance = found.spreads["rest"] ** 2 * np.eye(len(table))
    for name, column in shared.items():
        covariance += found.spreads[name] ** 2 * (column.to_numpy()[:, None] == column.to_numpy())
    same_set = table["place"].to_numpy()[:, None] == table["place"].to_numpy()
    covariance += found.spreads["slope of a set"] ** 2 * same_set * np.outer(x, x)
    weighted = np.linalg.solve(covariance, x)
    slope, error = weighted @ y / (weighted @ x), 1 / np.sqrt(weighted @ x)
    assert found.slope == pytest.approx(slope, abs=1e-6)
    half = stats.t.ppf(0.975, 10) * error
    # The observed information also knows that the spreads are estimated: a little wider, never narrower.
    assert half <= (found.high - found.low) / 2 <= 1.1 * half
    assert found.p == pytest.approx(2 * stats.t.sf(slope / (found.high - slope) * stats.t.ppf(0.975, 10), 10))


def test_no_effect_is_rarely_found_and_a_large_one_often() -> None:
    rng = np.random.default_rng(1)
    none = np.mean([mixed_model(cells(rng, 0.0)).p <= 0.05 for _ in range(15)])
    large = np.mean([mixed_model(cells(rng, 1.5)).p <= 0.05 for _ in range(6)])
    assert none <= 0.27
    assert large >= 0.8


def test_it_says_what_it_assumes_or_why_there_is_no_fit() -> None:
    table = cells(np.random.default_rng(2), 0.5)
    words = "careful (rejects 1 to 3 % at 5 %); assumes normal effects of architectures"
    assert mixed_model(table).note.startswith(words)
    assert mixed_model(table[table["sha256"] < 5]).note == "no fit: 5 checkpoints; it takes 6"
    assert "nothing varies" in mixed_model(table.assign(value=1.0)).note
    assert f"beyond {MOST_CELLS}" in mixed_model(pd.concat([table] * 6)).note


def test_one_set_has_no_slope_of_its_own_and_blank_recipes_are_no_recipe() -> None:
    table = cells(np.random.default_rng(3), 0.5, sets=1).assign(recipe="")
    found = mixed_model(table)
    assert set(found.spreads) == {"architecture", "rest"}
    assert np.isfinite(found.p)
