"""What would have been said of each labelled set had it had no labels, and whether that beats what costs nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from sharpscope.analysis.adjustment import holm
from sharpscope.forecasting.cells import Cells, columns_of, logit
from sharpscope.forecasting.model import fit_over_sets, half_width, quality, weights_of

AUDIT_COLUMNS = (
    *("left_out", "set", "n", "method", "pairs_right", "points", "inside", "level", "half_width"),
)
VERDICT_COLUMNS = (
    "left_out",
    "baseline",
    "metric",
    "n_sets",
    "forecast",
    "other",
    "difference",
    "p",
    "p_adjusted",
    "smallest_p",
)
MODEL = "forecast"
BASELINES = ("in_domain_eer", "mean_error")
# Signs of all sets are tried up to this many, random ones beyond.
EXACT_SETS = 14
N_FLIPS = 9_999


class Predicted(NamedTuple):
    """What is said of some cells.

    Attributes:
        eer: Predicted error rates, shape (cells,).
        mean_error: The baseline: what each checkpoint does on the sets of the training, on average.
        half_width: Of the interval, in logits.
        level: Of the interval.
    """

    eer: np.ndarray
    mean_error: np.ndarray
    half_width: float
    level: float

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the low and high ends, as error rates."""
        middle = logit(self.eer)
        return expit(middle - self.half_width), expit(middle + self.half_width)


def predict(
    train: pd.DataFrame,
    cells: pd.DataFrame,
    predictors: tuple[str, ...],
    *,
    level: float = 0.9,
    seed: int = 0,
) -> Predicted:
    """Fit the model to labelled cells and predict others; nothing of the others' labels is used.

    Args:
        train: Labelled rows of `Cells`, of two sets or more.
        cells: Rows to predict.
        predictors: Names of columns.
        level: Coverage asked of the intervals.
        seed: Of the draws that the intervals rest on.

    Returns:
        Error rates and intervals.
    """
    sets = train["set"].to_numpy(str)
    y = logit(train["eer"].to_numpy(float), train["n"].to_numpy(float))
    # One scale for both, since that of sharpness rests on the rows it is taken of.
    both = columns_of(pd.concat([train, cells]), predictors)
    means = pd.Series(y, index=train["sha256"].to_numpy()).groupby(level=0).mean()
    told = means.reindex(cells["sha256"]).to_numpy(float)
    mean = np.where(np.isfinite(told), told, float(np.average(y, weights=weights_of(sets))))
    checkpoints = np.concatenate([train["sha256"].to_numpy(str), cells["sha256"].to_numpy(str)])
    fitted = fit_over_sets(both[: len(train)], y, sets, checkpoints[: len(train)])
    width, reached = half_width(fitted.residuals, sets, level, seed=seed)
    known = np.arange(len(both)) < len(train)
    # The blanks keep the sets to predict apart from those of the training, whatever they are called.
    places = np.concatenate([sets, [f"{name} " for name in cells["set"]]])
    own = quality(np.concatenate([y, np.zeros(len(cells))]), places, checkpoints, known)
    said = fitted.predict(both[~known], own[~known], places[~known])
    return Predicted(expit(said), expit(mean), width, reached)


def audit(cells: Cells, *, level: float = 0.9, seed: int = 0) -> pd.DataFrame:
    """Predict every labelled set from the others, and from the others with other architectures only.

    Args:
        cells: Of a table; the in-domain set is no set to predict.
        level: Coverage asked of the intervals.
        seed: Of the draws that the intervals rest on.

    Returns:
        Columns ``AUDIT_COLUMNS``: per set left out and method the share of pairs of checkpoints in the right order, the
        mean error in percentage points, and for the forecast the share inside the interval.
    """
    table = cells.table[(cells.table["set"] != cells.home) & cells.table["eer"].notna()]
    rows = []
    for name in dict.fromkeys(table["set"]):
        out = table[table["set"] == name]
        rest = table[table["set"] != name]
        rows += list(_scored("set", out, predict(rest, out, cells.predictors, level=level, seed=seed), cells))
        if table["arch"].nunique() > 1:
            parts = []
            for arch, own in out.groupby("arch", sort=False):
                others = rest[rest["arch"] != arch]
                if others["set"].nunique() >= 2:
                    parts.append((own, predict(others, own, cells.predictors, level=level, seed=seed)))
            if parts:
                own = pd.concat([part for part, _ in parts])
                # The widest of the architectures' intervals would flatter; each keeps its own.
                rows += list(_scored("set and architecture", own, _joined([p for _, p in parts]), cells))
    return pd.DataFrame(rows, columns=list(AUDIT_COLUMNS))


class _Joined(NamedTuple):
    """Predictions of several fits, in the shape of one."""

    eer: np.ndarray
    mean_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    half_width: float
    level: float

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the low and high ends, as error rates."""
        return self.low, self.high


def _joined(parts: list[Predicted]) -> _Joined:
    ends = [part.interval() for part in parts]
    return _Joined(
        np.concatenate([part.eer for part in parts]),
        np.concatenate([part.mean_error for part in parts]),
        np.concatenate([low for low, _ in ends]),
        np.concatenate([high for _, high in ends]),
        float(np.mean([part.half_width for part in parts])),
        float(np.mean([part.level for part in parts])),
    )


def _scored(
    left_out: str, out: pd.DataFrame, found: Predicted | _Joined, cells: Cells
) -> Iterator[dict[str, object]]:
    """Yield what each method got right on a set that was left out."""
    truth = out["eer"].to_numpy(float)
    low, high = found.interval()
    floor = expit(logit(truth, out["n"].to_numpy(float)))
    inside = float(((floor >= low) & (floor <= high)).mean())
    methods = {MODEL: found.eer, "mean_error": found.mean_error}
    methods |= {name: out[name].to_numpy(float) for name in cells.predictors}
    for method, said in methods.items():
        rate = method == MODEL or method in BASELINES
        yield {
            "left_out": left_out,
            "set": out["set"].iloc[0],
            "n": len(out),
            "method": method,
            "pairs_right": pairs_right(said, truth),
            "points": 100 * float(np.abs(said - truth).mean()) if rate else math.nan,
            "inside": inside if method == MODEL else math.nan,
            "level": found.level if method == MODEL else math.nan,
            "half_width": found.half_width if method == MODEL else math.nan,
        }


def pairs_right(said: np.ndarray, truth: np.ndarray) -> float:
    """Share of pairs of checkpoints that are put into the right order; a tie of what was said counts one half.

    Args:
        said: Predictions, larger for more errors.
        truth: Error rates; pairs that are equal in it are left out.

    Returns:
        From 0 to 1; NaN where all are equal.

    Source:
        Kocmi et al. (2021).

    Example:
        >>> pairs_right(np.array([1.0, 2.0, 2.0]), np.array([0.1, 0.2, 0.3]))
        0.8333333333333334
    """
    i, j = np.triu_indices(len(truth), 1)
    true = np.sign(truth[i] - truth[j])
    kept = true != 0
    if not kept.any():
        return math.nan
    agreement = np.sign(said[i] - said[j])[kept] * true[kept]
    return float((agreement + 1).mean() / 2)


def verdicts(found: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Compare the forecast with each baseline, set by set, by a sign-flip test over sets.

    Args:
        found: Of `audit`.
        seed: Of random signs, beyond fourteen sets.

    Returns:
        Columns ``VERDICT_COLUMNS``; ``difference`` is forecast minus baseline, better when positive for pairs and when
        negative for points; ``p_adjusted`` is Holm's over all rows; ``smallest_p`` is what the number of sets lets
        the test reach unadjusted.

    Source:
        Fisher (1935); Holm (1979).
    """
    rows = []
    for left_out, part in found.groupby("left_out", sort=False):
        for baseline, metric in itertools.product(BASELINES, ("pairs_right", "points")):
            wide = part[part["method"].isin([MODEL, baseline])].pivot(
                index="set", columns="method", values=metric
            )
            if baseline not in wide:
                continue
            wide = wide.dropna()
            difference = (wide[MODEL] - wide[baseline]).to_numpy(float)
            rows.append(
                {
                    "left_out": left_out,
                    "baseline": baseline,
                    "metric": metric,
                    "n_sets": len(wide),
                    "forecast": wide[MODEL].mean(),
                    "other": wide[baseline].mean(),
                    "difference": difference.mean() if len(wide) else math.nan,
                    "p": sign_flip_p(difference, seed=seed),
                    "smallest_p": max(2.0 ** (1 - len(wide)), 1 / (N_FLIPS + 1)) if len(wide) else math.nan,
                }
            )
    judged = pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))
    judged["p_adjusted"] = holm(judged["p"].to_numpy(float))
    return judged


def sign_flip_p(difference: np.ndarray, *, seed: int = 0) -> float:
    """Two-sided p-value of a mean difference of pairs, their signs being as likely one as the other.

    Args:
        difference: One per set.
        seed: Of random signs, beyond fourteen.

    Returns:
        The p-value; NaN without a set.

    Source:
        Fisher (1935).

    Example:
        >>> sign_flip_p(np.array([1.0, 2.0, 3.0])), sign_flip_p(np.array([1.0, -1.0]))
        (0.25, 1.0)
    """
    k = len(difference)
    if not k:
        return math.nan
    exact = k <= EXACT_SETS
    if exact:
        signs = 1.0 - 2 * (np.arange(2**k)[:, None] >> np.arange(k) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(N_FLIPS, k))
    # Rounded, so that sums that are equal are equal in floating point too.
    null = np.round(np.abs(signs @ difference), 12)
    extreme = int((null >= np.round(abs(float(difference.sum())), 12)).sum())
    return extreme / len(null) if exact else (extreme + 1) / (len(null) + 1)
