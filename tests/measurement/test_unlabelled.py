"""Audio without labels: the label-free values are those of a labelled measurement, and nothing else is claimed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from sharpscope.analysis.against import errors_of_table
from sharpscope.cli import main
from sharpscope.corpora.unlabelled import read_unlabelled, read_unlabelled_sets
from sharpscope.errors import UsageError
from sharpscope.measurement.measure import measure
from sharpscope.results.comparable import eligible_rows
from sharpscope.results.records import Records
from sharpscope.results.table import read_results

LABEL_FREE = ["sam_predicted", "sam_entropy", "entropy", "confidence", "fisher_trace"]


def network(folder: Path, model_file: Path, seed: int = 0) -> Path:
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    path = folder / f"net{seed}.pt"
    torch.save(namespace["Tiny"](seed=seed).state_dict(), path)
    return path


def test_one_group_of_everything_gives_the_values_that_labels_give(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    path = network(tmp_path, model_file)
    protocol = pd.read_csv(tone_set)
    n = 2 * int(protocol["label"].value_counts().min())
    protocol = protocol.groupby("label").head(n // 2)
    here = tmp_path / "sounds"
    here.mkdir()
    for name in protocol["file"]:
        shutil.copy(tone_set.parent / name, here / Path(name).name)
    tone_set = here / "list.csv"
    protocol.assign(file=protocol["file"].map(lambda name: Path(name).name)).to_csv(tone_set, index=False)
    shared: dict[str, Any] = {
        "model": f"{model_file}:Tiny",
        "show_progress": False,
        "dtype": "float64",
        "rho": [0.05],
    }
    shared |= {"m": n, "measures": LABEL_FREE}
    told = measure([path], [f"tones={tone_set}"], out=tmp_path / "told.csv", **shared)
    measure([path], [f"target={tone_set.parent}"], out=tmp_path / "blind.csv", unlabelled=True, **shared)
    assert told.rows == len(LABEL_FREE)
    labelled, blind = read_results(tmp_path / "told.csv"), read_results(tmp_path / "blind.csv")
    assert blind["value"].to_numpy() == pytest.approx(labelled["value"].to_numpy(), rel=1e-9)
    assert blind[["eer", "eer_low", "eer_high", "n_bonafide", "n_spoof"]].isna().all(axis=None)
    assert "no labels" in blind["note"].iloc[0]
    assert "chance" not in blind["note"].iloc[0]


def test_scores_are_there_for_who_asks_and_for_nobody_else(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    out = tmp_path / "r.csv"
    path = network(tmp_path, model_file)
    shared: dict[str, Any] = {"model": f"{model_file}:Tiny", "show_progress": False, "m": 4, "out": out}
    measure([path], [f"tones={tone_set}"], measures=["entropy"], **shared)
    measure([path], {"target": tone_set.parent}, unlabelled=True, **shared)
    table, records = read_results(out), Records.beside(out)
    row = table[table["set"] == "target"].iloc[0].to_dict()
    assert records.scores(row) is None
    scores = records.scores(row, unlabelled=True)
    assert scores is not None
    assert set(scores["label"]) == {""}
    assert len(scores) == len(pd.read_csv(tone_set))
    assert set(errors_of_table(table, records, ["eer"])["set"]) == {"tones"}
    again = measure([path], {"target": tone_set.parent}, unlabelled=True, **shared)
    assert again.rows == 0
    assert again.skipped > 0
    both = pd.concat([table, table.assign(sha256="f" * 64, value=table["value"] + 1)], ignore_index=True)
    kept, warnings = eligible_rows(both)
    assert set(kept["set"]) == {"tones"}
    assert any("without labels" in line for line in warnings)


def test_what_needs_labels_is_refused_in_one_line(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path = network(tmp_path, model_file)
    shared: dict[str, Any] = {
        "model": f"{model_file}:Tiny",
        "show_progress": False,
        "unlabelled": True,
        "m": 4,
    }
    here = {"target": tone_set.parent}
    with pytest.raises(UsageError, match=r"sam, loss.*cannot be measured without labels"):
        measure([path], here, measures=["sam", "loss", "entropy"], **shared)
    with pytest.raises(UsageError, match="takes rigorous"):
        measure([path], here, preset="huang2025", **shared)
    with pytest.raises(UsageError, match="--unlabelled has none"):
        measure([path], here, by="attack", **shared)
    with pytest.raises(UsageError, match="a group of m = 4000 needs as many"):
        measure([path], here, **{**shared, "m": 4000})
    for bad in ("itw", "target=", "a@b=c"):
        with pytest.raises(UsageError, match="write name=FOLDER"):
            read_unlabelled_sets(bad)
    with pytest.raises(UsageError, match="is not a folder"):
        read_unlabelled("target", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no audio under"):
        read_unlabelled("target", tmp_path / "empty")


def test_the_command_takes_it(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path, out = network(tmp_path, model_file), tmp_path / "r.csv"
    arguments = [
        "measure",
        str(path),
        "--sets",
        f"target={tone_set.parent}",
        "--unlabelled",
        "--out",
        str(out),
    ]
    done = CliRunner().invoke(
        main, [*arguments, "--model", f"{model_file}:Tiny", "--m", "4", "--limit", "8", "--quiet"]
    )
    assert done.exit_code == 0, done.output
    assert np.isfinite(read_results(out)["value"]).all()
