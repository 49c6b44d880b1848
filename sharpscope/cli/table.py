"""`sharpscope table`: one table of a results file, in Markdown or LaTeX."""

from __future__ import annotations

from typing import Any

import click

from sharpscope.cli.completion import in_table
from sharpscope.cli.group import main


@main.command()
@click.argument("kind", type=click.Choice(["eer", "errors", "recipes", "correlations"]), metavar="KIND")
@click.argument("results", type=click.Path(dir_okay=False))
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="File to write: .md, .txt, .tex. [default: standard output]",
)
@click.option("--format", type=click.Choice(["markdown", "latex"]), help="[default: by the ending of --out]")
@click.option("--preset", shell_complete=in_table("preset"), help="Preset, where the table has several.")
@click.option(
    "--baseline",
    default="",
    shell_complete=in_table("recipe"),
    help="Recipe that others are compared with. [default: adam or base...]",
)
@click.option(
    "--threshold-from", help="errors: in-domain set of the threshold for HTER. [default: the table's]"
)
@click.option(
    "--by", type=click.Choice(["attack", "codec"]), help="errors: a line for each attack or codec too."
)
@click.option(
    "--resamples", default=999, show_default=True, help="errors: draws for the intervals; 0 gives none."
)
@click.option("--correlation", type=click.Path(dir_okay=False), help="correlations.csv. [default: computed]")
def table(kind: str, results: str, out: str | None, **options: Any) -> None:
    r"""Make one table of RESULTS.

    \b
    eer           EER per checkpoint and set, with intervals
    errors        EER, DCF, Cllr, AUC, HTER and the gap, with intervals, from the scores
    recipes       recipes by architecture, paired tests against the baseline
    correlations  Spearman of each measure with EER, per set

    \b
    Example:
        sharpscope table recipes results.csv --out table1.tex
    """
    from sharpscope.tables import table as make

    text = make(kind, results, out=out, **options)
    if out is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"wrote {out}. Next: sharpscope plot heatmap {results}", err=True)
