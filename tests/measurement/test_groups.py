"""Groups: the rules of both presets, for any set."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sharpscope.audio.batches import load_groups
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.groups import balanced_subset, make_groups

LABELS = st.lists(st.sampled_from([0, 1]), min_size=2, max_size=60).map(np.array)


@given(LABELS, st.integers(1, 20))
def test_file_order_is_consecutive_and_keeps_the_tail(labels: np.ndarray, m: int) -> None:
    groups = make_groups(labels, m, composition="file_order")
    assert np.concatenate(groups).tolist() == list(range(len(labels)))
    assert all(len(group) == m for group in groups[:-1])
    assert 1 <= len(groups[-1]) <= m


@given(LABELS, st.integers(1, 6), st.integers(0, 5))
def test_balanced_groups_are_half_and_half_without_repetition(
    labels: np.ndarray, half: int, seed: int
) -> None:
    smaller = int(min(labels.sum(), (1 - labels).sum()))
    if smaller < half:
        with pytest.raises(UsageError, match=f"needs {half} of each"):
            make_groups(labels, 2 * half, seed=seed)
        return
    groups = make_groups(labels, 2 * half, seed=seed)
    assert len(groups) == smaller // half
    together = np.concatenate(groups)
    assert len(set(together.tolist())) == len(together)
    for group in groups:
        assert labels[group].sum() == half
    again = make_groups(labels, 2 * half, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(groups, again, strict=True))


@given(LABELS)
def test_groups_of_one_alternate_in_class(labels: np.ndarray) -> None:
    groups = make_groups(labels, 1)
    assert [int(labels[group[0]]) for group in groups] == [1, 0] * (len(groups) // 2)
    assert len(groups) == 2 * int(min(labels.sum(), (1 - labels).sum()))


def test_the_order_of_a_sorted_file_does_not_reach_the_groups() -> None:
    """A set whose classes are sorted gives one-class groups in file order, and mixed ones otherwise."""
    labels = np.repeat([1, 0], 32)
    assert {int(labels[g].sum()) for g in make_groups(labels, 8, composition="file_order")} == {0, 8}
    assert {int(labels[g].sum()) for g in make_groups(labels, 8)} == {4}


def test_another_seed_draws_other_groups() -> None:
    labels = np.arange(64) % 2
    drawn = [np.concatenate(make_groups(labels, 8, seed=seed)).tolist() for seed in (0, 1)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("m", [0, -1, 3])
def test_a_wrong_m_is_named(m: int) -> None:
    with pytest.raises(UsageError, match=f"m is {m}"):
        make_groups(np.array([0, 1, 0, 1]), m)


@given(LABELS, st.integers(2, 70), st.integers(0, 3))
def test_a_subset_is_sorted_seeded_and_balanced(labels: np.ndarray, limit: int, seed: int) -> None:
    kept = balanced_subset(labels, limit, seed=seed)
    assert kept.tolist() == sorted(set(kept.tolist()))
    for value in (0, 1):
        assert (labels[kept] == value).sum() == min(limit // 2, (labels == value).sum())
    assert np.array_equal(kept, balanced_subset(labels, limit, seed=seed))


def test_waves_of_a_group_get_one_length(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    paths = []
    for index, length in enumerate((400, 1000, 700)):
        paths.append(str(tmp_path / f"{index}.wav"))
        soundfile.write(paths[-1], 0.1 * rng.standard_normal(length), 16_000, subtype="FLOAT")
    (waves,) = load_groups(paths, [np.array([0, 1, 2])], sample_rate=16_000, n_samples=None)
    assert waves.shape == (3, 1000)
    np.testing.assert_array_equal(waves[0, 400:800], waves[0, :400])
    fixed = list(load_groups(paths, [np.array([2]), np.array([0, 1])], sample_rate=16_000, n_samples=500))
    assert [tuple(w.shape) for w in fixed] == [(1, 500), (2, 500)]
    np.testing.assert_array_equal(fixed[0][0], waves[2, :500])
    assert not list(load_groups(paths, [], sample_rate=None, n_samples=None))
    with pytest.raises(SharpscopeError, match="missing"):
        list(load_groups([str(tmp_path / "missing.wav")], [np.array([0])], sample_rate=None, n_samples=None))
