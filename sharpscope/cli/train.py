"""`sharpscope train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sharpscope.cli.completion import complete_recipe
from sharpscope.cli.group import main
from sharpscope.errors import SharpscopeError, UsageError

if TYPE_CHECKING:
    from sharpscope.training.recipe import Recipe


def _axes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, list[str]]:
    axes = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise UsageError(f"--grid {text}: write a key and its values, such as rho=0.01,0.05")
        axes[name.strip()] = [value.strip() for value in values.split(",") if value.strip()]
    return axes


def _array(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    number, slash, count = text.partition("/")
    if not slash or not number.isdigit() or not count.isdigit():
        raise UsageError(
            f"--array is '{text}'; it is I/N with I from 0 to N - 1, such as $SLURM_ARRAY_TASK_ID/8"
        )
    return int(number), int(count)


@main.command()
@click.argument("recipe", required=False, type=click.Path())
@click.option(
    "--recipe",
    "shipped",
    metavar="NAME",
    shell_complete=complete_recipe,
    help="A recipe that comes with the package; see --list.",
)
@click.option("--list", "show_list", is_flag=True, help="List the recipes that come with the package.")
@click.option("--out", type=click.Path(), help="Folder of the run.  [default: the recipe's name]")
@click.option(
    "--grid", multiple=True, callback=_axes, help="Train every value, e.g. rho=0.01,0.05; may be repeated."
)
@click.option("--seeds", default=1, show_default=True, help="Seeds of each combination.")
@click.option("--jobs", default=1, show_default=True, help="Runs at once, with --grid or --seeds.")
@click.option(
    "--array",
    callback=_array,
    metavar="I/N",
    help="Only runs I, I + N, ... of the grid, I from 0: a task of N of a cluster.",
)
@click.option("--check", is_flag=True, help="Say what the recipe will do and take one step; writes nothing.")
@click.option(
    "--template",
    is_flag=True,
    help="Print a recipe with every key, its default and meaning, or the one of --recipe.",
)
@click.option("--force", is_flag=True, help="Choose the best epoch on a set under test; the record says so.")
@click.option("--quiet", is_flag=True, help="No progress.")
def train(
    recipe: str | None,
    shipped: str | None,
    show_list: bool,
    out: str | None,
    grid: dict[str, list[str]],
    seeds: int,
    jobs: int,
    array: tuple[int, int],
    check: bool,
    template: bool,
    force: bool,
    quiet: bool,
) -> None:
    r"""Train detectors with or without sharpness-aware minimisation, to checkpoints that measure opens as they are.

    \b
    sharpscope train --template > recipe.toml
    sharpscope train recipe.toml --check
    sharpscope train recipe.toml
    sharpscope train recipe.toml --grid optimizer=adam,sam --grid rho=0.01,0.05 --seeds 3
    sharpscope train --recipe huang2025/code/aasist --check
    """
    if show_list or template:
        _show(shipped, show_list)
        return
    chosen, name = _chosen(recipe, shipped)
    if check:
        _check(chosen)
        return
    from sharpscope.training.train import train as run
    from sharpscope.training.train import train_grid

    out = out or name
    if grid or seeds > 1 or array != (0, 1):
        reports = train_grid(
            chosen, grid, seeds=seeds, out=out, jobs=jobs, array=array, force=force, show_progress=not quiet
        )
    else:
        reports = [run(chosen, out=out, force=force, show_progress=not quiet)]
    for report in reports:
        eer = "" if report.dev_eer != report.dev_eer else f", dev EER {report.dev_eer:.2%}"
        click.echo(f"{report.folder}: {report.epochs} epochs, {report.stopped}{eer}", err=True)
    paths = " ".join(str(report.folder / "best.pt") for report in reports[:3])
    more = " ..." if len(reports) > 3 else ""
    click.echo(f"next: sharpscope measure {paths}{more} --sets ...", err=True)


def _show(shipped: str | None, show_list: bool) -> None:
    """Print the recipes that ship, one of them, or the template."""
    from sharpscope.training.recipe import template
    from sharpscope.training.shelf import find, summary
    from sharpscope.training.shelf import shipped as everything

    if show_list:
        names = everything()
        for name, file in names.items():
            click.echo(f"{name:<{max(map(len, names))}}  {summary(file)}")
    else:
        click.echo(find(shipped).read_text(encoding="utf-8") if shipped else template(), nl=False)


def _chosen(recipe: str | None, shipped: str | None) -> tuple[Recipe, str]:
    """Return the recipe that is meant, and the folder that its run has by default."""
    from sharpscope.training.recipe import read_recipe
    from sharpscope.training.shelf import find

    if recipe is not None and shipped is not None:
        raise UsageError(f"both {recipe} and --recipe {shipped} are given; give one of them")
    if shipped is not None:
        return read_recipe(find(shipped), beside=Path()), shipped.replace("/", "-")
    if recipe is None:
        raise UsageError(
            "train needs a recipe; `sharpscope train --template > recipe.toml` writes one, --list shows those that "
            "come with the package"
        )
    return read_recipe(recipe), str(Path(recipe).with_suffix(""))


def _check(recipe: Recipe) -> None:
    """Print what a recipe will do; what is wrong with it ends the command."""
    from sharpscope.training.check import check

    problems = 0
    for line in check(recipe):
        click.echo(line)
        problems += line.startswith("problem:")
    if problems:
        raise SharpscopeError(f"{problems} problem(s) found, see the lines that begin with problem:")
