"""Does sharpness go with equal error rate? One results table in, one correlation table and its words out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis import comparisons as comparing
from sharpscope.analysis import robustness
from sharpscope.analysis.adjustment import holm_over
from sharpscope.analysis.against import against as put_error
from sharpscope.analysis.against import error_on_trials
from sharpscope.analysis.apart import apart_table, evidence_of
from sharpscope.analysis.clusters import Clusters, find_clusters
from sharpscope.analysis.correlation_rows import N_BOOTSTRAP, correlations
from sharpscope.analysis.cross_half import N_SPLITS
from sharpscope.analysis.evidence import evidence_rows, note_spreads, unequal_ways, warn_of_spreads
from sharpscope.analysis.field_rows import field_rows
from sharpscope.analysis.frozen import put_anew
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.mixed_model import mixed_model
from sharpscope.analysis.new_set import new_set_rows
from sharpscope.analysis.primary import fix_way
from sharpscope.analysis.sentinels import sentinel_rows
from sharpscope.analysis.settings_table import settings_in_names, settings_table
from sharpscope.analysis.summary import summarise
from sharpscope.analysis.transfer import in_domain_sets, say_transfer, transfer
from sharpscope.analysis.verdict import Verdict, judge
from sharpscope.errors import UsageError, unknown_name
from sharpscope.files import replace_file
from sharpscope.progress import progress
from sharpscope.results.comparable import WAY, eligible_rows
from sharpscope.results.records import Records
from sharpscope.results.table import read_results, typed


class Correlation(NamedTuple):
    """What `correlate` found.

    Attributes:
        table: One row per scope, set and measure; columns ``COLUMNS``.
        summary: Markdown: the verdict, then a paragraph a question, and a sentence for a paper.
        warnings: One line each.
        results: The rows that were correlated.
        comparisons: One row per pair of measures; columns ``comparisons.COLUMNS``.
        questions: Answers to what is asked next; columns ``robustness.COLUMNS``, ``p_adjusted`` and ``adjusted_by``.
        transfer: Sharpness on one set against error on another; columns ``transfer.COLUMNS``.
        verdict: Three sentences: whether sharpness says something, how sure, what may not be claimed.
        apart: The rows with sharpness and error rates from different trials, of which everything else is asked.
    """

    table: pd.DataFrame
    summary: str
    warnings: tuple[str, ...]
    results: pd.DataFrame
    comparisons: pd.DataFrame
    questions: pd.DataFrame
    transfer: pd.DataFrame = pd.DataFrame()
    verdict: Verdict | None = None
    apart: pd.DataFrame = pd.DataFrame()

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return str(self.table.to_html(max_rows=20))


def correlate(
    results: pd.DataFrame | str | Path,
    *,
    measures: Sequence[str] = (),
    by: str | None = None,
    against: str = "eer",
    threshold_from: str | None = None,
    primary: str | None = None,
    freeze: Sequence[str] = (),
    allow_mixed: bool = False,
    splits: int = N_SPLITS,
    seed: int = 0,
    records: Records | None = None,
    show_progress: bool = False,
) -> Correlation:
    """Correlate every measure with equal error rate, per set and over sets.

    Sharpness is taken from one half of a set's groups and the error rate from the trials outside of it, where the
    records beside the table allow that; the correlation from the same trials, whose noise both share, stands beside it.
    Per set the test of record is Spearman's, permuting checkpoints (every order up to nine, 9,999 random
    ones beyond); its p-values are adjusted over the sharpness of the call (Holm; Benjamini and Hochberg). Over sets the
    within-set correlations are averaged and the checkpoints permuted in all sets at once, because a
    checkpoint that is good on one set is good on others and the cells are not independent. The cloud of all
    cells is described without a p-value.

    Args:
        results: A results table or its file.
        measures: Names to correlate; none takes all.
        by: "recipe" or "arch": also correlate within its groups, permuting only inside them.
        against: Error that takes the place of the equal error rate: eer, min_dcf, act_dcf, cllr, auc, hter or gap.
        threshold_from: The in-domain set whose threshold is carried over, for hter and gap.
        primary: The way to measure that was fixed before the data were seen, such as "sam@0.05", or with its direction
            "sam@0.05:greater" (sharper, more errors) or ":less"; its p-value over sets is not adjusted for a choice,
            and no other sharpness is tested. Two-sided without a direction.
        freeze: Sets on which the way is chosen, the one with the largest mean correlation; it is tested on the others.
        allow_mixed: Go on, with a warning, where checkpoints were measured on other trials or in other number formats.
        splits: Random halves of each set; one gives an exact test, of several twice the median p counts.
        seed: Of random halves, permutations and resamples.
        records: Scores and group values of the table; None takes those beside the file.
        show_progress: Show on standard error how far it is.

    Returns:
        The tables and their words.

    Raises:
        UsageError: If nothing can be correlated: no rows, one checkpoint, an unknown measure or grouping, or
            checkpoints that were not measured alike.
    """
    table = typed(results) if isinstance(results, pd.DataFrame) else read_results(results)
    if records is None and not isinstance(results, pd.DataFrame):
        records = Records.beside(results)
    table, warnings = eligible_rows(table, measures, allow_mixed=allow_mixed)
    if by not in (None, "recipe", "arch"):
        raise unknown_name("grouping", str(by), ("recipe", "arch"))
    if splits < 1 or splits % 2 == 0:
        raise UsageError(
            f"--splits is {splits}; it is 1 or another odd number, so that there is a median split"
        )
    said, error = "", None
    if against != "eer" or threshold_from is not None:
        records = records or Records()
        error = error_on_trials(table, records, against, threshold_from=threshold_from)
        table, said = put_error(table, records, against, threshold_from=threshold_from)
    clusters = find_clusters(table)
    warnings += [line.rstrip(".") for line in (said, clusters.sentence) if line]
    every, (table, choice) = table, fix_way(table, primary, freeze)
    unequal = unequal_ways(table, clusters)
    warnings += [line for line in (warn_of_spreads(unequal),) if line]
    per_preset = table.drop_duplicates(WAY)["preset"].value_counts()
    steps = 3 * int(per_preset.sum()) + sum(math.comb(int(ways), 2) for ways in per_preset)
    with progress(steps, "steps", show=show_progress) as meter:
        meter.describe("correlating")
        halves = HalvesOfSets(records, seed=seed, n_splits=splits, runs=clusters.labels["run"], error=error)
        found = correlations(table, by, seed, halves, meter.advance, choice)
        if freeze:
            put_anew(found, every, freeze, halves, seed)
        note_spreads(found, unequal)
        # What is asked of the same trials, their noise answers: every further test has halves too.
        apart = apart_table(table, halves)
        meter.describe("comparing measures")
        n_resamples = N_BOOTSTRAP if len(table) < 5000 else 999
        comparisons = comparing.compare_measures(
            apart, seed=seed, n_resamples=n_resamples, advance=meter.advance
        )
        meter.describe("asking further")
        answers = robustness.ask(apart, whole=table, halves=halves, seed=seed, advance=meter.advance)
        answers = _with_more(answers, table, apart, clusters, by, seed, halves)
        meter.describe("from set to set")
        matrix = transfer(table, halves, seed=seed, advance=meter.advance)
    comparisons["evidence"] = evidence_of(apart, comparisons)
    answers["evidence"] = evidence_of(apart, answers)
    verdict = judge(found, answers, table)
    words = summarise(
        verdict,
        found,
        table,
        answers=answers,
        comparisons=comparisons,
        transfer=say_transfer(matrix, in_domain_sets(table)),
        warnings=warnings,
        splits=splits,
    )
    return Correlation(found, words, tuple(warnings), table, comparisons, answers, matrix, verdict, apart)


def _with_more(
    answers: pd.DataFrame,
    table: pd.DataFrame,
    apart: pd.DataFrame,
    clusters: Clusters,
    by: str | None,
    seed: int,
    halves: HalvesOfSets,
) -> pd.DataFrame:
    """Add what clusters as one piece of evidence say, and what other fields ask of their measures; adjust every p."""
    answers = answers.assign(p_adjusted=np.nan, adjusted_by="")
    more = [
        evidence_rows(table, clusters, by=by, seed=seed, halves=halves),
        new_set_rows(table, halves),
        field_rows(apart, seed=seed),
        _mixed(apart),
    ]
    found = []
    for rows in more:
        if len(rows):
            own = rows.reindex(columns=list(answers.columns))
            texts = ("set", "given", "note", "adjusted_by")
            found.append(own.assign(**{name: own[name].astype(object).fillna("") for name in texts}))
    answers = pd.concat([answers, *found], ignore_index=True) if found else answers
    # What is tested beside other ways of measuring is adjusted for them, question by question.
    adjusted, words = holm_over(answers, answers["question"] + "\0" + answers["given"])
    unadjusted = answers["p_adjusted"].isna() & answers["p"].notna()
    answers.loc[unadjusted, "p_adjusted"] = adjusted[unadjusted]
    answers.loc[unadjusted, "adjusted_by"] = np.array(words, dtype=object)[unadjusted]
    return answers


def _mixed(table: pd.DataFrame) -> pd.DataFrame:
    """Ask a mixed model of every way of measuring, beside the permutation test, which assumes none of what it does."""
    rows = []
    finite = table[np.isfinite(table["value"]) & np.isfinite(table["eer"])]
    places = finite.assign(place=finite["set"] + "\0" + finite["subset"])
    for way, part in places.groupby(WAY, sort=False, dropna=False):
        found = mixed_model(part)
        numbers = {"estimate": found.slope, "low": found.low, "high": found.high, "p": found.p, "n": found.n}
        rows.append(
            dict(zip(WAY, way, strict=True)) | numbers | {"question": "mixed_model", "note": found.note}
        )
    return pd.DataFrame(rows)


def write_correlation(correlation: Correlation, out_dir: str | Path) -> list[Path]:
    """Write the table as CSV and LaTeX, the summary as Markdown, comparisons, questions and transfer as CSV.

    Args:
        correlation: What `correlate` returned.
        out_dir: Folder; made when it does not exist.

    Returns:
        The files.
    """
    folder = Path(out_dir)
    files = [folder / "correlations.csv", folder / "correlations.tex", folder / "summary.md"]
    files += [folder / name for name in ("comparisons.csv", "questions.csv", "sentinels.csv", "transfer.csv")]
    replace_file(files[0], correlation.table.to_csv(index=False, lineterminator="\n"))
    replace_file(files[1], _latex(correlation.table))
    replace_file(files[2], correlation.summary)
    replace_file(files[3], correlation.comparisons.to_csv(index=False, lineterminator="\n"))
    replace_file(files[4], correlation.questions.to_csv(index=False, lineterminator="\n"))
    apart = correlation.apart if len(correlation.apart) else correlation.results
    sentinels = sentinel_rows(apart)
    if "evidence" in apart:
        sentinels["evidence"] = evidence_of(apart, sentinels)
    replace_file(files[5], sentinels.to_csv(index=False, lineterminator="\n"))
    replace_file(files[6], correlation.transfer.to_csv(index=False, lineterminator="\n"))
    return [*files, *_settings(apart, folder / "settings.csv")]


def _settings(results: pd.DataFrame, path: Path) -> list[Path]:
    """Write how measures go with the settings that the names of recipes tell, where they tell any."""
    recipes = results.drop_duplicates("sha256").set_index("sha256")["recipe"]
    settings = settings_in_names(recipes)
    if settings.empty:
        return []
    labels = find_clusters(results).labels["recipe"]
    replace_file(
        path, settings_table(results, settings, labels=labels).to_csv(index=False, lineterminator="\n")
    )
    return [path]


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
            "$p_\\mathrm{adj}$": ["--" if math.isnan(p) else f"{p:.3g}" for p in shown["p_adjusted"]],
            "by": shown["adjusted_by"],
        }
    )
    for column in ("Set", "Measure"):
        rows[column] = rows[column].str.replace("_", r"\_", regex=False)
    text: str = rows.style.hide(axis="index").to_latex(hrules=True, column_format="llrlrrrl")
    return text
