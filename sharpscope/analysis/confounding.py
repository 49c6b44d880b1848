"""What else could move sharpness and error together: covariates, hyper-parameters, and noise in both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from sharpscope.analysis.permutation import AT_ONCE
from sharpscope.analysis.rank_correlation import (
    EXACT_UP_TO,
    N_PERMUTATIONS,
    SAME,
    Statistic,
    blocks,
    orders,
    p_of,
    ranks,
    standardised_ranks,
)
from sharpscope.errors import SharpscopeError

# These tests are asked for every measure and covariate: tables of hundreds of checkpoints get fewer orders.
MANY_CELLS = 5_000
FEW_ORDERS = 1_999


def partial_correlation(
    x: np.ndarray, y: np.ndarray, covariates: np.ndarray, *, ranked: bool = True
) -> Statistic:
    r"""Correlation of x and y that the covariates do not explain, :math:`-P_{01}/\sqrt{P_{00}P_{11}}`, P = R^{-1}.

    Args:
        x: Shape (n,).
        y: Shape (n,).
        covariates: Shape (n, g).
        ranked: Spearman's; otherwise Pearson's.

    Returns:
        The correlation and the p-value of its t with n - 2 - g degrees of freedom; NaN when a column is constant
        or explained by the others.

    Raises:
        SharpscopeError: If there are too few rows for the covariates.
    """
    columns = np.column_stack([x, y, covariates]).astype(float)
    n, g = len(columns), columns.shape[1] - 2
    if n - 2 - g < 1:
        raise SharpscopeError(f"{n} checkpoints with {g} covariates; a partial correlation needs {g + 3}")
    values = ranks(columns) if ranked else columns
    if (np.ptp(values, axis=0) == 0).any():
        return Statistic(math.nan, math.nan)
    correlations = np.corrcoef(values, rowvar=False)
    if np.linalg.cond(correlations) > 1e12:
        return Statistic(math.nan, math.nan)
    inverse = np.linalg.inv(correlations)
    r = float(-inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1]))
    df = n - 2 - g
    t = r * math.sqrt(df / max(1e-300, 1 - r * r))
    return Statistic(r, float(2 * stats.t.sf(abs(t), df)))


def partial_given_noisy(r_xy: float, r_xz: float, r_yz: float, reliability: float) -> float:
    r"""Partial correlation of x and y given what z measures with noise of its own.

    .. math:: \frac{r_{xy} - r_{xz} r_{yz} / \lambda}{\sqrt{(1 - r_{xz}^2 / \lambda)(1 - r_{yz}^2 / \lambda)}}

    The noise of z is taken as independent of that of x and y. Exact for Pearson's, close for Spearman's.

    Args:
        r_xy: Correlation of x and y.
        r_xz: Of x and the noisy covariate.
        r_yz: Of y and the noisy covariate.
        reliability: Share of the covariate's variance that is not noise, lambda.

    Returns:
        The partial correlation; NaN where so much noise leaves nothing to divide by.

    Source:
        Cohen and Cohen (1983).

    Example:
        Both follow a covariate with a loading of .9 and nothing else; its reliability is .81. Unaware of it one
        finds a correlation:

        >>> unaware, aware = (partial_given_noisy(0.81, 0.81, 0.81, reliability) for reliability in (1.0, 0.81))
        >>> round(unaware, 2), abs(round(aware, 6))
        (0.45, 0.0)
    """
    if not 0 < reliability <= 1:
        return math.nan
    left = (1 - r_xz**2 / reliability) * (1 - r_yz**2 / reliability)
    if not left > 0 or r_xz**2 >= reliability:
        return math.nan
    return float(np.clip((r_xy - r_xz * r_yz / reliability) / math.sqrt(left), -1, 1))


def mean_partial(x: np.ndarray, y: np.ndarray, covariate: np.ndarray) -> float:
    """Mean within-set partial Spearman correlation given a covariate that is taken as exact.

    Args:
        x: The measure, checkpoints x sets.
        y: EER, the same shape.
        covariate: The same shape, or checkpoints x 1.

    Returns:
        The mean over sets; NaN where the covariate leaves nothing of either side.

    Example:
        >>> z = np.arange(6.0)[:, None]
        >>> mean_partial(z, np.array([[0.0], [2], [1], [3], [5], [4]]), z)
        nan
    """
    zx, zy, zz = (standardised_ranks(values) for values in (x, y, np.broadcast_to(covariate, x.shape)))
    rows = zip((zx * zy).sum(axis=0), (zx * zz).sum(axis=0), (zy * zz).sum(axis=0), strict=True)
    # Ranks that agree but for rounding leave rounding.
    known = [
        partial_given_noisy(float(r_xy), float(r_xz), float(r_yz), 1.0)
        for r_xy, r_xz, r_yz in rows
        if max(abs(r_xz), abs(r_yz)) < 1 - SAME
    ]
    finite = [value for value in known if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def attenuation_bound(reliabilities: Sequence[float]) -> float:
    """Return the largest correlation that two noisy quantities can show, the root of their reliabilities' product.

    Args:
        reliabilities: Of the measure and of EER, from 0 to 1.

    Returns:
        From 0 to 1; NaN where one is.

    Example:
        >>> attenuation_bound((0.5, 0.5)), attenuation_bound((0.5, math.nan))
        (0.5, nan)
    """
    return math.sqrt(math.prod(float(np.maximum(0.0, value)) for value in reliabilities))


def within_strata(
    x: np.ndarray, y: np.ndarray, strata: np.ndarray, *, rng: np.random.Generator | int = 0
) -> tuple[float, float]:
    """Correlation of ranks after each stratum's mean rank is taken away, permuting only inside strata.

    Args:
        x: Shape (n,).
        y: Shape (n,).
        strata: Shape (n,), what each belongs to.
        rng: Seed or generator of the 9,999 random orders.

    Returns:
        The correlation and its two-sided p-value; NaN where nothing varies inside the strata.

    Example:
        What holds between strata only is gone:

        >>> strata = np.repeat([0, 1, 2], 3)
        >>> r, _ = within_strata(strata + np.tile([0.1, 0.2, 0.3], 3), strata + np.tile([0.3, 0.1, 0.2], 3), strata)
        >>> round(r, 6)
        -0.5
    """
    residuals = []
    for values in (x, y):
        ranked = ranks(values)
        for label in np.unique(strata):
            ranked[strata == label] -= ranked[strata == label].mean()
        residuals.append(ranked)
    length = math.prod(float(np.linalg.norm(r)) for r in residuals)
    if min(float(np.linalg.norm(r)) for r in residuals) < SAME:
        return math.nan, math.nan
    generator = np.random.default_rng(rng)
    order = np.tile(np.arange(len(strata)), (N_PERMUTATIONS, 1))
    for label in np.unique(strata):
        inside = np.flatnonzero(strata == label)
        order[:, inside] = generator.permuted(order[:, inside], axis=1)
    null = np.concatenate([residuals[0][block] @ residuals[1] for block in blocks(order)])
    observed = float(residuals[0] @ residuals[1]) / length
    return observed, p_of(observed, null / length, exact=False)


def n_orders(cells: np.ndarray) -> int:
    """Return how many random orders a test of these cells takes.

    Args:
        cells: Checkpoints x sets.

    Returns:
        The number.

    Example:
        >>> n_orders(np.zeros((24, 7))), n_orders(np.zeros((1000, 20)))
        (9999, 1999)
    """
    return N_PERMUTATIONS if cells.size < MANY_CELLS else FEW_ORDERS


def freedman_lane(
    x: np.ndarray, y: np.ndarray, covariate: np.ndarray, *, seed: int = 0
) -> tuple[float, float]:
    r"""Mean within-set partial Spearman correlation given a covariate, and its p-value.

    Ranks of x and y are regressed on those of the covariate in each set; the residuals of y are permuted over
    checkpoints, in all sets at once, added back to the fit and regressed again (Freedman and Lane, 1983).

    Args:
        x: The measure, checkpoints x sets.
        y: EER, the same shape.
        covariate: The same shape, or checkpoints x 1.
        seed: Of random orders.

    Returns:
        The mean partial correlation and its two-sided p-value; NaN where a column leaves no residual.

    Example:
        Nothing is left of a measure that repeats the covariate:

        >>> z = np.arange(6.0)[:, None]
        >>> freedman_lane(z, np.array([[0.0], [2], [1], [3], [5], [4]]), z)
        (nan, nan)
    """
    rx, ry, rz = (ranks(values) for values in (x, y, np.broadcast_to(covariate, x.shape)))
    rx, ry, rz = (r - r.mean(axis=0) for r in (rx, ry, rz))
    scale = (rz**2).sum(axis=0)
    if (scale < 1e-9).any():
        return math.nan, math.nan

    def left(r: np.ndarray) -> np.ndarray:
        """Residuals on the covariate, standardised; ``r`` is (..., n, sets)."""
        rest = r - rz * ((r * rz).sum(axis=-2) / scale)[..., None, :]
        length = np.sqrt((rest**2).sum(axis=-2, keepdims=True))
        out: np.ndarray = np.where(length > 1e-6, rest / np.maximum(length, 1e-12), np.nan)
        return out

    ex, ey = left(rx), left(ry)
    usable = np.isfinite(ex).all(axis=0) & np.isfinite(ey).all(axis=0)
    if not usable.any():
        return math.nan, math.nan
    rest = ry - rz * ((ry * rz).sum(axis=0) / scale)
    fit = ry - rest
    order = orders(len(x), rng=seed, n_permutations=n_orders(x))
    rows = max(1, AT_ONCE // x.size)
    null = np.concatenate(
        [(left(fit + rest[block]) * ex)[..., usable].sum(axis=(1, 2)) for block in blocks(order, rows)]
    )
    observed = float((ey * ex)[:, usable].sum())
    count = int(usable.sum())
    return observed / count, p_of(observed, np.nan_to_num(null), exact=len(x) <= EXACT_UP_TO)
