from __future__ import annotations

import pandas as pd
import pytest
from results_tables import NAN, make_correlation, make_results

from sharpscope.reports.verdict import verdict
from sharpscope.results.selection import Variant

SAM = Variant("sam", 0.05, 32.0, "rigorous")


def with_joint(spearman: float, p: float, control: float = NAN) -> pd.DataFrame:
    """A correlation table with a joint row of sam and one of loss."""
    table = make_correlation(make_results()).assign(p_holm=0.9)
    joint = table.iloc[[0]].assign(
        scope="mean_within",
        set="all sets",
        spearman=spearman,
        spearman_low=-0.1,
        spearman_high=0.9,
        p=p,
        p_holm=NAN,
    )
    other = joint.assign(measure="loss", rho=NAN, spearman=control)
    return pd.concat([table, joint, other], ignore_index=True)


@pytest.mark.parametrize(
    ("spearman", "p", "control", "answer", "words"),
    [
        (0.6, 0.01, NAN, "yes", "Sharper detectors err more here."),
        (0.6, 0.01, 0.2, "yes", "Sharper detectors err more here."),
        (0.6, 0.01, 0.7, "yes", "but loss says as much at no cost"),
        (-0.6, 0.01, NAN, "reversed", "err less"),
        (0.6, 0.06, NAN, "no", "Nothing here shows"),
        (0.6, NAN, NAN, "unknown", "Too little to say"),
    ],
)
def test_the_answer_follows_the_joint_test(
    spearman: float, p: float, control: float, answer: str, words: str
) -> None:
    found = verdict(make_results(), with_joint(spearman, p, control), SAM)
    assert found.answer == answer
    assert words in found.headline
    assert f"{'−' if spearman < 0 else ''}.60 [−.10, .90]" in found.evidence[0]
    assert "does not say why they differ" in found.limits[0]


def test_four_checkpoints_are_too_few_whatever_the_table_says() -> None:
    results = make_results(seeds=(0, 1))
    found = verdict(results, with_joint(1.0, 0.001), SAM)
    assert found.answer == "unknown"
    assert "With 4 checkpoints no order is rare enough" in found.limits[1]


def test_without_a_joint_row_the_strongest_set_speaks_with_its_adjusted_p() -> None:
    results = make_results()
    table = make_correlation(results)
    table["spearman"], table["p_holm"] = [0.2, 0.9], [0.8, 0.02]
    found = verdict(results, table, SAM)
    assert found.answer == "yes"
    assert found.headline == "Sharper detectors err more on codec."
    assert "Strongest on codec: Spearman .90" in found.evidence[0]
    assert "1 of 2 tests hold" in found.evidence[1]


def test_single_sets_that_hold_are_not_hidden_by_a_joint_test_that_does_not() -> None:
    table = with_joint(0.1, 0.5)
    table.loc[:1, "p_holm"] = [0.01, 0.8]
    found = verdict(make_results(), table, SAM)
    assert found.answer == "no"
    assert "in 1 of 2 sets alone it does" in found.headline
    table.loc[:1, "p_holm"] = [0.6, 0.8]
    assert verdict(make_results(), table, SAM).headline == "Nothing here shows that sharpness tells error."


def test_nothing_correlated_is_said_to_be_unknown() -> None:
    assert verdict(make_results(), pd.DataFrame(), SAM).answer == "unknown"
