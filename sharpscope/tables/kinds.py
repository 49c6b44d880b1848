"""The tables of a paper on sharpness: error rates, recipes in pairs, correlations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import permutation_test

from sharpscope.analysis.adjustment import holm
from sharpscope.analysis.correlation_table import JOINT, correlation_of, per_set, stars
from sharpscope.errors import UsageError, unknown_name
from sharpscope.results import selection
from sharpscope.results.pairing import pair_recipes
from sharpscope.results.records import Records
from sharpscope.results.table import EER_ONLY
from sharpscope.results.wording import adjusted_over, between, counted, number, probability
from sharpscope.tables.layout import Cell, Table, percent

DIGITS = 12


def one_eer_each(results: pd.DataFrame, preset: str | None = None) -> pd.DataFrame:
    """Return one row per checkpoint and set: the EER does not depend on the measure.

    Args:
        results: Rows of results.csv.
        preset: Whose scoring; None takes the table's first.

    Returns:
        Rows with a column ``panel``.

    Raises:
        UsageError: If there are none, the preset is unknown, or one checkpoint has two EERs on one set.
    """
    if results.empty:
        raise UsageError("the results table has no rows; fill it with `sharpscope measure`")
    known = list(dict.fromkeys(results["preset"]))
    if preset is not None and preset not in known:
        raise unknown_name("preset in this results table", preset, known)
    rows = results[results["preset"] == (preset or known[0])]
    rows = rows.drop_duplicates(["sha256", "set", "subset", "eer", "trials_hash"])
    clash = rows[rows.duplicated(["sha256", "set", "subset"])]
    if len(clash):
        one = clash.iloc[0]
        raise UsageError(
            f"{one['checkpoint']} has two EERs on {one['set']} (other trials or another polarity); keep the "
            "measurements of one kind in a results file"
        )
    return rows.assign(panel=selection.panel_names(rows))


def eer_table(results: pd.DataFrame, *, preset: str | None = None, **_unused: Any) -> Table:
    """Tabulate the EER of every checkpoint on every set, in per cent with its interval.

    Args:
        results: Rows of results.csv.
        preset: Whose scoring; None takes the table's first.

    Returns:
        The table; the lowest EER of each set is bold.
    """
    rows = one_eer_each(results, preset)
    sets = selection.in_order(rows["panel"], results)
    best = rows.groupby("panel")["eer"].min()
    body = []
    ordered = rows.assign(recipe=rows["recipe"].fillna(""), arch=rows["arch"].fillna(""))
    for _, part in ordered.groupby(["arch", "recipe", "seed", "sha256"], dropna=False):
        line = [Cell(str(part["checkpoint"].iloc[0])), Cell(part["recipe"].iloc[0] or "–")]
        for name in sets:
            found = part[part["panel"] == name]
            line.append(Cell("–") if found.empty else _eer_cell(found.iloc[0], best[name]))
        body.append(tuple(line))
    trials = rows.groupby("panel")[["n_bonafide", "n_spoof"]].max().loc[sets]
    sizes = "; ".join(
        f"{name} {b:g} + {s:g}" for name, (b, s) in zip(trials.index, trials.to_numpy(), strict=True)
    )
    intervals = bool(rows["eer_low"].notna().any())
    bare = rows["measure"] == EER_ONLY
    rules = [rule or "an unstated rule" for rule in dict.fromkeys(rows.loc[~bare, "score_rule"])]
    systems = rows.loc[bare, "sha256"].nunique()
    known = f" and {systems} scored elsewhere" if systems else ""
    caption = (
        f"EER in per cent{' with 95% intervals' if intervals else ''} ({rows['preset'].iloc[0]} preset, scored "
        f"by {', '.join(rules) or 'the tools that wrote the files'}); n = "
        f"{counted(rows.loc[~bare, 'sha256'].nunique(), 'checkpoint')}{known}; trials bona fide + "
        f"spoof: {sizes}. Bold: the lowest of a set; no test."
    )
    return Table(("Checkpoint", "Recipe", *sets), tuple(body), caption, "tab:eer")


def _eer_cell(row: pd.Series, best: float) -> Cell:
    low, high = float(row["eer_low"]), float(row["eer_high"])
    known = math.isfinite(low) and math.isfinite(high)
    return Cell(
        percent(float(row["eer"])),
        f"[{percent(low)}, {percent(high)}]" if known else "",
        bool(row["eer"] == best),
    )


def sign_flip(differences: np.ndarray) -> float:
    """Test paired differences by flipping their signs (two-sided, exact up to 13 pairs).

    Args:
        differences: One per pair.

    Returns:
        The p-value; NaN below 2 pairs or if all differences are 0.

    Example:
        >>> sign_flip(np.array([1.0, 2.0, 3.0]))  # 2 of the 8 assignments are as extreme
        0.25
    """
    # Differences of error rates lie on a grid: sums that are equal there must not differ in the last place.
    differences = np.asarray(differences, dtype=float).round(DIGITS)
    if len(differences) < 2 or not differences.any():
        return math.nan
    done = permutation_test(
        (differences, np.zeros_like(differences)),
        lambda a, b: round(abs(float(np.mean(a - b))), DIGITS),
        permutation_type="samples",
        alternative="greater",
        vectorized=False,
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return float(done.pvalue)


def recipe_table(
    results: pd.DataFrame, *, preset: str | None = None, baseline: str = "", **_unused: Any
) -> Table:
    """Tabulate EER by architecture and recipe, with paired tests against the baseline on every set.

    Args:
        results: Rows of results.csv.
        preset: Whose scoring; None takes the table's first.
        baseline: Recipe that others are compared with; "" takes adam or base.

    Returns:
        Mean and standard deviation over seeds; below, per recipe, the mean difference over pairs of the same
        architecture and seed with its Holm-adjusted p.

    Raises:
        UsageError: If there is one recipe only, or partners are ambiguous.
    """
    rows = one_eer_each(results[results["measure"] != EER_ONLY], preset)
    # The pairing asks for a finite value too, which a comparison of EERs does not need.
    found = pair_recipes(rows.assign(value=rows["eer"]), baseline)
    sets = selection.in_order(rows["panel"], results)
    body: list[tuple[Cell, ...]] = []
    rules = []
    recipes = [r for r in selection.levels(rows, "recipe") if r != found.baseline]
    for arch in selection.levels(rows, "arch"):
        part = rows[rows["arch"].fillna("") == arch]
        means = part.groupby([part["recipe"].fillna(""), "panel"])["eer"].mean()
        for recipe in [found.baseline, *recipes]:
            some = part[part["recipe"].fillna("") == recipe]
            if len(some):
                cells = [
                    _mean_cell(
                        some,
                        name,
                        means.xs(name, level="panel").min() if name in set(part["panel"]) else math.nan,
                    )
                    for name in sets
                ]
                body.append((Cell(arch or "–"), Cell(recipe or "unnamed"), *cells))
        rules.append(len(body))
    pairs = found.table.assign(
        panel=selection.panel_names(found.table), gap=found.table["eer_to"] - found.table["eer_from"]
    )
    tests: dict[tuple[str, str], np.ndarray] = {
        (recipe, name): pairs.loc[(pairs["recipe"] == recipe) & (pairs["panel"] == name), "gap"].to_numpy()
        for recipe in recipes
        for name in sets
    }
    adjusted = holm([sign_flip(gaps) for gaps in tests.values()])
    p = dict(zip(tests, adjusted, strict=True))
    for recipe in recipes:
        gaps = [
            Cell(
                percent(float(tests[recipe, n].mean())) if len(tests[recipe, n]) else "–",
                f"({len(tests[recipe, n])})",
            )
            for n in sets
        ]
        body.append((Cell("difference (pairs)"), Cell(f"{recipe} − {found.baseline}"), *gaps))
        cells = [
            Cell("–" if not math.isfinite(p[recipe, n]) else probability(p[recipe, n]).removeprefix("= "))
            for n in sets
        ]
        body.append((Cell("Holm p"), Cell(""), *cells))
    fewest, most = min(map(len, tests.values())), max(map(len, tests.values()))
    n = f"{fewest} to {most}" if fewest < most else str(most)
    count = int(np.isfinite(adjusted).sum())
    caption = (
        f"EER in per cent, mean ± standard deviation over seeds; bold: the lower of an architecture. Below, the "
        f"mean difference to {found.baseline} over pairs of the same architecture and seed (n = {n} "
        f"pairs) and the p-value of an exact or Monte Carlo sign-flip test, two-sided, Holm-adjusted over {count} "
        "tests. Pairs of one architecture are not independent systems."
    )
    if fewest < 6:
        caption += f" With {fewest} pairs no p-value can fall below {2 / 2**fewest:.2g}."
    return Table(("Architecture", "Recipe", *sets), tuple(body), caption, "tab:recipes", tuple(rules))


def _mean_cell(rows: pd.DataFrame, name: str, best: float) -> Cell:
    values = rows.loc[rows["panel"] == name, "eer"].to_numpy()
    if not len(values):
        return Cell("–")
    spread = f" ± {percent(float(values.std(ddof=1)))}" if len(values) > 1 else ""
    return Cell(f"{percent(float(values.mean()))}{spread}", "", bool(values.mean() == best))


def correlation_table(
    results: pd.DataFrame, *, correlation: Any = None, records: Records | None = None, **_unused: Any
) -> Table:
    """Tabulate Spearman's correlation with EER, sets across and measures down.

    Args:
        results: Rows of results.csv; used when no correlation is given.
        correlation: What `correlate` returned, its table or its correlations.csv; None computes it.
        records: Scores and group values of the results, for sharpness and error from other trials.

    Returns:
        The table; stars on Holm-adjusted p-values only.

    Raises:
        UsageError: If there is no correlation about a set.
    """
    table, _ = correlation_of(results, correlation, records=records)
    rows = per_set(table)
    if rows.empty:
        raise UsageError("there is no correlation to tabulate: it needs checkpoints with a value and an EER")
    joint = table[table["scope"] == JOINT] if "scope" in table else table.iloc[:0]
    sets = selection.in_order(rows["panel"], results)
    body = []
    for way, part in rows.groupby("way", sort=False):
        line = [Cell(str(way))]
        for name in sets:
            found = part[part["panel"] == name]
            line.append(_correlation_cell(found.iloc[0]) if len(found) else Cell("–"))
        if len(joint):
            first = part.iloc[0]
            same = joint[
                (joint["measure"] == first["measure"]) & selection.same(joint["rho"], float(first["rho"]))
            ]
            line.append(_correlation_cell(same.iloc[0]) if len(same) == 1 else Cell("–"))
        body.append(tuple(line))
    tests = int(table["p_holm"].notna().sum())
    caption = (
        f"Spearman's correlation with EER, n = {between(rows['n'], 'checkpoint')}, with 95% intervals. Two-sided "
        f"permutation tests, {adjusted_over(tests)}{': * .05, ** .01, *** .001' if tests else ''}."
    )
    header = ("Measure", *sets, *(("all sets",) if len(joint) else ()))
    return Table(header, tuple(body), caption, "tab:correlations")


def _correlation_cell(row: pd.Series) -> Cell:
    low, high = float(row.get("spearman_low", math.nan)), float(row.get("spearman_high", math.nan))
    known = math.isfinite(low) and math.isfinite(high)
    mark = stars(float(row.get("p_holm", math.nan)))
    return Cell(number(float(row["spearman"])) + mark, f"[{number(low)}, {number(high)}]" if known else "")
