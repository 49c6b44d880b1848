"""One detector on one set: scores for every trial, measures for every group, each piece recorded when it is done."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sharpscope.audio.batches import load_groups
from sharpscope.audio.cache import WaveCache
from sharpscope.detectors import Detector
from sharpscope.devices import ALONE, Share
from sharpscope.errors import SharpscopeError
from sharpscope.measurement.first_look import Look, same_in_group
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.options import Options
from sharpscope.measurement.presets import trial_weights
from sharpscope.measurement.sets import Draw
from sharpscope.measurement.stopping import StoppingRule
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import block_of
from sharpscope.measures.precision import exact_arithmetic
from sharpscope.progress import Meter
from sharpscope.results.table import measure_and_block

Key = tuple[str, float | None]
Columns = dict[Key, list[float]]
Result = TypeVar("Result")


class SetMeasurement(NamedTuple):
    """What was measured on one set.

    Attributes:
        logits: Shape (n, 2), columns spoof and bona fide, one row per trial of the set.
        values: Per (measure, radius), one value per measured group.
        groups: Numbers of the measured groups, in order.
        sizes: Trials per measured group.
        batch_size: Physical batch at the end.
        notes: What a reader of the row should know.
    """

    logits: np.ndarray
    values: Columns
    groups: list[int]
    sizes: list[int]
    batch_size: int
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class OneSet:
    """A detector, a set, and how it is measured: all that a piece of work needs to know.

    Attributes:
        look: What the first look found, with the detector.
        draw: The set.
        options: How it is measured.
        measures: Names of the measures that are missing in the table.
        cache: Decoded audio, or None.
    """

    look: Look
    draw: Draw
    options: Options
    measures: tuple[str, ...]
    cache: WaveCache | None = None

    @property
    def keys(self) -> list[Key]:
        """What is measured on a group, in order."""
        return value_keys(self.measures, self.options.radii, block_names(self.look.detector.module))

    @property
    def objectives(self) -> list[str]:
        """The losses whose gradients the measures share."""
        return list(dict.fromkeys(o for name in self.measures for o in MEASURES[name].objectives))


def value_keys(measures: Iterable[str], radii: Sequence[float], blocks: Sequence[str] = ()) -> list[Key]:
    """Return what is measured on a group, in order: each measure, once per radius or block where it has one.

    Args:
        measures: Names of registered measures.
        radii: rho.
        blocks: Blocks of the network; see `block_names`.

    Returns:
        Pairs of measure and radius.

    Example:
        >>> value_keys(["sam", "loss", "sam_layers"], [0.05, 0.01], ["out"])
        [('sam', 0.05), ('sam', 0.01), ('loss', None), ('sam_layers[out]', None)]
    """
    keys: list[Key] = []
    for name in measures:
        if MEASURES[name].blocks:
            keys += [(f"{name}[{block}]", None) for block in blocks]
        else:
            keys += [(name, rho) for rho in radii] if MEASURES[name].radius else [(name, None)]
    return keys


def block_names(module: nn.Module) -> list[str]:
    """Return the blocks of a network that have parameters, in its order.

    Args:
        module: The network.

    Returns:
        Names; see `sharpscope.measures.parameters.block_of`.
    """
    return list(dict.fromkeys(block_of(name) for name, _ in module.named_parameters()))


def load_pieces(
    detector: Detector,
    draw: Draw,
    pieces: Sequence[np.ndarray],
    options: Options,
    *,
    workers: int = 0,
    cache: WaveCache | None = None,
) -> Iterator[Tensor]:
    """Decode trials as a detector takes them.

    Args:
        detector: Whose rate, length and padding are wanted.
        draw: The set.
        pieces: Indices of trials that belong together.
        options: Whether audio is resampled.
        workers: Processes that decode; 0 decodes here.
        cache: Decoded audio.

    Yields:
        Shape (B, T) for each piece, on the CPU.
    """
    spec = detector.spec
    yield from load_groups(
        draw.trials.table["path"].tolist(),
        pieces,
        workers=workers if draw.trials.reader is None else 0,
        pin_memory=detector.device.type == "cuda",
        sample_rate=options.sample_rate(spec.sample_rate),
        n_samples=spec.n_samples,
        padding=spec.padding,
        cache=cache,
        reader=draw.trials.reader,
    )


def work(
    one: OneSet, journal: Journal, *, share: Share = ALONE, offset: int = 0, meter: Meter | None = None
) -> None:
    """Measure the pieces that this process owns and that nobody has finished, each into the journal.

    Args:
        one: What is measured.
        journal: What is finished.
        share: This process.
        offset: Added to the number of a piece before asking who owns it, so that small sets spread.
        meter: Advanced by one per trial.

    Raises:
        SharpscopeError: If a file cannot be decoded or a value is not finite.
    """
    meter = meter or Meter(0, "trials", None, quiet=True)
    pieces, options = one.draw.pieces, one.options
    mine = [index for index in range(len(pieces)) if share.owns(index + offset)]
    todo = [index for index in mine if str(index) not in journal.finished]
    stream = load_pieces(
        one.look.detector,
        one.draw,
        [pieces[index] for index in todo],
        options,
        workers=options.workers,
        cache=one.cache,
    )
    enough = _Enough(one)
    batch_size = one.look.batch_size
    with exact_arithmetic(), one.look.live.guarded():
        for index in mine:
            if str(index) in journal.finished:
                meter.skip(len(pieces[index]))
            else:
                with meter.waiting():
                    waves = next(stream)
                measured = index < len(one.draw.groups) and not enough.reached
                entry, batch_size = measure_piece(one, index, waves, batch_size, measured)
                if index == 0:
                    same_in_group(one.look, torch.from_numpy(floats(entry["logits"]).reshape(-1, 2).copy()))
                journal.record(str(index), entry)
                meter.advance(len(pieces[index]))
            enough.after(index, journal.finished[str(index)])


class _Enough:
    """Tells whether every interval of a set is as narrow as was asked for; never without a tolerance."""

    def __init__(self, one: OneSet) -> None:
        tolerance = one.options.tolerance
        self.rule = None if tolerance is None else StoppingRule(len(one.draw.groups), tolerance)
        self.n_groups = len(one.draw.groups)
        self.keys = one.keys
        # What share a block has needs no precision of its own beside what is measured.
        judged = [key for key in self.keys if not measure_and_block(key[0])[1]] or self.keys
        self.columns: Columns = {key: [] for key in judged}
        self.reached = False

    def after(self, index: int, entry: dict[str, Any]) -> None:
        """Take a finished group into account."""
        if self.rule is None or self.reached or index >= self.n_groups:
            return
        for key, value in zip(self.keys, floats(entry["values"]), strict=True):
            if key in self.columns:
                self.columns[key].append(float(value))
        self.reached = self.rule.enough(self.columns)


def measure_piece(
    one: OneSet, index: int, waves: Tensor, batch_size: int, measured: bool
) -> tuple[dict[str, Any], int]:
    """Measure, or only score, some trials; the physical batch is halved as often as the device has no memory for it.

    Args:
        one: What is measured.
        index: Number of the piece.
        waves: Shape (B, T), on the CPU.
        batch_size: Trials that go through at once.
        measured: Whether they are a group that is measured.

    Returns:
        What the journal keeps, and the physical batch that fitted.

    Raises:
        SharpscopeError: If one trial at a time does not fit, or a value is not finite.
    """
    labels = one.draw.labels[one.draw.pieces[index]]
    size = batch_size
    if one.options.batch_size is None:
        size = min(size, one.look.batch_for(waves.shape[1], len(waves)))
    (logits, values), fitted = halved_to_fit(lambda n: _values(one, waves, labels, n, measured), size)
    entry: dict[str, Any] = {"logits": text(logits), "values": text(values)}
    if fitted < one.look.batch_size:
        entry["batch"] = fitted
    if fitted < size:
        entry["notes"] = [f"physical batch halved to {fitted} for lack of memory"]
    return entry, fitted if fitted < size else batch_size


def halved_to_fit(run: Callable[[int], Result], batch_size: int) -> tuple[Result, int]:
    """Run something that takes a physical batch, halved as often as the device has no memory for it.

    Args:
        run: Takes the number of trials that go through at once.
        batch_size: The first one to try.

    Returns:
        What it returned, and the physical batch that fitted.

    Raises:
        SharpscopeError: If one trial at a time does not fit.
    """
    while True:
        try:
            return run(batch_size), batch_size
        except torch.OutOfMemoryError:
            pass
        # Outside of the handler, whose traceback holds the tensors of the run that failed.
        if batch_size == 1:
            raise SharpscopeError(
                "out of memory with one trial at a time; use a device with more memory or --device cpu"
            )
        batch_size = max(1, batch_size // 2)
        torch.cuda.empty_cache()


def _values(
    one: OneSet, waves: Tensor, labels: np.ndarray, batch_size: int, measured: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits (B, 2) of some trials and, of a measured group, the values in order of the keys."""
    detector, options = one.look.detector, one.options
    waves = waves.to(detector.device, detector.dtype, non_blocking=True)
    group = Group(
        detector.score,
        one.look.live,
        detector.prepare(waves, batch_size),
        torch.as_tensor(labels, device=waves.device),
        torch.as_tensor(trial_weights(labels, options.preset.class_weights), device=waves.device),
        batch_size=batch_size,
        objectives=one.objectives if measured else (),
        shared_baseline=one.look.shared_baseline,
        seed=options.seed,
        own_loss=detector.own_loss,
        direction=options.direction,
    )
    values: list[float] = []
    for name in one.measures if measured else ():
        radii = options.radii if MEASURES[name].radius else ()
        found = MEASURES[name].function(group, radii)
        for key, rho in value_keys([name], radii, block_names(detector.module)):
            block = measure_and_block(key)[1]
            value = found.get(block, 0.0) if block else found[rho]  # a dead block takes no step
            if not np.isfinite(value):
                raise SharpscopeError(f"{key} is {value} on a group")
            values.append(float(value))
    return group.logits.cpu().numpy(), np.array(values)


def put_together(one: OneSet, journal: Journal) -> SetMeasurement | None:
    """Put together what all processes have finished.

    Args:
        one: What is measured.
        journal: What is finished.

    Returns:
        Logits per trial and values per group; None while pieces are missing.
    """
    pieces, finished = one.draw.pieces, journal.finished
    if any(str(index) not in finished for index in range(len(pieces))):
        return None
    logits = np.full((len(one.draw.labels), 2), np.nan)
    columns: Columns = {key: [] for key in one.keys}
    groups: list[int] = []
    notes = list(_notes(one))
    batch_size = one.look.batch_size
    for index, trials in enumerate(pieces):
        entry = finished[str(index)]
        logits[trials] = floats(entry["logits"]).reshape(-1, 2)
        notes += [note for note in entry.get("notes", []) if note not in notes]
        batch_size = min(batch_size, entry.get("batch", batch_size))
        values = floats(entry["values"])
        if index < len(one.draw.groups) and len(values):
            groups.append(index)
            for key, value in zip(one.keys, values, strict=True):
                columns[key].append(float(value))
    if one.options.tolerance is not None:
        enough = _Enough(one)
        for index in groups:
            enough.after(index, finished[str(index)])
        notes += [enough.rule.reason] if enough.rule is not None and enough.rule.reason else []
    if len(groups) < len(one.draw.groups):
        notes.append(
            f"stopped after {len(groups)} of {one.draw.n_groups} groups at a tolerance of {one.options.tolerance}"
        )
    sizes = [len(pieces[index]) for index in groups]
    return SetMeasurement(logits, columns, groups, sizes, batch_size, tuple(notes))


def _notes(one: OneSet) -> Iterator[str]:
    """Yield what is known of the measurement before it starts."""
    yield f"noise floor {one.look.noise_floor:.3g}"
    if one.options.direction != "fp32":
        words = {"bf16": "bfloat16", "tf32": "TF32"}[one.options.direction]
        yield f"direction in {words} (--direction {one.options.direction})"
    elif not one.look.shared_baseline:
        yield "L(w) evaluated separately: kernels with and without a graph differ"
    if len(one.draw.groups) < one.draw.n_groups:
        yield f"{len(one.draw.groups)} of {one.draw.n_groups} groups measured, a seeded random sample (--groups)"
    yield from one.look.notes


def text(numbers: np.ndarray) -> str:
    """Return float64 numbers as text that gives every bit back and takes little room.

    Args:
        numbers: Any shape.

    Returns:
        The text.

    Example:
        >>> floats(text(np.array([0.1, 2.0]))).tolist()
        [0.1, 2.0]
    """
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f8").tobytes()).decode("ascii")


def floats(encoded: str) -> np.ndarray:
    """Return the numbers that `text` wrote.

    Args:
        encoded: The text.

    Returns:
        Shape (n,), float64.
    """
    return np.frombuffer(base64.b64decode(encoded), dtype="<f8")
