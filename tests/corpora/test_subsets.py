"""Conditions as sets, growing designs, and trials that a checkpoint has seen."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpscope.corpora import TrialSet, read_set, trials_hash
from sharpscope.corpora.leaks import audio_hash, leaks, without
from sharpscope.corpora.subsets import grow, subsets
from sharpscope.corpora.trials import COLUMNS
from sharpscope.errors import UsageError


def make(rows: list[tuple[str, str, str]], by: str = "attack", name: str = "x") -> TrialSet:
    """A set of (trial, label, value of one condition)."""
    table = pd.DataFrame([dict.fromkeys(COLUMNS, "") | {"trial": t, "label": b, by: v} for t, b, v in rows])
    return TrialSet(name, "", table[list(COLUMNS)], 0, ())


def attacks(counts: dict[str, int], n_bonafide: int) -> TrialSet:
    rows = [(f"b{i}", "bonafide", "") for i in range(n_bonafide)]
    rows += [(f"{a}-{i}", "spoof", a) for a, n in counts.items() for i in range(n)]
    return make(rows)


def test_each_attack_shares_the_bona_fide_trials() -> None:
    parts = subsets(attacks({"A2": 3, "A1": 2}, 4), "attack")
    assert [part.subset for part in parts] == ["attack=A1", "attack=A2"]
    assert [list(part.table["trial"]) for part in parts] == [
        ["b0", "b1", "b2", "b3", "A1-0", "A1-1"],
        ["b0", "b1", "b2", "b3", "A2-0", "A2-1", "A2-2"],
    ]


def test_each_speaker_has_bona_fide_trials_of_its_own_and_one_class_is_left_out() -> None:
    rows = [("a", "bonafide", "s1"), ("b", "spoof", "s1"), ("c", "spoof", "s2"), ("d", "spoof", "")]
    (part,) = subsets(make(rows, "speaker"), "speaker")
    assert (part.subset, list(part.table["trial"])) == ("speaker=s1", ["a", "b"])
    assert part.notes == (
        "no subset for speaker s2: only one class",
        "1 trials of unknown speaker in no subset",
    )


def test_conditions_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match="does not tell the codec of its trials; it tells attack"):
        subsets(attacks({"A1": 2}, 2), "codec")
    with pytest.raises(UsageError, match="unknown condition 'atack'; did you mean 'attack'"):
        subsets(attacks({"A1": 2}, 2), "atack")
    with pytest.raises(UsageError, match="no speaker has trials of both classes"):
        subsets(make([("a", "bonafide", "s1"), ("b", "spoof", "s2")], "speaker"), "speaker")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(6, 20), min_size=2, max_size=6), st.integers(6, 30), st.integers(0, 3))
def test_growing_holds_the_class_counts_and_shares_them_out(
    sizes: list[int], n_bonafide: int, seed: int
) -> None:
    trials = attacks({f"A{i}": size for i, size in enumerate(sizes)}, n_bonafide)
    n = min(*sizes, n_bonafide)
    designs = grow(trials, seed=seed, repeats=2)
    assert len(designs) == 2 * len(sizes)
    for at, design in enumerate(designs):
        k = at % len(sizes) + 1
        assert design.subset == f"order{at // len(sizes) + 1}/attacks={k}"
        assert Counter(design.table["label"]) == {"bonafide": n, "spoof": n}
        shares = Counter(design.table["attack"][design.table["label"] == "spoof"])
        assert len(shares) == k
        assert max(shares.values()) - min(shares.values()) <= 1
        assert design.table["trial"].is_unique
    for before, after in pairwise(designs[: len(sizes)]):
        # One condition is added, none goes, and the bona fide trials stay.
        values = [set(d.table["attack"]) for d in (before, after)]
        assert values[0] < values[1]
        reals = [list(d.table["trial"][d.table["label"] == "bonafide"]) for d in (before, after)]
        assert reals[0] == reals[1]


def test_growing_speakers_takes_both_classes_from_each() -> None:
    rows = [
        (f"{label}{s}{i}", label, f"s{s}")
        for s in range(4)
        for label in ("bonafide", "spoof")
        for i in range(8)
    ]
    for design in grow(make(rows, "speaker"), "speaker", repeats=1):
        each = design.table.groupby("label")["speaker"].value_counts()
        assert Counter(design.table["label"]) == {"bonafide": 8, "spoof": 8}
        assert each.max() - each.min() <= 1


def test_growing_is_seeded_and_repeats_differ() -> None:
    trials = attacks({f"A{i}": 12 for i in range(6)}, 30)
    one, same, other = (grow(trials, seed=seed, repeats=3) for seed in (0, 0, 1))
    assert [trials_hash(d.table) for d in one] == [trials_hash(d.table) for d in same]
    assert [trials_hash(d.table) for d in one] != [trials_hash(d.table) for d in other]
    assert len({d.notes[-1] for d in one if d.subset.endswith("=1")}) > 1


def test_growing_leaves_out_what_is_too_small_and_says_so() -> None:
    designs = grow(attacks({"A1": 10, "A2": 10, "A3": 1}, 30), per_class=10, repeats=1)
    assert len(designs) == 2
    assert "left out for too few trials: A3" in designs[0].notes
    with pytest.raises(UsageError, match="at least two are needed"):
        grow(attacks({"A1": 10, "A2": 1}, 30), per_class=10)
    with pytest.raises(UsageError, match="--orders is 0"):
        grow(attacks({"A1": 10, "A2": 10}, 30), repeats=0)


def write_set(folder: Path, name: str, waves: dict[str, np.ndarray]) -> TrialSet:
    folder.mkdir()
    lines = ["file,label"]
    for index, (file, wave) in enumerate(waves.items()):
        soundfile.write(folder / file, wave, 16_000)
        lines.append(f"{file},{'spoof' if index % 2 else 'bonafide'}")
    (folder / "list.csv").write_text("\n".join(lines))
    return read_set(f"{name}={folder / 'list.csv'}")


def test_leaks_are_found_by_id_and_by_audio_whatever_the_container(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(-9999, 9999, 1600).astype(np.int16) for _ in range(5)]
    under_test = write_set(tmp_path / "a", "same", {"a.wav": noise[0], "b.wav": noise[1], "c.wav": noise[2]})
    used = write_set(tmp_path / "b", "same", {"a.wav": noise[3], "z.flac": noise[1]})
    other = write_set(tmp_path / "c", "other", {"c.wav": noise[4]})
    assert audio_hash(str(tmp_path / "a" / "b.wav")) == audio_hash(str(tmp_path / "b" / "z.flac"))
    found = leaks(under_test, [used, other])
    # c.wav is the name of another recording in another corpus: no leak.
    assert found.by_id == ("a.wav",)
    assert found.by_audio == (("b.wav", "same: z.flac"),)
    assert found.summary.startswith("2 of 3 trials")
    rest = without(under_test, found)
    assert list(rest.table["trial"]) == ["c.wav"]
    assert rest.notes == ("2 trials left out that were used in training or selection",)
    assert leaks(under_test, used, by_audio=False).by_audio == ()


def test_a_file_under_another_name_and_through_links_is_a_leak_without_being_opened(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    waves = {f"{name}.wav": rng.standard_normal(800) * 0.1 for name in "abcd"}
    used = write_set(tmp_path / "real", "train", waves)
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "other.wav").symlink_to(tmp_path / "real" / "b.wav")
    soundfile.write(tmp_path / "test" / "a.wav", waves["d.wav"], 16_000)
    listed = "file,label\n../linked/a.wav,bonafide\nother.wav,spoof\na.wav,spoof\n"
    (tmp_path / "test" / "list.csv").write_text(listed)
    under_test = read_set(f"test={tmp_path / 'test' / 'list.csv'}")
    found = leaks(under_test, used, by_audio=False)
    assert found.by_id == ()
    assert found.by_file == ("../linked/a.wav", "other.wav")
    assert found.summary.startswith(
        "2 of 3 trials were used in training or selection (0 by id, 2 by file, 0 by audio"
    )
    # The copy has the samples of a file that was used, and is neither that file nor called like it.
    assert leaks(under_test, used).trials == {"../linked/a.wav", "other.wav", "a.wav"}
    assert without(under_test, found).table["trial"].tolist() == ["a.wav"]


def test_no_leak_says_so_and_a_set_that_leaks_whole_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    waves = {"a.wav": rng.standard_normal(800) * 0.1, "b.wav": rng.standard_normal(800) * 0.1}
    one = write_set(tmp_path / "a", "one", waves)
    two = write_set(tmp_path / "b", "two", {"a.wav": rng.standard_normal(800) * 0.1})
    clean = leaks(one, two)
    assert clean.trials == frozenset()
    assert clean.summary == "none of 2 trials was used in training or selection"
    assert without(one, clean) is one
    with pytest.raises(UsageError, match="every trial was used"):
        without(one, leaks(one, one))
    with pytest.raises(UsageError, match="no set to compare with"):
        leaks(one, [])


def test_the_trials_hash_knows_trials_labels_and_order_and_not_the_folder(tmp_path: Path) -> None:
    silence = {"a.wav": np.zeros(80), "b.wav": np.zeros(80)}
    one, two = (write_set(tmp_path / folder, "x", silence).table for folder in ("a", "b"))
    assert trials_hash(one) == trials_hash(two)
    assert len(trials_hash(one)) == 12
    changed = [one.iloc[::-1], one.assign(label="spoof"), one.assign(trial=["a.wav", "c.wav"])]
    assert len({trials_hash(table) for table in [one, *changed]}) == 4
