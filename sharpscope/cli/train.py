"""`sharpscope train`."""

from __future__ import annotations

import click

from sharpscope.cli.group import main
from sharpscope.errors import UsageError


def _axes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, list[str]]:
    axes = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise UsageError(f"--grid {text}: write a key and its values, such as rho=0.01,0.05")
        axes[name.strip()] = [value.strip() for value in values.split(",") if value.strip()]
    return axes


@main.command()
@click.argument("recipe", required=False, type=click.Path())
@click.option("--out", type=click.Path(), help="Folder of the run.  [default: the recipe's name]")
@click.option(
    "--grid", multiple=True, callback=_axes, help="Train every value, e.g. rho=0.01,0.05; may be repeated."
)
@click.option("--seeds", default=1, show_default=True, help="Seeds of each combination.")
@click.option("--jobs", default=1, show_default=True, help="Runs at once, with --grid or --seeds.")
@click.option("--template", is_flag=True, help="Print a recipe with every key, its default and its meaning.")
@click.option("--force", is_flag=True, help="Choose the best epoch on a set under test; the record says so.")
@click.option("--quiet", is_flag=True, help="No progress.")
def train(
    recipe: str | None,
    out: str | None,
    grid: dict[str, list[str]],
    seeds: int,
    jobs: int,
    template: bool,
    force: bool,
    quiet: bool,
) -> None:
    r"""Train detectors with or without sharpness-aware minimisation, to checkpoints that measure opens as they are.

    \b
    sharpscope train --template > recipe.toml
    sharpscope train recipe.toml
    sharpscope train recipe.toml --grid optimizer=adam,sam --grid rho=0.01,0.05 --seeds 3
    """
    if template:
        from sharpscope.training.recipe import template as text

        click.echo(text(), nl=False)
        return
    if recipe is None:
        raise UsageError("train needs a recipe; `sharpscope train --template > recipe.toml` writes one")
    from sharpscope.training.train import train as run
    from sharpscope.training.train import train_grid

    if grid or seeds > 1:
        reports = train_grid(
            recipe, grid, seeds=seeds, out=out, jobs=jobs, force=force, show_progress=not quiet
        )
    else:
        reports = [run(recipe, out=out, force=force, show_progress=not quiet)]
    for report in reports:
        eer = "" if report.dev_eer != report.dev_eer else f", dev EER {report.dev_eer:.2%}"
        click.echo(f"{report.folder}: {report.epochs} epochs, {report.stopped}{eer}", err=True)
    paths = " ".join(str(report.folder / "best.pt") for report in reports[:3])
    more = " ..." if len(reports) > 3 else ""
    click.echo(f"next: sharpscope measure {paths}{more} --sets ...", err=True)
