"""One training run, from a recipe to checkpoints: a loop that can be killed at any step and goes on bit for bit.

Nothing random has a state to lose: order, crops and augmentation are drawn from (seed, epoch, trial), dropout from
(seed, step, process). What is saved are the weights, the optimiser, and what the log said so far.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import sharpscope
from sharpscope.detectors import Detector
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.devices import Share, keep_freed_memory
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.progress import Meter, progress
from sharpscope.training.averages import make_average
from sharpscope.training.conventions import DECLARED, conventions
from sharpscope.training.data import Loader, TrainingTrials, listed, order_of
from sharpscope.training.esam import ESAM
from sharpscope.training.frontend import frontend_of, hold, prepare
from sharpscope.training.optimizer import make_optimizer, radius_at, rate_at
from sharpscope.training.recipe import Recipe
from sharpscope.training.replicas import Replicas, device_of, process_group
from sharpscope.training.selection import NOTHING, DevResult, DevSets, rank_of
from sharpscope.training.start import start
from sharpscope.training.state import load_state, open_folder, save_state, write_log

COUNTERS = ("step", "epoch", "best", "best_epoch", "losses", "log")


class Training:
    """The state of a run.

    Args:
        recipe: How to train.
        folder: Where to write.
        share: This process.
        leaked: Dev sets with trials under test, for the record.

    Attributes:
        network: What is trained.
        spec: How it takes audio, as `measure` will.
        step: Steps taken.
        epoch: Epochs finished.

    Raises:
        UsageError: If the recipe does not fit the data, the network or this machine.
    """

    def __init__(self, recipe: Recipe, folder: Path, share: Share, leaked: Sequence[str] = ()) -> None:
        self.recipe = recipe
        self.folder = folder
        self.share = share
        self.leaked = list(leaked)
        self.device = device_of(recipe["run"]["device"], share)
        self.replicas = Replicas(share, self.device)
        if recipe["schedule"]["batch_size"] < share.world:
            raise UsageError(
                f"schedule.batch_size is {recipe['schedule']['batch_size']} for {share.world} processes; each needs a "
                "trial of every batch"
            )
        if recipe["run"]["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        keep_freed_memory()
        self.network = start(recipe).to(self.device)
        self.spec = conventions(recipe)
        self.frontend = prepare(recipe, self.network)
        if self.frontend.get("freeze_steps"):
            hold(frontend_of(self.network), lambda: self.step < self.frontend["freeze_steps"])
        self._check_length()
        self.optimizer = make_optimizer(recipe, self.network)
        amp = recipe["run"]["amp"]
        self.scaler = torch.amp.GradScaler(self.device.type, init_scale=2.0**12) if amp == "fp16" else None
        self.average = make_average(recipe["schedule"], self.network)
        self.trials = TrainingTrials.of(listed(recipe, "train"), recipe, self.spec)
        self.loader = Loader(self.trials, recipe["data"]["workers"], pin_memory=self.device.type == "cuda")
        self.dev: DevSets | None = None
        if recipe["data"]["dev"]:
            self.dev = DevSets(recipe, listed(recipe, "dev"), self.spec, self.replicas)
        self.dev_result = NOTHING
        self.step = self.epoch = 0
        self.best: list[float] = [math.inf]
        self.best_epoch = -1
        self.losses: list[float] = []
        self.log: list[dict[str, Any]] = []
        self._before: list[Tensor] = []

    def _check_length(self) -> None:
        """Run one wave, so that a length the network cannot take is told before anything else."""
        wave = torch.randn(2, self.spec.n_samples or 0, generator=torch.Generator().manual_seed(0))
        self.network.eval()
        try:
            with torch.no_grad():
                self._logits(wave.to(self.device))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a network may fail in any way on a length it was not made for
            line = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise UsageError(
                f"{self.spec.arch} cannot take {self.spec.n_samples} samples ({line}); "
                "data.samples = 0 takes the architecture's own length"
            ) from error

    # The loop.

    def run(self, show_progress: bool) -> str:
        """Train to the end.

        Args:
            show_progress: Show a bar or lines.

        Returns:
            Why it ended.
        """
        schedule = self.recipe["schedule"]
        open_folder(self.folder)
        self._resume()
        per_epoch = len(self._order(0))
        total = per_epoch * schedule["epochs"]
        stopped = "all epochs are done"
        with (
            process_group(self.share),
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

    def _order(self, epoch: int) -> list[np.ndarray]:
        schedule = self.recipe["schedule"]
        return order_of(
            len(self.trials), schedule["batch_size"], self.recipe.seed, epoch, schedule["last_batch"]
        )

    def _steps(self, per_epoch: int, total: int, meter: Meter) -> None:
        """Take the steps of this epoch that are still to be taken."""
        schedule = self.recipe["schedule"]
        # What is saved within an epoch has no dev EER yet.
        self.dev_result = NOTHING
        batches = self._order(self.epoch)
        done = self.step - self.epoch * per_epoch
        mine = [batch[self.share.rank :: self.share.world] for batch in batches[done:]]
        stream = self.loader.batches(self.epoch, mine)
        for batch, own in zip(batches[done:], mine, strict=True):
            waves = next(stream).to(self.device, non_blocking=True)  # (B, T)
            # Every process draws masks of its own, as it has trials of its own.
            torch.manual_seed(self.recipe.seed * 1_000_003 + self.step + (self.share.rank << 56))
            loss = self._step(waves, own, batch, total)
            if not np.isfinite(loss):
                raise SharpscopeError(self._diverged(loss))
            self.step += 1
            self.losses.append(loss)
            if self.average is not None and self.epoch >= schedule["average_from"]:
                self.average.update()
            meter.describe(f"epoch {self.epoch + 1}, loss {loss:.3f}{self._dev_text()}")
            meter.advance(1)
            every = self.recipe["run"]["save_every"]
            if every and self.step % every == 0 and self.step % per_epoch:
                self._save()

    def _diverged(self, loss: float) -> str:
        kept = (
            "the last good state is in last.pt"
            if (self.folder / "last.pt").exists()
            else "nothing was saved yet"
        )
        narrow = 'run.amp = "bf16", as fp16 ends at 65,504; ' if self.scaler is not None else ""
        return (
            f"{self.folder}: the loss is {loss} at step {self.step}; {kept}. Take {narrow}a lower optimizer.lr or "
            "optimizer.rho, or set optimizer.clip, and start in a new folder"
        )

    def _step(self, waves: Tensor, own: np.ndarray, batch: np.ndarray, total: int) -> float:
        optimizer = self.recipe["optimizer"]
        self.network.train()
        for group in self.optimizer.base.param_groups:
            group["lr"] = rate_at(self.recipe, self.step, total) * group["scale"]
        if self.recipe.sharp:
            self.optimizer.rho = radius_at(self.recipe, self.step, total)
        passes = iter(range(2))
        loss = self.optimizer.step(
            lambda: self._backward(waves, own, batch, next(passes)),
            scaler=self.scaler,
            clip=optimizer["clip"] or None,
            replicas=self.replicas if self._own_ascent else None,
        )
        return float(loss)

    @property
    def _own_ascent(self) -> bool:
        """Whether every process climbs by its own part of the batch."""
        return bool(self.recipe["optimizer"]["replicas"] == "own" and self.recipe.sharp)

    def _backward(self, waves: Tensor, own: np.ndarray, batch: np.ndarray, number: int) -> Tensor:
        """Run one pass over this process' part of the batch; gradients are of the loss of the whole batch."""
        if number == 1 and isinstance(self.optimizer, ESAM):
            waves, own, batch = self._hurt_most(waves, own, self.optimizer)
        targets, shares = self._targets(own, batch)
        total = torch.zeros((), device=self.device)
        self._before = [] if number == 0 else self._before
        for part in self._parts_of(own):
            losses = self._losses(waves[part], targets[part])
            if number == 0 and isinstance(self.optimizer, ESAM):
                self._before.append(losses.detach().sum(dim=1))
            loss = (losses * shares[part]).sum()
            torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))
            total += loss.detach()
        if not (number == 0 and self._own_ascent):
            self.replicas.sum_gradients(self.optimizer.parameters)
        return self.replicas.sum(total)

    def _parts_of(self, own: np.ndarray) -> Iterator[slice]:
        size = self.recipe["schedule"]["micro_batch"] or max(len(own), 1)
        return (slice(first, first + size) for first in range(0, len(own), size))

    def _hurt_most(
        self, waves: Tensor, own: np.ndarray, optimizer: ESAM
    ) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Return the trials of ESAM's second pass, own ones and those of all processes."""
        targets, _ = self._targets(own, own)
        with torch.no_grad():
            after = [self._losses(waves[part], targets[part]).sum(dim=1) for part in self._parts_of(own)]
        kept = np.zeros(0, dtype=np.int64)
        if len(own):
            kept = optimizer.select(torch.cat(self._before), torch.cat(after)).cpu().numpy()
        everybody = np.concatenate(
            [one.numpy() for one in self.replicas.gathered(torch.from_numpy(own[kept]))]
        )
        return waves[kept], own[kept], everybody

    def _losses(self, waves: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropies by class, (B, 2): of a trial that is a mixture both columns count."""
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.recipe["run"]["amp"])
        with torch.autocast(self.device.type, dtype=kind, enabled=kind is not None):
            logits = self._logits(waves)
        classes = torch.tensor([0, 1], device=self.device).expand(len(waves), 2)
        both = [cross_entropy(logits.float(), classes[:, k], reduction="none") for k in (0, 1)]
        # A class that is not in the mixture must not count even where its loss is infinite.
        return torch.where(targets > 0, torch.stack(both, dim=1), 0.0) * targets

    def _targets(self, own: np.ndarray, batch: np.ndarray) -> tuple[Tensor, Tensor]:
        """Shares of the classes in own trials, and their weights in the mean over the batch of all processes."""
        loss = self.recipe["loss"]
        by_class = np.array([loss["spoof_weight"], loss["bonafide_weight"]])

        def mixture(indices: np.ndarray) -> np.ndarray:
            bonafide = self.trials.targets(indices)
            return np.stack([1 - bonafide, bonafide], axis=1)  # (B, 2)

        whole = max(float((mixture(batch) * by_class).sum()), 1e-12)
        shares = np.broadcast_to(by_class / whole, (len(own), 2)).copy()
        return (
            torch.as_tensor(mixture(own), dtype=torch.float32, device=self.device),
            torch.as_tensor(shares, dtype=torch.float32, device=self.device),
        )

    def _logits(self, waves: Tensor) -> Tensor:
        detector = Detector(self.network, self.spec, self.folder, "")
        return detector(waves)

    def _end_of_epoch(self) -> None:
        self.epoch += 1
        self.replicas.share_buffers(self.network)
        self.dev_result = self._dev()
        result = self.dev_result
        self.log.append(
            {
                "epoch": self.epoch,
                "step": self.step,
                "lr": max(group["lr"] for group in self.optimizer.base.param_groups),
                "rho": self.optimizer.rho if self.recipe.sharp else 0.0,
                "loss": float(np.mean(self.losses)),
                "dev_eer": result.eer,
                "dev_loss": result.loss,
                "dev_eers": ";".join(repr(eer) for eer in result.by_set),
            }
        )
        self.losses = []
        if self.average is not None and self.epoch > self.recipe["schedule"]["average_from"]:
            self.average.end_of_epoch(result.loss)
        rank = rank_of(result, self.epoch, self.recipe["schedule"]["ties"])
        if rank < self.best:
            self.best, self.best_epoch = rank, self.epoch
            self._checkpoint("best")
        self._save()

    def _dev(self) -> DevResult:
        """EER and mean loss on the dev sets; NaN where there are none."""
        if self.dev is None:
            return NOTHING
        self.network.eval()
        return self.dev.score(self._logits, f"{self.folder}, epoch {self.epoch}")

    def _finish(self) -> None:
        if self.average is not None and not self.average.empty:
            self.average.into(self.network)
            self.average.refresh_statistics(self.network, self._sample_of_training)
            self.dev_result = self._dev()
            self._checkpoint(
                "averaged", averaged=f"{self.recipe['schedule']['average']}, {self.average.note}"
            )

    def _sample_of_training(self) -> Iterator[Callable[[], Any]]:
        for waves in self.loader.batches(self.epoch, self._order(self.epoch)):
            yield partial(self._logits, waves.to(self.device))

    def _patience_is_over(self) -> bool:
        patience = self.recipe["schedule"]["patience"]
        return bool(patience and self.best_epoch >= 0 and self.epoch - self.best_epoch >= patience)

    def _dev_text(self) -> str:
        return f", dev EER {self.log[-1]['dev_eer']:.1%}" if self.log and self.dev is not None else ""

    @property
    def best_eer(self) -> float:
        """Of the best epoch on the dev sets; NaN without any."""
        return float(self.log[self.best_epoch - 1]["dev_eer"]) if self.log else float("nan")

    def _record(self, weights: str, **more: Any) -> dict[str, Any]:
        """What a checkpoint says about itself: everything that `measure` has to do alike."""
        recipe, name = self.recipe, self.folder.resolve().name
        eer = self.dev_result.eer
        return {
            "name": name if weights == "best" else f"{name}-{weights}",
            "arch": recipe["model"]["arch"],
            "arch_args": recipe["model"]["args"],
            "spec": {key: value for key, value in self.spec.to_dict().items() if key in DECLARED},
            "weights": weights,
            "loss_weights": {
                "spoof": recipe["loss"]["spoof_weight"],
                "bonafide": recipe["loss"]["bonafide_weight"],
            },
            "frontend": self.frontend,
            "recipe": recipe.title,
            "seed": recipe.seed,
            "trained_on": recipe["data"]["train"],
            "selected_on": recipe["data"]["dev"],
            "selection_limit": recipe["data"]["limit"],
            "dev_eer": None if math.isnan(eer) else eer,
            "in_domain": recipe["data"]["in_domain"],
            "selected_on_a_tested_set": self.leaked,
            "values": recipe.values,
            "epoch": self.epoch,
            "version": sharpscope.__version__,
            "torch": str(torch.__version__),
            **more,
        }

    def _checkpoint(self, weights: str, **more: Any) -> None:
        if not self.share.rank:
            state = {k: v.detach().cpu() for k, v in self.network.state_dict().items()}
            write_checkpoint(self.folder / f"{weights}.pt", state, self._record(weights, **more))

    def _parts(self) -> dict[str, Any]:
        """Whatever has a state of its own."""
        found = {"optimizer": self.optimizer, "scaler": self.scaler, "average": self.average}
        return {name: part for name, part in found.items() if part is not None}

    def _save(self) -> None:
        if self.share.rank:
            return
        self._checkpoint("last")
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
