"""A checkpoint is measured as it was trained and selected: `measure` gives the log's dev EER, to the last digit."""

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sharpscope.cli import main
from sharpscope.detectors.loading import load_detector
from sharpscope.errors import UsageError
from sharpscope.measurement.measure import measure
from sharpscope.results.table import read_results
from sharpscope.training.conventions import conventions
from sharpscope.training.recipe import Recipe
from sharpscope.training.train import train

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
         "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}  # fmt: skip
FAMILIES = {
    "tiny": {"width": 4, "depth": 2, "bands": 8},
    "tiny-gru": {},
    "tiny-attention": {},
    "aasist-l": {},
    "rawnet2": {},
    "lfcc-lcnn-lstm": {},
    "res-tssdnet": {},
    "specrnet": {},
    "ssl-linear": SMALL,
    "ssl-conformer": SMALL,
    "ssl-mamba": SMALL,
    "antideepfake": SMALL,
}


def logged(folder: Path) -> list[dict[str, str]]:
    with open(folder / "log.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def measured(checkpoint: Path, sets: list[str], table: Path) -> Any:
    measure([checkpoint], sets, out=table, measures=["loss"], m=4, show_progress=False)
    return read_results(table)


@pytest.mark.parametrize("arch", FAMILIES)
def test_measure_gives_the_dev_eer_of_the_log(
    arch: str, tmp_path: Path, sounds: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    if FAMILIES[arch] is SMALL and importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    recipe = Recipe(
        recipe_for(
            data__samples=12_000, data__limit=12, model__arch=arch, model__args=FAMILIES[arch], schedule__epochs=1,
            schedule__batch_size=12,
        )
    )  # fmt: skip
    report = train(recipe, out=tmp_path / "run", show_progress=False)
    # Selection saw twelve of the trials; the same twelve as a protocol of their own.
    lines = sounds.read_text().splitlines()
    (sounds.parent / f"part-{arch}.csv").write_text("\n".join([lines[0], *_drawn(recipe, lines[1:])]) + "\n")
    table = measured(
        report.folder / "best.pt", [f"held={sounds.parent / f'part-{arch}.csv'}"], tmp_path / "r.csv"
    )
    assert float(logged(report.folder)[0]["dev_eer"]) == report.dev_eer
    assert table["eer"].iloc[0] == report.dev_eer


def _drawn(recipe: Recipe, lines: list[str]) -> list[str]:
    from sharpscope.training.data import listed

    kept = {Path(path).name for path in listed(recipe, "dev").paths}
    return [line for line in lines if line.partition(",")[0] in kept]


def test_the_record_carries_every_convention(
    tmp_path: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    changes = {"data__padding": "zero", "data__normalisation": "peak", "data__sample_rate": 8000}
    train(Recipe(recipe_for(**changes)), out=tmp_path / "run", show_progress=False)
    detector = load_detector(tmp_path / "run" / "best.pt")
    spec = detector.spec
    assert (spec.n_samples, spec.sample_rate, spec.padding, spec.normalisation) == (
        6000,
        8000,
        "zero",
        "peak",
    )
    record = detector.record or {}
    assert record["loss_weights"] == {"spoof": 0.5, "bonafide": 0.5}
    assert (record["weights"], record["name"]) == ("best", "run")
    assert load_detector(tmp_path / "run" / "last.pt").name == "run-last"
    shown = CliRunner().invoke(main, ["inspect", str(tmp_path / "run" / "best.pt"), "--json"])
    assert shown.exit_code == 0, shown.output
    assert "6000" in shown.output
    assert "peak" in shown.output


def test_other_lengths_would_give_another_eer(
    tmp_path: Path, sounds: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    """The fault that this mends: without its record's length the same checkpoint scores otherwise."""
    import dataclasses

    import torch

    from sharpscope.audio.batches import load_groups

    train(Recipe(recipe_for()), out=tmp_path / "run", show_progress=False)
    detector = load_detector(tmp_path / "run" / "best.pt")
    paths = [str(sounds.parent / f"{index}.wav") for index in range(16)]
    scores = []
    for length in (6000, 32_000):
        other = dataclasses.replace(detector, spec=dataclasses.replace(detector.spec, n_samples=length))
        groups = [torch.arange(16).numpy()]
        waves = next(load_groups(paths, groups, sample_rate=16_000, n_samples=length))
        with torch.no_grad():
            scores.append(other(waves))
    assert not torch.allclose(*scores)


def test_the_mean_over_dev_sets_and_what_decides_between_equal_ones(
    tmp_path: Path, sounds: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    lines = sounds.read_text().splitlines()
    half = sounds.parent / "half.csv"
    half.write_text("\n".join([lines[0], *lines[1:9]]) + "\n")
    dev = [f"half={half}", f"held={sounds}"]
    recipe = Recipe(recipe_for(data__dev=dev, schedule__selection="mean", schedule__ties="first"))
    report = train(recipe, out=tmp_path / "run", show_progress=False)
    rows = logged(report.folder)
    for row in rows:
        each = [float(one) for one in row["dev_eers"].split(";")]
        assert float(row["dev_eer"]) == sum(each) / 2
    table = measured(report.folder / "best.pt", dev, tmp_path / "r.csv")
    best = min(range(len(rows)), key=lambda at: float(rows[at]["dev_eer"]))  # min keeps the first
    assert table["eer"].tolist() == [float(one) for one in rows[best]["dev_eers"].split(";")]


def test_samples_that_are_only_marked_are_neither_mixed_nor_normalised() -> None:
    recipe = {"model": {"arch": "lfcc-lcnn"}}
    assert conventions(Recipe(recipe)).padding == "frames"
    with pytest.raises(UsageError, match="repeats the frames of short files"):
        conventions(Recipe({**recipe, "augment": {"mixup": 0.5}}))
    with pytest.raises(UsageError, match="cannot be normalised"):
        conventions(Recipe({**recipe, "data": {"normalisation": "peak"}}))
    tiled = {"padding": "tile", "normalisation": "peak"}
    assert conventions(Recipe({**recipe, "data": tiled, "augment": {"mixup": 0.5}})).padding == "tile"
