"""A measurement of one set as rows of the results table."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import stats

import sharpscope
from sharpscope.detectors import Detector
from sharpscope.measurement.presets import Preset
from sharpscope.measurement.set_measurement import SetMeasurement
from sharpscope.measurement.tasks import Task
from sharpscope.results.records import KNOWN_OF_TRIALS
from sharpscope.scoring.eer import eer_interval, equal_error_rate, folded_equal_error_rate

# A bootstrap over fewer speakers than this has too few different draws to mean anything.
FEWEST_SPEAKERS = 5


class Facts(NamedTuple):
    """What the user says of the training of checkpoints, beside what their records say.

    Attributes:
        recipe: How they were trained; None takes the record's.
        trained_on: Sets they were trained on, as ``--sets`` takes them.
        selected_on: Sets on which the best epoch or setting was chosen.
    """

    recipe: str | None = None
    trained_on: tuple[str, ...] = ()
    selected_on: tuple[str, ...] = ()


def shared_cells(detector: Detector, task: Task, preset: Preset, facts: Facts) -> dict[str, Any]:
    """Return the cells that every row of this checkpoint and set shares.

    Args:
        detector: The loaded checkpoint.
        task: The set.
        preset: How it is measured.
        facts: Of its training.

    Returns:
        Values by column.
    """
    record = detector.record or {}
    # What the same speakers, attacks and channels made is in the domain of training, though never trained on.
    seen = [*facts.trained_on, *record.get("trained_on", []), *record.get("in_domain", [])]
    trained_on = {spec.split("=")[0].split("@")[0] for spec in seen}
    own = detector.own_loss is not None
    return {
        "checkpoint": detector.name,
        "sha256": detector.sha256,
        "arch": detector.spec.arch,
        "recipe": facts.recipe or record.get("recipe", ""),
        "seed": record.get("seed"),
        "set": task.trials.name,
        "subset": task.trials.subset,
        "domain": "" if not trained_on else "id" if task.trials.name in trained_on else "ood",
        "m": task.m,
        "preset": task.preset,
        "loss_name": preset.loss_name.replace("cross_entropy", "own_loss") if own else preset.loss_name,
        "score_rule": preset.score_rule,
        "polarity_source": detector.spec.polarity_source,
        "spec_hash": detector.spec.hash(),
        "trials_hash": task.hash,
        "dtype": str(detector.dtype).removeprefix("torch."),
        "device": _device_name(detector.device),
        "live_share": None,
        "batch_size": None,
        "version": sharpscope.__version__,
    }


def measurement_rows(
    detector: Detector,
    task: Task,
    measured: SetMeasurement,
    wanted: Sequence[dict[str, Any]],
    preset: Preset,
    notes: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the finished rows of a measurement.

    Args:
        detector: The loaded checkpoint.
        task: The set.
        measured: What `measure_set` returned.
        wanted: Rows with the shared cells, a measure and a radius each.
        preset: How trials are scored.
        notes: What is known of the detector beside.

    Returns:
        The rows, every column of the contract filled.
    """
    scored = measured.scored
    eer, low, high = _error_rate(preset.score_rule, task, measured.logits, scored)
    note = "; ".join([*_notes(detector, task, measured, eer), *notes])
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    rows = []
    for row in wanted:
        values = measured.values[(row["measure"], row["rho"])]
        value, stderr = weighted_mean(np.array(values), np.array(measured.sizes))
        low_value, high_value = interval(value, stderr, len(values), measured.n_groups_in_all)
        rows.append(
            {
                **row,
                "n_bonafide": int(task.labels[scored].sum()),
                "n_spoof": int((1 - task.labels[scored]).sum()),
                "eer": eer,
                "eer_low": low,
                "eer_high": high,
                "value": value,
                "stderr": stderr,
                "value_low": low_value,
                "value_high": high_value,
                "n_groups": len(values),
                "created": created,
                "note": note,
            }
        )
    return rows


def _error_rate(
    score_rule: str, task: Task, logits: np.ndarray, scored: np.ndarray
) -> tuple[float, float, float]:
    logits, is_bonafide = logits[scored], task.labels[scored] == 1
    if score_rule == "folded_spoof_logit":
        return folded_equal_error_rate(logits[is_bonafide, 0], logits[~is_bonafide, 0]), np.nan, np.nan
    scores = logits[:, 1] - logits[:, 0]
    clusters: dict[str, Any] = {}
    if _names_speakers(task):
        speakers = task.trials.table["speaker"].to_numpy().astype(str)[scored]
        clusters = {"bonafide_speakers": speakers[is_bonafide], "spoof_speakers": speakers[~is_bonafide]}
    low, high = eer_interval(scores[is_bonafide], scores[~is_bonafide], **clusters)
    return equal_error_rate(scores[is_bonafide], scores[~is_bonafide]).eer, low, high


def _names_speakers(task: Task) -> bool:
    """Tell whether there are speakers enough to resample: of every trial, and five in each class."""
    table = task.trials.table
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
    half = float(stats.t.ppf(0.975, n - 1)) * stderr
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
            "n_trials": str(measured.sizes[index]),
        }
        for (name, rho), values in measured.values.items()
        for index, value in enumerate(values)
    ]


def score_rows(task: Task, measured: SetMeasurement) -> pd.DataFrame:
    """Return one row per scored trial, with its group and what is known of it.

    Args:
        task: The set.
        measured: What was measured on it.

    Returns:
        Columns ``SCORE_COLUMNS`` of the records.
    """
    group = np.full(len(task.labels), -1)
    for number, trials in enumerate(task.groups[: len(measured.sizes)]):
        group[trials] = number
    known = task.trials.table
    table = pd.DataFrame(
        {
            "trial": known["trial"].to_numpy(),
            "label": np.where(task.labels == 1, "bonafide", "spoof"),
            "score": measured.logits[:, 1] - measured.logits[:, 0],
            "logit_spoof": measured.logits[:, 0],
            "logit_bonafide": measured.logits[:, 1],
            "group": group,
            **{name: known[name].to_numpy() if name in known else "" for name in KNOWN_OF_TRIALS},
        }
    )
    return table[measured.scored].reset_index(drop=True)


def _notes(detector: Detector, task: Task, measured: SetMeasurement, eer: float) -> Iterator[str]:
    """Yield what a reader of the row should know, most telling first."""
    if eer > 0.5:
        yield "worse than chance"
    loss = measured.values.get(("loss", None))
    if loss is not None and float(np.mean(loss)) > np.log(2):
        yield f"mean loss {np.mean(loss):.3g} is above ln 2, that of knowing nothing: are labels or outputs swapped?"
    left = int(measured.scored.sum()) - sum(measured.sizes)
    if left:
        yield f"{left} trials scored but in no group"
    if not _names_speakers(task):
        yield "EER interval over trials, not speakers: optimistic"
    if task.trials.skipped:
        yield f"{task.trials.skipped} trials without audio skipped"
    yield f"noise floor {measured.noise_floor:.3g}"
    yield from measured.notes
    yield from detector.spec.assumptions
    yield from task.trials.notes
