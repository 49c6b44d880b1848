"""The card of a report says what the summary says, from the same facts, by whatever route they come."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from known_truths import study
from results_tables import NAN, make_correlation, make_results

from sharpscope.analysis.correlate import correlate, write_correlation
from sharpscope.analysis.correlation_table import told_of
from sharpscope.analysis.verdict import judge
from sharpscope.reports.verdict import verdict

WAY = {"measure": "sam", "rho": 0.05, "m": 32.0, "preset": "rigorous"}
NOTHING = pd.DataFrame()


def with_joint(
    spearman: float, p: float, *, control: float = NAN, evidence: str = "cross-half", runs: float = 6
) -> pd.DataFrame:
    """A correlation table with a joint row of sam and one of loss."""
    facts = {"evidence": evidence, "n_runs": runs, "adjusted_by": "one test", "alternative": "two-sided"}
    facts |= {"m": 32.0, "preset": "rigorous", "subset": "", "fixed": ""}
    table = make_correlation(make_results()).assign(p_holm=0.9, **facts)
    joint = table.iloc[[0]].assign(scope="mean_within", set="all sets", spearman=spearman, p_headline=p, p=p)
    joint = joint.assign(spearman_low=-0.1, spearman_high=0.9, p_holm=NAN)
    other = joint.assign(measure="loss", rho=NAN, spearman=control)
    return pd.concat([table, joint, other], ignore_index=True)


def asked(question: str, estimate: float, p: float, n: int = 6, given: str = "recipes") -> pd.DataFrame:
    row = {"question": question, "estimate": estimate, "p": p, "p_adjusted": p, "n": n, "given": given}
    return pd.DataFrame([WAY | row])


@pytest.mark.parametrize(
    ("spearman", "p", "control", "answer", "words"),
    [
        (0.6, 0.01, NAN, "yes", "Sharper checkpoints made more errors: sam (rho 0.05), m = 32, rigorous has"),
        (0.6, 0.01, 0.7, "yes", "that it tells more than loss (0.70)"),
        (-0.6, 0.01, NAN, "reversed", "Sharper checkpoints made fewer errors"),
        (0.6, 0.06, NAN, "no", "Nothing here shows that sharpness goes with error"),
        (0.6, NAN, NAN, "unknown", "Nothing can be tested"),
    ],
)
def test_the_answer_follows_the_joint_test(
    spearman: float, p: float, control: float, answer: str, words: str
) -> None:
    found = judge(with_joint(spearman, p, control=control), NOTHING, make_results())
    assert found.answer == answer
    assert words in str(found)
    assert f"{spearman:.2f} [-0.10, 0.90]" in str(found)
    assert "It may not be claimed that" in found.not_claimed
    assert str(found).count(". ") >= 2


def test_the_adjusted_p_decides_and_not_the_bare_one() -> None:
    table = with_joint(0.6, 0.01)
    table.loc[table["scope"] == "mean_within", ["p_headline", "adjusted_by"]] = [0.2, "max-T over 9 ways"]
    found = judge(table, NOTHING, make_results())
    assert found.answer == "no"
    assert "p = 0.2 (permuting 6 checkpoints in all sets at once, adjusted by max-T over 9 ways" in found.sure


@pytest.mark.parametrize(
    ("answers", "answer", "words"),
    [
        (asked("within_arch", 0.5, 0.01), "yes", "; inside architectures 0.50, p = 0.01"),
        (asked("within_arch", 0.5, 0.2), "unknown", "architectures may be why"),
        (asked("within_arch", -0.5, 0.01), "unknown", "architectures may be why"),
        (asked("within_arch", 0.5, NAN), "unknown", "too few checkpoints inside them can test"),
        (asked("within_arch", NAN, NAN, n=0), "yes", "more errors: "),
        (
            asked("clusters_as_one", 0.5, 0.01, n=5),
            "yes",
            "with the seeds of 5 recipes as one 0.50, p = 0.01",
        ),
        (asked("clusters_as_one", 0.5, 0.3, n=5), "unknown", "recipes may be why"),
        (asked("clusters_as_one", 0.5, 0.3, n=6), "yes", "more errors: "),  # no recipe has two
        (asked("clusters_as_one", 0.5, 0.3, given="runs inside recipes"), "unknown", "inside recipes only"),
    ],
)
def test_a_claim_needs_every_test_that_the_checkpoints_call_for(
    answers: pd.DataFrame, answer: str, words: str
) -> None:
    found = judge(with_joint(0.6, 0.01), answers, make_results())
    assert found.answer == answer
    assert words in str(found)


def test_the_same_trials_are_no_evidence_whatever_their_p() -> None:
    found = judge(with_joint(0.9, 0.0001, evidence="same trials"), NOTHING, make_results())
    assert found.answer == "unknown"
    assert "Nothing can be claimed" in found.says


def test_four_pieces_of_evidence_are_too_few_whatever_the_table_says() -> None:
    few = make_results(seeds=(0, 1))
    assert judge(with_joint(1.0, 0.001), NOTHING, few).stops
    runs = judge(with_joint(1.0, 0.001, runs=4).assign(n_runs=4.0), NOTHING, make_results())
    assert runs.says == "Nothing can be tested with 6 checkpoints, which are 4 runs."


def test_without_a_joint_row_the_strongest_set_speaks_with_its_adjusted_p() -> None:
    table = with_joint(0.0, 1.0).iloc[:2].copy()
    table["spearman"], table["p_holm"], table["adjusted_by"] = [0.2, 0.9], [0.8, 0.02], "Holm over 2 tests"
    found = judge(table, NOTHING, make_results())
    assert found.answer == "yes"
    assert " has a Spearman of 0.90" in found.says
    assert found.says.endswith(" on codec.")
    assert "p = 0.02 (permuting 6 checkpoints, adjusted by Holm over 2 tests" in found.sure


def test_single_sets_that_hold_are_not_hidden_by_a_joint_test_that_does_not() -> None:
    table = with_joint(0.1, 0.5)
    table.loc[:1, "p_holm"] = [0.01, 0.8]
    found = judge(table, NOTHING, make_results())
    assert found.answer == "no"
    assert found.says.startswith("Over all sets nothing shows")
    assert "in single sets 1 of 2 tests hold after Holm's correction" in found.sure


def test_checkpoints_that_were_not_measured_alike_are_a_limit() -> None:
    mixed = make_results()
    mixed.loc[mixed["sha256"] == mixed["sha256"].iloc[0], "dtype"] = "float64"
    mixed["dtype"] = mixed["dtype"].replace("", "float32")
    assert "rather than how they were measured" in judge(with_joint(0.6, 0.01), NOTHING, mixed).not_claimed


def test_controls_alone_are_no_answer_about_sharpness() -> None:
    table = with_joint(0.6, 0.01)
    controls = table.assign(measure="loss", rho=NAN)
    assert "controls only" in judge(controls, NOTHING, make_results(measures=(("loss", NAN),))).says


def test_card_summary_and_files_say_the_same(tmp_path: Path) -> None:
    made = study(pd.Series([0.9, -0.4, 0.1, -0.9, 0.5, -0.1]).to_numpy())
    found = correlate(made.results, records=made.records, primary="sam@0.05:greater")
    write_correlation(found, tmp_path)
    for told in (told_of(made.results, found), told_of(made.results, tmp_path / "correlations.csv")):
        card = verdict(made.results, told.table, told.questions)
        sentences = " ".join([card.headline, *card.evidence, *card.limits])
        assert sentences in found.summary
        assert "one-sided (greater), fixed beforehand: sam@0.05:greater" in sentences
    assert str(found.verdict) in found.summary


def test_nothing_correlated_is_said_to_be_unknown() -> None:
    assert verdict(make_results(), NOTHING, NOTHING).answer == "unknown"
