"""Halves that share no speaker and no pair, balanced by class and attack; groups inside them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpscope.measurement.groups import make_groups
from sharpscope.measurement.halves import draw_trial_halves


def trials(speaker: object = "", pair: object = "", attack: object = "", n: int = 0) -> pd.DataFrame:
    """Columns that halves are drawn by."""
    return pd.DataFrame({"speaker": speaker, "pair": pair, "attack": attack}, index=range(n) if n else None)


def shared(column: pd.Series, halves: np.ndarray) -> set[str]:
    return set(column[halves == 0]) & set(column[halves == 1]) - {""}


@given(st.lists(st.integers(0, 9), min_size=40, max_size=200), st.integers(0, 3))
def test_no_speaker_stands_in_both_halves(speakers: list[int], seed: int) -> None:
    table = trials([f"s{number}" for number in speakers], attack="tts")
    labels = np.arange(len(speakers)) % 2
    halves = draw_trial_halves(table, labels, 2, seed=seed)
    if halves is None:
        return
    assert not shared(table["speaker"], halves)
    assert set(halves) == {0, 1}
    again = draw_trial_halves(table, labels, 2, seed=seed)
    assert again is not None
    assert np.array_equal(halves, again)


def test_twenty_equal_speakers_are_halved_exactly_and_another_seed_deals_otherwise() -> None:
    table = trials(np.repeat([f"s{i}" for i in range(20)], 20), attack=np.tile(["", "a", "", "b"], 100))
    labels = np.tile([1, 0], 200)
    drawn = [draw_trial_halves(table, labels, 10, seed=seed) for seed in (0, 1)]
    assert drawn[0] is not None
    assert drawn[1] is not None
    assert not np.array_equal(*drawn)
    for halves in drawn:
        for kind in ("a", "b"):
            assert (halves[table["attack"] == kind] == 0).sum() == 50
        assert (halves[labels == 1] == 0).sum() == 100


def test_uneven_speakers_leave_classes_and_attacks_nearly_even() -> None:
    """Speakers of 5 to 60 trials, each with one of three attacks: the halves differ by less than a speaker."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 60, size=48)
    speaker = np.repeat([f"s{i}" for i in range(48)], sizes)
    own = np.repeat(rng.choice(["a", "b", "c"], size=48), sizes)
    labels = rng.integers(0, 2, size=len(speaker))
    table = trials(speaker, attack=np.where(labels == 1, "", own))
    halves = draw_trial_halves(table, labels, 8)
    assert halves is not None
    for inside in (labels == 1, labels == 0, *(table["attack"] == name for name in "abc")):
        one = int((halves[np.asarray(inside)] == 0).sum())
        assert abs(2 * one - int(np.sum(inside))) < 20


def test_a_fake_stays_with_its_original_whoever_speaks() -> None:
    """Speakers are unknown; pairs name the recording. Equal pairs are dealt out by turns."""
    table = trials(pair=np.repeat([f"p{i}" for i in range(50)], 2), attack=np.tile(["", "vc"], 50))
    labels = np.tile([1, 0], 50)
    halves = draw_trial_halves(table, labels, 4)
    assert halves is not None
    assert not shared(table["pair"], halves)
    assert (halves == 0).sum() == 50


def test_pairs_join_speakers() -> None:
    """A voice conversion of s0 into s1: source and target speaker, and their other trials, are one unit."""
    speaker = np.repeat([f"s{i}" for i in range(10)], 8)
    pair = np.full(80, "", dtype=object)
    pair[[0, 9]] = "p"
    halves = draw_trial_halves(trials(speaker, pair), np.tile([1, 0], 40), 4)
    assert halves is not None
    assert len(set(halves[:16])) == 1


def test_one_speaker_is_no_reason_to_split_pairs() -> None:
    table = trials("only", np.repeat([f"p{i}" for i in range(40)], 2))
    halves = draw_trial_halves(table, np.tile([1, 0], 40), 4)
    assert halves is not None
    assert not shared(table["pair"], halves)


@pytest.mark.parametrize(
    ("speaker", "pair", "m"),
    [
        ("", "", 4),  # nothing known
        ("only", "", 4),  # one speaker of all
        ([f"s{i}" for i in range(80)], "", 4),  # each speaker once: nothing is kept together
        (np.repeat(["s0", "s1"], 40), "", 32),  # one group a half
        (np.repeat(["s0", "s1"], [70, 10]), "", 4),  # a half of an eighth
    ],
)
def test_where_no_halves_can_be_made_groups_are_as_they_were(speaker: object, pair: object, m: int) -> None:
    assert draw_trial_halves(trials(speaker, pair, n=80), np.tile([1, 0], 40), m) is None


def test_two_hundred_thousand_pairs_take_seconds() -> None:
    n = 100_000
    table = trials(pair=np.repeat(np.arange(n).astype(str), 2), attack=np.tile(["", "a"], n))
    halves = draw_trial_halves(table, np.tile([1, 0], n), 32)
    assert halves is not None
    assert (halves == 0).sum() == n


@pytest.mark.parametrize("m", [1, 2, 8])
def test_groups_stay_inside_halves_and_take_turns(m: int) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, size=300)
    halves = np.repeat([0, 1], 150)
    groups = make_groups(labels, m, seed=3, halves=halves)
    sides = [set(halves[group]) for group in groups]
    assert all(len(side) == 1 for side in sides)
    order = [side.pop() for side in sides]
    turns = order[::2] if m == 1 else order  # groups of one come in twos, one of each class
    both = 2 * min(turns.count(0), turns.count(1))
    assert turns[:both] == [0, 1] * (both // 2)
    together = np.concatenate(groups)
    assert len(set(together.tolist())) == len(together)
    each = [min((labels[halves == h] == v).sum() for v in (0, 1)) // max(1, m // 2) for h in (0, 1)]
    assert len(groups) == sum(each) * (2 if m == 1 else 1)
    if m > 1:
        assert {int(labels[group].sum()) for group in groups} == {m // 2}
