"""Sequential stopping: its interval keeps the coverage that it states, and it saves groups."""

import numpy as np
import pytest
from scipy import stats

from sharpscope.measurement.rows import interval
from sharpscope.measurement.stopping import StoppingRule, groups_needed


def measured(population: np.ndarray, order: np.ndarray, tolerance: float) -> np.ndarray:
    """The values that a run in this order would measure before it stops."""
    rule = StoppingRule(len(population), tolerance)
    for n in range(2, len(population) + 1):
        if rule.enough({"sam": population[order[:n]]}):
            return population[order[:n]]
    return population[order]


@pytest.mark.parametrize(("shape", "total"), [(16.0, 625), (4.0, 625), (2.0, 2000)])
def test_the_interval_covers_the_full_value_as_often_as_it_says(shape: float, total: int) -> None:
    """Skewed group values, as sharpness has them; the full value is that of all groups of the set."""
    rng = np.random.default_rng(7)
    population = rng.gamma(shape, 1 / shape, total)
    covered, used = 0, []
    for _ in range(500):
        values = measured(population, rng.permutation(total), 0.05)
        low, high = interval(float(values.mean()), stats.sem(values), len(values), total)
        covered += low <= population.mean() <= high
        used.append(len(values))
    assert 0.93 <= covered / 500 <= 0.97
    assert np.mean(used) < 0.8 * total


def test_a_tight_population_stops_at_the_pilot() -> None:
    population = np.random.default_rng(0).normal(1.0, 0.01, 5000)
    assert len(measured(population, np.arange(5000), 0.02)) == 32


def test_a_value_near_zero_stops_at_the_absolute_bound() -> None:
    assert groups_needed([1e-6, -1e-6, 2e-6], 1000, 0.02) == 2


def test_the_whole_set_is_the_most_there_is() -> None:
    values = np.random.default_rng(0).normal(0.0, 1.0, 40)
    assert groups_needed(values.tolist(), 40, 1e-6) == 40
