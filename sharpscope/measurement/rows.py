"""A measurement of one set as rows of the results table."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import stdtrit

import sharpscope
from sharpscope.corpora.seen import name_of
from sharpscope.detectors import Detector
from sharpscope.measurement.one_set import OneSet, SetMeasurement
from sharpscope.measurement.options import Options
from sharpscope.measurement.sets import Draw
from sharpscope.measurement.stopping import too_skewed
from sharpscope.results.measured_rates import SKEWED_VALUES
from sharpscope.results.records import KNOWN_OF_TRIALS
from sharpscope.scoring.eer import FEWEST_SPEAKERS, eer_interval, equal_error_rate, folded_equal_error_rate

SKEWED = f"a few groups carry the value: its interval is too narrow and holds {SKEWED_VALUES.words}, not 95 %"


def shared_cells(detector: Detector, draw: Draw, options: Options) -> dict[str, Any]:
    """Return the cells that every row of this checkpoint and set shares.

    Args:
        detector: The loaded checkpoint.
        draw: The set.
        options: How it is measured, and what is known of its training.

    Returns:
        Values by column.
    """
    record, facts, preset = detector.record or {}, options.facts, options.preset
    # What the same speakers, attacks and channels made is in the domain of training, though never trained on.
    seen = [*facts.trained_on, *record.get("trained_on", []), *record.get("in_domain", [])]
    trained_on = {name_of(spec) for spec in seen}
    own = detector.own_loss is not None
    return {
        "checkpoint": detector.name,
        "sha256": detector.sha256,
        "arch": detector.spec.arch,
        "recipe": facts.recipe or record.get("recipe", ""),
        "seed": record.get("seed"),
        "set": draw.trials.name,
        "subset": draw.trials.subset,
        "domain": "" if not trained_on else "id" if draw.trials.name in trained_on else "ood",
        "m": draw.m,
        "preset": options.label,
        "loss_name": preset.loss_name.replace("cross_entropy", "own_loss") if own else preset.loss_name,
        "score_rule": preset.score_rule,
        "polarity_source": detector.spec.polarity_source,
        "spec_hash": detector.spec.hash(),
        "trials_hash": draw.hash,
        "dtype": str(detector.dtype).removeprefix("torch."),
        "device": _device_name(detector.device),
        "version": sharpscope.__version__,
    }


def measurement_rows(
    one: OneSet, measured: SetMeasurement, wanted: Sequence[dict[str, Any]], notes: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the finished rows of a measurement.

    Args:
        one: What was measured.
        measured: What was found.
        wanted: Rows with the shared cells, a measure and a radius each.
        notes: What is known of the detector beside.

    Returns:
        The rows, every column of the contract filled.
    """
    draw = one.draw
    eer, low, high = _error_rate(one.options.preset.score_rule, draw, measured.logits)
    found = {
        "n_bonafide": int(draw.labels.sum()) if draw.labelled else None,
        "n_spoof": int((1 - draw.labels).sum()) if draw.labelled else None,
        "eer": eer,
        "eer_low": low,
        "eer_high": high,
        "n_groups": len(measured.groups),
        "live_share": one.look.live_share,
        "batch_size": measured.batch_size,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    shared = [*_notes(one, measured, eer), *notes]
    rows = []
    for row in wanted:
        values = measured.values[(row["measure"], row["rho"])]
        value, stderr = weighted_mean(np.array(values), np.array(measured.sizes))
        value_low, value_high = interval(value, stderr, len(values), draw.n_groups)
        own = {"value": value, "stderr": stderr, "value_low": value_low, "value_high": value_high}
        skewed = [SKEWED] if too_skewed(values) else []
        rows.append({**row, **found, **own, "note": "; ".join([*shared, *skewed])})
    return rows


def _error_rate(score_rule: str, draw: Draw, logits: np.ndarray) -> tuple[float, float, float]:
    if not draw.labelled:
        return np.nan, np.nan, np.nan
    is_bonafide = draw.labels == 1
    if score_rule == "folded_spoof_logit":
        return folded_equal_error_rate(logits[is_bonafide, 0], logits[~is_bonafide, 0]), np.nan, np.nan
    scores = logits[:, 1] - logits[:, 0]
    clusters: dict[str, Any] = {}
    if _names_speakers(draw):
        speakers = draw.trials.table["speaker"].to_numpy().astype(str)
        clusters = {"bonafide_speakers": speakers[is_bonafide], "spoof_speakers": speakers[~is_bonafide]}
    low, high = eer_interval(scores[is_bonafide], scores[~is_bonafide], **clusters)
    return equal_error_rate(scores[is_bonafide], scores[~is_bonafide]).eer, low, high


def _names_speakers(draw: Draw) -> bool:
    """Tell whether there are speakers enough to resample: of every trial, and five in each class."""
    table = draw.trials.table
    counts = table[table["speaker"] != ""].groupby("label")["speaker"].nunique()
    return bool((table["speaker"] != "").all()) and len(counts) == 2 and int(counts.min()) >= FEWEST_SPEAKERS


def weighted_mean(values: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    r"""Mean of group values weighted by group size, and its standard error.

    .. math::
        \bar v = \sum_g q_g v_g, \qquad
        \mathrm{SE}^2 = \tfrac{G}{G-1} \sum_g q_g^2 (v_g - \bar v)^2, \qquad q_g = n_g / \sum n

    For equal groups this is the usual standard deviation over the root of their number.

    Args:
        values: One per group.
        sizes: Trials per group.

    Returns:
        The mean and its standard error; the latter NaN for a single group.

    Example:
        >>> weighted_mean(np.array([1.0, 3.0]), np.array([8, 8]))
        (2.0, 1.0)
    """
    shares = sizes / sizes.sum()
    mean = float(shares @ values)
    if len(values) < 2:
        return mean, float("nan")
    factor = len(values) / (len(values) - 1)
    return mean, float(np.sqrt(factor * np.sum(shares**2 * (values - mean) ** 2)))


def interval(value: float, stderr: float, n: int, total: int) -> tuple[float, float]:
    r"""Return the 95 % interval of a mean over n of G groups.

    .. math:: \bar v \pm t_{n-1} \, \mathrm{SE} \sqrt{1 - n/G} \quad (n < G), \qquad
        \bar v \pm t_{n-1} \, \mathrm{SE} \quad (n = G)

    A run that stopped early estimates the value that all G groups would give, so what it has seen of them no
    longer varies; a whole set is itself a sample of speech, and keeps its full interval.

    Args:
        value: Mean over the measured groups.
        stderr: Its standard error.
        n: Groups measured.
        total: Groups in all, G.

    Returns:
        Low and high end; NaN with fewer than two groups.

    Example:
        >>> low, high = interval(1.0, 0.1, 30, 30)
        >>> round(high - 1.0, 4)
        0.2045
    """
    if n < 2:
        return float("nan"), float("nan")
    half = float(stdtrit(n - 1, 0.975)) * stderr
    if n < total:
        half *= float(np.sqrt(1 - n / total))
    return value - half, value + half


def _device_name(device: torch.device) -> str:
    return f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def group_rows(measured: SetMeasurement) -> list[dict[str, str]]:
    """Return one row per group, measure and radius.

    Args:
        measured: What was measured on a set.

    Returns:
        Rows for `write_group_values`.
    """
    return [
        {
            "group": str(index),
            "measure": name,
            "rho": "" if rho is None else repr(rho),
            "value": repr(value),
            "n_trials": str(size),
        }
        for (name, rho), values in measured.values.items()
        for index, size, value in zip(measured.groups, measured.sizes, values, strict=True)
    ]


def score_rows(draw: Draw, measured: SetMeasurement) -> pd.DataFrame:
    """Return one row per trial, with its group and what is known of it.

    Args:
        draw: The set.
        measured: What was measured on it.

    Returns:
        Columns ``SCORE_COLUMNS`` of the records.
    """
    group = np.full(len(draw.labels), -1)
    for index in measured.groups:
        group[draw.groups[index]] = index
    known = draw.trials.table
    return pd.DataFrame(
        {
            "trial": known["trial"].to_numpy(),
            "label": np.where(draw.labels == 1, "bonafide", "spoof") if draw.labelled else "",
            "score": measured.logits[:, 1] - measured.logits[:, 0],
            "logit_spoof": measured.logits[:, 0],
            "logit_bonafide": measured.logits[:, 1],
            "group": group,
            **{name: known[name].to_numpy() if name in known else "" for name in KNOWN_OF_TRIALS},
            "half": draw.halves,
        }
    )


def _notes(one: OneSet, measured: SetMeasurement, eer: float) -> Iterator[str]:
    """Yield what a reader of the row should know, most telling first."""
    trials = one.draw.trials
    if one.draw.labelled and not eer <= 0.5:
        yield "worse than chance"
    loss = measured.values.get(("loss", None))
    if loss is not None and not float(np.mean(loss)) <= np.log(2):
        yield (
            f"mean loss {np.mean(loss):.3g} is above ln 2 = 0.69, the loss of a detector that knows nothing: are "
            "labels or outputs swapped?"
        )
    if left := len(one.draw.labels) - sum(measured.sizes):
        yield f"{left} trials scored but in no group"
    if one.draw.labelled and not _names_speakers(one.draw):
        yield "EER interval over trials, not speakers: optimistic"
    if trials.skipped:
        yield f"{trials.skipped} trials without audio skipped"
    yield from measured.notes
    yield from one.look.detector.spec.assumptions
    yield from trials.notes
