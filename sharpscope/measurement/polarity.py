"""Polarity verified on speech that a detector must know: in-domain trials, before anything is measured."""

from __future__ import annotations

import numpy as np
import torch

from sharpscope.audio.batches import balanced_subset, load_groups
from sharpscope.corpora import TrialSet
from sharpscope.detectors import Detector
from sharpscope.errors import UsageError
from sharpscope.scoring.eer import eer_interval, equal_error_rate

# Enough for an interval that tells a reversed detector from a poor one.
TRIALS = 200


def check_anchor(
    detector: Detector, anchor: TrialSet, sample_rate: int | None, batch_size: int | None = None
) -> str:
    """Score an in-domain set and stop when the detector has it the wrong way round.

    Nothing is ever flipped: a whole interval of the EER above one half says that the declared bona fide output
    or the anchor's labels are wrong, and only the user can tell which.

    Args:
        detector: In eval mode.
        anchor: A set that is like the training data; 200 trials of it, class-balanced, are scored.
        sample_rate: Hz to resample to; None keeps each file's own.
        batch_size: Trials that go through at once; None takes 8.

    Returns:
        One line: what was found.

    Raises:
        UsageError: If the set lacks a class, or the EER's 95 % interval lies above 50 %.
    """
    labels = (anchor.table["label"] == "bonafide").to_numpy().astype(np.int64)
    if not 0 < labels.sum() < len(labels):
        raise UsageError(f"--anchor {anchor.name}: it holds one class only; an equal error rate needs both")
    kept = balanced_subset(labels, TRIALS, seed=0)
    size = batch_size or 8
    chunks = [kept[i : i + size] for i in range(0, len(kept), size)]
    paths = anchor.table["path"].tolist()
    spec = detector.spec
    scores = []
    with torch.no_grad():
        for waves in load_groups(
            paths, chunks, sample_rate=sample_rate, n_samples=spec.n_samples, padding=spec.padding
        ):
            scores.append(
                detector(waves.to(detector.device, detector.dtype)).diff(dim=1)[:, 0].double().cpu()
            )
    score = torch.cat(scores).numpy()
    is_bonafide = labels[kept] == 1
    eer = equal_error_rate(score[is_bonafide], score[~is_bonafide]).eer
    low, high = eer_interval(score[is_bonafide], score[~is_bonafide])
    found = f"EER {eer:.1%} [{low:.1%}, {high:.1%}] on {len(kept)} trials of {anchor.name}"
    if low > 0.5:
        raise UsageError(
            f"{detector.checkpoint_path.name}: {found}, the anchor: above chance, so scores are the wrong way round. "
            f"Output {spec.bonafide_index} counts as bona fide ({spec.polarity_source}); give --bonafide-index "
            f"{1 - spec.bonafide_index}, or check the labels of the anchor"
        )
    return f"polarity verified: {found}"
