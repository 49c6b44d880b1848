r"""Two regularised lines for all detectors and sets, and an interval from sets that were left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Penalties tried, in units of the number of rows; the largest leaves hardly more than the mean.
PENALTIES = (0.01, 0.1, 1.0, 10.0)
# One residual a set is drawn this often; an odd number, so that a median is one of them.
N_DRAWS = 501


class Line(NamedTuple):
    """A fitted model.

    Attributes:
        centre: Means of the columns in training.
        scale: Their standard deviations.
        weights: One per column.
        constant: Mean of what is predicted.
    """

    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    constant: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the predictions of some rows.

        Args:
            x: Rows x columns.

        Returns:
            Shape (rows,).
        """
        found: np.ndarray = (x - self.centre) / self.scale @ self.weights + self.constant
        return found


def fit_line(x: np.ndarray, y: np.ndarray, penalty: float, weights: np.ndarray) -> Line:
    r"""Fit a ridge regression whose rows carry weights.

    .. math:: \min_{b,c} \sum_i q_i (y_i - c - z_i^\top b)^2 + \lambda \lVert b \rVert^2, \qquad \sum_i q_i = 1

    with z the columns at mean 0 and standard deviation 1.

    Args:
        x: Rows x columns.
        y: Shape (rows,).
        penalty: Lambda.
        weights: Of the rows, positive.

    Returns:
        The model.

    Source:
        Hoerl and Kennard (1970).

    Example:
        >>> line = fit_line(np.array([[0.0], [2.0]]), np.array([1.0, 5.0]), 0.0, np.ones(2))
        >>> line.predict(np.array([[1.0], [3.0]])).tolist()
        [3.0, 7.0]
    """
    q = weights / weights.sum()
    centre = q @ x
    scale = np.sqrt(q @ (x - centre) ** 2)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(centre), 1e-300), scale, np.inf)
    z = (x - centre) / scale
    constant = float(q @ y)
    system = (z * q[:, None]).T @ z + penalty * np.eye(z.shape[1])
    found = np.linalg.lstsq(system, (z * q[:, None]).T @ (y - constant), rcond=None)[0]
    return Line(centre, scale, found, constant)


def weights_of(sets: np.ndarray) -> np.ndarray:
    """Weigh rows so that every set counts alike.

    Args:
        sets: Name of each row's set.

    Returns:
        Shape (rows,).

    Example:
        >>> weights_of(np.array(["a", "a", "b"])).tolist()
        [0.5, 0.5, 1.0]
    """
    _, place, counts = np.unique(sets, return_inverse=True, return_counts=True)
    weights: np.ndarray = 1 / counts[place]
    return weights


def quality(y: np.ndarray, sets: np.ndarray, checkpoints: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Say how much better or worse than others each checkpoint does on the sets that are known, the row's own left out.

    Difficulties of sets are taken away first, so that a row's own set cannot be told from what it lacks.

    Args:
        y: Logits of error rates, shape (rows,); what is not known is not looked at.
        sets: Name of each row's set.
        checkpoints: Of each row.
        known: Which rows have a known error rate.

    Returns:
        Shape (rows,); 0 for a checkpoint of which nothing is known on another set.

    Example:
        >>> y = np.array([1.0, 3.0, 11.0, 13.0, 0.0, 0.0])
        >>> quality(y, np.array(list("aabbcc")), np.array(list("xyxyxy")), np.arange(6) < 4).tolist()
        [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]
    """
    place = np.unique(checkpoints, return_inverse=True)[1], np.unique(sets, return_inverse=True)[1]
    shape = (place[0].max() + 1, place[1].max() + 1)
    there, grid = np.zeros(shape), np.zeros(shape)
    there[place] = known
    grid[place] = np.where(known, y, 0.0)
    means = grid.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    centred = there * (grid - means)
    counts = there.sum(axis=1)[place[0]] - there[place]
    found: np.ndarray = (centred.sum(axis=1)[place[0]] - centred[place]) / np.maximum(counts, 1)
    return np.where(counts > 0, found, 0.0)


def set_means(values: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Return for every row the mean over the rows of its set.

    Args:
        values: Rows x columns.
        sets: Name of each row's set.

    Returns:
        The same shape.

    Example:
        >>> set_means(np.array([[1.0], [3.0], [5.0]]), np.array(list("aab"))).tolist()
        [[2.0], [2.0], [5.0]]
    """
    _, place, counts = np.unique(sets, return_inverse=True, return_counts=True)
    totals = np.zeros((len(counts), values.shape[1]))
    np.add.at(totals, place, values)
    means: np.ndarray = (totals / counts[:, None])[place]
    return means


class Fitted(NamedTuple):
    """A model with what it got wrong on sets that it had not seen.

    Attributes:
        between: How hard a set is, from what its checkpoints show on average.
        within: How a checkpoint differs from the others on a set, from how it differs in what it shows.
        residuals: Shape (rows,): truth minus prediction by a model without the row's set.
    """

    between: Line
    within: Line
    residuals: np.ndarray

    def predict(self, x: np.ndarray, own: np.ndarray, sets: np.ndarray) -> np.ndarray:
        """Return the logits of error rates.

        Args:
            x: Rows x columns.
            own: `quality` of the rows.
            sets: Name of each row's set.

        Returns:
            Shape (rows,).
        """
        level, order = (
            self.between.predict(set_means(x, sets)),
            self.within.predict(_differences(x, own, sets)),
        )
        found: np.ndarray = level + order
        return found


def _differences(x: np.ndarray, own: np.ndarray, sets: np.ndarray) -> np.ndarray:
    z = np.column_stack([x, own])
    found: np.ndarray = z - set_means(z, sets)
    return found


def fit_over_sets(x: np.ndarray, y: np.ndarray, sets: np.ndarray, checkpoints: np.ndarray) -> Fitted:
    """Fit both parts of the model, their penalties chosen by leaving out one set after the other.

    Order and level are two questions: what tells how hard a set is may tell nothing of the order of checkpoints on it.

    Args:
        x: Rows x columns.
        y: Logits of error rates, shape (rows,).
        sets: Name of each row's set; two or more.
        checkpoints: Of each row.

    Returns:
        The model and its residuals on sets left out.

    Source:
        Mundlak (1978) for the two parts.
    """
    weights = weights_of(sets)
    parts = np.full((2, len(PENALTIES), len(y)), np.nan)
    for name in np.unique(sets):
        out = sets == name
        # Nothing of the set that is left out may be in what is known of the checkpoints.
        own = quality(y, sets, checkpoints, ~out)
        for index, penalty in enumerate(PENALTIES):
            fitted = _fit(x[~out], y[~out], own[~out], sets[~out], (penalty, penalty))
            parts[0, index, out] = y[out].mean() - fitted.between.predict(set_means(x[out], sets[out]))
            difference = fitted.within.predict(_differences(x[out], own[out], sets[out]))
            parts[1, index, out] = y[out] - y[out].mean() - difference
    # Of penalties that do alike, the largest: the simplest model.
    errors = np.round(np.abs(parts) @ weights, 12)
    best = [int(len(PENALTIES) - 1 - np.argmin(row[::-1])) for row in errors]
    own = quality(y, sets, checkpoints, np.ones(len(y), dtype=bool))
    fitted = _fit(x, y, own, sets, (PENALTIES[best[0]], PENALTIES[best[1]]))
    return fitted._replace(residuals=parts[0, best[0]] + parts[1, best[1]])


def _fit(
    x: np.ndarray, y: np.ndarray, own: np.ndarray, sets: np.ndarray, penalties: tuple[float, float]
) -> Fitted:
    weights = weights_of(sets)
    means = set_means(y[:, None], sets)[:, 0]
    between = fit_line(set_means(x, sets), means, penalties[0], weights)
    within = fit_line(_differences(x, own, sets), y - means, penalties[1], weights)
    return Fitted(between, within, np.zeros(0))


def half_width(
    residuals: np.ndarray, sets: np.ndarray, level: float, *, seed: int = 0
) -> tuple[float, float]:
    r"""Half-width of an interval for a row of a set that nobody has seen, and the level it has.

    Rows of one set err together, so that sets are what is exchangeable. One row is drawn from each of the K sets; the
    :math:`(K+1) \cdot level`-th smallest of the K absolute residuals, between two of them linearly, is the half-width.
    Over many draws the median is taken. The level is at most K / (K + 1): nine sets for 90 %.

    Args:
        residuals: Of sets left out, shape (rows,).
        sets: Name of each row's set.
        level: Coverage asked for.
        seed: Of the draws.

    Returns:
        The half-width and its level.

    Source:
        Vovk et al. (2005); Dunn, Wasserman and Ramdas (2023) for several rows of a set.

    Example:
        >>> half_width(np.arange(1.0, 10.0), np.arange(9), 0.9)
        (9.0, 0.9)
        >>> half_width(np.arange(1.0, 5.0), np.arange(4), 0.9)
        (4.0, 0.8)
    """
    groups = [np.abs(residuals[sets == name]) for name in np.unique(sets)]
    k = len(groups)
    level = min(level, k / (k + 1))
    rng = np.random.default_rng(seed)
    drawn = np.stack([group[rng.integers(len(group), size=N_DRAWS)] for group in groups], axis=1)
    ordered = np.sort(drawn, axis=1)
    place = min(max(level * (k + 1) - 1, 0.0), k - 1.0)
    low = int(np.floor(place + 1e-9))
    share = max(place - low, 0.0)
    high = min(low + 1, k - 1)
    widths = (1 - share) * ordered[:, low] + share * ordered[:, high]
    return float(np.median(widths)), level
