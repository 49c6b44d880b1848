"""Copies, epochs of a run and seeds of a recipe are found from the records and said."""

import numpy as np
import pandas as pd
import pytest

from sharpscope.analysis.clusters import cluster_labels, find_clusters, run_of_name
from sharpscope.errors import UsageError

NAN = float("nan")


def table(checkpoints: list[tuple[str, str, str, float]], seed: int = 0, sets: int = 3) -> pd.DataFrame:
    """Rows of unrelated numbers for (name, arch, recipe, seed)."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        [
            {"checkpoint": name, "sha256": f"{i:064d}", "arch": arch, "recipe": recipe, "seed": number}
            | {"set": f"s{j}", "subset": "", "measure": "sam", "rho": 0.05, "m": 32.0, "preset": "rigorous"}
            | {"eer": rng.random(), "value": rng.random()}
            for i, (name, arch, recipe, number) in enumerate(checkpoints)
            for j in range(sets)
        ]
    )


def test_epochs_of_six_runs_under_one_recipe_are_six_runs() -> None:
    """Audit B and D: 24 rows of one recipe rejected 35 to 41 % and the sentence vanished."""
    found = find_clusters(
        table([(f"run{r}_epoch_{e}", "tiny", "adam", NAN) for r in range(6) for e in (1, 2, 5, 9)])
    )
    assert found.labels["run"].tolist() == np.repeat(np.arange(6), 4).tolist()
    assert found.labels["recipe"].nunique() == 1
    assert found.sentence.startswith("24 checkpoints are 6 runs of 1 recipe: ")


def test_the_same_seed_of_a_recipe_is_one_run_whatever_its_name() -> None:
    found = find_clusters(
        table([("best", "tiny", "adam", 0.0), ("last", "tiny", "adam", 0.0), ("best", "tiny", "adam", 1.0)])
    )
    assert found.labels["run"].tolist() == [0, 0, 1]


def test_checkpoints_without_a_recipe_are_not_one_recipe() -> None:
    """Audit D: twelve unrelated checkpoints with blank recipes counted as six recipes."""
    found = find_clusters(table([(f"paper{i}", f"arch{i // 2}", "", NAN) for i in range(12)]))
    assert found.labels["recipe"].nunique() == 12
    assert found.sentence == ""


def test_many_files_called_best_are_not_one_run() -> None:
    assert find_clusters(table([("best", "tiny", "", NAN)] * 4)).labels["run"].nunique() == 4


def test_epochs_that_name_no_run_are_one_run_of_their_recipe() -> None:
    found = find_clusters(
        table([(f"epoch_{e}.pt", "tiny", recipe, NAN) for recipe in "ab" for e in range(3)])
    )
    assert found.labels["run"].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("change", [0.0, 1e-9, 5e-7])
def test_a_copy_is_found_through_rounding(change: float) -> None:
    """Audit D: a relative change of 1e-9 escaped the check."""
    rows = table([(f"n{i}", "tiny", "", NAN) for i in range(4)])
    rows.loc[rows["checkpoint"] == "n3", ["eer", "value"]] = rows.loc[
        rows["checkpoint"] == "n1", ["eer", "value"]
    ].to_numpy() * (1 + change)
    found = find_clusters(rows)
    assert found.labels["copy"].tolist() == [0, 1, 2, 1]
    assert found.sentence == "4 checkpoints are 3 different networks: copies of a network are counted once."


def test_what_differs_somewhere_or_agrees_in_zeros_only_is_no_copy() -> None:
    rows = table([(f"n{i}", "tiny", "", NAN) for i in range(2)])
    rows[["eer", "value"]] = 0.0
    assert find_clusters(rows).labels["copy"].nunique() == 2
    rows = table([(f"n{i}", "tiny", "", NAN) for i in range(2)])
    rows.loc[3:5, ["eer", "value"]] = rows.loc[0:2, ["eer", "value"]].to_numpy()
    rows.loc[5, "value"] *= 1 + 1e-5
    assert find_clusters(rows).labels["copy"].nunique() == 2


def test_a_copy_joins_the_runs_of_both() -> None:
    rows = table([("a_epoch_1", "t", "", NAN), ("a_epoch_2", "t", "", NAN), ("b_best", "t", "", NAN)])
    rows.loc[6:8, ["eer", "value"]] = rows.loc[0:2, ["eer", "value"]].to_numpy()
    assert find_clusters(rows).labels["run"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("lcnn_ep12", "lcnn"),
        ("x.step=4000.ckpt", "x"),
        ("run3/best", "run3"),
        ("aasist-best-ema.pth", "aasist"),
        ("AASIST-L", "AASIST-L"),
        ("seed7", "seed7"),
        ("northeast", "northeast"),
        ("simplest", "simplest"),
    ],
)
def test_the_name_of_a_run(name: str, run: str) -> None:
    assert run_of_name(name)[0] == run


def test_labels_have_no_gaps_and_levels_are_checked() -> None:
    found = find_clusters(table([(f"n{i}", "tiny", "", NAN) for i in range(5)]))
    assert cluster_labels(found, found.labels.index[[4, 1]], "run").tolist() == [0, 1]
    with pytest.raises(UsageError, match="unknown level of clusters"):
        cluster_labels(found, found.labels.index, "runs")
