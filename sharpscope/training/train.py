"""Training one recipe, or every recipe of a grid."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch

from sharpscope.devices import this_share
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.progress import progress
from sharpscope.training.recipe import Recipe, locate, read_recipe
from sharpscope.training.run import Training

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
    leaked = recipe.leaked()
    if leaked and not force:
        raise UsageError(
            f"data.dev and data.tested_on share {', '.join(leaked)}: the best epoch would be chosen on a test set. "
            "Choose on the source domain, or --force it, which the checkpoint's record will say"
        )
    folder = Path(out or recipe.title)
    done = finished(folder, recipe)
    if done is not None:
        return done
    run = Training(recipe, folder, this_share())
    stopped = run.run(show_progress)
    report = TrainReport(folder, run.best_eer, run.epoch, stopped)
    if not run.share.rank:
        (folder / "done.json").write_text(
            json.dumps({"recipe": repr(recipe.values), **report._asdict(), "folder": str(folder)}),
            encoding="utf-8",
        )
    return report


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
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["recipe"] != repr(recipe.values):
        return None
    return TrainReport(folder, float(found["dev_eer"]), int(found["epochs"]), str(found["stopped"]))


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
    recipe: str | Path,
    axes: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 1,
    out: str | Path | None = None,
    jobs: int = 1,
    force: bool = False,
    show_progress: bool = True,
) -> list[TrainReport]:
    """Train every recipe of a grid, one folder each; what is done is skipped.

    Args:
        recipe: A TOML file with what they have in common.
        axes: Values by key.
        seeds: Seeds of each.
        out: Folder of the folders; None takes the file's name without its ending.
        jobs: Runs at once; each takes its part of the cores.
        force: As for `train`.
        show_progress: Show how many are done.

    Returns:
        One report a recipe, in order of the grid.

    Raises:
        SharpscopeError: If runs failed; the others are finished first.
    """
    folder = Path(out or Path(recipe).with_suffix(""))
    recipes = grid(read_recipe(recipe), axes, seeds)
    return train_all(recipes, folder, jobs=jobs, force=force, show_progress=show_progress)


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
        jobs: Runs at once; each takes its part of the cores.
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
    with (
        progress(len(recipes), "runs", show=show_progress) as meter,
        ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        threads = max(1, torch.get_num_threads() // jobs)
        folder = Path(out)
        runs = {name: pool.submit(_one, one, folder / name, force, threads) for name, one in recipes.items()}
        for name, future in runs.items():
            meter.describe(name)
            try:
                reports.append(future.result())
            except SharpscopeError as error:
                failed.append(f"{name}: {error}")
            meter.advance(1)
    if failed:
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise SharpscopeError(f"{len(failed)} of {len(recipes)} runs failed; {'; '.join(failed[:3])}{more}")
    return reports


def _one(recipe: Recipe, folder: Path, force: bool, threads: int) -> TrainReport:
    torch.set_num_threads(threads)
    return train(recipe, out=folder, force=force, show_progress=False)
