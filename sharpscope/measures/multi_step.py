r"""Worst-case sharpness in many steps: projected ascent with momentum and restarts, in whitened coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sharpscope.measures.group import Group
from sharpscope.measures.parameters import dot
from sharpscope.measures.registry import ANDRIUSHCHENKO, Definition, Values
from sharpscope.measures.scaling import Scaling, scaled, scales
from sharpscope.measures.worst_case import Norm, ascent_direction, first_order

STEPS = 20
MOMENTUM = 0.75


class _Point(NamedTuple):
    """A place in whitened coordinates: the rise there and the gradient."""

    u: list[Tensor]
    rise: float
    gradient: list[Tensor]


class Ascent(NamedTuple):
    """What an ascent found.

    Attributes:
        rise: Largest rise met, in nats.
        converged: Whether the last quarter of the steps added less than 1 % to it.
    """

    rise: float
    converged: bool


def checkpoints(steps: int) -> list[int]:
    """Return after which steps the step size is reviewed (Croce and Hein, 2020, section 3.1).

    Args:
        steps: Steps of the ascent.

    Returns:
        Rising step numbers, the first at 22 % of the steps.

    Example:
        >>> checkpoints(20)
        [5, 9, 12, 14, 16, 18, 19]
    """
    shares = [0.0, 0.22]
    while shares[-1] < 1.0:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    reviews = {math.ceil(round(share * steps, 9)) for share in shares[1:]}
    return sorted(step for step in reviews if step < steps)


def project(u: Sequence[Tensor], rho: float, norm: Norm) -> list[Tensor]:
    """Return the nearest point of the ball of radius rho.

    Args:
        u: One tensor per parameter.
        rho: Radius.
        norm: "l2" or "linf".

    Returns:
        Tensors of the same shapes.

    Example:
        >>> project([torch.tensor([3.0, 4.0])], 1.0, "l2")[0].tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    if norm == "linf":
        return [x.clamp(-rho, rho) for x in u]
    length = dot(u, u) ** 0.5
    return list(u) if length <= rho else [x * (rho / length) for x in u]


def _random_start(group: Group, rho: float, norm: Norm) -> list[Tensor]:
    draw = group.noise(0)
    if norm == "linf":
        return [rho * torch.erf(d / math.sqrt(2.0)) for d in draw]  # uniform in the box
    length = dot(draw, draw) ** 0.5
    return [d * (rho / length) for d in draw]


def ascend(
    group: Group,
    rho: float,
    *,
    norm: Norm = "l2",
    scaling: Scaling = "none",
    objective: str = "label",
    steps: int = STEPS,
    random_start: bool = True,
) -> Ascent:
    r"""Maximise the rise of the loss in a neighbourhood by Auto-PGD (Croce and Hein, 2020).

    .. math:: \max_{\lVert u \rVert_p \le \rho} L_G(w + T u) - L_G(w)

    From the trained point, and once more from a random one of the ball: a step of 2 rho along the steepest
    ascent, 0.75 of it with a quarter of the step before as momentum, projected. At fixed checkpoints a run
    that stalls halves its step and goes on from the best point so far, with that point's own gradient. The
    first step from the trained point is the one-step maximum, so the result is never below it. The best point
    is evaluated once more without a graph, as the one-step value is. Cost: 3 F per step and start.

    Args:
        group: The trials.
        rho: Radius.
        norm: Of the neighbourhood.
        scaling: T; see `scales`.
        objective: Which loss.
        steps: Gradients per start.
        random_start: Ascend a second time from a random point.

    Returns:
        The rise, and whether it had settled; kept in the group's cache.
    """
    key = ("ascend", rho, norm, scaling, objective, steps, random_start)
    if key in group.cache:
        found: Ascent = group.cache[key]
        return found
    by = scales(group.live.trained, scaling)
    runs = [_run(group, rho, None, by, norm, objective, steps)]
    if random_start:
        runs.append(_run(group, rho, _random_start(group, rho, norm), by, norm, objective, steps))
    # The one-step value guards against rounding only: the first ascent has been there.
    one_step = first_order(group, [rho], norm=norm, scaling=scaling, objective=objective)[rho]
    best = max((run for run in runs), key=lambda run: run.rise)
    group.cache[key] = Ascent(max(best.rise, one_step), best.converged)
    return group.cache[key]  # type: ignore[no-any-return]


def _run(
    group: Group,
    rho: float,
    start: list[Tensor] | None,
    by: list[Tensor] | None,
    norm: Norm,
    objective: str,
    steps: int,
) -> Ascent:
    def visit(u: list[Tensor]) -> _Point:
        rise, gradient = group.gradient_at(scaled(u, by), 1.0, objective=objective)
        return _Point(u, rise, scaled(gradient, by))

    if start is None:
        origin = [torch.zeros_like(w) for w in group.live.trained]
        here = _Point(origin, 0.0, scaled(group.gradient(objective), by))
    else:
        here = visit(start)
    before = best = here
    history = [best.rise]
    schedule = _Schedule(2.0 * rho, steps, best.rise)
    for step in range(1, steps + 1):
        along = ascent_direction(here.gradient, norm)
        if along is None:
            break
        u = project(torch._foreach_add(here.u, along, alpha=schedule.size), rho, norm)
        if step > 1:
            drift = torch._foreach_sub(here.u, before.u)
            moved = torch._foreach_add(here.u, torch._foreach_sub(u, here.u), alpha=MOMENTUM)
            u = project(torch._foreach_add(moved, drift, alpha=1.0 - MOMENTUM), rho, norm)
        before, here = here, visit(list(u))
        best = max(best, here, key=lambda point: point.rise)
        history.append(best.rise)
        if schedule.review(step, gained=here.rise > before.rise, best=best.rise):
            before = here = best
    exact = group.rise(scaled(best.u, by), 1.0, objective=objective)
    earlier = history[-1 - len(history) // 4]
    return Ascent(exact, best.rise - earlier <= 0.01 * abs(best.rise))


class _Schedule:
    """The step size, halved where a stretch between two checkpoints brought too little."""

    def __init__(self, size: float, steps: int, best: float) -> None:
        self.size = size
        self.checkpoints = checkpoints(steps)
        self._gains = self._reviewed = 0
        self._at_review = (math.nan, best)

    def review(self, step: int, *, gained: bool, best: float) -> bool:
        """Count a step; at a checkpoint say whether to halve and restart from the best point."""
        self._gains += gained
        if step not in self.checkpoints:
            return False
        stalled = self._gains < 0.75 * (step - self._reviewed)
        stuck = self._at_review == (self.size, best)
        self._at_review = (self.size, best)
        self._gains, self._reviewed = 0, step
        if stalled or stuck:
            self.size /= 2.0
        return stalled or stuck


def worst_case(
    group: Group,
    radii: Sequence[float],
    *,
    norm: Norm = "l2",
    scaling: Scaling = "none",
    objective: str = "label",
    steps: int = STEPS,
) -> Values:
    r"""Worst-case rise by many steps, one value per radius; see `ascend`.

    The n-step sharpness of Andriushchenko et al. (2023), with the restart from the best point that Auto-PGD
    asks for and an exact projection. Cost: 3 F per step, start and radius.

    Args:
        group: The trials.
        radii: rho, in the units of the one-step measure of the same neighbourhood.
        norm: "l2" or "linf".
        scaling: "none" or "elementwise" (adaptive).
        objective: Which loss.
        steps: Gradients per start.

    Returns:
        The rise in nats per radius, at least that of one step.

    Example:
        For L(w) = w'Aw / 2 at w = 0 it is rho^2 lambda_max / 2 from the random start, where one step from a
        vanishing gradient finds nothing.
    """
    return {
        rho: ascend(group, rho, norm=norm, scaling=scaling, objective=objective, steps=steps).rise
        for rho in radii
    }


def gap(
    group: Group, radii: Sequence[float], *, norm: Norm = "l2", scaling: Scaling = "none", steps: int = STEPS
) -> Values:
    """How much more many steps find than one, in nats: what the one-step measure misses of the maximum.

    Cost: none beside the n-step measure of the same neighbourhood.

    Args:
        group: The trials.
        radii: rho.
        norm: "l2" or "linf".
        scaling: "none" or "elementwise".
        steps: Gradients per start.

    Returns:
        One value per radius, at least 0.

    Example:
        0 where the loss is linear in the weights.
    """
    one = first_order(group, radii, norm=norm, scaling=scaling)
    many = worst_case(group, radii, norm=norm, scaling=scaling, steps=steps)
    return {rho: many[rho] - one[rho] for rho in radii}


def converged(
    group: Group, radii: Sequence[float], *, norm: Norm = "l2", scaling: Scaling = "none", steps: int = STEPS
) -> Values:
    """Whether the n-step ascent had settled: 1 when its last quarter added less than 1 %, else 0.

    Averaged over groups it is the share of groups that settled. Cost: none beside the n-step measure.

    Args:
        group: The trials.
        radii: rho.
        norm: "l2" or "linf".
        scaling: "none" or "elementwise".
        steps: Gradients per start.

    Returns:
        0 or 1 per radius.

    Example:
        1 where the loss is linear in the weights: the first step is the last.
    """
    return {
        rho: float(ascend(group, rho, norm=norm, scaling=scaling, steps=steps).converged) for rho in radii
    }


_NEIGHBOURHOODS: dict[str, tuple[Norm, Scaling, str]] = {
    "sam": ("l2", "none", "an l2 ball"),
    "asam": ("l2", "elementwise", "an l2 ball scaled by the weights"),
    "sam_linf": ("linf", "none", "an l-infinity ball"),
    "asam_linf": ("linf", "elementwise", "an l-infinity ball scaled by the weights"),
}


def _measures(base: str, norm: Norm, scaling: Scaling, where: str) -> dict[str, Definition]:
    unchanged = ("layer", "node") if scaling == "elementwise" else ()
    given: dict[str, Any] = {"norm": norm, "scaling": scaling}
    return {
        f"{base}_apgd": Definition(
            partial(worst_case, **given),
            f"worst case by {STEPS} steps of projected ascent from two starts in {where}",
            ANDRIUSHCHENKO,
            ("label",),
            unchanged,
        ),
        f"{base}_apgd_gap": Definition(
            partial(gap, **given),
            f"what {STEPS} steps find beyond one in {where}",
            ANDRIUSHCHENKO,
            ("label",),
            unchanged,
        ),
        f"{base}_apgd_converged": Definition(
            partial(converged, **given),
            f"share of groups whose ascent had settled in {where}",
            ANDRIUSHCHENKO,
            ("label",),
            unchanged,
        ),
    }


MEASURES: dict[str, Definition] = {
    name: measure
    for base, facts in _NEIGHBOURHOODS.items()
    for name, measure in _measures(base, *facts).items()
}
