"""Detection error trade-off (DET) curves from the per-trial scores beside results.csv."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from sharpscope.errors import UsageError
from sharpscope.figures import legends, panels
from sharpscope.figures.request import Request
from sharpscope.figures.style import GREY
from sharpscope.results import selection, wording
from sharpscope.results.records import Records, score_path
from sharpscope.results.wording import between, counted

TICKS = (0.1, 0.5, 2, 5, 10, 20, 30, 40, 60, 80, 95)  # per cent
CLOSE = (
    0.08  # share of an axis between two ticks below which their labels touch in a fourth of the text's width
)
CROWD = 24  # checkpoints of a panel from which on their curves are thinner


def operating_points(bonafide: np.ndarray, spoof: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return both error rates at every distinct threshold.

    .. math:: \mathrm{FAR}(t) = P(s_\mathrm{spoof} \ge t), \qquad \mathrm{FRR}(t) = P(s_\mathrm{bona} < t)

    Args:
        bonafide: Scores, higher = more bona fide, shape (n,).
        spoof: Scores, shape (k,).

    Returns:
        False acceptance and false rejection rates as fractions, by rising threshold.

    Example:
        >>> far, frr = operating_points(np.array([1.0, 3.0]), np.array([0.0, 2.0]))
        >>> far.tolist(), frr.tolist()
        ([1.0, 0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5, 1.0])
    """
    thresholds = np.append(np.unique(np.concatenate([bonafide, spoof])), np.inf)
    accepted = 1 - np.searchsorted(np.sort(spoof), thresholds, side="left") / len(spoof)
    rejected = np.searchsorted(np.sort(bonafide), thresholds, side="left") / len(bonafide)
    return accepted, rejected


def ticks_between(low: float, high: float) -> list[float]:
    """Return the error rates that are written at an axis: those too close to the one before are left out.

    Args:
        low: Where the axis starts, a fraction.
        high: Where it ends.

    Returns:
        In per cent, rising.

    Example:
        >>> ticks_between(0.02, 0.5)
        [2, 5, 10, 20, 30, 40]
        >>> ticks_between(0.001, 0.7)
        [0.1, 0.5, 2, 5, 10, 20, 30, 60]
    """
    span = float(norm.ppf(high) - norm.ppf(low))
    kept: list[float] = []
    for tick in TICKS:
        room = norm.ppf(tick / 100) - (norm.ppf(kept[-1] / 100) if kept else -np.inf)
        if low <= tick / 100 <= high and room > CLOSE * span:
            kept.append(tick)
    return kept


def det(table: pd.DataFrame, ax: Axes | None = None, *, coding: panels.Coding | None = None) -> Axes:
    """Draw the DET curve of every checkpoint on one set, on normal-deviate axes (Martin et al., 1997).

    Colour and line stand for recipe and architecture, as in every figure; a mark is the checkpoint's equal error
    rate. The axes end at 50%, or where the worst of them needs more.

    Args:
        table: Long table of scores: label, score, sha256, recipe, arch, eer.
        ax: Axes to draw into; a new figure's when None.
        coding: How checkpoints are told apart.

    Returns:
        The axes; the dashed diagonal is where both errors are equal.
    """
    ax = panels.new_axes(ax)
    coding = coding or panels.code_checkpoints(table)
    smallest, largest = 0.5, 0.5
    width, ink = (0.7, 0.8) if table["sha256"].nunique() <= CROWD else (0.4, 0.5)
    for entry, part in coding.groups(table):
        for _, one in part.groupby("sha256", sort=False):
            bonafide = one.loc[one["label"] == "bonafide", "score"].to_numpy()
            spoof = one.loc[one["label"] == "spoof", "score"].to_numpy()
            accepted, rejected = operating_points(bonafide, spoof)
            # 0 and 1 have no normal deviate: half a trial is the nearest that the axes can show.
            half = 0.5 / np.array([len(spoof), len(bonafide)])
            smallest = min(smallest, *half)
            x = norm.ppf(np.clip(accepted, half[0], 1 - half[0]))
            y = norm.ppf(np.clip(rejected, half[1], 1 - half[1]))
            line = coding.line(part.iloc[0])
            ax.plot(x, y, color=str(entry.get_color()), linestyle=line, linewidth=width, alpha=ink, gid="det")
            nearest = int(np.argmin(np.abs(accepted - rejected)))
            largest = max(largest, float(accepted[nearest] + rejected[nearest]) / 2 + 0.1)
            ax.plot(
                x[nearest], y[nearest], color=str(entry.get_color()), marker=str(entry.get_marker()), markersize=3,
                markerfacecolor=entry.get_markerfacecolor(), linestyle="none", gid="eer",
            )  # fmt: skip
    low, high = max(smallest, 0.001), min(largest, 0.97)
    ends = norm.ppf([low, high])
    ax.plot(ends, ends, color=GREY, linestyle="--", linewidth=0.5)
    ticks = ticks_between(low, high)
    ax.set_xticks(norm.ppf(np.array(ticks) / 100), [f"{t:g}" for t in ticks])
    ax.set_yticks(norm.ppf(np.array(ticks) / 100), [f"{t:g}" for t in ticks])
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    ax.grid(True)
    ax.set_xlabel("False acceptance of spoofs (%)")
    ax.set_ylabel("False rejection of bona fide (%)")
    return ax


def gather_scores(request: Request) -> pd.DataFrame:
    """Read the scores of every checkpoint and set of a results table.

    Args:
        request: Needs ``records``.

    Returns:
        Long table: label, score, sha256, recipe, arch, panel.

    Raises:
        UsageError: If no score file lies beside the results.
    """
    measured = request.results.fillna({"subset": "", "recipe": "", "arch": ""}).drop_duplicates(
        ["sha256", "set", "subset"]
    )
    measured = measured.assign(panel=selection.panel_names(measured))
    records = request.records or Records()
    found, missing = [], []
    for row in measured.to_dict("records"):
        scores = records.scores(row)
        if scores is None:
            missing.append(score_path(records.results or "results.csv", row))
        else:
            known = {name: row[name] for name in ("sha256", "arch", "recipe", "panel")}
            found.append(scores[["label", "score"]].assign(**known))
    if not found:
        raise UsageError(
            f"no score file of this table was found (looked for {missing[0] if missing else 'one'}); keep "
            "the folder `scores` that `sharpscope measure` wrote beside results.csv"
        )
    return pd.concat(found, ignore_index=True)


def det_figure(request: Request) -> Figure:
    """Draw `det`, a panel per set.

    Args:
        request: What to draw.

    Returns:
        The figure.
    """
    scores = gather_scores(request)
    coding = panels.code_checkpoints(scores)
    names = request.sets(scores)
    figure, axes = panels.grid(request.venue, len(names), height=2.1)
    for name, ax in zip(names, axes, strict=True):
        det(scores[scores["panel"] == name], ax, coding=coding)
        panels.header(ax, str(name), [])
        ax.set(xlabel="", ylabel="")
    figure.supxlabel("False acceptance of spoofs (%)")
    figure.supylabel("False rejection of bona fide (%)")
    legends.legend(figure, coding.handles(scores, lines=True), handlelength=2.6)
    panels.settle(figure)
    return figure


def det_caption(request: Request) -> str:
    """Return the sentence under `det`.

    Args:
        request: What was drawn.

    Returns:
        The caption.
    """
    scores = gather_scores(request)
    counts = scores.groupby("panel")["sha256"].nunique()
    names = request.sets(scores)
    return (
        f"Detection error trade-off of {between(counts, 'checkpoint')} on {counted(len(names), 'set')} "
        f"({wording.listed(names)}), normal-deviate axes; colour and line as in the legend; marks: equal error rate of "
        "each checkpoint; dashed: equal errors. No test."
    )
