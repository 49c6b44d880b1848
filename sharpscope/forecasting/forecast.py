"""Rank checkpoints on audio that nobody has labelled, and say which error rate to expect of each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.errors import UsageError, unknown_name
from sharpscope.forecasting.audit import AUDIT_COLUMNS, VERDICT_COLUMNS, audit, predict, verdicts
from sharpscope.forecasting.cells import Cells, cells_of
from sharpscope.progress import progress
from sharpscope.results.records import Records
from sharpscope.results.table import read_results, typed
from sharpscope.results.wording import counted, listed

COLUMNS = (
    *("rank", "checkpoint", "sha256", "arch", "eer", "eer_low", "eer_high", "level"),
    *("in_domain_eer", "mean_error"),
)
# With fewer sets nothing can be left out and learnt from; with fewer checkpoints nothing can be ordered.
FEWEST_SETS, FEWEST_CHECKPOINTS = 4, 5


class Forecast(NamedTuple):
    """What is to be expected of checkpoints on audio without labels.

    Attributes:
        table: One row per checkpoint, the best first; columns ``COLUMNS``. Empty where no target was named.
        audit: What would have been said of each labelled set; columns of `audit`.
        verdicts: The forecast against what costs nothing; columns of `verdicts`.
        summary: Markdown: the headline, what it rests on, what may not be concluded.
        headline: Its first sentence.
        beaten: Whether the forecast beats the in-domain error rate, or the mean error where there is none.
    """

    table: pd.DataFrame
    audit: pd.DataFrame
    verdicts: pd.DataFrame
    summary: str
    headline: str
    beaten: bool


def forecast(
    results: pd.DataFrame | str | Path,
    *,
    target: str | None = None,
    in_domain: str | None = None,
    preset: str | None = None,
    m: float | None = None,
    level: float = 0.9,
    seed: int = 0,
    records: Records | None = None,
    show_progress: bool = False,
) -> Forecast:
    """Predict every checkpoint's equal error rate on audio without labels from what labelled sets taught.

    One model of the logit of the error rate is shared by all checkpoints and sets: two ridge regressions, of how hard a
    set is and of how checkpoints differ on it. Its columns are the
    label-free sharpness of the table, the predictors made of scores, and how each checkpoint does beside the others on
    the other labelled sets. Its penalties, its error and its intervals come
    from sets left out; nothing is judged on what it was fitted to. Labels of the target are not looked at where there
    are any.

    Args:
        results: A results table or its file: several checkpoints on several labelled sets, and on the target.
        target: The set to predict; None audits only.
        in_domain: The set that the detectors are at home on; None takes the one that the table calls in-domain.
        preset: Which rows; None takes the first preset of the table.
        m: Trials in a group; None takes the first of the table.
        level: Coverage asked of the intervals; nine labelled sets reach 0.9.
        seed: Of the draws that the intervals rest on.
        records: Scores of the table; None takes those beside the file.
        show_progress: Show on standard error how far it is.

    Returns:
        The forecast, its audit and their words.

    Raises:
        UsageError: If the target is unknown, or there are too few labelled sets or checkpoints to learn from.
    """
    if not 0 < level < 1:
        raise UsageError(f"--level is {level}; it is a coverage between 0 and 1, such as 0.9")
    table = typed(results) if isinstance(results, pd.DataFrame) else read_results(results)
    if records is None and not isinstance(results, pd.DataFrame):
        records = Records.beside(results)
    known = sorted({*table["set"], *(table["set"] + "/" + table["subset"])[table["subset"] != ""]})
    if target is not None and target not in known:
        raise unknown_name("set in the table", target, known)
    with progress(table.drop_duplicates(["sha256", "set"]).shape[0], "sets", show=show_progress) as meter:
        meter.describe("reading scores")
        cells = cells_of(
            table, records, in_domain=in_domain, preset=preset, m=m, advance=lambda: meter.advance(1)
        )
    if target is not None and target == cells.home:
        raise UsageError(
            f"--target {target} is the in-domain set, whose error rate is known; name another set"
        )
    # Labels of the target, where it has any, play no part in what is said of it.
    taught = cells._replace(table=cells.table[cells.table["set"] != target])
    labelled = _enough(taught, target)
    found = audit(taught, level=level, seed=seed)
    judged = verdicts(found, seed=seed)
    predicted = _predicted(cells, labelled, target, level, seed)
    headline, beaten = _headline(judged, cells.home)
    words = _summary(headline, cells, labelled, found, judged, predicted, target)
    return Forecast(predicted, found, judged, words, headline, beaten)


def _enough(cells: Cells, target: str | None) -> pd.DataFrame:
    """Return the labelled cells that teach, or say what is missing."""
    table = cells.table
    labelled = table[table["eer"].notna() & (table["set"] != cells.home)]
    sets, checkpoints = labelled["set"].nunique(), labelled["sha256"].nunique()
    if sets < FEWEST_SETS or checkpoints < FEWEST_CHECKPOINTS:
        beside = ", ".join(name for name in (target, cells.home) if name)
        raise UsageError(
            f"a forecast learns from {FEWEST_SETS} labelled sets and {FEWEST_CHECKPOINTS} checkpoints or more; the "
            f"table has {counted(sets, 'set')} and {counted(checkpoints, 'checkpoint')}"
            f"{f' beside {beside}' if beside else ''}. Measure more into it; below that a number would be a guess"
        )
    return labelled


def _predicted(
    cells: Cells, labelled: pd.DataFrame, target: str | None, level: float, seed: int
) -> pd.DataFrame:
    if target is None:
        return pd.DataFrame(columns=list(COLUMNS))
    own = cells.table[cells.table["set"] == target]
    if own.empty:
        raise UsageError(
            f"no row of {target} was measured as the labelled sets were (preset and m); measure it again with theirs"
        )
    found = predict(labelled, own, cells.predictors, level=level, seed=seed)
    low, high = found.interval()
    home = own["in_domain_eer"] if "in_domain_eer" in own else pd.Series(math.nan, index=own.index)
    table = own[["checkpoint", "sha256", "arch"]].assign(
        eer=found.eer,
        eer_low=low,
        eer_high=high,
        level=found.level,
        in_domain_eer=home.to_numpy(float),
        mean_error=found.mean_error,
    )
    table = table.sort_values(["eer", "checkpoint"]).reset_index(drop=True)
    return table.assign(rank=np.arange(1, len(table) + 1))[list(COLUMNS)]


def _headline(judged: pd.DataFrame, home: str) -> tuple[str, bool]:
    """Say whether the forecast beats what is known without it, on sets left out."""
    baseline = "in_domain_eer" if home and "in_domain_eer" in set(judged["baseline"]) else "mean_error"
    named = (
        "the in-domain error rate" if baseline == "in_domain_eer" else "the mean error of the labelled sets"
    )
    own = judged[(judged["left_out"] == "set") & (judged["baseline"] == baseline)].set_index("metric")
    pairs, points = own.loc["pairs_right"], own.loc["points"]
    told = (
        f"it puts {100 * pairs['forecast']:.0f} % of pairs in the right order ({named} {100 * pairs['other']:.0f} %, "
        f"p = {pairs['p']:.2g}, {pairs['p_adjusted']:.2g} by Holm) and "
        f"is off by {points['forecast']:.1f} points (against {points['other']:.1f}, "
        f"p = {points['p']:.2g}, {points['p_adjusted']:.2g} by Holm over "
        f"{judged['p'].notna().sum()} tests), on sets left out"
    )
    orders = pairs["difference"] > 0 and pairs["p_adjusted"] <= 0.05
    closer = points["difference"] < 0 and points["p_adjusted"] <= 0.05
    if orders or closer:
        what = " and ".join(
            word for word, holds in (("orders checkpoints better", orders), ("is closer", closer)) if holds
        )
        return f"The forecast {what} than {named}: {told}.", True
    few = pairs["smallest_p"] > 0.05
    why = f"; {pairs['n_sets']:.0f} sets are too few to show it in any case" if few else ""
    return f"Nothing here beats {named}{why}: the forecast is no better, {told}.", False


def _summary(
    headline: str,
    cells: Cells,
    labelled: pd.DataFrame,
    found: pd.DataFrame,
    judged: pd.DataFrame,
    predicted: pd.DataFrame,
    target: str | None,
) -> str:
    """Return the paragraphs: headline, intervals, architectures, what it rests on, what may not be concluded."""
    sets, n = labelled["set"].nunique(), labelled["sha256"].nunique()
    own = found[(found["left_out"] == "set") & (found["method"] == "forecast")]
    level = float(own["level"].min())
    paragraphs = [
        f"# Forecast{f' for {target}' if target else ''}: {counted(n, 'checkpoint')}, {counted(sets, 'labelled set')}",
        f"**{headline}**",
        f"Its {100 * level:.0f} % intervals held {100 * own['inside'].mean():.0f} % of the error rates of sets left out"
        + (
            "."
            if level >= 0.9 - 1e-9
            else f"; {counted(sets, 'labelled set')} give no more (ten do, nine of them at a time)."
        ),
    ]
    if (judged["left_out"] == "set and architecture").any():
        both = judged[(judged["left_out"] == "set and architecture") & (judged["metric"] == "points")].iloc[0]
        paragraphs.append(
            f"For architectures that it had not seen either it is off by {both['forecast']:.1f} points (against "
            f"{both['other']:.1f} of {both['baseline']}, p = {both['p']:.2g})."
        )
    if len(predicted):
        best, last = predicted.iloc[0], predicted.iloc[-1]
        paragraphs.append(
            f"On {target}, {best['checkpoint']} is expected to be the best with {100 * best['eer']:.1f} % "
            f"[{100 * best['eer_low']:.1f}, {100 * best['eer_high']:.1f}], {last['checkpoint']} the worst with "
            f"{100 * last['eer']:.1f} % [{100 * last['eer_low']:.1f}, {100 * last['eer_high']:.1f}]."
        )
    paragraphs.append(
        f"It rests on {listed(list(cells.predictors), most=20) or 'no predictor at all'}"
        + (f". Left out: {'; '.join(cells.left_out)}" if cells.left_out else "")
        + "."
    )
    paragraphs.append(
        "What may not be concluded: the intervals hold for audio that is to the labelled sets as they are to one "
        "another. Of an attack or a channel unlike all of them they say nothing."
    )
    return "\n\n".join(paragraphs) + "\n"


__all__ = ["AUDIT_COLUMNS", "COLUMNS", "VERDICT_COLUMNS", "Forecast", "forecast"]
