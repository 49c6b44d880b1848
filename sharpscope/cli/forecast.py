"""`sharpscope forecast`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sharpscope.cli.completion import in_table
from sharpscope.cli.group import main


@main.command()
@click.argument("results", type=click.Path())
@click.option(
    "--target",
    shell_complete=in_table("set"),
    help="Set to predict, measured with --unlabelled.  [default: none, audit only]",
)
@click.option(
    "--in-domain",
    shell_complete=in_table("set"),
    help="Set the detectors are at home on.  [default: the table's]",
)
@click.option("--audit", is_flag=True, help="Print what would have been said of each labelled set.")
@click.option(
    "--preset", shell_complete=in_table("preset"), help="Which rows.  [default: the table's first preset]"
)
@click.option("--m", type=float, help="Trials per group, where the table has several.")
@click.option("--level", default=0.9, show_default=True, help="Coverage of the intervals.")
@click.option("--seed", default=0, show_default=True, help="Of the draws that the intervals rest on.")
@click.option("--out", type=click.Path(dir_okay=False), help="CSV for the forecast, or for the audit.")
@click.option("--quiet", is_flag=True, help="No progress.")
def forecast(results: str, audit: bool, out: str | None, quiet: bool, **options: Any) -> None:
    r"""Predict error on audio without labels, and say whether that beats what is known anyway.

    \b
    sharpscope measure *.pt --sets target=calls/ --unlabelled
    sharpscope forecast results.csv --target target
    sharpscope forecast results.csv --audit
    """
    from sharpscope.errors import UsageError
    from sharpscope.files import replace_file
    from sharpscope.forecasting.forecast import forecast as run

    if not audit and options["target"] is None:
        raise UsageError(
            "say what to forecast with --target SET, or ask for the --audit of the labelled sets"
        )
    found = run(results, show_progress=not quiet, **options)
    if audit:
        click.echo(
            _printed(found.audit, ("left_out", "set", "n", "method", "pairs_right", "points", "inside"))
        )
        click.echo("")
        click.echo(_printed(found.verdicts, tuple(found.verdicts.columns)))
        click.echo("")
    if len(found.table):
        shares = ("eer", "eer_low", "eer_high", "in_domain_eer", "mean_error")
        shown = found.table.assign(**{name: 100 * found.table[name] for name in shares})
        click.echo(_printed(shown, ("rank", "checkpoint", "arch", *shares)))
        click.echo("")
    click.echo(found.summary)
    if out is not None:
        table = found.audit if audit else found.table
        replace_file(Path(out), table.to_csv(index=False, lineterminator="\n"))
        click.echo(f"wrote {out}", err=True)
    if not audit:
        click.echo(f"next: sharpscope forecast {results} --audit", err=True)


def _printed(table: Any, columns: tuple[str, ...]) -> str:
    """Return a table as it is shown: two decimals, two dashes for what there is none of."""
    shown = table[list(columns)].copy()
    for name in columns:
        if shown[name].dtype.kind == "f":
            pattern = "{:.2g}" if name in ("p", "p_adjusted", "smallest_p") else "{:.2f}"
            shown[name] = [pattern.format(v) if v == v else "--" for v in shown[name]]
    return str(shown.to_string(index=False))
