"""Questions whose usual answer is wrong: noisy covariates, subsets that are taken for sets, blank recipes."""

import math

import numpy as np
import pandas as pd
import pytest
from results_tables import make_results
from scipy.stats import spearmanr

from sharpscope.analysis.clusters import find_clusters
from sharpscope.analysis.confounding import partial_given_noisy
from sharpscope.analysis.evidence import evidence_rows
from sharpscope.analysis.robustness import Cells, _shift, ask


def of_subsets(results: pd.DataFrame, corpora: int) -> pd.DataFrame:
    """Give the sets of a table to so many corpora, in turn."""
    number = {name: i for i, name in enumerate(dict.fromkeys(results["set"]))}
    return results.assign(
        set=[f"corpus{number[name] % corpora}" for name in results["set"]], subset=results["set"]
    )


def one(answers: pd.DataFrame, question: str) -> pd.Series:
    found = answers[answers["question"] == question]
    assert len(found) == 1
    return found.iloc[0]


def test_subsets_of_a_corpus_are_not_sets_of_their_own() -> None:
    results = make_results(sets=[f"part{i}" for i in range(12)])
    refused = one(ask(of_subsets(results, 3)), "shift")
    assert (refused["n"], math.isnan(refused["p"])) == (3, True)
    assert "3 corpora" in refused["note"]
    found = one(ask(of_subsets(results, 6)), "shift")
    means = of_subsets(results, 6).groupby(["sha256", "set"])[["value", "eer"]].mean()
    each = [spearmanr(own["value"], own["eer"]).statistic for _, own in means.groupby("sha256")]
    assert (found["n"], found["estimate"]) == (6, pytest.approx(np.mean(each)))


def test_shift_over_six_corpora_of_two_subsets_keeps_its_level() -> None:
    """Subsets share what their corpus is like; permuting them one by one rejects 14 % (statistics audit, B)."""
    rejected, runs = 0, 300
    corpora = [f"c{i}" for i in np.repeat(np.arange(6), 2)]
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        x, y = (
            np.repeat(rng.normal(size=6), 2) + 0.3 * rng.normal(size=12) + 0.3 * rng.normal(size=(8, 12))
            for _ in range(2)
        )
        cells = Cells(x, y, pd.DataFrame(), corpora, corpora, [""] * 12, (np.zeros(12), np.zeros(12)))
        rejected += next(iter(_shift(cells, 0)))["p"] <= 0.05
    assert 0.02 <= rejected / runs <= 0.085


def test_a_covariate_with_noise_gives_no_p_value() -> None:
    measures = (("sam", 0.05), ("loss", math.nan), ("grad_norm", math.nan))
    answers = ask(make_results(measures=measures, seeds=range(5)))
    given = answers[(answers["question"] == "partial") & (answers["measure"] == "sam")].set_index("given")
    assert given["p"].isna().all()
    assert "lets part of its effect through" in given.loc["loss", "note"]
    assert "grad_norm" not in given.index


def test_the_noise_of_a_covariate_is_taken_out_of_the_partial_correlation() -> None:
    """Two quantities that follow the loss and nothing else: no correlation is left, the uncorrected one is .36."""
    rng = np.random.default_rng(0)
    loss = rng.normal(size=200_000)
    x, y = (0.9 * loss + math.sqrt(0.19) * rng.normal(size=loss.size) for _ in range(2))
    seen = loss + 0.5 * rng.normal(size=loss.size)
    r = np.corrcoef([x, y, seen])
    assert partial_given_noisy(r[0, 1], r[0, 2], r[1, 2], 0.8) == pytest.approx(0, abs=0.03)
    assert partial_given_noisy(r[0, 1], r[0, 2], r[1, 2], 1.0) > 0.35
    assert math.isnan(partial_given_noisy(0.5, 0.9, 0.9, 0.5))
    assert math.isnan(partial_given_noisy(0.5, 0.9, 0.9, math.nan))


def test_blank_recipes_are_not_one_recipe() -> None:
    results = make_results(seeds=range(6)).assign(recipe="")
    assert "seeds_as_one" not in set(evidence_rows(results, find_clusters(results))["question"])
