"""What a measurement will cost: forward passes, time from a short trial run, memory, and what is there already."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from sharpscope.detectors import Detector
from sharpscope.devices import Share
from sharpscope.measurement import memory
from sharpscope.measurement.first_look import Look
from sharpscope.measurement.one_checkpoint import look_at, measures_of, rows_wanted
from sharpscope.measurement.one_set import halved_to_fit, load_pieces
from sharpscope.measurement.options import Options
from sharpscope.measurement.sets import Draw
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.objectives import get_objective
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.progress import in_words
from sharpscope.results.store import Store

# A detector is timed on as many trials at once as fit into a physical batch and about so many seconds.
SECONDS = 2.0
# A slower one runs once on as many as about so many seconds take, at most two physical batches: the second finds what
# the first gave back in pieces, so that memory grows once more.
SECONDS_FOR_MEMORY = 4.0
# Beside weights, trained values and a gradient for each objective: parts of steps, as a share of the weights.
PARTS_OF_STEPS = 0.4


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast a detector is on this device, per trial.

    Attributes:
        forward: Seconds of a forward without a graph.
        gradient: Seconds of a forward with one and its backward.
        load: Seconds to decode.
        look: Seconds of the first look, once a checkpoint.
        before: Bytes held beside trained values, gradients and activations, the weights included.
        weights: Bytes of the weights.
        activations: Bytes that a trial needs in a forward and backward.
        batch: Trials that go through at once.
        shared_baseline: See `Look`.
    """

    forward: float
    gradient: float
    load: float
    look: float
    before: int
    weights: int
    activations: int
    batch: int
    shared_baseline: bool

    def memory(self, gradients: int) -> int:
        """Return the most bytes that a measurement holds.

        Args:
            gradients: Whole gradients that are held at once, one an objective.

        Returns:
            What was there before, trained values, gradients and the activations of a physical batch.
        """
        copies = 1 + gradients + PARTS_OF_STEPS
        return int(self.before + copies * self.weights + self.batch * self.activations)


def pace(detector: Detector, draw: Draw, options: Options) -> Pace:
    """Look at a detector, then time it on the first trials of a set: one at first, more where that was quick.

    Args:
        detector: In eval mode.
        draw: The set.
        options: Whether audio is resampled.

    Returns:
        Its pace.
    """
    device = detector.device
    before = memory.held(device)
    watched = memory.start_watching(device)
    start = _clock(device)
    look = look_at(detector, draw, options, None)
    looked = _clock(device) - start
    group = draw.groups[0]
    forward, gradient, load = _timed(draw, options, look, group[:1])
    alone = memory.peak(device)
    room = min(look.batch_size, len(group))
    fitting = min(room, int(SECONDS / max(forward + gradient, 1e-9)))
    several, gradients = max(fitting, 1), 1
    # A second backward through a graph keeps it whole during the first.
    objectives = tuple(dict.fromkeys(o for n in options.measures for o in MEASURES[n].objectives)) or (
        "label",
    )
    if fitting >= 4:  # with fewer, what it costs to ask for more memory would weigh more than what is learnt
        for _ in range(2):  # the first run also pays for what is set up once
            forward, gradient, load = _timed(draw, options, look, group[:several])
    elif room > 1:
        most = min(2 * look.batch_size, len(group))
        several = min(most, max(2, int(SECONDS_FOR_MEMORY / max(forward + gradient, 1e-9))))
    if several > 1:
        found, together, load = _timed(draw, options, look, group[:several], objectives)
        gradients = len(objectives)
        if fitting < 4:
            # A trial alone pays for all weights; its backward was asked for once an objective here.
            forward, gradient = found, found + (together - found) / gradients
    weights = memory.of_weights(detector.module)
    activations = look.saved_bytes
    if watched:
        # What each further trial takes; whatever was set up once stays in what was there before.
        at_once = min(several, look.batch_size)
        more = memory.peak(device) - alone - (gradients - 1) * weights
        activations = max(activations, more // max(at_once - 1, 1))
        before = max(before, memory.peak(device) - (1 + gradients) * weights - at_once * activations)
    return Pace(
        forward, gradient, load, looked, before, weights, activations, look.batch_size, look.shared_baseline
    )


def _timed(
    draw: Draw, options: Options, look: Look, chosen: np.ndarray, objectives: Sequence[str] = ("label",)
) -> tuple[float, float, float]:
    """Return seconds a trial of a forward, of a forward and backward, and of decoding."""
    detector = look.detector
    start = time.perf_counter()
    waves = next(load_pieces(detector, draw, [chosen], options)).to(detector.device, detector.dtype)  # (B, T)
    load = time.perf_counter() - start
    labels = torch.as_tensor(draw.labels[chosen], device=waves.device)
    n = len(chosen)
    weights = torch.full((n,), 1 / n, dtype=torch.float64, device=waves.device)

    def timed(size: int) -> tuple[float, float]:
        prepared = detector.prepare(waves, size)
        if n > 1 and len(draw.groups[0]) > look.batch_size:
            # As in a measurement, whose groups are scored for their temperature first: the C library does not give
            # what scores took back to a graph whole.
            Group(detector.score, look.live, prepared, labels, weights, batch_size=size, objectives=())
        start = _clock(waves.device)
        group = Group(
            detector.score, look.live, prepared, labels, weights, batch_size=size, objectives=objectives
        )
        middle = _clock(waves.device)
        group.evaluate()
        return _clock(waves.device) - middle, middle - start

    with exact_arithmetic(), look.live.guarded():
        (forward, gradient), _ = halved_to_fit(timed, min(n, look.batch_size))
    return forward / n, gradient / n, load / n


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def evaluations(cost: str, n_radii: int) -> int:
    """Read the registered cost of a measure: forward passes of a trial beside the shared gradients.

    Args:
        cost: As `sharpscope measures` lists it.
        n_radii: How many radii, R.

    Returns:
        The number; of "up to" so many, all.

    Raises:
        ValueError: If the text says none of what is known.

    Example:
        >>> [evaluations(cost, 3) for cost in ("2 shared + R", "R x 20", "2 for matched", "with trace", "up to 180")]
        [3, 60, 0, 0, 180]
    """
    if cost.startswith(("2 shared", "2 for", "with ")):
        extra = cost.partition(" + ")[2] or "0"
    else:
        extra = cost.removeprefix("up to ").partition(",")[0]
    each, _, times = extra.partition(" x ")
    return (n_radii if each == "R" else int(each)) * int(times or 1)


class Plan:
    """What measuring checkpoints on sets will cost, from one look at each architecture.

    Args:
        options: How they are measured.
        store: Where rows would go.
        share: This process; time is divided by their number.
    """

    def __init__(self, options: Options, store: Store, share: Share) -> None:
        self.options = options
        self.store = store
        self.share = share
        self._paces: dict[Any, Pace] = {}
        self._rows: list[dict[str, Any]] = []
        self._lines: list[str] = []

    def add(self, detector: Detector, draws: Sequence[Draw], opening: float = 0.0) -> None:
        """Add a checkpoint on its sets; a checkpoint of an architecture and size that was timed already is not run.

        Args:
            detector: The checkpoint.
            draws: The sets.
            opening: Seconds that it took to open it.
        """
        once, looked = opening, False
        for draw in draws:
            _, wanted = rows_wanted(detector, draw, self.options)
            missing = self.store.missing(wanted)
            known = len(wanted) - len(missing)
            if not missing:
                self._lines.append(
                    f"{detector.name} on {draw.name}: nothing to do, all {known} rows are there already"
                )
                continue
            # Checkpoints of one architecture and size take the same time and memory, on trials of one length.
            length = detector.spec.n_samples or draw.name
            kind = (detector.spec.hash(), str(detector.dtype), _shapes(detector), draw.m, length)
            if kind not in self._paces:
                self._paces[kind] = pace(detector, draw, self.options)
            found = self._paces[kind]
            if not looked or detector.spec.n_samples is None:
                once, looked = once + found.look, True
            self._add(detector, draw, measures_of(missing), found, known, once)
            once = 0.0

    def _add(
        self, detector: Detector, draw: Draw, names: Sequence[str], found: Pace, known: int, once: float
    ) -> None:
        n, grouped = len(draw.labels), sum(len(group) for group in draw.groups)
        shared = {MEASURES[name].cost for name in names if "shared by" in MEASURES[name].cost}
        own = [MEASURES[name].cost for name in names if MEASURES[name].cost not in shared]
        steps = sum(evaluations(cost, len(self.options.radii)) for cost in [*own, *shared])
        objectives = {o for name in names for o in MEASURES[name].objectives}
        steps += self._more_forwards(objectives, draw, found)
        passes = grouped * (1 + 2 * len(objectives) + steps) + n - grouped
        # A further objective takes a backward through the same graph.
        backward = found.gradient - found.forward
        group = found.gradient + (len(objectives) - 1) * backward if objectives else found.forward
        seconds = grouped * (group + steps * found.forward) + (n - grouped) * found.forward
        seconds += found.forward  # the trial of the first look, once more at the end
        workers = self.options.workers
        decoding = n * found.load / max(workers, 1)
        seconds = once + (max(seconds, decoding) if workers else seconds + decoding)
        held = found.memory(len(objectives))
        there = f", {known} rows are there already" if known else ""
        self._lines.append(
            f"{detector.name} on {draw.name}: {n} trials, {len(draw.groups)} groups of m = {draw.m}, "
            f"about {passes} forward passes of one trial, {in_words(seconds)}, {held / 1024**3:.1f} GiB{there}"
        )
        self._rows.append(
            {
                "checkpoint": detector.name,
                "set": draw.trials.name,
                "subset": draw.trials.subset,
                "m": draw.m,
                "trials": n,
                "groups": len(draw.groups),
                "passes": passes,
                "seconds": seconds,
                "seconds_scoring": once + n * max(found.forward, found.load),
                "bytes": held,
            }
        )

    def _more_forwards(self, objectives: set[str], draw: Draw, found: Pace) -> int:
        """Forwards of a group beside the shared one: for its temperature, and for L(w) without a graph."""
        exact = self.options.direction == "fp32"
        whole = exact and max(len(group) for group in draw.groups) <= found.batch
        matched = any(get_objective(name).matched for name in objectives)
        return int(matched and not whole) + int(bool(objectives) and not (exact and found.shared_baseline))

    def rows(self) -> tuple[dict[str, Any], ...]:
        """Return one mapping per checkpoint and set: trials, groups, passes, seconds, bytes."""
        return tuple(self._rows)

    def lines(self) -> tuple[str, ...]:
        """Return a line per checkpoint and set, and the total with what fewer groups would save."""
        if not self._rows:
            return tuple(self._lines)
        total = sum(row["seconds"] for row in self._rows)
        held = max(row["bytes"] for row in self._rows)
        words = f"in all {in_words(total)} on one device"
        if not self.share.alone:
            words += f", {in_words(total / self.share.world)} on {self.share.world}"
        words += f" ({total / 3600:.2g} device hours), {held / 1024**3:.1f} GiB"
        saving = ""
        if (fewer := self._with_groups(200)) < 0.9 * total:
            saving = f"--groups 200 would take {in_words(fewer)} and still score every trial"
        if len(self._rows) == 1 and self.share.alone:
            return (*self._lines, saving) if saving else tuple(self._lines)
        return (*self._lines, f"{words}; {saving}" if saving else words)

    def _with_groups(self, groups: int) -> float:
        """Seconds in all if no more than so many groups of a set were measured."""
        fewer = 0.0
        for row in self._rows:
            share = min(1.0, groups / max(row["groups"], 1))
            fewer += row["seconds_scoring"] + (row["seconds"] - row["seconds_scoring"]) * share
        return fewer


def _shapes(detector: Detector) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(parameter.shape) for parameter in detector.module.parameters())
