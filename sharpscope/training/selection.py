"""The dev sets: scored as `measure` scores them, streamed, shared between processes, and how they choose an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sharpscope.audio.batches import load_groups
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.scoring.eer import equal_error_rate
from sharpscope.training.data import Listed
from sharpscope.training.recipe import Recipe
from sharpscope.training.replicas import Replicas

NAN = float("nan")


class DevResult(NamedTuple):
    """How an epoch does on the dev sets.

    Attributes:
        eer: By which the best epoch is chosen; NaN without dev sets.
        loss: Mean cross-entropy of all dev trials.
        by_set: EER of each dev set; NaN where a set holds one class.
    """

    eer: float
    loss: float
    by_set: tuple[float, ...]


NOTHING = DevResult(NAN, NAN, ())


class DevSets:
    """The dev sets of a run.

    Args:
        recipe: The recipe.
        trials: Their trials.
        spec: How the network takes them.
        replicas: The processes of the run; each scores its part.

    Raises:
        UsageError: If the mean over sets is asked for and a set holds one class only.
    """

    def __init__(self, recipe: Recipe, trials: Listed, spec: DetectorSpec, replicas: Replicas) -> None:
        self.recipe = recipe
        self.trials = trials
        self.spec = spec
        self.replicas = replicas
        size = recipe["schedule"]["micro_batch"] or recipe["schedule"]["batch_size"]
        groups = [
            np.arange(at, min(at + size, len(trials.labels))) for at in range(0, len(trials.labels), size)
        ]
        self.groups = [group for number, group in enumerate(groups) if replicas.share.owns(number)]
        held = 4 * (spec.n_samples or 0) * sum(len(group) for group in self.groups)
        self._keeps = held <= recipe["data"]["memory_gib"] * 1024**3
        self._kept: list[Tensor] = []
        if recipe["schedule"]["selection"] == "mean":
            self._check_classes()

    def _check_classes(self) -> None:
        for number, name in enumerate(self.recipe["data"]["dev"]):
            labels = self.trials.labels[self.trials.sets == number]
            if not 0 < labels.sum() < len(labels):
                raise UsageError(
                    f'schedule.selection = "mean" needs both classes in every dev set; {name} holds '
                    f"{int(labels.sum())} bona fide of {len(labels)} trials"
                )

    def _waves(self) -> Iterator[Tensor]:
        """Yield the waves of every group, from memory where they fit in it."""
        if self._kept:
            yield from self._kept
            return
        stream = load_groups(
            self.trials.paths,
            self.groups,
            sample_rate=self.spec.sample_rate,
            n_samples=self.spec.n_samples,
            padding=self.spec.padding,
            workers=self.recipe["data"]["workers"],
            pin_memory=self.replicas.device.type == "cuda",
        )
        for waves in stream:
            if self._keeps:
                self._kept.append(waves)
            yield waves

    def score(self, logits_of: Callable[[Tensor], Tensor], where: str) -> DevResult:
        """Score every trial and return the errors, the same in every process.

        Args:
            logits_of: The network in eval mode, (B, T) to (B, 2).
            where: The run and epoch, for messages.

        Returns:
            The errors.

        Raises:
            SharpscopeError: If a score is not finite.
        """
        mine = []
        with torch.no_grad(), exact_arithmetic():
            for waves in self._waves():
                mine.append(logits_of(waves.to(self.replicas.device)).double().cpu())
        logits = self._whole(torch.cat(mine) if mine else torch.zeros(0, 2, dtype=torch.float64))
        scores, labels = logits.diff(dim=1)[:, 0].numpy(), self.trials.labels
        if not np.isfinite(scores).all():
            raise SharpscopeError(
                f"{where}: scores of the dev set are not finite; lower optimizer.lr or optimizer.rho"
            )
        sets = [self.trials.sets == number for number in range(int(self.trials.sets.max()) + 1)]
        by_set = tuple(_eer(scores[own], labels[own]) for own in sets)
        pooled = self.recipe["schedule"]["selection"] == "pooled"
        eer = _eer(scores, labels) if pooled else float(np.mean(by_set))
        return DevResult(eer, float(cross_entropy(logits, torch.from_numpy(labels))), by_set)

    def _whole(self, mine: Tensor) -> Tensor:
        """Put the scores of all processes into the order of the trials."""
        logits = torch.empty(len(self.trials.labels), 2, dtype=torch.float64)
        where = torch.from_numpy(np.concatenate([*self.groups, np.zeros(0, dtype=np.int64)]).astype(np.int64))
        places, parts = self.replicas.gathered(where), self.replicas.gathered(mine)
        for place, part in zip(places, parts, strict=True):
            logits[place] = part
        return logits


def _eer(scores: np.ndarray, labels: np.ndarray) -> float:
    if not 0 < labels.sum() < len(labels):
        return NAN
    return float(equal_error_rate(scores[labels == 1], scores[labels == 0]).eer)


def rank_of(result: DevResult, epoch: int, ties: str) -> list[float]:
    """Return what is compared between epochs, smaller is better; equal ones leave the earlier epoch.

    Args:
        result: On the dev sets.
        epoch: Counted from 1.
        ties: "loss" or "first": what decides between equal EERs.

    Returns:
        Numbers compared in order; without dev sets the last epoch is the best.

    Example:
        >>> rank_of(DevResult(0.1, 0.5, ()), 1, "loss") > rank_of(DevResult(0.1, 0.4, ()), 2, "loss")
        True
        >>> rank_of(DevResult(0.1, 0.5, ()), 1, "first") > rank_of(DevResult(0.1, 0.4, ()), 2, "first")
        False
    """
    if np.isnan(result.eer):
        return [-float(epoch)]
    return [result.eer, result.loss] if ties == "loss" else [result.eer]
