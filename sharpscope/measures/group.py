r"""The loss surface over one group: one forward and backward that every measure shares.

A group's loss is :math:`L_G(w) = \sum_{i \in G} a_i\, l_i(w)` with fixed weights a that sum to one. Forward
and backward run over physical batches and accumulate, so m is bound by patience and not by memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from sharpscope.errors import SharpscopeError
from sharpscope.measures.objectives import get_objective, prediction_entropy
from sharpscope.measures.parameters import Direction, LiveParameters, all_finite, products
from sharpscope.measures.precision import rounded_products

Forward = Callable[[Tensor], Tensor]
TrialLoss = Callable[[Tensor, Tensor], Tensor]
Arithmetic = Literal["fp32", "tf32", "bf16"]


class Group:
    """The m trials that share a perturbation, with everything that is computed once for them.

    Args:
        forward: Network in eval mode: waves (B, T) to logits (B, 2), columns spoof and bona fide.
        live: The parameters that may move.
        waves: Shape (m, T), on the network's device.
        labels: Shape (m,), 1 = bona fide, 0 = spoof.
        weights: Shape (m,), float64, sum 1: the share of each trial in the group's loss.
        batch_size: Trials that go through the network at once.
        objectives: Losses whose gradients are taken from the one shared forward.
        shared_baseline: Take L(w) from the forward that carries the graph; right only where forwards with
            and without a graph give equal bits (see `baseline_is_exact`).
        seed: Seeds the directions of `noise`, which depend on nothing else.
        own_loss: The detector's own loss, logits (B, 2) and labels (B,) to (B,), in place of cross-entropy.
        direction: How the shared gradient is taken: "fp32" as everything else, "tf32" with factors rounded to 10 bits
            where a GPU can, "bf16" in bfloat16. Scores, L(w) and every rise stay in the network's precision, in the
            latter two from forwards without a graph.

    Attributes:
        logits: Shape (m, 2), float64, at the trained weights.
        forwards: Passes of the whole group through the network so far, a backward counted as two.
        cache: What a measure has computed and another one of the same group may reuse.
    """

    def __init__(
        self,
        forward: Forward,
        live: LiveParameters,
        waves: Tensor,
        labels: Tensor,
        weights: Tensor,
        *,
        batch_size: int,
        objectives: Sequence[str] = ("label",),
        shared_baseline: bool = True,
        seed: int = 0,
        own_loss: TrialLoss | None = None,
        direction: Arithmetic = "fp32",
    ) -> None:
        self.forward = forward
        self.live = live
        self.waves = waves
        self.labels = labels
        self.weights = weights
        self.batch_size = batch_size
        self.seed = seed
        self.own_loss = own_loss
        self.direction = direction
        self.forwards = 0
        self.cache: dict[Hashable, Any] = {}
        self.gradients: dict[str, list[Tensor]] = {}
        self._temperature = 0.0
        self._stays_moved = False
        exact = direction == "fp32"
        whole = batch_size >= len(labels) and exact
        if any(get_objective(name).matched for name in objectives) and not whole:
            self._match_temperature(self.evaluate())
        self.logits = self._forward_backward(objectives) if objectives else self.evaluate()
        if objectives and not (exact and shared_baseline):
            self.logits = self.evaluate()
        if not bool(torch.isfinite(self.logits).all()):
            bad = int((~torch.isfinite(self.logits).all(dim=1)).sum())
            raise SharpscopeError(f"{bad} of {len(labels)} trials of a group have a logit that is not finite")

    def batches(self) -> Iterator[slice]:
        """Yield the slices of the group that go through the network at once."""
        for start in range(0, len(self.labels), self.batch_size):
            yield slice(start, start + self.batch_size)

    def _match_temperature(self, logits: Tensor) -> float:
        margins = logits.detach().double().diff(dim=1)[:, 0]
        self._temperature = max(float(margins.square().mean().sqrt()), torch.finfo(torch.float32).tiny)
        return self._temperature

    def trial_loss(self, name: str) -> TrialLoss:
        """Return the per-trial loss of an objective, which is the detector's own where it has one and takes labels.

        Args:
            name: The objective.

        Returns:
            A function of logits (B, 2) and labels (B,) with values of shape (B,), float64.
        """
        usual = get_objective(name).loss
        if self.own_loss is None or usual is prediction_entropy:
            return usual
        own = self.own_loss

        def checked(logits: Tensor, labels: Tensor) -> Tensor:
            losses = own(logits, labels)
            if losses.shape != labels.shape:
                raise SharpscopeError(
                    f"the detector's trial_losses returned shape {tuple(losses.shape)} for {len(labels)} trials; "
                    f"one loss a trial is needed, shape ({len(labels)},): leave out its mean"
                )
            return losses.double()

        return checked

    def targets(self, name: str, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and labels as an objective sees them.

        Args:
            name: The objective.
            logits: Shape (B, 2).
            labels: Shape (B,).

        Returns:
            The logits, divided by the group's temperature at the trained weights where the objective is
            matched, and the labels, replaced by the decisions where it takes its own.
        """
        objective = get_objective(name)
        scaled = logits
        if objective.matched:
            # A group that fits one physical batch finds its temperature in the shared forward.
            known = logits if len(logits) == len(self.labels) and not hasattr(self, "logits") else None
            temperature = self._temperature or self._match_temperature(
                self.logits if known is None else known
            )
            scaled = logits / temperature
        if objective.labels == "predicted":
            labels = (logits.detach()[:, 1] > logits.detach()[:, 0]).to(labels.dtype)
        return scaled, labels

    def _forward_backward(self, objectives: Sequence[str]) -> Tensor:
        logits = []
        sums: dict[str, list[Tensor]] = {}
        for part in self.batches():
            with torch.enable_grad(), rounded_products(self.direction == "tf32"):
                with self._half_precision():
                    out = self.forward(self.waves[part])  # (B, 2)
                for index, name in enumerate(objectives):
                    scaled, labels = self.targets(name, out, self.labels[part])
                    loss = (self.trial_loss(name)(scaled, labels) * self.weights[part]).sum()
                    more = index + 1 < len(objectives)
                    sums[name] = self._add_gradient(loss, sums.get(name), retain_graph=more)
            logits.append(out.detach())
            # The graph of a batch goes before that of the next is made.
            del out, scaled, loss
        self.forwards += 1 + 2 * len(objectives)
        self.gradients = sums
        return torch.cat(logits).double()  # (m, 2)

    def _add_gradient(
        self, loss: Tensor, total: Sequence[Tensor] | None, *, retain_graph: bool = False
    ) -> list[Tensor]:
        """Add the gradient of a loss to a sum, tensor by tensor as it comes, so that no second whole one is held."""
        parameters = self.live.parameters
        before = [parameter.grad for parameter in parameters]
        try:
            for index, parameter in enumerate(parameters):
                parameter.grad = None if total is None else total[index]
            torch.autograd.backward(loss, inputs=parameters, retain_graph=retain_graph)
            return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        finally:
            for parameter, gradient in zip(parameters, before, strict=True):
                parameter.grad = gradient

    def _half_precision(self) -> torch.autocast:
        # Copies of weights in half precision are not kept: the weights move in place.
        kind = self.waves.device.type
        return torch.autocast(kind, torch.bfloat16, enabled=self.direction == "bf16", cache_enabled=False)

    def gradient(self, objective: str = "label") -> list[Tensor]:
        """Return the gradient of the group's loss at the trained weights.

        Args:
            objective: One of the objectives that the group was made with.

        Returns:
            One tensor per live parameter.

        Raises:
            SharpscopeError: If a component is not finite.
        """
        gradient = self.gradients[objective]
        if ("squares", objective) not in self.cache:
            squares = products(gradient, gradient)  # (n,)
            # Squares of sound float64 numbers may overflow; only then is each number asked.
            if not (bool(torch.isfinite(squares).all()) or all_finite(gradient)):
                raise SharpscopeError(
                    "the gradient of a group is not finite: the detector overflows on these trials"
                )
            self.cache["squares", objective] = squares
        return gradient

    def gradient_squares(self, objective: str = "label") -> Tensor:
        """Return the squared norm of each parameter's gradient, taken once an objective with the check of `gradient`.

        Args:
            objective: One of the objectives that the group was made with.

        Returns:
            Shape (n,), float64, on the CPU, one number per live parameter.

        Raises:
            SharpscopeError: If a component of the gradient is not finite.
        """
        self.gradient(objective)
        squares: Tensor = self.cache["squares", objective]
        return squares

    def evaluate(self, direction: Direction | None = None, scale: float = 0.0) -> Tensor:
        """Run the group at ``trained + scale * direction`` and put the weights back.

        Args:
            direction: One tensor per live parameter; None evaluates where the weights are trained.
            scale: Factor of the direction.

        Returns:
            Logits of shape (m, 2), float64.
        """
        try:
            if direction is not None:
                self.live.move(direction, scale)
            elif self._stays_moved:
                self.live.restore()
            with torch.no_grad():
                logits = [self.forward(self.waves[part]) for part in self.batches()]
        finally:
            if direction is not None and not self._stays_moved:
                self.live.restore()
        self.forwards += 1
        return torch.cat(logits).double()  # (m, 2)

    @contextmanager
    def restored_at_end(self) -> Iterator[None]:
        """Put the weights back once at the end: every move inside starts from the trained values by itself."""
        self._stays_moved = True
        try:
            yield
        finally:
            self._stays_moved = False
            self.live.restore()

    def losses(self, objective: str = "label", logits: Tensor | None = None) -> Tensor:
        """Return the per-trial losses, labels and temperature fixed at the trained weights.

        Args:
            objective: Which loss.
            logits: Shape (m, 2); None takes those of the trained weights.

        Returns:
            Shape (m,), float64.
        """
        _, labels = self.targets(objective, self.logits, self.labels)
        scaled, _ = self.targets(objective, self.logits if logits is None else logits, labels)
        return self.trial_loss(objective)(scaled, labels)

    def loss(self, objective: str = "label") -> float:
        """Return the group's loss at the trained weights, in nats."""
        return float((self.losses(objective) * self.weights).sum())

    def rise(self, direction: Direction, scale: float, *, objective: str = "label") -> float:
        r"""Return how much the loss rises along a direction, subtracted trial by trial.

        :math:`\sum_i a_i\,[\,l_i(w + s\,v) - l_i(w)\,]`; the difference is taken before the sum because
        the losses are much larger than it.

        Args:
            direction: v, one tensor per live parameter.
            scale: s.
            objective: Which loss.

        Returns:
            The rise in nats; 0 without a forward when ``scale`` is 0.

        Raises:
            SharpscopeError: If the loss is not finite there.
        """
        if scale == 0.0:
            return 0.0
        moved = self.losses(objective, self.evaluate(direction, scale))
        rise = float(((moved - self.losses(objective)) * self.weights).sum())
        if not math.isfinite(rise):
            raise SharpscopeError(f"the loss is not finite at a step of {scale:.3g} along the perturbation")
        return rise

    def gradient_at(
        self, direction: Direction, scale: float, *, objective: str = "label"
    ) -> tuple[float, list[Tensor]]:
        """Return rise and gradient at ``trained + scale * direction`` and put the weights back.

        Args:
            direction: One tensor per live parameter.
            scale: Factor of the direction.
            objective: Which loss.

        Returns:
            How much the loss is higher there, from the forward that carries the graph (`rise` is exact where
            kernels with and without one differ), and one tensor per live parameter.

        Raises:
            SharpscopeError: If the loss or a component of the gradient is not finite.
        """
        _, labels = self.targets(objective, self.logits, self.labels)
        loss = self.trial_loss(objective)
        total = [torch.zeros_like(p) for p in self.live.tensors]
        moved = []
        try:
            self.live.move(direction, scale)
            for part in self.batches():
                with torch.enable_grad():
                    scaled, _ = self.targets(objective, self.forward(self.waves[part]), labels[part])
                    losses = loss(scaled.double(), labels[part])
                    total = self._add_gradient((losses * self.weights[part]).sum(), total)
                moved.append(losses.detach())
        finally:
            self.live.restore()
        self.forwards += 3
        rise = float(((torch.cat(moved) - self.losses(objective)) * self.weights).sum())
        if not (math.isfinite(rise) and all_finite(total)):
            raise SharpscopeError(
                f"the loss or its gradient is not finite at a step of {scale:.3g} along the perturbation; "
                "take smaller radii with --rho"
            )
        return rise, total

    def noise(self, index: int, kind: str = "gaussian") -> list[Tensor]:
        """Return the index-th random direction: the same for every group, set, checkpoint of a shape, and device.

        Args:
            index: Number of the draw.
            kind: "gaussian" (standard normal) or "rademacher" (plus or minus one).

        Returns:
            One tensor per live parameter, which nobody may write into.
        """
        seed = (self.seed * 1_000_003 + index) & 0x7FFF_FFFF_FFFF_FFFF
        return self.live.draw(seed, signs=kind == "rademacher")

    def gradient_norm(self, objective: str = "label") -> float:
        """Return the Euclidean norm of the group's gradient."""
        return math.sqrt(float(self.gradient_squares(objective).sum()))


def baseline_is_exact(group: Group) -> bool:
    """Tell whether a forward without a graph repeats, bit for bit, the one that carried the graph.

    Args:
        group: Made with ``shared_baseline=True``.

    Returns:
        True when L(w) may be shared between scoring, gradient and differences.
    """
    return bool(torch.equal(group.evaluate(), group.logits))
