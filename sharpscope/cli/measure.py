"""`sharpscope measure`."""

from __future__ import annotations

import sys
from typing import Any

import click

from sharpscope.cli import shared
from sharpscope.cli.completion import (
    complete_condition,
    complete_measures,
    complete_sets,
)
from sharpscope.cli.group import main
from sharpscope.cli.values import read_integers, read_numbers, read_words
from sharpscope.errors import SharpscopeError


@main.command()
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path())
@click.option(
    "--sets",
    required=True,
    callback=read_words,
    shell_complete=complete_sets,
    help="Keys, name=DIR or name=protocol.csv, with commas.",
)
@click.option("--data", type=click.Path(), envvar="SHARPSCOPE_DATA", help="Folder that holds the corpora.")
@click.option(
    "--out", default="results.csv", show_default=True, type=click.Path(), help="Results table to add to."
)
@shared.preset
@click.option(
    "--measures",
    callback=read_words,
    shell_complete=complete_measures,
    help="Names and families; see `sharpscope measures`.",
)
@click.option("--rho", callback=read_numbers, help="Radii, with commas.  [default: the preset's]")
@click.option(
    "--m",
    "--group-size",
    "m",
    callback=read_integers,
    help="Trials that share a perturbation, with commas.  [default: 32]",
)
@click.option("--batch-size", type=int, help="Physical batch.  [default: fitted to memory]")
@click.option("--limit", type=int, help="Trials per set, drawn class-balanced.")
@click.option("--groups", type=int, help="Groups measured per set, a random sample; every trial is scored.")
@click.option(
    "--tolerance",
    type=float,
    help="Measure no more groups once every 95 % interval is this narrow, e.g. 0.02.",
)
@click.option("--seed", default=0, show_default=True, help="Of the drawn trials, groups and directions.")
@shared.arch
@shared.model
@shared.model_args
@shared.bonafide_index
@click.option("--recipe", help="How the checkpoints were trained.")
@click.option(
    "--trained-on",
    callback=read_words,
    shell_complete=complete_sets,
    help="Sets the checkpoints were trained on, with commas.",
)
@click.option(
    "--selected-on",
    callback=read_words,
    shell_complete=complete_sets,
    help="Sets on which the best epoch was chosen, with commas.",
)
@click.option(
    "--leaks",
    default="ids",
    show_default=True,
    type=click.Choice(["ids", "audio", "exclude", "off"]),
    help="Find trials of the sets above: by id, by audio too, and leave them out.",
)
@click.option(
    "--anchor",
    shell_complete=complete_sets,
    help="In-domain set; refuse checkpoints whose EER on it lies above chance.",
)
@click.option(
    "--by", shell_complete=complete_condition, help="Measure each attack, codec, language or speaker alone."
)
@click.option(
    "--grow",
    shell_complete=complete_condition,
    help="Measure more and more attacks, codecs, languages or speakers, counts held fixed.",
)
@click.option("--orders", default=5, show_default=True, help="Random orders of --grow.")
@click.option(
    "--per-class", type=int, help="Trials of each class in a step of --grow.  [default: the most possible]"
)
@shared.device
@shared.dtype
@click.option(
    "--direction",
    default="fp32",
    show_default=True,
    type=click.Choice(["fp32", "tf32", "bf16"]),
    help="Arithmetic of directions; differences stay exact, the rows say so.",
)
@click.option("--fast", is_flag=True, help="The same as --direction bf16.")
@click.option("--workers", default=1, show_default=True, help="Processes that decode audio; 0: none.")
@click.option(
    "--cache/--no-cache", default=True, show_default=True, help="Decode once for several checkpoints."
)
@shared.weights
@shared.allow_pickle
@click.option("--skip-missing", is_flag=True, help="Go on without trials whose audio is missing; counted.")
@click.option("--unlabelled", is_flag=True, help="Sets are name=FOLDER of audio without labels.")
@click.option("--force", is_flag=True, help="Measure again what is in the table.")
@click.option("--dry-run", is_flag=True, help="Print the plan and its cost; run nothing.")
@click.option("--log-json", type=click.Path(), help="File that gets a line of JSON on progress every 15 s.")
@click.option("--quiet", is_flag=True, help="No progress.")
def measure(checkpoints: tuple[str, ...], bonafide_index: int | None, quiet: bool, **options: Any) -> None:
    r"""Measure how sharp trained detectors are on test sets, and score them, in one pass.

    \b
    sharpscope measure ckpt.pt --sets itw,mlaad --data /corpora
    sharpscope measure *.pth --sets mine=protocol.csv --rho 0.05,0.01
    sharpscope measure *.pth --sets target=calls/ --unlabelled
    """
    from sharpscope.corpora.seen import strangers
    from sharpscope.devices import this_share
    from sharpscope.measurement.measure import measure as run

    for line in strangers([*options["trained_on"], *options["selected_on"]], options["sets"]):
        click.echo(
            f"--trained-on or --selected-on: {line}. It is written down as it is, and no trial is compared with it",
            err=True,
        )
    report = run(
        list(checkpoints), bonafide_index=bonafide_index, show_progress=not quiet, **_drop_empty(options)
    )
    if this_share().rank:  # the first process speaks for all
        return
    if options["dry_run"]:
        click.echo("\n".join(report.plan))
        click.echo("next: the same command without --dry-run", err=True)
        return
    click.echo(f"{report.out}: {report.rows} rows written, {report.skipped} were there already", err=True)
    if report.failures:
        for failure in report.failures:
            click.echo(f"not measured: {failure}", err=True)
        raise SharpscopeError(
            f"{len(report.failures)} of the measurements failed; the rest is in {report.out}. The same command again "
            "runs just what is missing"
        )
    click.echo(f"next: sharpscope correlate {report.out}", err=True)
    sys.stderr.flush()


def _drop_empty(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was not given, so that the library's own defaults hold."""
    return {name: value for name, value in options.items() if value not in (None, [])}
