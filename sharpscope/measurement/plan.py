"""What a measurement will cost: forward passes, time from a short trial run, memory, and what is there already."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import torch

from sharpscope.detectors import Detector
from sharpscope.devices import Share
from sharpscope.measurement.first_look import WEIGHT_COPIES, Look
from sharpscope.measurement.one_checkpoint import look_at, measures_of, rows_wanted
from sharpscope.measurement.one_set import halved_to_fit, load_pieces
from sharpscope.measurement.options import Options
from sharpscope.measurement.sets import Draw
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.progress import in_words
from sharpscope.results.store import Store

# Trials that a detector is timed on, at most.
TIMED = 4


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast a detector is on this device, per trial.

    Attributes:
        forward: Seconds of a forward without a graph.
        gradient: Seconds of a forward with one and its backward.
        load: Seconds to decode.
        memory: Bytes for activations, weights and their copies.
        samples: Length of the trials it was timed on.
    """

    forward: float
    gradient: float
    load: float
    memory: int
    samples: int


def pace(detector: Detector, draw: Draw, options: Options, look: Look) -> Pace:
    """Time a detector on the first trials of a set.

    Args:
        detector: In eval mode.
        draw: The set.
        options: Whether audio is resampled.
        look: The first look at the detector.

    Returns:
        Its pace.
    """
    chosen = draw.groups[0][:TIMED]
    start = time.perf_counter()
    waves = next(load_pieces(detector, draw, [chosen], options)).to(detector.device, detector.dtype)  # (B, T)
    load = time.perf_counter() - start
    labels = torch.as_tensor(draw.labels[chosen], device=waves.device)
    weights = torch.full((len(chosen),), 1 / len(chosen), dtype=torch.float64, device=waves.device)
    size = min(look.batch_size, len(chosen))

    def clock() -> float:
        if waves.is_cuda:
            torch.cuda.synchronize(waves.device)
        return time.perf_counter()

    def timed(size: int) -> tuple[float, float]:
        prepared = look.detector.prepare(waves, size)
        for _ in range(2):  # the first run also pays for what is set up once
            start = clock()
            group = Group(look.detector.score, look.live, prepared, labels, weights, batch_size=size)
            middle = clock()
            group.evaluate()
            end = clock()
        return middle - start, end - middle

    with exact_arithmetic(), look.live.guarded():
        (gradient, forward), _ = halved_to_fit(timed, size)
    held = sum(p.numel() * p.element_size() for p in detector.module.parameters())
    memory = look.saved_bytes * look.batch_size + WEIGHT_COPIES * held
    n = len(chosen)
    return Pace(forward / n, gradient / n, load / n, memory, waves.shape[1])


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

    def add(self, detector: Detector, draws: Sequence[Draw]) -> None:
        """Add a checkpoint on its sets; a checkpoint of an architecture and size that was timed already is not run.

        Args:
            detector: The checkpoint.
            draws: The sets.
        """
        look: Look | None = None
        for draw in draws:
            _, wanted = rows_wanted(detector, draw, self.options)
            missing = self.store.missing(wanted)
            known = len(wanted) - len(missing)
            if not missing:
                self._lines.append(
                    f"{detector.name} on {draw.name}: nothing to do, all {known} rows are there already"
                )
                continue
            # Checkpoints of one architecture and size take the same time and memory.
            kind = (detector.spec.hash(), str(detector.dtype), _shapes(detector), draw.m)
            if kind not in self._paces:
                look = look_at(detector, draw, self.options, look)
                self._paces[kind] = pace(detector, draw, self.options, look)
            self._add(detector, draw, measures_of(missing), self._paces[kind], known)

    def _add(self, detector: Detector, draw: Draw, names: Sequence[str], found: Pace, known: int) -> None:
        grouped = sum(len(group) for group in draw.groups)
        scored = len(draw.labels) - grouped
        shared = {MEASURES[name].cost for name in names if "shared by" in MEASURES[name].cost}
        own = [MEASURES[name].cost for name in names if MEASURES[name].cost not in shared]
        steps = sum(evaluations(cost, len(self.options.radii)) for cost in [*own, *shared])
        backwards = len({o for name in names for o in MEASURES[name].objectives})
        passes = grouped * (1 + 2 * backwards + steps) + scored
        seconds = grouped * found.gradient * max(backwards, 1) + (grouped * steps + scored) * found.forward
        seconds = max(seconds, len(draw.labels) * found.load)
        there = f", {known} rows are there already" if known else ""
        self._lines.append(
            f"{detector.name} on {draw.name}: {len(draw.labels)} trials, {len(draw.groups)} groups of m = {draw.m}, "
            f"about {passes} forward passes of one trial, {in_words(seconds)}, {found.memory / 1024**3:.1f} GiB{there}"
        )
        self._rows.append(
            {
                "checkpoint": detector.name,
                "set": draw.trials.name,
                "subset": draw.trials.subset,
                "m": draw.m,
                "trials": len(draw.labels),
                "groups": len(draw.groups),
                "passes": passes,
                "seconds": seconds,
                "seconds_scoring": len(draw.labels) * max(found.forward, found.load),
                "bytes": found.memory,
            }
        )

    def rows(self) -> tuple[dict[str, Any], ...]:
        """Return one mapping per checkpoint and set: trials, groups, passes, seconds, bytes."""
        return tuple(self._rows)

    def lines(self) -> tuple[str, ...]:
        """Return a line per checkpoint and set, and the total with what fewer groups would save."""
        total = sum(row["seconds"] for row in self._rows)
        if len(self._rows) < 2:
            return tuple(self._lines)
        memory = max(row["bytes"] for row in self._rows)
        words = f"in all {in_words(total)} on one device"
        if not self.share.alone:
            words += f", {in_words(total / self.share.world)} on {self.share.world}"
        words += f" ({total / 3600:.2g} device hours), {memory / 1024**3:.1f} GiB"
        if (fewer := self._with_groups(200)) < 0.9 * total:
            words += f"; --groups 200 would take {in_words(fewer)} and still score every trial"
        return (*self._lines, words)

    def _with_groups(self, groups: int) -> float:
        """Seconds in all if no more than so many groups of a set were measured."""
        fewer = 0.0
        for row in self._rows:
            share = min(1.0, groups / max(row["groups"], 1))
            fewer += row["seconds_scoring"] + (row["seconds"] - row["seconds_scoring"]) * share
        return fewer


def _shapes(detector: Detector) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(parameter.shape) for parameter in detector.module.parameters())
