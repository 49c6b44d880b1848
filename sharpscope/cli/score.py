"""`sharpscope score`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sharpscope.cli.group import main

if TYPE_CHECKING:
    from sharpscope.scoring.judgement import Judgement

PERCENT = ("eer", "eer_low", "eer_high", "eer_low_normal", "eer_high_normal", "eer_interpolated", "eer_rocch")


def _shown(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{100 * value:.2f} %" if name in PERCENT else f"{value:.4f}"
    return str(value)


def _found(
    files: tuple[str, ...], key: str, higher: str, out: str | None, set_name: str, force: bool
) -> Judgement:
    if out is None:
        from sharpscope.scoring.score_files import score as run

        return run(files, key=key, higher=higher, show_progress=True)
    from sharpscope.results.scored_systems import enter_scores

    return enter_scores(
        out, files, key=key, set_name=set_name, higher=higher, force=force, show_progress=True
    )


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--key",
    required=True,
    type=click.Path(),
    help="Labels: `trial label`, an ASVspoof protocol, a CSV, or an official key (its phase eval, or FILE@all). "
    "Of labels 0 and 1, say which is bona fide: FILE@bonafide:1 or FILE@bonafide:0.",
)
@click.option(
    "--higher",
    default="bonafide",
    show_default=True,
    type=click.Choice(["bonafide", "spoof"]),
    help="Which class scores higher.",
)
@click.option("--out", type=click.Path(), help="Results table that gets a row per file, with its EER.")
@click.option("--set", "set_name", default="", help="Name of the set in that table.")
@click.option("--force", is_flag=True, help="Replace rows of the same files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def score(
    files: tuple[str, ...], key: str, higher: str, out: str | None, set_name: str, force: bool, as_json: bool
) -> None:
    r"""Judge score files of any tool: EER with intervals, DCF, Cllr, AUC; two files are compared trial by trial.

    \b
    sharpscope score scores.txt --key protocol.txt
    sharpscope score adam.txt sam.txt --key protocol.txt
    sharpscope score closed.txt --key protocol.txt --set itw --out results.csv
    """
    found = _found(files, key, higher, out, set_name, force)
    from sharpscope.scoring.score_files import key_notes

    for note in key_notes(key):
        click.echo(note, err=True)
    if as_json:
        pair = None if found.difference is None else found.difference._asdict()
        click.echo(json.dumps({"systems": found.systems, "difference": pair}, indent=2))
        return
    names = list(next(iter(found.systems.values())))
    width = max(len(name) for name in names)
    for name in names:
        cells = [_shown(name, system[name]) for system in found.systems.values()]
        click.echo(f"{name:{width}s}  " + "  ".join(f"{cell:>10s}" for cell in cells))
    click.echo(
        "DCF: costs of ASVspoof 5, track 1. actDCF and Cllr take scores for log-likelihood ratios.", err=True
    )
    if found.difference is not None:
        low, high = found.difference.interval
        click.echo(
            f"EER of the second less the first: {100 * found.difference.value:+.2f} points "
            f"[{100 * low:+.2f}, {100 * high:+.2f}], p = {found.difference.p:.3g} (paired bootstrap)"
        )
    if out is None:
        click.echo("next: the same with --set NAME --out results.csv puts it into a table", err=True)
    else:
        click.echo(f"wrote {len(files)} rows to {out}; next: sharpscope table eer {out}", err=True)
