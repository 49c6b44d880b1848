"""Does sharpness go with equal error rate? One results table in, one correlation table and its words out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis import permutation, rank_correlation, robustness
from sharpscope.analysis.confounding import within_strata
from sharpscope.analysis.summary import summarise, trust
from sharpscope.errors import unknown_name
from sharpscope.files import replace_file
from sharpscope.progress import progress
from sharpscope.results.comparable import PLACE, WAY, eligible_rows
from sharpscope.results.records import Records
from sharpscope.results.table import read_results

COLUMNS = (
    "scope",
    "set",
    "subset",
    "measure",
    "rho",
    "m",
    "preset",
    "n",
    "n_dropped",
    "ties",
    "spearman",
    "spearman_low",
    "spearman_high",
    "kendall",
    "kendall_low",
    "kendall_high",
    "pearson",
    "p",
    "p_kendall",
    "p_holm",
    "q_bh",
    "p_max_t",
    "min_detectable",
    "note",
)
FEWEST = 5
N_BOOTSTRAP = 9_999


class Correlation(NamedTuple):
    """What `correlate` found.

    Attributes:
        table: One row per scope, set and measure; columns ``COLUMNS``.
        summary: Markdown paragraphs: what the data support, what they do not, and a sentence for a paper.
        warnings: One line each.
        results: The rows that were correlated.
        comparisons: One row per pair of measures; columns ``comparisons.COLUMNS``.
        questions: Answers to what is asked next; columns ``robustness.COLUMNS``.
    """

    table: pd.DataFrame
    summary: str
    warnings: tuple[str, ...]
    results: pd.DataFrame
    comparisons: pd.DataFrame
    questions: pd.DataFrame


def correlate(
    results: pd.DataFrame | str | Path,
    *,
    measures: Sequence[str] = (),
    by: str | None = None,
    seed: int = 0,
    records: Records | None = None,
    show_progress: bool = False,
) -> Correlation:
    """Correlate every measure with equal error rate, per set and over sets.

    Per set the test of record is Spearman's, permuting checkpoints (every order up to nine, 9,999 random
    ones beyond); its p-values are adjusted over the whole call (Holm; Benjamini and Hochberg). Over sets the
    within-set correlations are averaged and the checkpoints permuted in all sets at once, because a
    checkpoint that is good on one set is good on others and the cells are not independent. The cloud of all
    cells is described without a p-value.

    Args:
        results: A results table or its file.
        measures: Names to correlate; none takes all.
        by: "recipe" or "arch": also correlate within its groups, permuting only inside them.
        seed: Of random permutations and resamples.
        records: Scores and group values of the table; None takes those beside the file.
        show_progress: Show on standard error how far it is.

    Returns:
        The tables and their words.

    Raises:
        UsageError: If nothing can be correlated: no rows, one checkpoint, or an unknown measure or grouping.
    """
    table = results if isinstance(results, pd.DataFrame) else read_results(results)
    if records is None and not isinstance(results, pd.DataFrame):
        records = Records.beside(results)
    table, warnings = eligible_rows(table, measures)
    if by not in (None, "recipe", "arch"):
        raise unknown_name("grouping", str(by), ("recipe", "arch"))
    per_preset = table.drop_duplicates(WAY)["preset"].value_counts()
    steps = 2 * int(per_preset.sum()) + sum(math.comb(int(ways), 2) for ways in per_preset)
    with progress(steps, "steps", show=show_progress) as meter:
        meter.describe("correlating")
        found = _correlations(table, by, seed, meter.advance)
        meter.describe("comparing measures")
        n_resamples = N_BOOTSTRAP if len(table) < 5000 else 999
        comparisons = comparing.compare_measures(
            table, seed=seed, n_resamples=n_resamples, advance=meter.advance
        )
        meter.describe("asking further")
        answers = robustness.ask(table, records=records, seed=seed, advance=meter.advance)
    words = summarise(found, table, warnings) + _which(comparisons)
    if more := trust(answers):
        words += f"\n{more}\n"
    return Correlation(found, words, tuple(warnings), table, comparisons, answers)


def _correlations(
    table: pd.DataFrame, by: str | None, seed: int, advance: Callable[[], object]
) -> pd.DataFrame:
    """Return every correlation with its p-value, adjusted over all of them."""
    rows: list[dict[str, Any]] = []
    for way, part in _groups(table, WAY):
        rows += [_set_row(way, place, cells, seed) for place, cells in _groups(part, PLACE)]
        rows += _joint_rows(way, part, seed)
        if by is not None:
            rows += [_within_row(way, place, cells, by, seed) for place, cells in _groups(part, PLACE)]
        advance()
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    adjust(found)
    _adjust_jointly(found, table, seed)
    return found


def _which(comparisons: pd.DataFrame) -> str:
    """Return the paragraph on which measure goes best with EER."""
    names = comparing.not_worse_than_best(comparisons)
    if not names:
        return ""
    tested = int(comparisons["p"].notna().sum())
    level = f"after Holm's correction over {tested} pairs, swapping measures within checkpoints"
    if len(names) == 1:
        return f"\n{names[0]} goes better with EER than every other measure ({level}).\n"
    return (
        f"\nHighest mean correlation with EER: {names[0]}. Not significantly worse ({level}): "
        f"{', '.join(names[1:])}. Nothing separates these, controls included.\n"
    )


def _groups(table: pd.DataFrame, columns: list[str]) -> Iterable[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the values of some columns with the rows that have them, in order of appearance."""
    for values, part in table.groupby(columns, sort=False, dropna=False):
        yield dict(zip(columns, values, strict=True)), part


def _pairs(cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, int]:
    x, y = cells["value"].to_numpy(float), cells["eer"].to_numpy(float)
    good = np.isfinite(x) & np.isfinite(y)
    return x[good], y[good], int((~good).sum())


def _blank(scope: str, way: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS, math.nan), "note": "", **way, **place, "scope": scope}


def _set_row(way: dict[str, Any], place: dict[str, Any], cells: pd.DataFrame, seed: int) -> dict[str, Any]:
    x, y, dropped = _pairs(cells)
    n = len(x)
    row = _blank("set", way, place)
    row |= {"n": n, "n_dropped": dropped, "ties": (n - len(np.unique(x))) + (n - len(np.unique(y)))}
    notes = [f"{dropped} without a number dropped"] if dropped else []
    if n < 3:
        notes.append("fewer than 3 checkpoints")
    elif np.ptp(x) == 0 or np.ptp(y) == 0:
        notes.append(f"constant {'measure' if np.ptp(x) == 0 else 'EER'}")
    else:
        row |= _coefficients(x, y)
        if n >= FEWEST:
            row |= {
                "p": rank_correlation.spearman_p(x, y, rng=seed),
                "p_kendall": rank_correlation.kendall_p(x, y, rng=seed),
            }
        else:
            notes.append("fewer than 5 checkpoints cannot reach 5 %")
    return {**row, "note": "; ".join(notes)}


def _coefficients(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    r, tau, n = rank_correlation.spearman(x, y), rank_correlation.kendall(x, y), len(x)
    r_ends, tau_ends = rank_correlation.spearman_interval(r, n), rank_correlation.kendall_interval(tau, n)
    return {
        "spearman": r,
        "spearman_low": r_ends.low,
        "spearman_high": r_ends.high,
        "kendall": tau,
        "kendall_low": tau_ends.low,
        "kendall_high": tau_ends.high,
        "pearson": rank_correlation.pearson(x, y),
        "min_detectable": rank_correlation.minimum_detectable(n),
    }


def _wide(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return measure and EER as checkpoints x sets, of the checkpoints that have a number everywhere."""
    wide = comparing.checkpoints_by_sets(part)
    complete = wide[0].notna().all(axis=1)
    x, y = (frame[complete].to_numpy(float) for frame in wide)
    return x, y


def _joint_rows(way: dict[str, Any], part: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    x, y = _wide(part)
    n, k = x.shape
    if k < 2 or n < 3:
        return []
    zx, zy = rank_correlation.standardised_ranks(x), rank_correlation.standardised_ranks(y)
    usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
    zx, zy = zx[:, usable], zy[:, usable]
    nowhere = {"set": "all sets", "subset": ""}
    row = _blank("mean_within", way, nowhere)
    row |= {"n": n, "n_dropped": part["sha256"].nunique() - n}
    if zx.shape[1]:
        within = (zx * zy).sum(axis=0)
        mean = float(within.mean())
        drawn = permutation.bootstrap_mean_within(
            x[:, usable], y[:, usable], n_resamples=N_BOOTSTRAP if zx.size < 5000 else 999, rng=seed
        )
        (low, high), degenerate = permutation.mean_interval(drawn), drawn.degenerate
        row["spearman"] = mean
        if n >= FEWEST:
            # Fewer checkpoints resample to few orders, and the interval would be as narrow as they are.
            row |= {"spearman_low": low, "spearman_high": high}
            null = permutation.joint_null(zx, zy, rng=seed).mean(axis=1)
            row["p"] = rank_correlation.p_of(mean, null, exact=n <= rank_correlation.EXACT_UP_TO)
        row["note"] = f"{zx.shape[1]} of {k} sets, lowest {within.min():.2f}" + (
            f", {degenerate} resamples without a rank dropped" if degenerate else ""
        )
    cells_x, cells_y = x.ravel(), y.ravel()
    cloud = _blank("pooled", way, nowhere)
    cloud |= {"n": len(cells_x), "spearman": rank_correlation.spearman(cells_x, cells_y)}
    cloud |= {
        "kendall": rank_correlation.kendall(cells_x, cells_y),
        "pearson": rank_correlation.pearson(cells_x, cells_y),
    }
    cloud["note"] = "descriptive: cells of one checkpoint or one set are not independent"
    if row["spearman"] * cloud["spearman"] < 0:
        cloud["note"] += "; sign opposite to that within sets (Simpson)"
    return [row, cloud]


def _within_row(
    way: dict[str, Any], place: dict[str, Any], cells: pd.DataFrame, by: str, seed: int
) -> dict[str, Any]:
    """Correlate rank residuals within strata, permuting only inside them."""
    finite = cells[np.isfinite(cells["value"]) & np.isfinite(cells["eer"])]
    strata = finite.groupby(by)["sha256"].transform("size") > 1
    finite = finite[strata]
    row = _blank(f"within_{by}", way, place)
    row |= {"n": len(finite), "n_dropped": len(cells) - len(finite)}
    if len(finite) < FEWEST:
        return {**row, "note": f"fewer than 5 checkpoints share a {by} with another"}
    x, y = (finite[name].to_numpy(float) for name in ("value", "eer"))
    r, p = within_strata(x, y, finite[by].to_numpy(), rng=seed)
    if math.isnan(r):
        return {**row, "note": f"constant within every {by}"}
    return {**row, "spearman": r, "p": p}


def adjust(table: pd.DataFrame) -> None:
    """Adjust the per-set p-values over the family: every set and measure of this call.

    Args:
        table: Columns ``scope, p, p_holm, q_bh``; the last two are filled in where the scope is "set".
    """
    from statsmodels.stats.multitest import multipletests

    family = (table["scope"] == "set") & table["p"].notna()
    if family.any():
        p = table.loc[family, "p"].to_numpy(float)
        table.loc[family, "p_holm"] = multipletests(p, method="holm")[1]
        table.loc[family, "q_bh"] = multipletests(p, method="fdr_bh")[1]


def _adjust_jointly(found: pd.DataFrame, table: pd.DataFrame, seed: int) -> None:
    """Adjust by the largest correlation anywhere under shared orders of checkpoints (Westfall and Young, 1993).

    Unlike Holm's it takes into account that the tests go together. It needs the same checkpoints in every test.
    """
    family = (found["scope"] == "set") & found["p"].notna()
    ways = [_wide(part) for _, part in _groups(table, WAY)]
    if len(ways) * family.sum() == 0:
        return
    n = table["sha256"].nunique()
    ranked = [
        (rank_correlation.standardised_ranks(x), rank_correlation.standardised_ranks(y)) for x, y in ways
    ]
    if any(len(zx) != n for zx, _ in ranked):
        return
    highest = np.zeros(0)
    for zx, zy in ranked:
        usable = np.isfinite(zx).all(axis=0) & np.isfinite(zy).all(axis=0)
        if usable.any():
            largest = np.abs(permutation.joint_null(zx[:, usable], zy[:, usable], rng=seed)).max(axis=1)
            highest = np.maximum(highest, largest) if len(highest) else largest
    observed = found.loc[family, "spearman"].to_numpy(float)
    exact = n <= rank_correlation.EXACT_UP_TO
    found.loc[family, "p_max_t"] = permutation.max_t_p(observed, highest, exact=exact)


def write_correlation(correlation: Correlation, out_dir: str | Path) -> list[Path]:
    """Write the table as CSV and LaTeX, the summary as Markdown, comparisons and questions as CSV.

    Args:
        correlation: What `correlate` returned.
        out_dir: Folder; made when it does not exist.

    Returns:
        The files.
    """
    folder = Path(out_dir)
    files = [folder / "correlations.csv", folder / "correlations.tex", folder / "summary.md"]
    files += [folder / "comparisons.csv", folder / "questions.csv"]
    replace_file(files[0], correlation.table.to_csv(index=False, lineterminator="\n"))
    replace_file(files[1], _latex(correlation.table))
    replace_file(files[2], correlation.summary)
    replace_file(files[3], correlation.comparisons.to_csv(index=False, lineterminator="\n"))
    replace_file(files[4], correlation.questions.to_csv(index=False, lineterminator="\n"))
    return files


def _latex(table: pd.DataFrame) -> str:
    """Return the per-set answers as a booktabs table, coefficients with their intervals."""
    shown = table[table["scope"].isin(["set", "mean_within"])]
    rows = pd.DataFrame(
        {
            "Set": shown["set"] + shown["subset"].map(lambda s: f" {s}" if s else ""),
            "Measure": [
                m if math.isnan(r) else f"{m} ({r:g})"
                for m, r in zip(shown["measure"], shown["rho"], strict=True)
            ],
            "$n$": [f"{n:.0f}" for n in shown["n"]],
            "Spearman [95\\,\\%]": [
                "--" if math.isnan(r) else f"{r:.2f}" + ("" if math.isnan(a) else f" [{a:.2f}, {b:.2f}]")
                for r, a, b in zip(
                    shown["spearman"], shown["spearman_low"], shown["spearman_high"], strict=True
                )
            ],
            "Kendall": ["--" if math.isnan(t) else f"{t:.2f}" for t in shown["kendall"]],
            "$p$": ["--" if math.isnan(p) else f"{p:.3g}" for p in shown["p"]],
            "$p_\\mathrm{Holm}$": ["--" if math.isnan(p) else f"{p:.3g}" for p in shown["p_holm"]],
        }
    )
    for column in ("Set", "Measure"):
        rows[column] = rows[column].str.replace("_", r"\_", regex=False)
    text: str = rows.style.hide(axis="index").to_latex(hrules=True, column_format="llrlrrr")
    return text
