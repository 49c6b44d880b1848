"""`sharpscope measures`."""

from __future__ import annotations

import json

import click

from sharpscope.cli.completion import complete_measures
from sharpscope.cli.group import main


@main.command()
@click.argument("names", nargs=-1, shell_complete=complete_measures)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per measure, as a list.")
def measures(names: tuple[str, ...], as_json: bool) -> None:
    r"""List measures: what they are, what they cost, and what leaves them unchanged.

    NAMES are measures or families, as `--measures` of `sharpscope measure` takes them; none lists all.
    Cost is in forward passes of one trial beyond scoring, R the number of radii.

    \b
    sharpscope measures
    sharpscope measures default curvature
    """
    from sharpscope.measures import describe, families

    rows = describe(names or ["all"])
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    widths = {key: max(len(str(row[key])) for row in rows) for key in ("name", "cost")}
    for row in rows:
        click.echo(f"{row['name']:<{widths['name']}}  {row['cost']:<{widths['cost']}}  {row['summary']}")
        more = [
            f"families {', '.join(row['families'])}",
            "no known invariance"
            if not row["invariant_to"]
            else f"unchanged by {', '.join(row['invariant_to'])}",
            *([row["source"]] if row["source"] else []),
        ]
        click.echo(" " * (widths["name"] + widths["cost"] + 4) + "; ".join(more))
    known = ", ".join(f"{name} ({len(members)})" for name, members in families().items())
    click.echo(f"{len(rows)} measures. Families: {known}", err=True)
    click.echo("next: sharpscope measure CHECKPOINT --sets SETS --measures NAMES", err=True)
