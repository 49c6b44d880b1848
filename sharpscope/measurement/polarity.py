"""Polarity verified on speech that a detector must know: in-domain trials, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sharpscope.audio.batches import load_groups
from sharpscope.corpora import TrialSet, read_set
from sharpscope.detectors import Detector
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.groups import balanced_subset
from sharpscope.measurement.options import Options
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.scoring.eer import eer_interval, equal_error_rate

# Enough for an interval that tells a reversed detector from a poor one.
TRIALS = 200
TOGETHER = 8


def read_anchor(anchor: str | None, data: str | Path | None, preset: str) -> TrialSet | None:
    """Read the in-domain set that polarity is verified on.

    Args:
        anchor: As ``--sets`` takes it, or None.
        data: Folder that holds the corpora.
        preset: How sets are read.

    Returns:
        The set, or None.
    """
    return None if anchor is None else read_set(anchor, data=data, skip_missing=True, preset=preset)


def check_polarity(detector: Detector, anchor: TrialSet | None, options: Options) -> tuple[str, ...]:
    """Score an in-domain set and stop when the detector has it the wrong way round.

    Nothing is ever flipped: a whole interval of the EER above one half says that the declared bona fide output
    or the anchor's labels are wrong, and only the user can tell which.

    Args:
        detector: In eval mode.
        anchor: A set that is like the training data; 200 trials of it, class-balanced, are scored. None checks nothing.
        options: Whether audio is resampled, and the physical batch.

    Returns:
        One line: what was found; none without an anchor.

    Raises:
        UsageError: If the set lacks a class, or the EER's 95 % interval lies above 50 %.
        SharpscopeError: If a score is not finite.
    """
    if anchor is None:
        return ()
    labels = (anchor.table["label"] == "bonafide").to_numpy().astype(np.int64)
    if not 0 < labels.sum() < len(labels):
        raise UsageError(f"--anchor {anchor.name}: it holds one class only; an equal error rate needs both")
    kept = balanced_subset(labels, TRIALS, seed=0)
    score = torch.cat(list(_scores(detector, anchor, kept, options))).numpy()
    if not np.isfinite(score).all():
        raise SharpscopeError(
            f"{detector.name}: {(~np.isfinite(score)).sum()} scores on the anchor are not finite"
        )
    is_bonafide = labels[kept] == 1
    eer = equal_error_rate(score[is_bonafide], score[~is_bonafide]).eer
    low, high = eer_interval(score[is_bonafide], score[~is_bonafide])
    found = f"EER {eer:.1%} [{low:.1%}, {high:.1%}] on {len(kept)} trials of {anchor.name}"
    spec = detector.spec
    if not low <= 0.5:
        raise UsageError(
            f"{detector.checkpoint_path.name}: {found}, the anchor: above chance, so scores are the wrong way round. "
            f"Output {spec.bonafide_index} counts as bona fide ({spec.polarity_source}); give --bonafide-index "
            f"{1 - spec.bonafide_index}, or check the labels of the anchor"
        )
    return (f"polarity verified: {found}",)


def _scores(detector: Detector, anchor: TrialSet, kept: np.ndarray, options: Options) -> Iterator[Tensor]:
    size = options.batch_size or TOGETHER
    spec = detector.spec
    stream = load_groups(
        anchor.table["path"].tolist(),
        [kept[i : i + size] for i in range(0, len(kept), size)],
        sample_rate=options.sample_rate(spec.sample_rate),
        n_samples=spec.n_samples,
        padding=spec.padding,
        reader=anchor.reader,
    )
    with exact_arithmetic(), torch.no_grad():
        for waves in stream:
            prepared = detector.prepare(waves.to(detector.device, detector.dtype))
            yield detector.score(prepared).diff(dim=1)[:, 0].double().cpu()
