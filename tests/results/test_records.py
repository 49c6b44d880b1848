"""Records beside a table: two tables, two sizes of groups and two draws of trials in one folder share no file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sharpscope
from sharpscope.errors import UsageError
from sharpscope.results.records import (
    KNOWN_OF_TRIALS,
    Place,
    Records,
    folders,
    score_path,
    write_group_values,
    write_scores,
)
from sharpscope.results.store import Store

PLACE = Place("net", "ab" * 32, "itw", "", "0123456789ab", 8, "rigorous", "fedcba987654")


def scores(n: int = 4) -> pd.DataFrame:
    """Scores with ids that hold blanks and signs, and numbers whose last digit counts."""
    numbers = np.random.default_rng(0).normal(size=n)
    table = {"trial": [f"a b#{i}" for i in range(n)], "label": ["bonafide", "spoof"] * (n // 2)}
    table |= {
        "score": numbers,
        "logit_spoof": -numbers / 3,
        "logit_bonafide": numbers / 7,
        "group": [0, 0, 1, -1],
    }
    table |= {"speaker": ["s 1", "", "s2", ""], "attack": ["", "A07", "", "A#8"], "codec": "", "pair": ""}
    return pd.DataFrame(table | {"path": ["/data/a b.wav", "/data/#.wav", "c/é.flac", "x"]})


def row(place: Place = PLACE) -> dict[str, Any]:
    return place._asdict()


def test_what_is_written_is_read_to_the_last_digit(tmp_path: Path) -> None:
    write_scores(tmp_path / "r.csv", PLACE, scores())
    found = Records.beside(tmp_path / "r.csv").scores(row())
    assert found is not None
    for name in ("score", "logit_spoof", "logit_bonafide", "group", "label", "attack", "path"):
        assert found[name].tolist() == scores()[name].tolist()
    assert found["trial"].tolist() == [f"a_b#{i}" for i in range(4)]
    assert found["speaker"].tolist() == ["s_1", "", "s2", ""]


@pytest.mark.parametrize(
    "other",
    [
        {"m": 16},
        {"trials_hash": "ba9876543210"},
        {"preset": "rigorous+seed=1"},
        {"spec_hash": "0" * 12},
        {"subset": "attack=A07"},
        {"sha256": "cd" * 32},
        {"set": "itw2"},
    ],
)
def test_no_two_measurements_share_a_file(other: dict[str, Any], tmp_path: Path) -> None:
    changed = PLACE._replace(**other)
    assert changed.file != PLACE.file
    write_scores(tmp_path / "r.csv", PLACE, scores())
    assert Records.beside(tmp_path / "r.csv").scores(row(changed)) is None


def test_two_tables_in_one_folder_share_no_file(tmp_path: Path) -> None:
    assert not set(folders(tmp_path / "a.csv")) & set(folders(tmp_path / "b.csv"))
    write_scores(tmp_path / "a.csv", PLACE, scores())
    assert Records.beside(tmp_path / "b.csv").scores(row()) is None


def test_a_file_of_another_measurement_under_this_name_is_refused(tmp_path: Path) -> None:
    write_scores(tmp_path / "r.csv", PLACE, scores())
    other = PLACE._replace(trials_hash="0123456700ff")  # the same first digits, so the same name
    assert other.file == PLACE.file
    with pytest.raises(UsageError, match=r"of another measurement than the row's.*--force"):
        Records.beside(tmp_path / "r.csv").scores(row(other))
    cells = [{"group": "0", "measure": "sam", "rho": "0.05", "value": "1.5", "n_trials": "8"}]
    write_group_values(tmp_path / "r.csv", PLACE, cells)
    with pytest.raises(UsageError, match="of another measurement"):
        Records.beside(tmp_path / "r.csv").groups(row(other))


@pytest.mark.parametrize("damage", ["", "no header\n", "nan", "cut"])
def test_a_damaged_file_is_named(damage: str, tmp_path: Path) -> None:
    write_scores(tmp_path / "r.csv", PLACE, scores())
    path = score_path(tmp_path / "r.csv", row())
    whole = path.read_text()
    first = whole.splitlines(keepends=True)[0]
    texts = {"nan": whole.replace("bonafide 0.", "bonafide nan_", 1), "cut": whole[:-40]}
    path.write_text(texts.get(damage, first + damage if damage else ""))
    with pytest.raises(UsageError, match="net-abababab"):
        Records.beside(tmp_path / "r.csv").scores(row())


def test_values_of_other_measures_stay_and_of_the_same_are_replaced(tmp_path: Path) -> None:
    for value, measure in (("1.5", "sam"), ("2.5", "asam"), ("3.5", "sam")):
        cells = [{"group": "0", "measure": measure, "rho": "0.05", "value": value, "n_trials": "8"}]
        write_group_values(tmp_path / "r.csv", PLACE, cells)
    found = Records.beside(tmp_path / "r.csv").groups(row())
    assert found is not None
    assert dict(zip(found["measure"], found["value"], strict=True)) == {"asam": 2.5, "sam": 3.5}


def test_two_runs_into_one_folder_draw_their_own_trials(tmp_path: Path, tone_set: Path) -> None:
    """The audit's second fault: m = 8 over all trials, then m = 4 over 16 of them, into two tables of one folder."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.out = torch.nn.Linear(8_000, 2)

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.out(waves)
            return logits

    network = sharpscope.as_detector(Net(), spec={"n_samples": 8_000})
    options: dict[str, Any] = {"measures": ["loss"], "show_progress": False, "workers": 0}
    whole = sharpscope.measure(network, f"tones={tone_set}", m=8, out=tmp_path / "A.csv", **options)
    part = sharpscope.measure(network, f"tones={tone_set}", m=4, limit=16, out=tmp_path / "B.csv", **options)
    for measured, n in ((whole, 26), (part, 16)):
        table = measured.records.scores(measured.table.iloc[0])
        assert table is not None
        assert len(table) == n == measured.table["n_bonafide"].iloc[0] + measured.table["n_spoof"].iloc[0]
    assert set(KNOWN_OF_TRIALS) <= set(table.columns)


def test_groups_measures_some_groups_and_scores_every_trial(tmp_path: Path, tone_set: Path) -> None:
    import torch

    network = sharpscope.as_detector(
        torch.nn.Sequential(torch.nn.Linear(8_000, 2)), spec={"n_samples": 8_000}
    )
    options: dict[str, Any] = {"measures": ["loss"], "m": 4, "show_progress": False, "workers": 0}
    every = sharpscope.measure(network, f"tones={tone_set}", **options)
    some = sharpscope.measure(network, f"tones={tone_set}", groups=3, **options)
    assert some.table["eer"].tolist() == every.table["eer"].tolist()
    assert some.table["n_groups"].tolist() == [3.0]
    assert "3 of 6 groups measured, a seeded random sample (--groups)" in some.table["note"].iloc[0]
    groups = every.records.groups(every.table.iloc[0])
    assert groups is not None
    assert some.table["value"].iloc[0] == pytest.approx(groups["value"].to_numpy()[:3].mean(), abs=1e-12)
    stopped = sharpscope.measure(network, f"tones={tone_set}", tolerance=0.5, **options)
    assert stopped.table["eer"].tolist() == every.table["eer"].tolist()


def test_values_of_other_groups_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    """A version before this drew the groups otherwise: its values are no values of the groups that are there now."""
    place = Place("net", "0" * 64, "noise", "", "t", 2, "rigorous", "s")
    scores = pd.DataFrame({
        "trial": list("abcd"), "label": ["bonafide", "spoof"] * 2, "score": 0.5, "logit_spoof": 0.0,
        "logit_bonafide": 0.5, "group": [0, 0, 1, 1], **dict.fromkeys(KNOWN_OF_TRIALS, ""),
    })  # fmt: skip
    other = scores.assign(group=[0, 1, 1, 0], half=[0, 1, 1, 0])
    cells = [{"group": str(g), "rho": "", "value": "1.0", "n_trials": "2"} for g in range(2)]
    for path in (None, tmp_path / "r.csv"):
        store = Store(path)
        for table, measure in (
            (scores, "sam"),
            (scores.assign(group=[0, 0, -1, -1]), "loss"),
            (other, "margin"),
        ):
            store.add(place, [], table, [cell | {"measure": measure} for cell in cells])
            records = store.records if path is None else Records.beside(path)
            found = records.groups(place._asdict())
            assert found is not None
            assert (
                set(found["measure"])
                == {"sam": {"sam"}, "loss": {"sam", "loss"}, "margin": {"margin"}}[measure]
            )
        kept = records.scores(place._asdict())
        assert kept is not None
        assert kept["half"].tolist() == [0, 1, 1, 0]


def test_speakers_of_an_own_list_are_kept_apart_from_list_to_correlation(
    tmp_path: Path, tone_set: Path
) -> None:
    """Two speakers a class: the halves of the records hold one of each, and no group holds both."""
    import torch

    network = sharpscope.as_detector(
        torch.nn.Sequential(torch.nn.Linear(8_000, 2)), spec={"n_samples": 8_000}
    )
    options: dict[str, Any] = {"measures": ["loss"], "show_progress": False, "workers": 0}
    own = sharpscope.measure(network, f"tones={tone_set}", m=4, out=tmp_path / "r.csv", **options)
    scores = Records.beside(tmp_path / "r.csv").scores(own.table.iloc[0])
    assert scores is not None
    assert set(scores["half"]) == {0, 1}
    assert (scores.groupby("speaker")["half"].nunique() == 1).all()
    grouped = scores[scores["group"] >= 0]
    assert (grouped.groupby("group")["half"].nunique() == 1).all()
    assert grouped["group"].nunique() == 6
    paper = sharpscope.measure(network, f"tones={tone_set}", m=4, preset="huang2025", **options)
    told = paper.records.scores(paper.table.iloc[0])
    assert told is not None
    assert set(told["half"]) == {-1}
    assert told["group"].tolist() == [i // 4 for i in range(26)]
