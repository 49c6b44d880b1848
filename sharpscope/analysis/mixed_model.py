"""A linear mixed model beside the permutation answer: what it says, and what it takes for granted."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sharpscope.analysis.rank_correlation import ranks

# The covariance of all cells is held at once and inverted at every step.
MOST_CELLS = 600
FEWEST_LEVELS = 3
ASSUMES = (
    "normal effects of architectures, recipes, checkpoints and sets, independent of one another and of the measure, "
    "with the same spread everywhere; the same slope on every set up to a normal deviation"
)


class MixedModel(NamedTuple):
    """The slope of error on a measure, both as normal scores within sets.

    Attributes:
        slope: Expected change of error per standard deviation of the measure; NaN where the model cannot be fitted.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Two-sided, Student's t with as many degrees of freedom as pieces of evidence less two.
        spreads: Standard deviation of each random effect and of the rest.
        n: Cells.
        note: What it assumes, or why there is no fit.
    """

    slope: float
    low: float
    high: float
    p: float
    spreads: dict[str, float]
    n: int
    note: str


def mixed_model(cells: pd.DataFrame) -> MixedModel:
    r"""Fit error on a measure with random architectures, recipes, checkpoints and slopes of sets.

    .. math:: y_{ij} = (\beta + b_j)\,x_{ij} + a_{\mathrm{arch}(i)} + r_{\mathrm{recipe}(i)} + c_i + \varepsilon_{ij}

    with x and y the normal scores of the ranks within set j, so that a set's mean is zero and only its slope is random.
    A random effect with fewer than three levels, or one level per checkpoint, is left out. Restricted maximum
    likelihood. The permutation test stays the one of record: it assumes none of this. With the degrees of freedom of
    recipes the model is careful: at 5 % it rejects 1 to 3 % of studies without an effect.

    Args:
        cells: One row per checkpoint and set with finite numbers, columns sha256, arch, recipe, place, value, eer.

    Returns:
        The slope, its interval and p-value, spreads, and what is assumed.

    Source:
        Baayen, Davidson and Bates (2008) for crossed random effects; statsmodels' MixedLM fits them.

    Example:
        >>> mixed_model(pd.DataFrame(columns=["sha256", "arch", "recipe", "place", "value", "eer"])).note
        'no fit: 0 checkpoints; it takes 6'
    """
    checkpoints = cells["sha256"].nunique()
    if checkpoints < 6:
        return _no_fit(len(cells), f"{checkpoints} checkpoints; it takes 6")
    if len(cells) > MOST_CELLS:
        return _no_fit(len(cells), f"{len(cells)} cells; beyond {MOST_CELLS} it takes too long")
    by_set = cells.groupby("place")
    frame = cells.assign(
        x=by_set["value"].transform(_normal_scores), y=by_set["eer"].transform(_normal_scores), all_cells=1
    )
    frame = frame[np.isfinite(frame["x"]) & np.isfinite(frame["y"])]
    if frame["sha256"].nunique() < 6 or frame["x"].std() == 0 or frame["y"].std() == 0:
        return _no_fit(len(frame), "nothing varies")
    return _fitted(frame, _random_effects(frame))


def _normal_scores(values: pd.Series) -> np.ndarray:
    """Return van der Waerden's scores of ranks, of variance one; NaN where all values are the same."""
    if values.nunique() < 2:
        return np.full(len(values), math.nan)
    scores: np.ndarray = stats.norm.ppf(ranks(values.to_numpy(float)) / (len(values) + 1))
    scaled: np.ndarray = scores / scores.std()
    return scaled


def _random_effects(frame: pd.DataFrame) -> dict[str, str]:
    """Return statsmodels' formulas of the effects that the table can tell apart."""
    frame["made"] = frame["arch"].astype(str) + "\0" + frame["recipe"].astype(str)
    checkpoints = frame["sha256"].nunique()
    effects = {}
    for name, column in (("architecture", "arch"), ("recipe", "made")):
        levels = frame.loc[frame["recipe"].astype(str) != "", column] if column == "made" else frame[column]
        if FEWEST_LEVELS <= levels.nunique() < checkpoints:
            effects[name] = f"0 + C({column})"
    if frame["place"].nunique() > 1:
        effects["checkpoint"] = "0 + C(sha256)"
    if frame["place"].nunique() >= FEWEST_LEVELS:
        effects["slope of a set"] = "0 + C(place):x"
    return effects


def _fitted(frame: pd.DataFrame, effects: dict[str, str]) -> MixedModel:
    """Fit by restricted maximum likelihood."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    units = frame["made"].nunique() if "recipe" in effects else frame["sha256"].nunique()
    with warnings.catch_warnings():
        # Spreads at zero are the usual answer of small tables and no reason to alarm.
        warnings.simplefilter("ignore")
        try:
            model = MixedLM.from_formula(
                "y ~ 0 + x", groups="all_cells", re_formula="0", vc_formula=effects, data=frame
            )
            found = model.fit(reml=True, method="lbfgs")
        except (np.linalg.LinAlgError, ValueError, AttributeError):
            return _no_fit(len(frame), "the likelihood has no maximum that could be found")
    slope, error = float(found.params["x"]), float(found.bse["x"])
    if not (math.isfinite(error) and error > 0):
        return _no_fit(len(frame), "the slope has no standard error")
    freedom = max(1, units - 2)
    half = float(stats.t.ppf(0.975, freedom)) * error
    names = list(model.exog_vc.names)
    spreads = {name: math.sqrt(max(0.0, float(v))) for name, v in zip(names, found.vcomp, strict=True)}
    spreads["rest"] = math.sqrt(float(found.scale))
    p = float(2 * stats.t.sf(abs(slope) / error, freedom))
    return MixedModel(
        slope,
        slope - half,
        slope + half,
        p,
        spreads,
        len(frame),
        f"careful (rejects 1 to 3 % at 5 %); assumes {ASSUMES}",
    )


def _no_fit(n: int, why: str) -> MixedModel:
    return MixedModel(math.nan, math.nan, math.nan, math.nan, {}, n, f"no fit: {why}")
