"""What sharpness adds to the loss, from a results table and the records beside it."""

import math

import numpy as np
import pandas as pd
import pytest

import sharpscope
from sharpscope.analysis.given_loss import COLUMNS as GIVEN
from sharpscope.analysis.given_loss import adds_to_loss
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.instrumented import given_noisy
from sharpscope.results.records import Place, Records
from sharpscope.results.table import COLUMNS
from sharpscope.scoring.eer import equal_error_rate

TRIALS, GROUPS, N = 80, 8, 14


def study(*, sets: tuple[str, ...] = ("a", "b"), adds: float = 0.0) -> tuple[pd.DataFrame, Records]:
    """Detectors of different margins; sharpness is another function of the margins, and what ``adds`` puts there."""
    rng = np.random.default_rng(0)
    records, rows = Records(), []
    mean, own = 1.2 + 0.5 * rng.normal(size=N), rng.normal(size=N)
    truth, group = np.arange(TRIALS) % 2 == 0, np.arange(TRIALS) // (TRIALS // GROUPS)
    for name in sets:
        s = mean[:, None] + rng.normal(size=(1, TRIALS)) + rng.normal(size=(N, TRIALS))
        for number in range(N):
            scores = np.where(truth, s[number], -s[number])
            chance = 1 / (1 + np.exp(s[number]))
            each = {"loss": np.log1p(np.exp(-s[number])), "sam": chance * (1 - chance) + adds * own[number]}
            row = dict.fromkeys(COLUMNS, "") | {
                "checkpoint": f"c{number}", "sha256": f"{number:064d}", "arch": "tiny", "set": name, "m": 10,
                "eer": equal_error_rate(scores[truth], scores[~truth]).eer, "n_bonafide": TRIALS // 2,
                "n_spoof": TRIALS // 2, "preset": "rigorous", "score_rule": "logit_difference",
                "spec_hash": "s", "trials_hash": name,
            }  # fmt: skip
            table = pd.DataFrame({
                "trial": [f"t{i}" for i in range(TRIALS)], "label": np.where(truth, "bonafide", "spoof"),
                "score": scores, "logit_spoof": 0.0, "logit_bonafide": scores, "group": group,
                "speaker": [f"s{g}" for g in group], "attack": "", "codec": "", "pair": "", "path": "",
                "half": group % 2,
            })  # fmt: skip
            for measure, values in each.items():
                rho = 0.05 if measure == "sam" else math.nan
                by_group = [float(values[group == g].mean()) for g in range(GROUPS)]
                cells = {
                    "group": range(GROUPS),
                    "measure": measure,
                    "rho": rho,
                    "value": by_group,
                    "n_trials": 10,
                }
                records.add(Place.of(row), table, pd.DataFrame(cells))
                rows.append(row | {"measure": measure, "rho": rho, "value": float(np.mean(by_group))})
    return pd.DataFrame(rows), records


def test_cells_are_those_of_the_halves_by_hand() -> None:
    table, records = study()
    found = sharpscope.correlate(table, records=records)
    halves = HalvesOfSets(records)
    sides = []
    for name in ("a", "b"):
        here = table[table["set"] == name].sort_values("sha256")
        one, loss = (halves.of(here[here["measure"] == measure]) for measure in ("sam", "loss"))
        assert one is not None
        assert loss is not None
        sides.append([v[:, 0] for v in (one.x, loss.x, one.y, loss.x_other)])
    by_hand = given_noisy(*(np.column_stack(side) for side in zip(*sides, strict=True)))
    row = found.table[(found.table["scope"] == "mean_within") & (found.table["measure"] == "sam")].iloc[0]
    assert row["given_loss"] == pytest.approx(by_hand.estimate, abs=1e-12)
    assert (row["given_loss_low"], row["given_loss_high"]) == pytest.approx(by_hand.interval(0.9))
    assert row["p_given_loss"] == pytest.approx(by_hand.p)
    assert row["adds_at_most"] == pytest.approx(by_hand.adds_at_most())
    assert row["n_for_a_tenth"] == by_hand.checkpoints_for()
    assert row["halves_by"] == "speakers"
    loss = found.table[found.table["measure"] == "loss"]
    assert loss[list(GIVEN)].isna().all(axis=None)
    asked = found.questions[
        (found.questions["question"] == "partial") & (found.questions["given"] == "loss")
    ].iloc[0]
    assert asked["estimate"] == pytest.approx(by_hand.estimate, abs=1e-12)
    assert (asked["low"], asked["high"]) == pytest.approx(by_hand.interval(0.95))
    assert asked["p"] == pytest.approx(by_hand.p)
    assert "as instrument" in asked["note"]
    assert "adds at most" in adds_to_loss(row).sentence


def test_without_halves_there_is_an_estimate_and_no_claim() -> None:
    table, _ = study()
    found = sharpscope.correlate(table)
    assert found.table[list(GIVEN)].isna().all(axis=None)
    row = found.table[(found.table["scope"] == "mean_within") & (found.table["measure"] == "sam")].iloc[0]
    assert adds_to_loss(row).sentence.startswith("What sam adds to the loss cannot be said")
    asked = found.questions[found.questions["question"] == "partial"]
    assert asked["p"].isna().all()
    assert asked["note"].str.startswith("no p-value").all()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_loss_of_other_groups_needs_halves_of_record(recorded: bool) -> None:
    """The loss was measured on seven of the eight groups: halves of trials stay what they are, drawn ones differ."""
    table, records = study(sets=("a",))
    for row in table.drop_duplicates("sha256").to_dict("records"):
        groups, scores = records.groups(row), records.scores(row)
        assert groups is not None
        assert scores is not None
        fewer = groups[(groups["measure"] == "sam") | (groups["group"] < 7)]
        kept = scores if recorded else scores.assign(half=-1)
        records = Records({**records._scores, Place.of(row): kept}, {**records._groups, Place.of(row): fewer})
    found = sharpscope.correlate(table, records=records).table
    sharp = found[found["measure"] == "sam"].iloc[0]
    assert sharp["evidence"] == "cross-half"
    assert np.isfinite(sharp["given_loss"]) == recorded


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.5, 0.2, 0.8, 0.01, 0.8, 300.0), "those with the larger sam made more errors"),
        ((-0.5, -0.8, -0.2, 0.01, 0.8, 300.0), "those with the larger sam made fewer errors"),
        ((0.0, -0.05, 0.05, 0.9, 0.05, 40.0), "sam adds less than 0.1 to the loss"),
        ((0.1, -0.2, 0.4, 0.5, 0.4, 320.0), "adds at most 0.40 to the loss; about 320 checkpoints"),
    ],
)
def test_one_sentence_says_what_the_numbers_allow(numbers: tuple[float, ...], words: str) -> None:
    found = adds_to_loss({"measure": "sam"} | dict(zip(GIVEN, numbers, strict=False)))
    assert words in found.sentence
    assert found[:6] == numbers
