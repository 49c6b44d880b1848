"""`sharpscope power`."""

from __future__ import annotations

import click

from sharpscope.cli.group import main


@main.command()
@click.option("--n", type=int, required=True, help="Checkpoints.")
@click.option("--sets", type=int, default=1, show_default=True, help="Test sets.")
@click.option("--measures", type=int, default=1, show_default=True, help="Measures.")
@click.option("--power", "chance", type=float, default=0.8, show_default=True, help="Chance to find it.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Level of the test.")
@click.option(
    "--reliability",
    type=float,
    default=1.0,
    show_default=True,
    help="Of the measure over a whole set: split_half in questions.csv of a pilot.",
)
@click.option(
    "--error-reliability", type=float, default=1.0, show_default=True, help="The same of the error rate."
)
def power(
    n: int,
    sets: int,
    measures: int,
    chance: float,
    alpha: float,
    reliability: float,
    error_reliability: float,
) -> None:
    r"""Say beforehand what a planned study can find.

    \b
    sharpscope power --n 12 --sets 5
    sharpscope power --n 24 --reliability 0.95 --error-reliability 0.8
    """
    from sharpscope.analysis.power import power as run

    noisy = reliability != 1 or error_reliability != 1
    found = run(
        n,
        sets=sets,
        measures=measures,
        chance=chance,
        alpha=alpha,
        reliability=reliability,
        error_reliability=error_reliability,
    )
    if found.one_test != found.one_test:
        fewest = next((size for size in range(n, 20) if run(size).smallest_p <= alpha), 20)
        click.echo(
            f"{n} checkpoint{'' if n == 1 else 's'} can find nothing: even a perfect order of them has p = "
            f"{found.smallest_p:.2g}, which is above {alpha:g}. It takes {fewest} or more; sets do not replace them"
        )
        click.echo(f"next: sharpscope power --n 12 --sets {sets}", err=True)
        return
    rows = [("smallest p-value in one set", f"{found.smallest_p:.2g}  (a perfect order of {n})")]
    tests = sets * measures
    many = "1 test" if tests == 1 else f"{tests} tests"
    without = "nothing: too many tests for so few checkpoints"
    answers = [("one test", found.one_test, without), (f"{many}, Holm", found.family, without)]
    if noisy:
        lost = "nothing: half of a set is too noisy for so few checkpoints"
        answers += [
            ("across halves, one test", found.across_halves, lost),
            (f"across halves, {many}, Holm", found.family_across_halves, lost),
        ]
    for what, value, nothing in answers:
        # A perfect order can be found in one test and still not survive the correction for many.
        true = "true " if what.startswith("across") else ""
        text = nothing if value != value else f"{true}Spearman {value:.2f}"
        rows.append((f"{what}, found with power {chance:g}", text))
    width = max(len(what) for what, _ in rows)
    for what, text in rows:
        click.echo(f"{what:<{width}}  {text}")
    if not noisy:
        click.echo(
            "of numbers without noise: halves of a set see less; give --reliability and --error-reliability"
        )
    click.echo("more sets do not replace checkpoints: the unit of evidence is the checkpoint")
    click.echo("next: sharpscope measure CHECKPOINT... --sets ...", err=True)
