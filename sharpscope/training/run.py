"""One training run, from a recipe to checkpoints: a loop that can be killed at any step and goes on bit for bit.

Nothing random has a state to lose: order, crops and augmentation are drawn from (seed, epoch, trial), dropout from
(seed, step). What is saved are the weights, the optimiser, and what the log said so far.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import sharpscope
from sharpscope.detectors import ARCHITECTURES, Detector
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.devices import Share, keep_freed_memory
from sharpscope.errors import SharpscopeError
from sharpscope.progress import Meter, progress
from sharpscope.scoring.eer import equal_error_rate
from sharpscope.training.average import DenseAverage
from sharpscope.training.data import Listed, TrainingTrials, listed, load, order_of
from sharpscope.training.optimizer import make_optimizer, radius_at, rate_at
from sharpscope.training.recipe import Recipe
from sharpscope.training.start import start
from sharpscope.training.state import load_state, save_state, write_log

COUNTERS = ("step", "epoch", "best", "best_epoch", "losses", "log")


class Training:
    """The state of a run.

    Args:
        recipe: How to train.
        folder: Where to write.
        share: This process.

    Attributes:
        network: What is trained.
        step: Steps taken.
        epoch: Epochs finished.
    """

    def __init__(self, recipe: Recipe, folder: Path, share: Share) -> None:
        self.recipe = recipe
        self.folder = folder
        self.share = share
        self.device = _device(recipe["run"]["device"], share)
        if recipe["run"]["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        keep_freed_memory()
        self.network = start(recipe).to(self.device)
        self.spec = ARCHITECTURES[recipe["model"]["arch"]].spec
        self.optimizer = make_optimizer(recipe, self.network)
        amp = recipe["run"]["amp"]
        self.scaler = torch.amp.GradScaler(self.device.type, init_scale=2.0**12) if amp == "fp16" else None
        self.average = DenseAverage(self.network) if recipe["schedule"]["average_from"] >= 0 else None
        self.train_trials = listed(recipe, "train")
        self.dev_trials = listed(recipe, "dev") if recipe["data"]["dev"] else None
        self.n_samples = recipe["data"]["samples"] or self.spec.n_samples or 64_600
        self.trials = TrainingTrials(self.train_trials, recipe, self.spec.sample_rate, self.n_samples)
        self._dev_waves: list[tuple[Tensor, np.ndarray]] = []
        self.step = self.epoch = 0
        self.best = float("inf")
        self.best_epoch = -1
        self.losses: list[float] = []
        self.log: list[dict[str, Any]] = []

    # The loop.

    def run(self, show_progress: bool) -> str:
        """Train to the end.

        Args:
            show_progress: Show a bar or lines.

        Returns:
            Why it ended.
        """
        schedule = self.recipe["schedule"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        per_epoch = len(order_of(len(self.train_trials.paths), schedule["batch_size"], self.recipe.seed, 0))
        total = per_epoch * schedule["epochs"]
        stopped = "all epochs are done"
        with (
            _process_group(self.share),
            progress(total, "steps", show=show_progress and not self.share.rank) as meter,
        ):
            meter.advance(self.step)
            while self.epoch < schedule["epochs"]:
                if self._patience_is_over():
                    stopped = f"no better dev EER in {schedule['patience']} epochs"
                    break
                self._steps(per_epoch, total, meter)
                self._end_of_epoch()
            self._finish()
        return stopped

    def _steps(self, per_epoch: int, total: int, meter: Meter) -> None:
        """Take the steps of this epoch that are still to be taken."""
        schedule = self.recipe["schedule"]
        self.trials.epoch = self.epoch
        batches = order_of(len(self.trials), schedule["batch_size"], self.recipe.seed, self.epoch)
        done = self.step - self.epoch * per_epoch
        mine = [batch[self.share.rank :: self.share.world] for batch in batches[done:]]
        stream = load(self.trials, mine, self.recipe["data"]["workers"])
        for batch, own in zip(batches[done:], mine, strict=True):
            waves = next(stream).to(self.device)  # (B, T)
            torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)
            loss = self._step(waves, own, batch, total)
            if not np.isfinite(loss):
                raise SharpscopeError(
                    f"{self.folder}: the loss is {loss} at step {self.step}; the last good state is in last.pt. Lower "
                    "optimizer.lr or optimizer.rho, or set optimizer.clip, and start in a new folder"
                )
            self.step += 1
            self.losses.append(loss)
            if self.average is not None and self.epoch >= schedule["average_from"]:
                self.average.update()
            meter.describe(f"epoch {self.epoch + 1}, loss {loss:.3f}{self._dev_text()}")
            meter.advance(1)
            every = self.recipe["run"]["save_every"]
            if every and self.step % every == 0 and self.step % per_epoch:
                self._save()

    def _step(self, waves: Tensor, own: np.ndarray, batch: np.ndarray, total: int) -> float:
        optimizer = self.recipe["optimizer"]
        self.network.train()
        for group in self.optimizer.base.param_groups:
            group["lr"] = rate_at(self.recipe, self.step, total)
        if self.recipe.sharp:
            self.optimizer.rho = radius_at(self.recipe, self.step, total)
        passes = iter(range(2))
        loss = self.optimizer.step(
            lambda: self._backward(waves, own, batch, next(passes)),
            scaler=self.scaler,
            clip=optimizer["clip"] or None,
        )
        return float(loss)

    def _backward(self, waves: Tensor, own: np.ndarray, batch: np.ndarray, number: int) -> Tensor:
        """Run one pass over this process' part of the batch; gradients are of the loss of the whole batch."""
        labels, weights = self._weights(own, batch)
        size = self.recipe["schedule"]["micro_batch"] or len(own)
        total = torch.zeros((), device=self.device)
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.recipe["run"]["amp"])
        for first in range(0, len(own), size):
            part = slice(first, first + size)
            with torch.autocast(self.device.type, dtype=kind, enabled=kind is not None):
                logits = self._logits(waves[part])
            loss = (cross_entropy(logits.float(), labels[part], reduction="none") * weights[part]).sum()
            torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))
            total += loss.detach()
        alone = number == 0 and self.recipe["optimizer"]["replicas"] == "own" and self.recipe.sharp
        return self._summed(total, gradients=not alone)

    def _summed(self, total: Tensor, *, gradients: bool) -> Tensor:
        if self.share.alone:
            return total
        parameters = self.optimizer.parameters if gradients else []
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            torch.distributed.all_reduce(p.grad)
        torch.distributed.all_reduce(total)
        return total

    def _weights(self, own: np.ndarray, batch: np.ndarray) -> tuple[Tensor, Tensor]:
        """Labels of own trials, and their shares in the weighted mean over the batch of all processes."""
        loss = self.recipe["loss"]
        by_class = np.array([loss["spoof_weight"], loss["bonafide_weight"]])
        labels = self.train_trials.labels
        shares = by_class[labels[own]] / max(by_class[labels[batch]].sum(), 1e-12)
        return (
            torch.as_tensor(labels[own], device=self.device),
            torch.as_tensor(shares, dtype=torch.float32, device=self.device),
        )

    def _logits(self, waves: Tensor) -> Tensor:
        detector = Detector(self.network, self.spec, self.folder, "")
        return detector(waves)

    def _end_of_epoch(self) -> None:
        self.epoch += 1
        eer, dev_loss = self._dev()
        self.log.append(
            {
                "epoch": self.epoch,
                "step": self.step,
                "lr": self.optimizer.base.param_groups[0]["lr"],
                "rho": self.optimizer.rho if self.recipe.sharp else 0.0,
                "loss": float(np.mean(self.losses)),
                "dev_eer": eer,
                "dev_loss": dev_loss,
            }
        )
        self.losses = []
        # Equal error rates are common on small sets: the loss decides between them.
        score = eer + 1e-6 * dev_loss if np.isfinite(eer) else -float(self.epoch)
        if score < self.best:
            self.best, self.best_epoch = score, self.epoch
            self._checkpoint("best.pt")
        self._save()

    def _dev(self) -> tuple[float, float]:
        """EER and mean loss on the dev sets; NaN where there are none."""
        if self.dev_trials is None:
            return float("nan"), float("nan")
        self.network.eval()
        if not self._dev_waves:
            self._dev_waves = list(
                _dev_batches(self.dev_trials, self.recipe, self.spec.sample_rate, self.n_samples)
            )
        logits, labels = [], []
        with torch.no_grad():
            for waves, own in self._dev_waves:
                logits.append(self._logits(waves.to(self.device)).double().cpu())
                labels.append(own)
        joined, truth = torch.cat(logits), np.concatenate(labels)
        scores = joined.diff(dim=1)[:, 0].numpy()
        if not np.isfinite(scores).all():
            raise SharpscopeError(
                f"{self.folder}: scores of the dev set are not finite after epoch {self.epoch}"
            )
        eer = equal_error_rate(scores[truth == 1], scores[truth == 0]).eer
        found = torch.tensor(
            [eer, float(cross_entropy(joined, torch.from_numpy(truth)))], dtype=torch.float64
        )
        if not self.share.alone:
            # Statistics of batch norm differ between processes; all must agree on when to stop.
            found = found.to(self.device)
            torch.distributed.broadcast(found, 0)
        return float(found[0]), float(found[1])

    def _finish(self) -> None:
        if self.average is not None and self.average.count:
            self.average.into(self.network)
            self.average.refresh_statistics(self.network, self._sample_of_training)
            self._checkpoint("averaged.pt")

    def _sample_of_training(self) -> Iterator[Callable[[], Any]]:
        batches = order_of(
            len(self.trials), self.recipe["schedule"]["batch_size"], self.recipe.seed, self.epoch
        )
        for waves in load(self.trials, batches, 0):
            yield partial(self._logits, waves.to(self.device))

    def _patience_is_over(self) -> bool:
        patience = self.recipe["schedule"]["patience"]
        return bool(patience and self.best_epoch >= 0 and self.epoch - self.best_epoch >= patience)

    def _dev_text(self) -> str:
        return f", dev EER {self.log[-1]['dev_eer']:.1%}" if self.log and self.dev_trials is not None else ""

    @property
    def best_eer(self) -> float:
        """Of the best epoch on the dev sets; NaN without any."""
        return float(min((row["dev_eer"] for row in self.log), default=float("nan")))

    def _record(self) -> dict[str, Any]:
        recipe = self.recipe
        return {
            "name": self.folder.resolve().name,
            "arch": recipe["model"]["arch"],
            "arch_args": recipe["model"]["args"],
            "recipe": recipe.title,
            "seed": recipe.seed,
            "trained_on": recipe["data"]["train"],
            "selected_on": recipe["data"]["dev"],
            "in_domain": recipe["data"]["in_domain"],
            "selected_on_a_tested_set": recipe.leaked(),
            "values": recipe.values,
            "epoch": self.epoch,
            "version": sharpscope.__version__,
            "torch": str(torch.__version__),
        }

    def _checkpoint(self, name: str) -> None:
        if not self.share.rank:
            state = {k: v.detach().cpu() for k, v in self.network.state_dict().items()}
            write_checkpoint(self.folder / name, state, self._record())

    def _parts(self) -> dict[str, Any]:
        """Whatever has a state of its own."""
        found = {"optimizer": self.optimizer, "scaler": self.scaler, "average": self.average}
        return {name: part for name, part in found.items() if part is not None}

    def _save(self) -> None:
        if self.share.rank:
            return
        self._checkpoint("last.pt")
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"network": self.network.state_dict(), "recipe": repr(self.recipe.values)}
        state |= {name: getattr(self, name) for name in COUNTERS}
        save_state(self.folder, state)
        write_log(self.folder, self.log, tensorboard=self.recipe["run"]["tensorboard"])

    def _resume(self) -> None:
        state = load_state(self.folder, repr(self.recipe.values), self.device)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name in COUNTERS:
            setattr(self, name, state[name])


def _dev_batches(
    trials: Listed, recipe: Recipe, sample_rate: int, n_samples: int
) -> Iterator[tuple[Tensor, np.ndarray]]:
    plain = Recipe({"augment": {"crop": "first"}, "data": {"memory_gib": 0.0}})
    own = TrainingTrials(trials, plain, sample_rate, n_samples)
    size = recipe["schedule"]["micro_batch"] or recipe["schedule"]["batch_size"]
    batches = [np.arange(i, min(i + size, len(own))) for i in range(0, len(own), size)]
    for waves, batch in zip(load(own, batches, 0), batches, strict=True):
        yield waves, trials.labels[batch]


def _device(name: str, share: Share) -> torch.device:
    if name == "auto":
        name = f"cuda:{share.local % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class _process_group:
    """The processes that torchrun started, for as long as they train together."""

    def __init__(self, share: Share) -> None:
        self.share = share

    def __enter__(self) -> None:
        if not self.share.alone:
            torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    def __exit__(self, *_: object) -> None:
        if not self.share.alone:
            torch.distributed.destroy_process_group()
