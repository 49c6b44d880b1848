r"""Two classes seen in one heap of scores: a mixture of two normal distributions, and the error that it implies."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

ITERATIONS = 500
# A component may not shrink onto a single trial.
NARROWEST = 1e-3
# Of more scores, so many quantiles tell as much.
MOST = 2000


class Mixture(NamedTuple):
    """Two normal components, the lower one first.

    Attributes:
        share: Of the upper component.
        means: Lower and upper.
        deviations: Standard deviations of both.
    """

    share: float
    means: tuple[float, float]
    deviations: tuple[float, float]


def fit_mixture(scores: np.ndarray) -> Mixture:
    """Fit two normal components to scores by expectation and maximisation.

    It starts from the lower and the upper half of the scores, so that the answer is always the same.

    Args:
        scores: Shape (n,), four or more.

    Returns:
        The components; NaN where all scores are equal or there are too few.

    Source:
        Dempster, Laird and Rubin (1977).

    Example:
        >>> low, high = fit_mixture(np.array([-5.0, -5.1, -4.9, 5.0, 5.1, 4.9])).means
        >>> round(low, 3), round(high, 3)
        (-5.0, 5.0)
    """
    x = np.sort(np.asarray(scores, float))
    if len(x) < 4 or not np.ptp(x) > 0:
        return Mixture(math.nan, (math.nan, math.nan), (math.nan, math.nan))
    if len(x) > MOST:
        x = np.quantile(x, (np.arange(MOST) + 0.5) / MOST)
    narrowest = NARROWEST * float(x.std())
    upper = (np.arange(len(x)) >= len(x) / 2).astype(float)
    before = -math.inf
    for _ in range(ITERATIONS):
        weights = np.stack([1 - upper, upper])
        total = np.maximum(weights.sum(axis=1), 1e-12)
        means = weights @ x / total
        spread = np.sqrt((weights * (x - means[:, None]) ** 2).sum(axis=1) / total)
        spread = np.maximum(spread, narrowest)
        shares = total / len(x)
        # Logarithms, since a score far from both components underflows in both.
        each = np.log(shares / spread)[:, None] - 0.5 * ((x - means[:, None]) / spread[:, None]) ** 2
        both = np.logaddexp(each[0], each[1])
        upper = np.exp(each[1] - both)
        now = float(both.sum())
        if now - before < 1e-9 * len(x):
            break
        before = now
    low, high = np.argsort(means)
    return Mixture(
        float(shares[high]),
        (float(means[low]), float(means[high])),
        (float(spread[low]), float(spread[high])),
    )


def mixture_error(mixture: Mixture) -> float:
    r"""Equal error rate of two normal distributions, :math:`\Phi\left(-(\mu_1-\mu_0)/(\sigma_1+\sigma_0)\right)`.

    Args:
        mixture: The components.

    Returns:
        A fraction; NaN where there are none.

    Example:
        >>> round(mixture_error(Mixture(0.5, (0.0, 2.0), (1.0, 1.0))), 4)
        0.1587
    """
    (low, high), (narrow, wide) = mixture.means, mixture.deviations
    return float(stats.norm.cdf(-(high - low) / (narrow + wide)))
