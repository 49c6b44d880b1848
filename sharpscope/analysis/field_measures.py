"""How other fields judge a measure that should order models by error: by pairs of models, given their settings."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from sharpscope.analysis.rank_correlation import orders, p_of
from sharpscope.errors import SharpscopeError

N_PERMUTATIONS = 999


class Information(NamedTuple):
    """What the order of a pair by a measure tells of their order by error, whatever the settings.

    Attributes:
        score: From 0 to 1, the least over sets of settings; times 100 it is the score of the PGDL competition.
        given: Columns of the settings where it is least.
        p: Chance of a score as large with the measure dealt out at random; NaN where it was not asked for.
        expected: Mean score of a measure dealt out at random: few checkpoints give far more than 0.
    """

    score: float
    given: tuple[int, ...]
    p: float
    expected: float


def pair_information(
    measure: np.ndarray,
    error: np.ndarray,
    settings: np.ndarray,
    *,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> Information:
    r"""Conditional mutual information of the signs of pairs, the least over what may be given.

    .. math:: \min_{|S| \le 2} \frac{I(V_\mu; V_g \mid U_S)}{H(V_g \mid U_S)}

    over ordered pairs of different models, with V the signs of the differences in measure and in error and U_S the
    settings S of both models. A measure that merely repeats a setting tells nothing once that is given. It has no
    sign: a measure that orders every pair the wrong way round scores 1, so that the p-value is two-sided.

    Args:
        measure: Shape (n,).
        error: Shape (n,).
        settings: One row of discrete settings per model, seeds not among them, shape (n, settings).
        n_permutations: Random orders of the measure for the p-value, 0 for none; they test that it has nothing to do
            with error and settings together.
        seed: Of the orders.

    Returns:
        The score, where it is least, its p-value and what chance gives; NaN where error is constant.

    Source:
        Jiang et al. (2020), equation 8.

    Example:
        >>> grid = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        >>> error = grid @ np.array([4.0, 2.0, 1.0])
        >>> pair_information(error, error, grid, n_permutations=0).score
        1.0
        >>> round(pair_information(grid[:, 0], error, grid, n_permutations=0).score, 6)
        0.0
    """
    n = len(measure)
    first, second = (index.ravel() for index in np.indices((n, n)))
    first, second = first[first != second], second[first != second]
    signs = np.sign(np.asarray(error, float)[first] - np.asarray(error, float)[second]).astype(int) + 1
    axes = range(settings.shape[1])
    coded = np.stack([np.unique(column, return_inverse=True)[1] for column in settings.T], axis=1)
    given = [s for size in range(3) for s in itertools.combinations(axes, size)]
    cells = [_cell_of_pair(coded[:, list(s)], first, second) for s in given]

    def least(values: np.ndarray) -> tuple[float, int]:
        moved = np.sign(values[first] - values[second]).astype(int) + 1
        scores = [_share_known(moved, signs, cell) for cell in cells]
        finite = [score for score in scores if math.isfinite(score)]
        return (min(finite), scores.index(min(finite))) if finite else (math.nan, 0)

    values = np.asarray(measure, float)
    score, where = least(values)
    if n_permutations == 0 or not math.isfinite(score):
        return Information(score, given[where], math.nan, math.nan)
    generator = np.random.default_rng(seed)
    null = np.array([least(values[generator.permutation(n)])[0] for _ in range(n_permutations)])
    return Information(score, given[where], p_of(score, null, exact=False), float(null.mean()))


def _cell_of_pair(coded: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return one number per pair for the settings of both of its models."""
    if coded.shape[1] == 0:
        return np.zeros(len(first), dtype=int)
    own = np.unique(coded, axis=0, return_inverse=True)[1].ravel()
    cells: np.ndarray = np.unique(own[first] * (own.max() + 1) + own[second], return_inverse=True)[1]
    return cells


def _share_known(moved: np.ndarray, signs: np.ndarray, cells: np.ndarray) -> float:
    """Return I(moved; signs | cells) / H(signs | cells) of signs 0, 1, 2; NaN where nothing is uncertain."""
    counts = np.bincount(cells * 9 + moved * 3 + signs, minlength=9 * (cells.max() + 1)).reshape(-1, 3, 3)
    joint = counts / counts.sum()
    whole = joint.sum(axis=(1, 2), keepdims=True)

    def entropy(table: np.ndarray) -> float:
        """Entropy given the cell, in nats."""
        table, below = np.broadcast_arrays(table, whole)
        inside = table > 0
        return float(-(table[inside] * np.log(table[inside] / below[inside])).sum())

    uncertain = entropy(joint.sum(axis=1, keepdims=True))
    if uncertain < 1e-12:
        return math.nan
    known = uncertain + entropy(joint.sum(axis=2, keepdims=True)) - entropy(joint)
    return min(1.0, max(0.0, known / uncertain))


class SignErrors(NamedTuple):
    """How often a measure orders two models wrongly that differ in one setting.

    Attributes:
        mean: Over environments, each counting the same; .5 is a coin.
        worst: In the worst environment.
        where: Column of the setting that varies there, and its two values.
        n_pairs: Pairs that count.
        n_noisy: Pairs left out because their errors differ by no more than noise.
    """

    mean: float
    worst: float
    where: tuple[int, object, object] | None
    n_pairs: int
    n_noisy: int


def worst_sign_error(
    measure: np.ndarray,
    error: np.ndarray,
    settings: np.ndarray,
    *,
    n_trials: np.ndarray | None = None,
    most_noise: float = 0.5,
) -> SignErrors:
    r"""Sign error over pairs that differ in one setting, by environment, pairs within noise left out.

    .. math:: \max_e \frac{\sum_{p \in e} w_p\,(1 - \mathrm{sgn}\,\Delta C_p\,\mathrm{sgn}\,\Delta G_p)/2}{\sum w_p},
        \qquad w = \left(1 - 2 e^{-2n(|\Delta G|/2)^2}\right)_+^2

    An environment is a setting with two of its values, all others equal. The weight is Hoeffding's bound on the
    chance that the order of two error rates of n trials is the true one; pairs below one half are left out.

    Args:
        measure: Shape (n,).
        error: Error rates, fractions, shape (n,).
        settings: One row of discrete settings per model, seeds not among them, shape (n, settings).
        n_trials: Independent trials behind each error rate, those of the smaller class, shape (n,); None takes
            errors as exact.
        most_noise: Weight below which a pair is left out.

    Returns:
        Mean and worst; NaN where no pair counts.

    Source:
        Dziugaite et al. (2020).

    Example:
        >>> grid = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> found = worst_sign_error(np.array([1, 2, 3, 2.5]), np.array([0.10, 0.12, 0.20, 0.22]), grid)
        >>> found.mean, found.worst, found.where
        (0.25, 0.5, (1, 0, 1))
    """
    sums: dict[tuple[int, object, object], np.ndarray] = {}
    noisy = pairs = 0
    for i, j, axis in _pairs_of_one_difference(settings):
        gap = float(error[i] - error[j])
        weight = 1.0
        if n_trials is not None:
            n = float(min(n_trials[i], n_trials[j]))
            weight = max(0.0, 1 - 2 * math.exp(-2 * n * (abs(gap) / 2) ** 2)) ** 2
        if gap == 0 or weight < most_noise:
            noisy += 1
            continue
        pairs += 1
        wrong = (1 - np.sign(measure[i] - measure[j]) * np.sign(gap)) / 2
        low, high = sorted((settings[i, axis], settings[j, axis]))
        key = (axis, low, high)
        sums[key] = sums.get(key, np.zeros(2)) + np.array([weight * wrong, weight])
    if not sums:
        return SignErrors(math.nan, math.nan, None, 0, noisy)
    rates = {key: float(total[0] / total[1]) for key, total in sums.items()}
    where = max(rates, key=lambda key: rates[key])
    axis, low, high = where
    plain = tuple(value.item() if isinstance(value, np.generic) else value for value in (low, high))
    return SignErrors(
        float(np.mean(list(rates.values()))), rates[where], (axis, plain[0], plain[1]), pairs, noisy
    )


def _pairs_of_one_difference(settings: np.ndarray) -> list[tuple[int, int, int]]:
    """Return pairs of models that differ in exactly one setting, with its column."""
    found = []
    for i, j in itertools.combinations(range(len(settings)), 2):
        axes = np.flatnonzero(settings[i] != settings[j])
        if len(axes) == 1:
            found.append((i, j, int(axes[0])))
    return found


def granulated_kendall(
    measure: np.ndarray, error: np.ndarray, settings: np.ndarray
) -> tuple[float, list[float]]:
    r"""Kendall's tau along each setting with the others equal, averaged; repeats of one setting are no axis.

    .. math:: \Psi = \frac1k \sum_i \psi_i, \qquad \psi_i = \text{mean over settings of the others of } \tau

    Models of equal settings (seeds) are compared with those of other settings only, never with one another: a seed is
    no hyper-parameter.

    Args:
        measure: Shape (n,).
        error: Shape (n,).
        settings: One row of discrete settings per model, seeds not among them, shape (n, settings).

    Returns:
        Psi and the psi of each setting; NaN for one along which no two models differ alone.

    Source:
        Jiang et al. (2020), equations 5 and 6.

    Example:
        >>> grid = np.array([[0, 0], [0, 0], [0, 1], [0, 1]])
        >>> granulated_kendall(np.array([1, 2, 3, 4]), np.array([0.12, 0.10, 0.2, 0.3]), grid)[0]
        1.0
    """
    signs: dict[tuple[int, tuple[object, ...]], list[float]] = {}
    for i, j, axis in _pairs_of_one_difference(settings):
        others = (axis, tuple(np.delete(settings[i], axis).tolist()))
        agree = float(np.sign(measure[i] - measure[j]) * np.sign(error[i] - error[j]))
        signs.setdefault(others, []).append(agree)
    psi = []
    for axis in range(settings.shape[1]):
        taus = [float(np.mean(values)) for (own, _), values in signs.items() if own == axis]
        psi.append(float(np.mean(taus)) if taus else math.nan)
    known = [value for value in psi if math.isfinite(value)]
    return (float(np.mean(known)) if known else math.nan), psi


def one_sided_p(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    r"""P-value of each pair that the first is not larger, :math:`\Phi((v_j - v_i) / \sqrt{s_i^2 + s_j^2})`.

    Args:
        values: Estimates, shape (n,).
        errors: Their standard errors, taken as independent, shape (n,).

    Returns:
        Shape (n, n), small where the row is surely larger than the column.

    Example:
        >>> one_sided_p(np.array([1.0, 1.0]), np.array([0.1, 0.1]))[0, 1].item()
        0.5
    """
    gap = values[None, :] - values[:, None]
    spread = np.sqrt(errors[:, None] ** 2 + errors[None, :] ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(spread > 0, gap / np.maximum(spread, 1e-300), np.sign(gap) * np.inf)
    p: np.ndarray = stats.norm.cdf(np.where(gap == 0, 0.0, z))
    return p


def soft_pairwise_accuracy(p_error: np.ndarray, p_measure: np.ndarray) -> float:
    r"""How well a measure says which of two models has more errors, and how sure it may be.

    .. math:: \binom n2^{-1} \sum_{i<j} 1 - |p^{\mathrm{error}}_{ij} - p^{\mathrm{measure}}_{ij}|

    Pairwise accuracy counts a pair that the errors cannot tell apart as right or wrong at the toss of a coin; here it
    counts by how far the two certainties differ.

    Args:
        p_error: One-sided p-value that the row has no more errors than the column, shape (n, n).
        p_measure: The same for the measure.

    Returns:
        From 0 to 1; .5 where one side is certain and the other knows nothing, two thirds for p-values that are
        uniform and independent.

    Raises:
        SharpscopeError: If shapes differ or there are fewer than two models.

    Source:
        Thompson et al. (2024).

    Example:
        >>> sure = np.array([[0.5, 0.0], [1.0, 0.5]])
        >>> soft_pairwise_accuracy(sure, sure), soft_pairwise_accuracy(sure, sure.T)
        (1.0, 0.0)
    """
    if p_error.shape != p_measure.shape or len(p_error) < 2:
        raise SharpscopeError(
            f"p-values of {p_error.shape} and {p_measure.shape} models; at least two, the same"
        )
    upper = np.triu_indices(len(p_error), 1)
    return float((1 - np.abs(p_error[upper] - p_measure[upper])).mean())


def soft_accuracy_p(p_error: np.ndarray, p_measure: np.ndarray, *, seed: int = 0) -> float:
    """Two-sided p-value of a soft pairwise accuracy, the measure's models dealt out anew.

    Args:
        p_error: As in `soft_pairwise_accuracy`.
        p_measure: The same.
        seed: Of random orders beyond nine models.

    Returns:
        The share of orders whose accuracy is at least as far from the mean of all orders.

    Example:
        >>> sure = one_sided_p(np.arange(5.0), np.full(5, 1e-3))
        >>> round(soft_accuracy_p(sure, sure), 4)  # 2 of 120 orders
        0.0167
    """
    n = len(p_error)
    dealt = orders(n, rng=seed, n_permutations=1_999)
    if len(dealt) > 40_320:
        dealt = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (1_999, 1)), axis=1)
    i, j = np.triu_indices(n, 1)
    null = 1 - np.abs(p_error[i, j] - p_measure[dealt[:, i], dealt[:, j]]).mean(axis=1)
    centre = float(null.mean())
    return p_of(
        soft_pairwise_accuracy(p_error, p_measure) - centre,
        null - centre,
        exact=len(dealt) == math.factorial(n),
    )
