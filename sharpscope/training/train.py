"""Training one recipe, or every recipe of a grid."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from sharpscope.devices import this_share, worker_processes
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.progress import progress
from sharpscope.training.guard import shared_trials
from sharpscope.training.recipe import Recipe, locate, read_recipe
from sharpscope.training.run import Training
from sharpscope.training.state import open_folder

# Keys that only an ascent reads.
ASCENT = ("rho", "rho_end", "eta", "vectors", "alpha", "sigma", "decay", "k", "replicas")


class TrainReport(NamedTuple):
    """What a run left behind.

    Attributes:
        folder: Its folder: ``best.pt``, ``last.pt``, ``log.csv``, and ``averaged.pt`` where weights were averaged.
        dev_eer: Of the best epoch; NaN without a dev set.
        epochs: How many were run in all, earlier calls included.
        stopped: Why it ended.
    """

    folder: Path
    dev_eer: float
    epochs: int
    stopped: str

    @property
    def table(self) -> pd.DataFrame:
        """One row per epoch, as ``log.csv`` has it."""
        return pd.read_csv(self.folder / "log.csv")

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return str(self.table.to_html(max_rows=20))


def train(
    recipe: str | Path | Recipe,
    *,
    out: str | Path | None = None,
    force: bool = False,
    show_progress: bool = True,
) -> TrainReport:
    """Train a detector as a recipe says; the same call goes on where an earlier one was killed.

    Args:
        recipe: A TOML file, or a recipe.
        out: Folder of the run; None takes the file's name without its ending, beside it.
        force: Choose the best epoch on a set that will be tested, which the record then says.
        show_progress: Show a bar or lines on standard error.

    Returns:
        Where the checkpoints are, and how well the best one does on the dev sets; a run that is done already is not
        run again.

    Raises:
        UsageError: If the recipe is bad, or selects on a set under test and ``force`` is not given.
        SharpscopeError: If the loss is not finite; the last good checkpoint is kept.
    """
    if not isinstance(recipe, Recipe):
        out = out or Path(recipe).with_suffix("")
        recipe = read_recipe(recipe)
    # Sizes of a pretrained front-end are added to it on the way.
    text = repr(recipe.values)
    folder = Path(out or recipe.title)
    done = finished(folder, recipe)
    if done is not None:
        return done
    leaked = checked_selection(recipe, force=force)
    try:
        open_folder(folder)
        run = Training(recipe, folder, this_share(), leaked)
        stopped = run.run(show_progress)
        report = TrainReport(folder, run.best_eer, run.epoch, stopped)
        if not run.share.rank:
            (folder / "done.json").write_text(
                json.dumps({"recipe": text, **report._asdict(), "folder": str(folder)}), encoding="utf-8"
            )
    except torch.OutOfMemoryError as error:
        raise SharpscopeError(
            f"{folder}: the GPU's memory ran out; set schedule.micro_batch below {recipe['schedule']['batch_size']}, "
            "run.amp, or frontend.checkpointing, and start in a new folder"
        ) from error
    except OSError as error:
        raise SharpscopeError(
            f"{folder}: the run stopped ({error}); the same command goes on from there"
        ) from error
    return report


def checked_selection(recipe: Recipe, *, force: bool = False, by_audio: bool | None = None) -> list[str]:
    """Refuse to choose the best epoch on trials that will be tested.

    Args:
        recipe: The recipe.
        force: Do it anyway.
        by_audio: Compare what is heard too; None does for small sets.

    Returns:
        The dev sets that share trials with a tested one; empty unless ``force``.

    Raises:
        UsageError: If they share trials, sets being resolved first: aliases, parts, files.
    """
    data = recipe["data"]
    shared = shared_trials(data["dev"], data["tested_on"], data["root"] or None, by_audio=by_audio)
    if shared and not force:
        raise UsageError(
            f"data.dev and data.tested_on share trials: {'; '.join(map(str, shared[:3]))}. The best epoch would be "
            "chosen on a test set. Choose on the source domain, or --force it, which the checkpoint's record will say"
        )
    return list(dict.fromkeys(one.dev for one in shared))


def finished(folder: Path, recipe: Recipe) -> TrainReport | None:
    """Return what a run left behind that is done.

    Args:
        folder: Of the run.
        recipe: What it was to do.

    Returns:
        Its report; None where it is not done, or was another recipe's.
    """
    path = folder / "done.json"
    if not path.is_file() or not (folder / "best.pt").is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["recipe"] != repr(recipe.values):
            return None
        return TrainReport(folder, float(found["dev_eer"]), int(found["epochs"]), str(found["stopped"]))
    except (OSError, ValueError, KeyError, TypeError):
        # A damaged note is no note: the run looks at its state itself.
        return None


def grid(recipe: Recipe, axes: Mapping[str, Sequence[Any]], seeds: int = 1) -> dict[str, Recipe]:
    """Return every combination of values, each once: a radius changes nothing where there is no ascent.

    Args:
        recipe: What they have in common.
        axes: Values by key; see `Recipe.with_values`.
        seeds: Seeds of each, counted from the recipe's own.

    Returns:
        Recipes by the name of their folder.

    Raises:
        UsageError: If a key is unknown, or seeds is below 1.

    Example:
        >>> list(grid(Recipe({}), {"optimizer": ["adam", "sam"], "rho": ["0.01", "0.05"]}))
        ['optimizer=adam,seed=0', 'optimizer=sam,rho=0.01,seed=0', 'optimizer=sam,rho=0.05,seed=0']
    """
    if seeds < 1:
        raise UsageError(f"seeds is {seeds}; at least one is needed")
    found: dict[str, Recipe] = {}
    known: set[str] = set()
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        base = recipe.with_values(chosen)
        for seed in range(recipe.seed, recipe.seed + seeds):
            one = base.with_values({"seed": seed})
            if not one.sharp:
                for key in [k for k in chosen if k != "optimizer" and locate(k)[0] == "optimizer"]:
                    if locate(key)[1] in ASCENT:
                        one = one.with_values({key: recipe["optimizer"][locate(key)[1]]})
            if repr(one.values) in known:
                continue
            known.add(repr(one.values))
            shown = {
                k: v for k, v in chosen.items() if one.sharp or k == "optimizer" or locate(k)[1] not in ASCENT
            }
            name = ",".join(f"{k}={str(v).replace('/', '_')}" for k, v in {**shown, "seed": seed}.items())
            found[name] = one
    return found


def train_grid(
    recipe: str | Path | Recipe,
    axes: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 1,
    out: str | Path | None = None,
    jobs: int = 1,
    array: tuple[int, int] = (0, 1),
    force: bool = False,
    show_progress: bool = True,
) -> list[TrainReport]:
    """Train every recipe of a grid, one folder each; what is done is skipped.

    Args:
        recipe: A TOML file, or a recipe, with what they have in common.
        axes: Values by key.
        seeds: Seeds of each.
        out: Folder of the folders; None takes the file's name without its ending.
        jobs: Runs at once; each takes its part of the cores, and a GPU of its own where there are several.
        array: (I, N): only runs I, I + N, ... of the grid, counted from 0, for one task of N of a cluster.
        force: As for `train`.
        show_progress: Show how many are done.

    Returns:
        One report a recipe, in order of the grid.

    Raises:
        SharpscopeError: If runs failed; the others are finished first.
        UsageError: If a key is unknown, or the array has no task of that number.
    """
    if not isinstance(recipe, Recipe):
        out = out or Path(recipe).with_suffix("")
        recipe = read_recipe(recipe)
    folder = Path(out or recipe.title)
    recipes = part_of(grid(recipe, axes, seeds), array)
    return train_all(recipes, folder, jobs=jobs, force=force, show_progress=show_progress)


def part_of(recipes: Mapping[str, Recipe], array: tuple[int, int]) -> dict[str, Recipe]:
    """Return the runs of one task of a cluster's array.

    Args:
        recipes: Of the grid, by name.
        array: (I, N), I from 0 to N - 1.

    Returns:
        Every N-th, from the I-th.

    Raises:
        UsageError: If there is no such task, or it has nothing to do.

    Example:
        >>> list(part_of(dict.fromkeys("abcde", Recipe({})), (1, 2)))
        ['b', 'd']
    """
    number, count = array
    if not 0 <= number < count:
        raise UsageError(f"--array is {number}/{count}; it is I/N with I from 0 to N - 1")
    chosen = dict(list(recipes.items())[number::count])
    if not chosen:
        raise UsageError(
            f"--array is {number}/{count}, and the grid has {len(recipes)} runs; take N up to that"
        )
    return chosen


def train_all(
    recipes: Mapping[str, Recipe],
    out: str | Path,
    *,
    jobs: int = 1,
    force: bool = False,
    show_progress: bool = True,
) -> list[TrainReport]:
    """Train several recipes, one folder each; what is done is skipped.

    Args:
        recipes: By the name of their folder.
        out: Folder of the folders.
        jobs: Runs at once; each takes its part of the cores, and a GPU of its own where there are several.
        force: As for `train`.
        show_progress: Show how many are done.

    Returns:
        One report a recipe, in their order.

    Raises:
        SharpscopeError: If runs failed; the others are finished first.
        UsageError: If jobs is below 1.
    """
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}; at least one run at a time")
    reports: list[TrainReport] = []
    failed: list[str] = []
    places = multiprocessing.get_context("spawn").Value("i", 0)
    with (
        progress(len(recipes), "runs", show=show_progress) as meter,
        worker_processes(jobs, _take_place, (places,)) as pool,
    ):
        folder = Path(out)
        done = {name: finished(folder / name, one) for name, one in recipes.items()}
        runs = {
            name: pool.submit(_one, one, folder / name, force)
            for name, one in recipes.items()
            if done[name] is None
        }
        for name, report in done.items():
            meter.describe(name)
            if report is not None:
                reports.append(report)
                # What an earlier call has done says nothing about how long the rest will take.
                meter.skip(1)
                continue
            try:
                reports.append(runs[name].result())
            except SharpscopeError as error:
                failed.append(f"{name}: {error}")
            except BrokenProcessPool:
                failed.append(
                    f"{name}: a process was killed, perhaps for memory; fewer --jobs, and give it again"
                )
            meter.advance(1)
    if failed:
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise SharpscopeError(
            f"{len(failed)} of {len(recipes)} runs failed, {len(reports)} are done; {'; '.join(failed[:3])}{more}"
        )
    return reports


def _take_place(places: Any) -> None:
    """Give each process of a grid a number of its own, by which `run.device = "auto"` chooses among GPUs."""
    with places.get_lock():
        os.environ["LOCAL_RANK"] = str(places.value)
        places.value += 1


def _one(recipe: Recipe, folder: Path, force: bool) -> TrainReport:
    return train(recipe, out=folder, force=force, show_progress=False)
