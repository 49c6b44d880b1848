"""What one call measures, the same for every checkpoint: checked once, changed never."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sharpscope.errors import UsageError, some_of
from sharpscope.measurement.presets import Preset, get_preset
from sharpscope.measures import MEASURES, select_measures
from sharpscope.measures.group import Arithmetic

# What a row says behind its preset of how directions were taken.
SUFFIX: dict[Arithmetic, str] = {"fp32": "", "tf32": "+tf32", "bf16": "+fast"}
# What is measured of audio without labels unless something else is named: what costs no more than sharpness does.
UNLABELLED = ("sam_predicted", "asam_predicted", "sam_entropy", "entropy", "confidence")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the user says of the training of checkpoints, beside what their records say.

    Attributes:
        recipe: How they were trained; None takes the record's.
        trained_on: Sets they were trained on, as ``--sets`` takes them.
        selected_on: Sets on which the best epoch or setting was chosen.
    """

    recipe: str | None = None
    trained_on: tuple[str, ...] = ()
    selected_on: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Design:
    """Which parts of a set are measured, each as a set of its own.

    Attributes:
        by: Condition of which every value is measured alone ("attack", "codec", "language", "speaker"), or None.
        grow: Condition of which more and more values are measured, counts held fixed, or None.
        orders: Random orders of growth.
        per_class: Trials of each class in every step of growth; None takes the most that all values have.
    """

    by: str | None = None
    grow: str | None = None
    orders: int = 5
    per_class: int | None = None


@dataclasses.dataclass(frozen=True)
class Options:
    """How checkpoints are measured on sets.

    Attributes:
        preset: How groups are made and scored.
        label: The preset's name for the table, with the options that have no column of their own.
        measures: Names of registered measures, in the registry's order.
        radii: rho, each a positive number.
        sizes: Trials in a group; a measurement each.
        batch_size: Physical batch; None fits it to memory.
        limit: Trials drawn from a set; None takes all.
        groups: Groups measured of a set, a seeded random sample; None measures all. Every trial is scored.
        tolerance: Relative half-width of every measure's interval at which no further group is measured, or None.
        seed: Of the draws of trials and groups, and of random directions.
        direction: How gradients are taken: "fp32", "tf32" or "bf16".
        design: Which parts of a set are measured.
        facts: What the user says of the checkpoints' training.
        workers: Processes that decode audio.
        cache: Whether decoded audio that is kept on disk is used.
        keep: Whether decoded audio is kept on disk.
        force: Whether what is in the table is measured again.
    """

    preset: Preset
    label: str
    measures: tuple[str, ...]
    radii: tuple[float, ...]
    sizes: tuple[int, ...]
    batch_size: int | None
    limit: int | None
    groups: int | None
    tolerance: float | None
    seed: int
    direction: Arithmetic
    design: Design
    facts: Facts
    workers: int
    cache: bool
    keep: bool
    force: bool

    def sample_rate(self, own: int) -> int | None:
        """Return the rate that audio is brought to.

        Args:
            own: The rate that the detector takes, in Hz.

        Returns:
            That rate, or None where the preset takes the samples as they are.
        """
        return own if self.preset.resample else None


def checked_options(
    *,
    preset: str = "rigorous",
    measures: Sequence[str] | None = None,
    rho: Sequence[float] | None = None,
    m: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    limit: int | None = None,
    groups: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    dtype: str = "float32",
    direction: str = "fp32",
    fast: bool = False,
    design: Design = Design(),
    facts: Facts = Facts(),
    workers: int = 0,
    cache: bool = False,
    keep: bool = False,
    force: bool = False,
    unlabelled: bool = False,
) -> Options:
    """Check what a user asked for and fill in what the preset says.

    The arguments are those of `measure`.

    Returns:
        The options.

    Raises:
        UsageError: If a value is not allowed; says which ones are.
    """
    chosen = get_preset(preset)
    radii = tuple(dict.fromkeys(rho or chosen.rho))
    if bad := [r for r in radii if not (r > 0 and np.isfinite(r))]:
        raise UsageError(f"--rho is {bad[0]}; a radius is a positive number")
    _at_least("--limit", limit, 2, "a set needs a trial of each class")
    _at_least("--groups", groups, 2, "a standard error needs two groups")
    _at_least("--batch-size", batch_size, 1, "it is a number of trials")
    _at_least("--workers", workers, 0, "it is a number of processes")
    if tolerance is not None and not 0 < tolerance < 1:
        raise UsageError(f"--tolerance is {tolerance}; it is a fraction of the value, such as 0.02")
    if tolerance is not None and groups is not None:
        raise UsageError("--groups and --tolerance were both given; either says how many groups are measured")
    arithmetic = _arithmetic(direction, fast, dtype)
    if unlabelled:
        measures = _label_free(preset, measures, design)
    return Options(
        preset=chosen,
        label=preset + (f"+seed={seed}" if seed else "") + SUFFIX[arithmetic],
        measures=tuple(select_measures(measures or chosen.measures)),
        radii=radii,
        sizes=(m,) if isinstance(m, int) else tuple(m or (chosen.m,)),
        batch_size=batch_size,
        limit=limit,
        groups=groups,
        tolerance=tolerance,
        seed=seed,
        direction=arithmetic,
        design=design,
        facts=facts,
        workers=workers,
        cache=cache,
        keep=keep,
        force=force,
    )


def _arithmetic(direction: str, fast: bool, dtype: str) -> Arithmetic:
    """Return how gradients are taken; --fast is the older name of bf16."""
    if direction not in SUFFIX:
        raise UsageError(f"--direction is '{direction}'; it must be one of {', '.join(SUFFIX)}")
    if fast and direction == "tf32":
        raise UsageError(
            "--fast was given with --direction tf32; --fast is --direction bf16, give one of them"
        )
    chosen: Arithmetic = "bf16" if fast else direction
    if chosen != "fp32" and dtype != "float32":
        given = "--fast" if fast else f"--direction {chosen}"
        raise UsageError(
            f"{given} was given with --dtype {dtype}; directions in less than float32 are for float32"
        )
    return chosen


def _label_free(preset: str, measures: Sequence[str] | None, design: Design) -> Sequence[str]:
    """Return the measures of audio without labels, after checking that all else can do without them."""
    if preset != "rigorous":
        raise UsageError(
            f"--preset {preset} weighs trials by their label; audio without labels takes rigorous"
        )
    if design.by or design.grow:
        raise UsageError("--by and --grow divide a set by what its protocol says; --unlabelled has none")
    chosen = select_measures(measures or UNLABELLED)
    known = [name for name in MEASURES if "label_free" in MEASURES[name].families or name == "param_norm"]
    if needing := [name for name in chosen if name not in known]:
        raise UsageError(
            f"{', '.join(needing[:6])} cannot be measured without labels; with --unlabelled take of {some_of(known)}"
        )
    return chosen


def _at_least(option: str, value: int | None, least: int, why: str) -> None:
    if value is not None and not value >= least:
        raise UsageError(f"{option} is {value}; {why}, so {least} or more")
