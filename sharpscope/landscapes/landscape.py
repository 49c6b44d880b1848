"""Loss surfaces of detectors along comparable directions: the trained point at the centre, every point a true loss."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import sharpscope
from sharpscope.corpora import TrialSet, read_set
from sharpscope.detectors import Detector, load_detector
from sharpscope.devices import choose_device, keep_freed_memory
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.files import locked, replace_file
from sharpscope.landscapes.plane import AXES, Plane, make_plane
from sharpscope.measurement.first_look import first_look
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.one_set import load_pieces
from sharpscope.measurement.options import Options, checked_options
from sharpscope.measurement.presets import trial_weights
from sharpscope.measurement.sets import Draw, draw
from sharpscope.measures.objectives import cross_entropy
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.progress import Meter, progress
from sharpscope.results.records import checkpoint_folder, record_name

COLUMNS = (
    "checkpoint",
    "sha256",
    "recipe",
    "set",
    "subset",
    "n_trials",
    "x_axis",
    "y_axis",
    "seed",
    "x",
    "y",
    "loss",
    "loss_name",
    "cosine",
    "version",
)

CLASSES = ("bonafide", "spoof")
# What makes two points part of the same slice.
SLICE = ("sha256", "set", "subset", "x_axis", "y_axis", "seed")


class LandscapeReport(NamedTuple):
    """What a call of `landscape` did.

    Attributes:
        out: The table of points, with the columns of ``COLUMNS``.
        points: Points in it that belong to this call.
        evaluated: Points that were not in the journal of an earlier run.
        failures: One line per checkpoint or set that failed.
    """

    out: Path
    points: int
    evaluated: int
    failures: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per point, columns ``COLUMNS``."""
        return pd.read_csv(self.out)

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return str(self.table.to_html(max_rows=20))


def coordinates(span: float, steps: int) -> np.ndarray:
    """Return equidistant coordinates with 0 exactly in the middle.

    Args:
        span: Largest coordinate.
        steps: How many; odd.

    Returns:
        Shape (steps,), rising.

    Raises:
        UsageError: If ``steps`` is even or below 3, or the span not positive.

    Example:
        >>> coordinates(1.0, 5).tolist()
        [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    if steps < 3 or steps % 2 == 0:
        raise UsageError(f"--steps is {steps}; the trained point is the centre, so 3, 5, 7, ...")
    if not (span > 0 and math.isfinite(span)):
        raise UsageError(f"--span is {span}; it is a positive number")
    half = steps // 2
    return np.arange(-half, half + 1) * span / half


def walk(
    live: LiveParameters,
    plane: Plane,
    points: Sequence[tuple[float, ...]],
    loss: Callable[[], float],
) -> Iterator[tuple[tuple[float, ...], float]]:
    r"""Evaluate the loss at :math:`w + x\,d_1 + y\,d_2` for every point; the weights are restored by copy.

    Each point starts from the trained values, so no rounding adds up, and (0, 0) is the trained network
    itself, bit for bit.

    Args:
        live: The trained weights; its guard checks afterwards that they are back.
        plane: The directions.
        points: Coordinates, one number per direction.
        loss: Evaluates the loss at the weights as they stand.

    Yields:
        The coordinates and the loss.
    """
    with live.guarded():
        for point in points:
            step = [torch.zeros_like(t) for t in live.trained]
            for scale, direction in zip(point, plane.directions, strict=True):
                torch._foreach_add_(step, direction, alpha=scale)
            try:
                live.move(step, 1.0)
                with torch.no_grad():
                    value = loss()
            finally:
                live.restore()
            yield point, value


class _Trials:
    """The trials of one set in memory, with the weights that their losses have in the mean over groups."""

    def __init__(self, detector: Detector, drawn: Draw, options: Options) -> None:
        self.count = sum(len(group) for group in drawn.groups)
        self.groups: list[tuple[Tensor, Tensor, Tensor]] = []
        stream = load_pieces(detector, drawn, drawn.groups, options)
        for group, waves in zip(drawn.groups, stream, strict=True):
            labels = drawn.labels[group]
            waves = waves.to(detector.device, detector.dtype)
            if not self.groups:
                trials = np.array([np.argmax(labels), np.argmin(labels)])
                pair = torch.as_tensor(labels[trials], device=detector.device)
                found = first_look(detector, waves[trials], pair, drawn.m, options.batch_size)
                self.live, self.batch_size, self.detector = found.live, found.batch_size, found.detector
            # What comes before the first weight is the same at every point of the plane.
            self.groups.append(
                (
                    detector.prepare(waves, self.batch_size),
                    torch.as_tensor(labels, device=detector.device),
                    torch.as_tensor(
                        trial_weights(labels, options.preset.class_weights), device=detector.device
                    ),
                )
            )

    def _parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for features, labels, weights in self.groups:
            for start in range(0, len(labels), self.batch_size):
                part = slice(start, start + self.batch_size)
                yield features[part], labels[part], weights[part] * (len(labels) / self.count)

    def loss(self) -> float:
        """Mean over groups of the group's loss, as the measure ``loss`` has it."""
        with torch.no_grad():
            total = sum(
                float((cross_entropy(self.detector.score(features), labels) * weights).sum())
                for features, labels, weights in self._parts()
            )
        return float(total)

    def gradient(self) -> list[Tensor]:
        """Gradient of `loss` at the weights as they stand."""
        total = [torch.zeros_like(t) for t in self.live.tensors]
        for features, labels, weights in self._parts():
            with torch.enable_grad():
                loss = (cross_entropy(self.detector.score(features), labels) * weights).sum()
                found = torch.autograd.grad(
                    loss, self.live.parameters, allow_unused=True, materialize_grads=True
                )
            torch._foreach_add_(total, found)
        return total


class _Slice(NamedTuple):
    """What is drawn: axes, coordinates and seeds of the directions."""

    axes: tuple[str, ...]
    xs: np.ndarray
    ys: np.ndarray
    seeds: tuple[int, ...]

    def points(self) -> list[tuple[float, ...]]:
        if len(self.axes) == 1:
            return [(float(x),) for x in self.xs]
        return [(float(x), float(y)) for y in self.ys for x in self.xs]


def _wanted(axes: tuple[str, ...], steps: int, span: float, rho: float, directions: int, seed: int) -> _Slice:
    """Check the options of a slice."""
    if not 1 <= len(axes) <= 2 or any(axis not in AXES for axis in axes) or axes.count("sam") > 1:
        raise UsageError(f"--axes is {','.join(axes)}; allowed: random or sam once, random twice, or both")
    if directions < 1 or (directions > 1 and axes != ("random",)):
        raise UsageError(f"--directions is {directions}; several are for the one axis random")
    extents = [rho if axis == "sam" else span for axis in axes]
    grids = [coordinates(extent, steps) for extent in extents]
    return _Slice(axes, grids[0], grids[-1], tuple(range(seed, seed + directions)))


def landscape(
    checkpoints: Sequence[str | Path],
    sets: Sequence[str],
    *,
    data: str | Path | None = None,
    out_dir: str | Path = "landscape",
    axes: Sequence[str] = ("random", "random"),
    steps: int = 21,
    span: float = 1.0,
    rho: float = 0.5,
    directions: int = 1,
    seed: int = 0,
    limit: int | None = 64,
    preset: str = "rigorous",
    m: int | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    show_progress: bool = True,
    **opening: Any,
) -> LandscapeReport:
    """Evaluate slices of the loss surface of checkpoints on sets and write one table of points.

    All checkpoints and sets share the draw of directions, the coordinates and, in the figures, scale and
    levels. Finished points are kept in a journal: an interrupted run goes on where it stopped.

    Args:
        checkpoints: Files.
        sets: As for `measure`.
        data: Folder that holds the corpora.
        out_dir: Folder of the table and its journals.
        axes: One or two of "random" and "sam".
        steps: Points along an axis, odd.
        span: Largest coordinate of a random axis, in filter norms.
        rho: Largest coordinate of the axis "sam", a radius.
        directions: Draws of a one-dimensional random slice.
        seed: Of the directions and of the draw of trials.
        limit: Trials per set, class-balanced; None takes all.
        preset: "rigorous" or "huang2025": composition and loss of the groups.
        m: Trials in a group; None takes the preset's, or what limit and classes allow.
        batch_size: Physical batch; None fits it to memory.
        device: "auto", "cpu" or "cuda:N".
        show_progress: Show a bar or lines on standard error.
        **opening: Passed to `load_detector` (arch, model, model_args, bonafide_index, allow_pickle, dtype).

    Returns:
        What was done.

    Raises:
        UsageError: If an option or a set is bad.
    """
    wanted = _wanted(tuple(axes), steps, span, rho, directions, seed)
    device = choose_device(device)
    options = checked_options(
        preset=preset, measures=["loss"], m=m, batch_size=batch_size, limit=limit, seed=seed
    )
    named = [read_set(spec, data=data, preset=preset) for spec in sets]
    draws = [draw(trials, m or _size(trials, options), options) for trials in named]
    rows: list[dict[str, Any]] = []
    problems: list[tuple[str, SharpscopeError]] = []
    evaluated = 0
    folder = Path(out_dir)
    total = len(checkpoints) * len(draws) * len(wanted.points()) * directions
    keep_freed_memory()
    with progress(total, show=show_progress, unit="points") as meter, exact_arithmetic():
        for path in checkpoints:
            try:
                detector = load_detector(path, device=device, **opening)
            except SharpscopeError as error:
                problems.append((Path(path).name, error))
                continue
            for drawn in draws:
                where = f"{Path(path).name} on {drawn.trials.name}"
                meter.describe(where)
                try:
                    found, fresh = _one(detector, drawn, options, wanted, folder, meter)
                except SharpscopeError as error:
                    problems.append((where, error))
                    continue
                except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
                    # The network is the user's: whatever it raises is about their file, not this program.
                    failed = SharpscopeError(f"the detector failed ({type(error).__name__}: {error})")
                    problems.append((where, failed))
                    continue
                rows += found
                evaluated += fresh
                write_points(folder / "landscape.csv", rows)
    failures = [f"{where}: {error}" for where, error in problems]
    if not rows:
        misuse = all(isinstance(error, UsageError) for _, error in problems)
        kind = UsageError if misuse else SharpscopeError
        raise kind("no landscape could be drawn; " + "; ".join(failures))
    return LandscapeReport(folder / "landscape.csv", len(rows), evaluated, tuple(failures))


def _size(trials: TrialSet, options: Options) -> int:
    """Return the trials of a group: the preset's, or as many as there are; of both classes where it is half of each."""
    room = min(len(trials.table), options.limit or len(trials.table))
    if options.preset.composition == "balanced":
        room = 2 * min(room // 2, *(int((trials.table["label"] == label).sum()) for label in CLASSES))
    return max(2, min(options.preset.m, room) // 2 * 2)


def _one(
    detector: Detector,
    drawn: Draw,
    options: Options,
    wanted: _Slice,
    folder: Path,
    meter: Meter,
) -> tuple[list[dict[str, Any]], int]:
    """Evaluate one checkpoint on one set; return its rows and how many points were not known before."""
    trials = _Trials(detector, drawn, options)
    name = checkpoint_folder(detector.name, detector.sha256)
    facts = (detector.sha256, detector.spec.hash(), drawn.hash, options.label, drawn.m, str(detector.dtype))
    identity = repr((facts, wanted.axes, wanted.xs.tolist(), wanted.ys.tolist(), str(detector.device)))
    journal = Journal(
        folder / "journals" / f"{name}.{record_name(drawn.trials.name, drawn.trials.subset)}.journal",
        f"{identity} {sharpscope.__version__}",
    )
    gradient = trials.gradient() if "sam" in wanted.axes else None
    rows = []
    evaluated = 0
    for seed in wanted.seeds:
        plane = make_plane(trials.live, wanted.axes, seed=seed, gradient=gradient)
        points = wanted.points()
        keys = {point: f"{seed}:{point}" for point in points}
        todo = [point for point in points if keys[point] not in journal.finished]
        meter.advance(len(points) - len(todo))
        for point, value in walk(trials.live, plane, todo, trials.loss):
            # A loss that overflows is a fact about that point, and JSON has no word for it.
            journal.record(keys[point], value if math.isfinite(value) else None)
            evaluated += 1
            meter.advance(1)
        for point in points:
            value = journal.finished[keys[point]]
            rows.append(
                {
                    "checkpoint": detector.name,
                    "sha256": detector.sha256,
                    "recipe": (detector.record or {}).get("recipe", ""),
                    "set": drawn.trials.name,
                    "subset": drawn.trials.subset,
                    "n_trials": trials.count,
                    "x_axis": wanted.axes[0],
                    "y_axis": wanted.axes[1] if len(wanted.axes) == 2 else "",
                    "seed": seed,
                    "x": point[0],
                    "y": point[1] if len(point) == 2 else "",
                    "loss": "" if value is None else value,
                    "loss_name": options.preset.loss_name,
                    "cosine": plane.cosine,
                    "version": sharpscope.__version__,
                }
            )
    return rows, evaluated


def write_points(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Add slices to a table of points in one step, every digit kept; a slice drawn again is replaced.

    Args:
        path: The file.
        rows: Mappings with the columns of ``COLUMNS``.
    """
    with locked(path.with_name(f"{path.name}.lock")):
        kept: list[dict[str, Any]] = []
        if path.is_file():
            fresh = {tuple(str(row[column]) for column in SLICE) for row in rows}
            with open(path, encoding="utf-8", newline="") as file:
                kept = [
                    row for row in csv.DictReader(file) if tuple(row[column] for column in SLICE) not in fresh
                ]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        writer.writerows(rows)
        replace_file(path, buffer.getvalue())
