from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sharpscope.reports.trials import MOST_TRIALS, audio_link, sharp_groups, threshold, trials_of
from sharpscope.results.selection import Variant


def scores() -> pd.DataFrame:
    """Two errors: bona fide b0 scores -3, spoof s1 of attack A2 scores 5."""
    rows = [
        ("b0", "bonafide", -3.0, ""), ("b1", "bonafide", 2.0, ""), ("b2", "bonafide", 3.0, ""),
        ("s0", "spoof", -4.0, "A1"), ("s1", "spoof", 5.0, "A2"), ("s2", "spoof", -5.0, "A2"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["trial", "label", "score", "attack"])
    return table.assign(codec="", speaker="", path="", group=[0, 0, 1, 0, 1, 1])


def test_the_threshold_has_equal_errors() -> None:
    table = scores()
    bona = table["label"] == "bonafide"
    cut = threshold(table.loc[bona, "score"].to_numpy(), table.loc[~bona, "score"].to_numpy())
    assert np.mean(table.loc[bona, "score"] < cut) == np.mean(table.loc[~bona, "score"] >= cut)


def test_trials_farthest_on_the_wrong_side_come_first(tmp_path: Path) -> None:
    found = trials_of(scores(), tmp_path / "r.html", tmp_path)
    assert [row[0] for row in found["worst"][:2]] in (["b0", "s1"], ["s1", "b0"])
    wrong = {row[0]: row[3] for row in found["worst"]}
    assert {name for name, how in wrong.items() if how > 0} <= {"b0", "s1"}
    assert found["attacks"] == [["A2", 2, 0.5], ["A1", 1, 0.0]]
    many = pd.concat(
        [scores().assign(trial=lambda t, i=i: t["trial"] + f"_{i}") for i in range(20)], ignore_index=True
    )
    assert len(trials_of(many, tmp_path / "r.html", tmp_path)["worst"]) == MOST_TRIALS


def test_audio_is_linked_from_the_page_where_the_file_lies(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "a b.flac").write_bytes(b"x")
    page = tmp_path / "pages" / "r.html"
    assert audio_link("audio/a b.flac", page, tmp_path) == "../audio/a b.flac"
    assert audio_link(str(tmp_path / "audio" / "a b.flac"), page, Path("/elsewhere")) == "../audio/a b.flac"
    assert audio_link("audio/none.flac", page, tmp_path) == ""
    assert audio_link("", page, tmp_path) == ""


def test_the_sharpest_groups_of_the_measure_and_radius_are_named() -> None:
    groups = pd.DataFrame({
        "group": [0, 1, 0, 1], "measure": "sam", "rho": [0.05, 0.05, 0.1, 0.1], "value": [0.1, 0.4, 9.0, 8.0],
        "n_trials": 3,
    })  # fmt: skip
    found = sharp_groups(groups, scores(), Variant("sam", 0.05, 3.0, "rigorous"))
    assert found == [[1, 0.4, "A2", 3], [0, 0.1, "A1", 3]]
