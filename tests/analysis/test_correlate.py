"""From a results table to answers: closed forms, known answers, refusals."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from sharpscope.analysis.correlate import correlate, write_correlation
from sharpscope.analysis.correlation_rows import COLUMNS
from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.results.appending import append_results
from sharpscope.results.table import COLUMNS as RESULT_COLUMNS

SETS = ("a", "b")


def table(
    values: Any, eers: Any, *, sets: Any = SETS, recipes: Any = None, measure: str = "sam"
) -> list[dict[str, Any]]:
    """Rows of a results table: values and eers are checkpoints x sets."""
    rows = []
    for i, (value_row, eer_row) in enumerate(zip(values, eers, strict=True)):
        for name, value, eer in zip(sets, value_row, eer_row, strict=True):
            cells: dict[str, Any] = dict.fromkeys(RESULT_COLUMNS, "")
            cells |= {
                "checkpoint": f"c{i}",
                "sha256": f"{i:064x}",
                "set": name,
                "measure": measure,
                "rho": 0.05,
            }
            cells |= {"m": 32, "value": value, "eer": eer, "preset": "rigorous", "arch": "x", "n_groups": 4}
            cells["recipe"] = recipes[i] if recipes else "adam"
            rows.append(cells)
    return rows


def written(tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    append_results(tmp_path / "results.csv", rows)
    return tmp_path / "results.csv"


def row(found: pd.DataFrame, scope: str, name: str | None = None) -> pd.Series:
    chosen = found[(found["scope"] == scope) & (True if name is None else found["set"] == name)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_simpson_is_pointed_out(tmp_path: Path) -> None:
    """Within each set -1, in the pooled cloud +0.542857 (style_stats, B0)."""
    s = [[1, 11], [2, 12], [3, 13]]
    e = [[0.03, 0.33], [0.02, 0.32], [0.01, 0.31]]
    found = correlate(written(tmp_path, table(s, e))).table
    assert row(found, "set", "a")["spearman"] == pytest.approx(-1)
    assert row(found, "mean_within")["spearman"] == pytest.approx(-1)
    pooled = row(found, "pooled")
    assert pooled["spearman"] == pytest.approx(0.542857, abs=1e-6)
    assert math.isnan(pooled["p"])
    assert "Simpson" in pooled["note"]


def test_the_joint_permutation_is_the_enumeration(tmp_path: Path) -> None:
    """Against a slow enumeration of all 5! orders, the same in both sets at once."""
    import itertools

    from scipy.stats import spearmanr

    rng = np.random.default_rng(3)
    s, e = rng.normal(size=(5, 2)), rng.uniform(size=(5, 2))
    found = correlate(written(tmp_path, table(s.tolist(), e.tolist()))).table

    def mean_within(order: Any) -> float:
        return float(np.mean([spearmanr(s[list(order), k], e[:, k]).statistic for k in range(2)]))

    null = [mean_within(order) for order in itertools.permutations(range(5))]
    observed = mean_within(range(5))
    joint = row(found, "mean_within")
    assert joint["spearman"] == pytest.approx(observed)
    assert joint["p"] == pytest.approx(np.mean(np.abs(null) >= abs(observed) - 1e-9))


def test_holm_and_benjamini_hochberg_are_over_the_family(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    s = np.arange(8.0)[:, None] + rng.normal(size=(8, 3))
    e = np.linspace(0.1, 0.4, 8)[:, None] + 0.05 * rng.uniform(size=(8, 3))
    found = correlate(written(tmp_path, table(s.tolist(), e.tolist(), sets=("a", "b", "c")))).table
    p = found[found["scope"] == "set"].set_index("set")["p"].sort_values()
    holm = found[found["scope"] == "set"].set_index("set")["p_holm"]
    expected = np.maximum.accumulate(np.minimum(1, p.to_numpy() * [3, 2, 1]))
    np.testing.assert_allclose(holm[p.index], expected)


def test_confounding_by_recipe_disappears_within_it(tmp_path: Path) -> None:
    """Two recipes differ in both, nothing goes together inside either."""
    s = [[1], [2], [3], [4], [11], [12], [13], [14]]
    e = [[0.12], [0.14], [0.11], [0.13], [0.32], [0.34], [0.31], [0.33]]
    path = written(tmp_path, table(s, e, sets=("a",), recipes=["adam"] * 4 + ["sam"] * 4))
    found = correlate(path, by="recipe").table
    assert row(found, "set")["p"] < 0.05
    within = row(found, "within_recipe")
    assert abs(within["spearman"]) < 0.1
    assert within["p"] > 0.5


def test_few_constant_and_missing_are_said(tmp_path: Path) -> None:
    four = correlate(
        written(tmp_path / "4", table([[1], [2], [3], [4]], [[0.1], [0.2], [0.3], [0.4]], sets=("a",)))
    )
    assert "fewer than 5" in row(four.table, "set")["note"]
    assert math.isnan(row(four.table, "set")["p"])
    assert "Nothing can be tested with 4 checkpoints" in four.summary
    constant = correlate(
        written(tmp_path / "c", table([[1]] * 6, [[0.1 * i] for i in range(6)], sets=("a",)))
    )
    assert row(constant.table, "set")["note"] == "constant measure"
    values = [[1.0], [2.0], [float("nan")], [4.0], [5.0], [6.0]]
    dropped = correlate(written(tmp_path / "n", table(values, [[0.1 * i] for i in range(6)], sets=("a",))))
    assert row(dropped.table, "set")["n_dropped"] == 1
    assert row(dropped.table, "set")["n"] == 5


def test_copies_of_one_network_are_told(tmp_path: Path) -> None:
    values = [[0.1, 0.2], [0.3, 0.4], [0.1, 0.2], [0.5, 0.6]]
    eers = [[0.1, 0.2], [0.1, 0.2], [0.1, 0.2], [0.2, 0.3]]
    rows = table(values, eers) + table(np.array(values) * 1.5, eers, measure="asam")
    told = correlate(written(tmp_path, rows)).warnings
    assert told[0].startswith("c0 (00000000) and c2 (00000000) have the same numbers everywhere")
    # Numbers that c2 lacks are no difference; one that differs is.
    assert [line for line in correlate(pd.DataFrame(rows[:4] + rows[6:])).warnings if "same numbers" in line]
    rows[4]["value"] *= 1.01
    assert not [line for line in correlate(pd.DataFrame(rows)).warnings if "same numbers" in line]


def test_too_few_for_an_interval_over_sets_get_none(tmp_path: Path) -> None:
    rows = table([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], [[0.1, 0.1], [0.2, 0.1], [0.3, 0.1]])
    joint = row(correlate(written(tmp_path, rows)).table, "mean_within")
    assert joint["spearman"] == pytest.approx(1)
    assert math.isnan(joint["spearman_low"])
    assert joint["note"].startswith("1 of 2 sets")


def test_what_is_no_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one checkpoint"):
        correlate(written(tmp_path / "1", table([[1]], [[0.1]], sets=("a",))))
    rows = table([[1], [2]], [[0.1], [0.2]], sets=("a",))
    rows.append({**rows[0], "trials_hash": "other"})
    with pytest.raises(UsageError, match="more than once"):
        correlate(written(tmp_path / "2", rows))
    with pytest.raises(UsageError, match="did you mean 'sam'"):
        correlate(written(tmp_path / "3", table([[1], [2]], [[0.1], [0.2]], sets=("a",))), measures=["sm"])


def test_the_command_writes_tables_figures_and_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    s = rng.uniform(1, 2, size=(12, 2))
    e = np.clip(s / 5 + 0.02 * rng.normal(size=(12, 2)), 0, 1)
    path = written(tmp_path, table(s.tolist(), e.tolist()))
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["correlate", str(path), "--out-dir", str(out)])
    assert done.exit_code == 0, done.output
    assert "p_adjusted" in done.stdout
    assert "It may not be claimed" in done.stdout
    assert "next: sharpscope" in done.stderr
    assert tuple(pd.read_csv(out / "correlations.csv").columns) == COLUMNS
    assert r"\toprule" in (out / "correlations.tex").read_text()
    assert {p.suffix for p in (out / "figures").iterdir()} == {".pdf", ".png"}
    bad = CliRunner().invoke(main, ["correlate", str(tmp_path / "none.csv")])
    assert bad.exit_code == 2
    assert "no such results file" in bad.stderr


def test_the_same_table_gives_the_same_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path = written(tmp_path, table(rng.normal(size=(12, 2)).tolist(), rng.uniform(size=(12, 2)).tolist()))
    texts = []
    for folder in ("x", "y"):
        write_correlation(correlate(path), tmp_path / folder)
        texts.append((tmp_path / folder / "correlations.csv").read_bytes())
    assert texts[0] == texts[1]


def test_losses_of_several_kinds_are_refused_and_polarities_of_several_kinds_told() -> None:
    made = pd.DataFrame(table([[1, 2], [2, 3], [3, 5]], [[0.1, 0.2], [0.2, 0.3], [0.3, 0.4]]))
    made["loss_name"] = ["cross_entropy"] * 5 + ["own_loss"]
    with pytest.raises(UsageError, match=r"several losses \(cross_entropy, own_loss\)"):
        correlate(made)
    made["loss_name"] = "cross_entropy"
    made["polarity_source"] = ["declared"] * 4 + ["assumed"] * 2
    assert any("assumed, declared" in line for line in correlate(made).warnings)
