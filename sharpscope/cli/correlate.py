"""`sharpscope correlate`."""

from __future__ import annotations

import click

from sharpscope.cli.completion import in_table
from sharpscope.cli.group import main
from sharpscope.cli.values import VENUES, read_words


@main.command()
@click.argument("results", type=click.Path())
@click.option(
    "--out-dir", default="correlation", show_default=True, type=click.Path(), help="Folder for the files."
)
@click.option(
    "--measures",
    shell_complete=in_table("measure", several=True),
    help="Names to correlate, with commas.  [default: all in the table]",
)
@click.option("--by", type=click.Choice(["recipe", "arch"]), help="Also correlate within its groups.")
@click.option(
    "--against",
    type=click.Choice(["eer", "min_dcf", "act_dcf", "cllr", "auc", "hter", "gap"]),
    default="eer",
    show_default=True,
    help="The error that sharpness is asked about.",
)
@click.option(
    "--threshold-from",
    shell_complete=in_table("set"),
    help="In-domain set whose threshold is carried over, for hter and gap.",
)
@click.option(
    "--primary",
    help="The way fixed beforehand, e.g. sam@0.05 or sam@0.05:greater: tested without a price for choosing.",
)
@click.option(
    "--freeze",
    callback=read_words,
    shell_complete=in_table("set", several=True),
    help="Sets to choose the way on; it is tested on the others.",
)
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Go on where checkpoints were measured on other trials or number formats.",
)
@click.option("--splits", default=1, show_default=True, help="Random halves of each set; an odd number.")
@click.option("--seed", default=0, show_default=True, help="Of random permutations and resamples.")
@click.option(
    "--venue", type=click.Choice(VENUES), default="interspeech", show_default=True, help="Size of figures."
)
@click.option("--no-figures", is_flag=True, help="Tables and summary only.")
@click.option("--quiet", is_flag=True, help="No progress.")
def correlate(
    results: str,
    out_dir: str,
    measures: str | None,
    by: str | None,
    against: str,
    threshold_from: str | None,
    primary: str | None,
    freeze: list[str],
    allow_mixed: bool,
    splits: int,
    seed: int,
    venue: str,
    no_figures: bool,
    quiet: bool,
) -> None:
    r"""Say whether sharpness goes with equal error rate, with p-values that hold.

    \b
    sharpscope correlate results.csv
    sharpscope correlate results.csv --by arch --venue ieee
    sharpscope correlate results.csv --primary sam@0.05:greater
    """
    from sharpscope.analysis.correlate import correlate as run
    from sharpscope.analysis.correlate import write_correlation

    names = [name.strip() for name in (measures or "").split(",") if name.strip()]
    correlation = run(
        results,
        measures=names,
        by=by,
        against=against,
        threshold_from=threshold_from,
        primary=primary,
        freeze=freeze,
        allow_mixed=allow_mixed,
        splits=splits,
        seed=seed,
        show_progress=not quiet,
    )
    files = tables = write_correlation(correlation, out_dir)
    if not no_figures:
        from sharpscope.figures import write_correlation_figures

        files = tables + write_correlation_figures(
            correlation.results, correlation, out_dir, venue=venue, show_progress=not quiet
        )
    click.echo(correlation.summary)
    if correlation.verdict is None or not correlation.verdict.stops:
        click.echo(_printed(correlation.table))
    click.echo(
        f"wrote {len(files)} files into {out_dir}: {', '.join(sorted({f.name for f in tables}))}"
        + ("" if no_figures else ", figures"),
        err=True,
    )
    click.echo(f"next: sharpscope plot forest {results}", err=True)


def _printed(table: object) -> str:
    """Return the table as it is shown: few columns, two decimals, none that is empty all the way down."""
    import pandas as pd

    assert isinstance(table, pd.DataFrame)
    columns = [
        "scope",
        "set",
        "measure",
        "rho",
        "n",
        "spearman",
        "spearman_low",
        "spearman_high",
        "p",
        "p_adjusted",
        "adjusted_by",
        "spearman_same_trials",
        "evidence",
    ]
    # The cloud of all cells has no p-value and is no evidence; it stands in the file.
    table = table[table["scope"] != "pooled"]
    shown = table[columns].copy()
    for column in ("evidence", "adjusted_by"):
        shown[column] = table[column].astype(object).fillna("")
    shown["set"] = table["set"] + table["subset"].map(lambda subset: f"@{subset}" if subset else "")
    formats = {"rho": "{:g}", "n": "{:.0f}", "p": "{:.3g}", "p_adjusted": "{:.3g}"}
    for column in [c for c in columns[3:] if c not in ("evidence", "adjusted_by")]:
        pattern = formats.get(column, "{:.2f}")
        shown[column] = [pattern.format(v) if v == v else "--" for v in shown[column].astype(float)]
    kept = [column for column in columns if not shown[column].isin(["--", ""]).all()]
    return shown[kept].to_string(index=False)
